#include "accel/tcg/translate/translate_at.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "accel/tcg/vcpu/vcpu.h"

namespace weft::accel {

namespace {

// A unit ends at the page's end at the latest; shorter ones waste less when they are invalidated.
constexpr uint32_t kMaxInsns = 512;
static_assert(kMaxInsns <= InsnClock::kMargin);

// `stale` goes to the caller.
JobEnd read_and_translate(Translator& translator, Vcpu& vcpu, const FetchPage& page, uint32_t insn_limit,
                          tcg::TranslationBlock** tb, bool* fault) {
    uint32_t max_insns = translator.cache().settings().one_insn_per_tb || page.device ? 1 : kMaxInsns;
    max_insns = insn_limit != 0 ? std::min(max_insns, insn_limit) : max_insns;
    UnitSource source(vcpu.header().pc, page, max_insns, insn_limit != 0);
    PageClaim claim(translator.cache().pages());
    const TranslationJob job{vcpu.tb_flags, vcpu.counters, source, claim};
    *fault = !source.read(vcpu, claim);
    JobEnd end = JobEnd::more;
    while (!*fault && end == JobEnd::more) {
        end = translator.translate(job, tb);
        *fault = end == JobEnd::more && !source.read_more(vcpu, claim);
    }
    return end;
}

}  // namespace

TranslateOutcome translate_at(Translator& translator, Vcpu& vcpu, const FetchPage& page, uint32_t insn_limit,
                              tcg::TranslationBlock** tb) {
    const auto start = std::chrono::steady_clock::now();
    JobEnd end{};
    bool fault = false;
    do {
        translator.cache().upkeep(&vcpu.thread());
        end = read_and_translate(translator, vcpu, page, insn_limit, tb, &fault);
    } while (end == JobEnd::stale);
    const auto took = std::chrono::steady_clock::now() - start;
    vcpu.counters.translate_ns.add(
        static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(took).count()));
    if (fault) {
        return TranslateOutcome::fault;
    }
    if (end == JobEnd::full) {
        return TranslateOutcome::full;
    }
    if (end == JobEnd::failed) {
        const std::string message = fmt::format("cannot translate the instruction at {:#x}: {}",
                                                vcpu.header().pc, translator.failure());
        vcpu.host.fatal(vcpu.host.opaque, message.c_str());
        return TranslateOutcome::failed;
    }
    return TranslateOutcome::ok;
}

}  // namespace weft::accel
