#include "accel/tcg/run/interpreted_execution.h"

#include <algorithm>
#include <array>

#include "accel/tcg/vcpu/block_at_pc.h"
#include "accel/tcg/vcpu/vcpu.h"
#include "base/log.h"

namespace weft::accel {

bool InterpretedExecution::allowed(const Vcpu& vcpu) const {
    if (guest_.run == nullptr || vcpu.insn_clock != nullptr || vcpu.exec_logged ||
        vcpu.cache.settings().one_insn_per_tb) {
        return false;
    }
    for (const LogItem item : {LogItem::in_asm, LogItem::op, LogItem::op_opt, LogItem::out_asm}) {
        if (vcpu.host.log_enabled(vcpu.host.opaque, static_cast<unsigned>(item))) {
            return false;
        }
    }
    return true;
}

Interpreted InterpretedExecution::run(Vcpu& vcpu, const FetchPage& page) {
    StateHeader& header = vcpu.header();
    const uint64_t begun = header.pc;
    const uint64_t first_page = begun & ~(kPageSize - 1);
    for (bool moved = false;; moved = true) {
        RunResult result{};
        if (const auto ended = run_once(vcpu, page, static_cast<uint32_t>(kPageSize), &result)) {
            return *ended;
        }
        if (result.stop == RunStop::translate) {
            return moved || result.insns != 0 ? Interpreted::went_on : run_across(vcpu, page);
        }
        const uint64_t pc = header.pc;
        if ((pc & ~(kPageSize - 1)) != first_page ||
            header.exit_request.load(std::memory_order_relaxed) != 0 ||
            vcpu.jump_cache.lookup_code(pc, header.context_id) != JumpCache::kNone) {
            return Interpreted::went_on;
        }
        if (vcpu.youth.step()) {
            if (block_at_pc(vcpu, pc, page) != nullptr) {
                return Interpreted::went_on;
            }
            continue;
        }
        switch (vcpu.visits.meet(pc)) {
            case Visit::cold:
                break;
            case Visit::awaited:
                if (block_at_pc(vcpu, pc, page) != nullptr) {
                    return Interpreted::went_on;
                }
                break;
            case Visit::due:
                if (translated_beside(vcpu, page)) {
                    break;
                }
                [[fallthrough]];
            case Visit::hot:
                return translate_beginning(vcpu, page, begun);
        }
    }
}

bool InterpretedExecution::translated_beside(Vcpu& vcpu, const FetchPage& page) {
    const uint64_t pc = vcpu.header().pc;
    if (workers_ == nullptr || !workers_->offer(vcpu, page)) {
        return false;
    }
    vcpu.visits.set_awaited(pc);
    return true;
}

Interpreted InterpretedExecution::run_to(Vcpu& vcpu, const FetchPage& page, uint32_t end) {
    RunResult result{};
    if (const auto ended = run_once(vcpu, page, end, &result)) {
        return *ended;
    }
    return result.stop == RunStop::translate && result.insns == 0 ? Interpreted::translate
                                                                  : Interpreted::went_on;
}

std::optional<Interpreted> InterpretedExecution::run_once(Vcpu& vcpu, const FetchPage& page, uint32_t end,
                                                          RunResult* result) {
    return run_bytes(vcpu, page, end, result) ? ended(vcpu, *result) : Interpreted::fault;
}

// Nothing: it goes on.
std::optional<Interpreted> InterpretedExecution::ended(Vcpu& vcpu, const RunResult& result) {
    vcpu.counters.cold_runs.add();
    vcpu.counters.cold_insns.add(result.insns);
    if (vcpu.failed) {
        return Interpreted::failed;
    }
    return result.stop == RunStop::exception ? std::optional(Interpreted::fault) : std::nullopt;
}

// The instruction at the vCPU's pc, which the bytes up to the page's end do not hold: of both pages. What cannot be fetched like that is
// left to a translation.
Interpreted InterpretedExecution::run_across(Vcpu& vcpu, const FetchPage& page) {
    constexpr uint32_t kMost = 16;
    const uint32_t whole = guest_.max_insn_size;
    const uint64_t pc = vcpu.header().pc;
    const auto first = static_cast<uint32_t>(kPageSize - (pc & (kPageSize - 1)));
    if (first >= whole || whole > kMost) {
        return Interpreted::translate;
    }
    FetchPage second{};
    std::array<uint8_t, kMost> bytes;
    if (!vcpu.memory.fetch(pc + first, vcpu.fetch_mode, &second) || second.device ||
        !vcpu.memory.read_code(page, pc, bytes.data(), first) ||
        !vcpu.memory.read_code(second, pc + first, bytes.data() + first, whole - first)) {
        vcpu.header().raised = 0;
        return Interpreted::translate;
    }
    const RunResult result = guest_.run(vcpu.state(), vcpu.tb_flags, bytes.data(), whole);
    if (result.stop == RunStop::translate && result.insns == 0) {
        return Interpreted::translate;
    }
    return ended(vcpu, result).value_or(Interpreted::went_on);
}

// False: an exception is recorded, as the bytes cannot be read any more.
bool InterpretedExecution::run_bytes(Vcpu& vcpu, const FetchPage& page, uint32_t end, RunResult* result) {
    const auto offset = static_cast<uint32_t>(vcpu.header().pc & (kPageSize - 1));
    const uint32_t size = end - offset;
    if (page.host != nullptr) {
        *result = guest_.run(vcpu.state(), vcpu.tb_flags, page.host + offset, size);
        return true;
    }
    // About as much as runs until the next jump, in blocks of what is copied at once: a page is a multiple of them.
    constexpr uint32_t kBlock = 16;
    alignas(kBlock) std::array<uint8_t, 4 * kBlock> bytes;
    const uint32_t before = offset % kBlock;
    const uint32_t copied = std::min(before + size, static_cast<uint32_t>(bytes.size()));
    if (!vcpu.memory.read_code(page, vcpu.header().pc - before, bytes.data(),
                               (copied + kBlock - 1) / kBlock * kBlock)) {
        return false;
    }
    *result = guest_.run(vcpu.state(), vcpu.tb_flags, bytes.data() + before, copied - before);
    return true;
}

// What the code that began at `begun`, in `page`, has come to is hot, most likely a loop, and is about to be translated:
// its beginning is translated first, so that the two lie side by side in memory, as they will be run.
Interpreted InterpretedExecution::translate_beginning(Vcpu& vcpu, const FetchPage& page, uint64_t begun) {
    StateHeader& header = vcpu.header();
    const uint64_t pc = header.pc;
    if (pc == begun || block_at_pc(vcpu, begun, page) != nullptr) {
        return Interpreted::went_on;
    }
    header.pc = begun;
    Translated made;
    // That there is no space for it, or that its bytes, which were run just now, cannot be fetched any more, matters to
    // nobody yet: who comes here again meets the same.
    uint64_t full_at = 0;
    const TranslateOutcome outcome = translate_at(translators_, vcpu, page, 0, &made, &full_at);
    header.raised = 0;
    header.pc = pc;
    if (outcome == TranslateOutcome::failed) {
        return Interpreted::failed;
    }
    release_single(translators_, made);  // other bytes meanwhile, which reach into a device
    vcpu.visits.set_hot(begun);
    return Interpreted::went_on;
}

}  // namespace weft::accel
