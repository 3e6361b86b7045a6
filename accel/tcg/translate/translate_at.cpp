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
    uint32_t max_insns = most_insns(translator.cache().settings(), page);
    max_insns = insn_limit != 0 ? std::min(max_insns, insn_limit) : max_insns;
    UnitSource source(vcpu.header().pc, page, max_insns, insn_limit != 0);
    PageClaim claim(translator.cache().pages());
    const TranslationJob job{vcpu.tb_flags, vcpu.counters, source, claim};
    if (translator.keeps() && !page.device && page.lasting) {
        source.set_page_sample(vcpu.memory.sample(page));
    }
    *fault = !source.read(vcpu, claim);
    JobEnd end = JobEnd::more;
    while (!*fault && end == JobEnd::more) {
        end = translator.translate(job, tb);
        *fault = end == JobEnd::more && !source.read_more(vcpu, claim);
    }
    return end;
}

}  // namespace

uint32_t most_insns(const Settings& settings, const FetchPage& page) {
    return settings.one_insn_per_tb || page.device ? 1 : kMaxInsns;
}

TranslateOutcome translate_at(Translators& translators, Vcpu& vcpu, const FetchPage& page,
                              uint32_t insn_limit, Translated* translated, uint64_t* full_at) {
    const auto start = std::chrono::steady_clock::now();
    TranslatorLease translator(translators);
    JobEnd end{};
    bool fault = false;
    FetchPage now = page;
    do {
        vcpu.cache.upkeep(&vcpu.thread());
        end = read_and_translate(*translator, vcpu, now, insn_limit, &translated->tb, &fault);
        // A process's page may be no code any more.
    } while (end == JobEnd::stale && vcpu.memory.fetch(vcpu.header().pc, vcpu.fetch_mode, &now));
    const auto took = std::chrono::steady_clock::now() - start;
    vcpu.counters.translate_ns.add(
        static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(took).count()));
    if (fault || end == JobEnd::stale) {
        return TranslateOutcome::fault;
    }
    if (end == JobEnd::full) {
        *full_at = translator->full_at();
        return TranslateOutcome::full;
    }
    if (end == JobEnd::failed) {
        const std::string message = fmt::format("cannot translate the instruction at {:#x}: {}",
                                                vcpu.header().pc, translator->failure());
        vcpu.host.fatal(vcpu.host.opaque, message.c_str());
        return TranslateOutcome::failed;
    }
    if ((translated->tb->state.load(std::memory_order_relaxed) & tcg::kTbUnhashed) != 0) {
        translated->maker = translator.keep();
    }
    return TranslateOutcome::ok;
}

void release_single(Translators& translators, const Translated& translated) {
    if (translated.maker != nullptr) {
        translated.maker->release_single(translated.tb);
        translators.give_back(*translated.maker);
    }
}

}  // namespace weft::accel
