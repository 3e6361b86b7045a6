// Branches, calls, and the ways out of a unit.
#include "tcg/interp/machine.h"
#include "tcg/interp/trampolines.h"

namespace weft::tcg::interp {

using ir::ExitReason;
using ir::Opcode;
using ir::Type;

namespace {

constexpr uint64_t kPageMask = ~uint64_t{4095};

const Insn* br(Machine&, const Insn& insn) { return insn_at(insn, static_cast<int32_t>(operands(insn)[0])); }

const Insn* call(Machine& m, const Insn& insn) {
    const uint32_t* words = operands(insn);
    const CallShape shape{words[0]};
    const unsigned first_arg = (insn.cond & kCallHasResult) != 0 ? 2 : 1;
    uint64_t args[kMaxHelperArgs];
    for (unsigned i = 0; i < shape.arg_count(); ++i) {
        args[i] = shape.arg_is_wide(i) ? m.get<uint64_t>(insn, first_arg + i)
                                       : m.get<uint32_t>(insn, first_arg + i);
    }
    m.mark(insn);
    const uint64_t result = trampoline(shape)(m.config.guest->helpers[insn.aux].function, m.state, args);
    if ((insn.cond & kCallMayRaise) != 0 && m.header().raised != 0) {
        return m.fault();
    }
    if ((insn.cond & kCallHasResult) != 0) {
        if (shape.result_is_wide()) {
            m.set<uint64_t>(insn, 1, result);
        } else {
            m.set<uint32_t>(insn, 1, static_cast<uint32_t>(result));
        }
    }
    return insn_at(insn, insn.words);
}

// Makes the destination's page that of the state; returns its pc.
uint64_t turn_to_target(Machine& m, const Insn& insn) {
    const uint64_t pc = m.header().page_pc + static_cast<uint64_t>(int64_t{static_cast<int32_t>(insn.aux)});
    m.header().page_pc = pc & kPageMask;
    return pc;
}

const Insn* leave_by_goto_tb(Machine& m, const Insn& insn) {
    ExecState& exec = exec_state(m.state);
    exec.exit_unit = m.unit().unit_index;
    exec.exit_slot = insn.cond;
    m.header().pc = turn_to_target(m, insn);
    return m.leave(ExitKind::goto_tb);
}

const Insn* leave_by_lookup(Machine& m, const Insn& insn) {
    m.header().pc = m.get<uint64_t>(insn, 0);
    return m.leave(ExitKind::indirect);
}

const Insn* exit_check(Machine& m, const Insn& insn) {
    bool wanted = false;
    if (m.config.count_insns) {
        int64_t& budget = exec_state(m.state).insn_budget;
        budget -= static_cast<int64_t>(insn.aux);
        wanted = budget < 0;
    }
    if ((insn.cond & 1) != 0) {
        // Relaxed: the loop reads the reasons after clearing it, sequentially consistent.
        wanted = wanted || m.header().exit_request.load(std::memory_order_relaxed) != 0;
    }
    const Insn* transfer = next<0>(insn);
    if (wanted) {
        switch (opcode_of(transfer->key)) {
            case Opcode::goto_tb:
                return leave_by_goto_tb(m, *transfer);
            case Opcode::lookup_and_goto_ptr:
                return leave_by_lookup(m, *transfer);
            default:
                break;  // leaves anyway
        }
    }
    return transfer;
}

const Insn* goto_tb(Machine& m, const Insn& insn) {
    const uint32_t* word = operands(insn);
    // Acquire: pairs with the release in Backend::link, made after the unit there was written.
    const auto distance = static_cast<int32_t>(__atomic_load_n(word, __ATOMIC_ACQUIRE));
    if (distance == 0) {
        return leave_by_goto_tb(m, insn);
    }
    turn_to_target(m, insn);
    return m.enter(reinterpret_cast<uintptr_t>(word) + static_cast<uintptr_t>(intptr_t{distance}));
}

// Its vCPU's alone.
void count(std::atomic<uint64_t>& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

const Insn* count_entry(Machine& m, const Insn& insn) {
    ProfileState& profile = exec_state(m.state).profile;
    count(profile.entries);
    const size_t offset = m.bases[kBaseUnit] - m.code_base;
    profile.unit_entries[offset >> kProfileShift].fetch_add(1, std::memory_order_relaxed);
    return next<0>(insn);
}

template <bool kProfile>
const Insn* lookup_and_goto_ptr(Machine& m, const Insn& insn) {
    StateHeader& header = m.header();
    const auto pc = m.get<uint64_t>(insn, 0);
    const ExecState& exec = exec_state(m.state);
    const size_t index = jump_cache_index(pc, exec.jump_cache_salt, exec.jump_cache_mask);
    const JumpCacheEntry& entry = static_cast<const JumpCacheEntry*>(header.jump_cache)[index];
    if (entry.pc == pc && entry.context_id == header.context_id) {
        if constexpr (kProfile) {
            count(exec_state(m.state).profile.probe_hits);
        }
        header.page_pc = pc & kPageMask;
        return m.enter(m.code_base + entry.code_offset);
    }
    if constexpr (kProfile) {
        count(exec_state(m.state).profile.probe_misses);
    }
    const RxAddress code = m.config.hooks.lookup(m.state, pc);
    return code ? m.enter(code.value()) : leave_by_lookup(m, insn);
}

const Insn* exit_tb(Machine& m, const Insn& insn) {
    m.header().pc = m.get<uint64_t>(insn, 0);
    switch (static_cast<ExitReason>(insn.aux)) {
        case ExitReason::halt:
            return m.leave(ExitKind::halt);
        case ExitReason::yield:
            return m.leave(ExitKind::yield);
        default:
            return m.leave(ExitKind::lookup);
    }
}

// Calls leave nothing behind here: returns are looked up.
const Insn* return_point(Machine&, const Insn& insn) { return insn_at(insn, insn.words); }

const Insn* mb(Machine& m, const Insn& insn) {
    m.full_barrier();
    return next<0>(insn);
}

}  // namespace

void add_control_handlers(HandlerTable& table, bool profile) {
    table[kCountEntryKey] = &count_entry;
    table[key_of(Opcode::br, Type::none)] = &br;
    table[key_of(Opcode::call, Type::none)] = &call;
    table[key_of(Opcode::exit_check, Type::none)] = &exit_check;
    table[key_of(Opcode::return_point, Type::none)] = &return_point;
    table[key_of(Opcode::goto_tb, Type::none)] = &goto_tb;
    table[key_of(Opcode::lookup_and_goto_ptr, Type::none)] =
        profile ? &lookup_and_goto_ptr<true> : &lookup_and_goto_ptr<false>;
    table[key_of(Opcode::exit_tb, Type::none)] = &exit_tb;
    table[key_of(Opcode::mb, Type::none)] = &mb;
}

}  // namespace weft::tcg::interp
