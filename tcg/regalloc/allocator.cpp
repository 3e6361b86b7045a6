#include "tcg/regalloc/allocator.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"
#include "tcg/ir/outputs.h"
#include "weft/ir_info.h"

namespace weft::tcg {

using ir::TempIndex;
using ir::TempKind;

void Allocator::pin(TempIndex global, ir::Type type, HostReg reg) {
    pinned_[global] = reg;
    first_states_[global].in_memory = false;
    local_ &= ~mask_of(reg);
    (ir::is_fp(type) ? fp_all_ : int_all_) |= mask_of(reg);
}

// What all units begin with: what is pinned in all of them.
void Allocator::begin_first(const ir::Unit& unit) {
    pinned_.assign(unit.global_count, kNoReg);
    first_states_.assign(unit.global_count, State{kNoReg, true, -1});
    local_ = file_.int_regs | file_.fp_regs;
    int_all_ = file_.int_regs;
    fp_all_ = file_.fp_regs;
    for (uint32_t i = 0; i < unit.global_count; ++i) {
        if (file_.pinned[i] != kNoReg) {
            pin(static_cast<TempIndex>(i), unit.temps[i].type, file_.pinned[i]);
        }
    }
}

void Allocator::begin(const ir::Unit& unit, std::span<const UnitPin> pins) {
    unit_ = &unit;
    if (!first_is_ready_) {
        begin_first(unit);
    }
    first_is_ready_ = pins.empty();
    for (const UnitPin& more : pins) {
        pin(more.global, unit.temps[more.global].type, more.reg);
    }
    states_.resize(unit.temp_count);
    std::ranges::copy(first_states_, states_.begin());
    std::fill(states_.begin() + unit.global_count, states_.end(), State{});
    unit_temps_.clear();
    for (uint32_t i = unit.global_count; i < unit.temp_count; ++i) {
        if (unit.temps[i].kind == TempKind::unit) {
            unit_temps_.push_back(static_cast<TempIndex>(i));
        }
    }
    owner_.fill(kNoOwner);
    owned_ = 0;
    kept_ = 0;
    locked_ = 0;
    free_slots_.clear();
    next_slot_ = 0;
    out_of_slots_ = false;
}

bool Allocator::in_memory_only(TempIndex t, Place* place) const {
    const State& state = states_[t];
    if (is_pinned(t) || is_constant(t) || state.reg != kNoReg || !state.in_memory) {
        return false;
    }
    *place = t < unit_->global_count ? Place{true, unit_->temps[t].offset} : Place{false, state.slot * 8};
    return true;
}

Place Allocator::place_of(TempIndex t) {
    if (t < unit_->global_count) {
        return Place{true, unit_->temps[t].offset};
    }
    State& state = states_[t];
    if (state.slot < 0) {
        if (!free_slots_.empty()) {
            state.slot = free_slots_.back();
            free_slots_.pop_back();
        } else if (next_slot_ < static_cast<int16_t>(file_.frame_slots)) {
            state.slot = next_slot_++;
        } else {
            out_of_slots_ = true;  // the code is thrown away; any slot will do
            state.slot = 0;
        }
    }
    return Place{false, state.slot * 8};
}

// Takes the value out of `reg`, to memory if it is newer there.
void Allocator::spill(HostReg reg) {
    const auto t = static_cast<TempIndex>(owner_[reg]);
    State& state = states_[t];
    if (!state.in_memory && !is_constant(t)) {
        moves_.store(temp(t).type, place_of(t), reg);
        state.in_memory = true;
    }
    state.reg = kNoReg;
    disown(reg);
}

// The value of `t` is not needed any more.
void Allocator::drop(TempIndex t) {
    if (is_pinned(t)) {
        return;
    }
    State& state = states_[t];
    if (state.reg != kNoReg) {
        disown(state.reg);
        state.reg = kNoReg;
    }
    if (t >= unit_->global_count && !is_constant(t)) {
        // A unit temp may be written again on another path, and keeps its slot.
        if (state.slot >= 0 && temp(t).kind == TempKind::ebb) {
            free_slots_.push_back(state.slot);
            state.slot = -1;
        }
        state.in_memory = false;
    }
}

HostReg Allocator::allocate(RegMask allowed, HostReg preferred) {
    allowed &= local_ & ~locked_;
    WEFT_ASSERT(allowed != 0);
    if (preferred != kNoReg && (allowed & mask_of(preferred)) != 0 && owner_[preferred] == kNoOwner) {
        let_go(preferred);
        return preferred;
    }
    if (const RegMask free = allowed & ~owned_ & ~kept_; free != 0) {
        return static_cast<HostReg>(std::countr_zero(free));
    }
    if ((allowed & owned_) == 0) {
        const auto reg = static_cast<HostReg>(std::countr_zero(allowed));
        let_go(reg);
        return reg;
    }
    allowed &= owned_;
    RegMask cheap = 0;  // owners that need no store
    for (RegMask rest = allowed; rest != 0; rest &= rest - 1) {
        const auto reg = static_cast<HostReg>(std::countr_zero(rest));
        const auto t = static_cast<TempIndex>(owner_[reg]);
        if (is_constant(t) || states_[t].in_memory) {
            cheap |= mask_of(reg);
        }
    }
    const RegMask victims = cheap != 0 ? cheap : allowed;
    // Round robin: no next-use distances, but no register is thrown out again and again either.
    const RegMask later = victims & ~((RegMask{2} << next_victim_) - 1);
    const auto victim = static_cast<HostReg>(std::countr_zero(later != 0 ? later : victims));
    next_victim_ = victim & 31u;
    spill(victim);
    return victim;
}

HostReg Allocator::use(TempIndex t, RegMask allowed) {
    const HostReg current = where(t);
    if (current != kNoReg && (allowed & mask_of(current)) != 0) {
        lock(current);
        return current;
    }
    const ir::Type type = temp(t).type;
    if (current != kNoReg) {
        lock(current);  // it must not be the victim
        const HostReg reg = allocate(allowed, kNoReg);
        moves_.move(type, reg, current);
        if (!is_pinned(t)) {
            disown(current);
            own(reg, t);
            states_[t].reg = reg;
        }
        lock(reg);
        return reg;
    }
    const HostReg reg = allocate(allowed, kNoReg);
    if (is_constant(t)) {
        moves_.constant(type, reg, temp(t).value);
    } else {
        WEFT_ASSERT(states_[t].in_memory);
        moves_.load(type, reg, place_of(t));
    }
    own(reg, t);
    states_[t].reg = reg;
    lock(reg);
    return reg;
}

void Allocator::copy_to(TempIndex t, HostReg reg) {
    const ir::Type type = temp(t).type;
    HostReg from = where(t);
    if (from == reg && !is_pinned(t)) {
        // The value lies there already; it goes on elsewhere if it is still needed in a register.
        if (!states_[t].in_memory && !is_constant(t)) {
            lock(reg);
            const HostReg other = allocate(class_of(type), kNoReg);
            moves_.move(type, other, reg);
            own(other, t);
            states_[t].reg = other;
            disown(reg);
            return;
        }
        disown(reg);
        states_[t].reg = kNoReg;
        lock(reg);
        return;
    }
    evict(mask_of(reg));
    lock(reg);
    from = where(t);
    if (from != kNoReg) {
        moves_.move(type, reg, from);
    } else if (is_constant(t)) {
        moves_.constant(type, reg, temp(t).value);
    } else {
        WEFT_ASSERT(states_[t].in_memory);
        moves_.load(type, reg, place_of(t));
    }
}

HostReg Allocator::scratch(RegMask allowed) {
    const HostReg reg = allocate(allowed, kNoReg);
    lock(reg);
    return reg;
}

void Allocator::release_dead(uint32_t index) {
    const ir::Op& op = unit_->ops[index];
    const OpLife& life = liveness_.of(index);
    if (life.dead == 0) {
        return;
    }
    for (unsigned i = output_count(op, helpers_); i < op.arg_count; ++i) {
        const auto t = static_cast<TempIndex>(op.args[i]);
        if ((life.dead >> i & 1) != 0 && !is_constant(t) && !is_pinned(t)) {
            const HostReg reg = states_[t].reg;
            drop(t);
            if (reg != kNoReg) {
                locked_ &= ~mask_of(reg);
            }
        }
    }
}

HostReg Allocator::def(TempIndex t, RegMask allowed, HostReg preferred) {
    if (is_pinned(t)) {
        return pinned_[t];
    }
    State& state = states_[t];
    if (state.reg != kNoReg) {
        // The old value is overwritten. If this op still reads it, its register stays locked, without an owner.
        disown(state.reg);
        state.reg = kNoReg;
    }
    const HostReg reg = allocate(allowed, preferred);
    own(reg, t);
    state.reg = reg;
    state.in_memory = false;
    lock(reg);
    return reg;
}

void Allocator::end_op(uint32_t index) {
    const ir::Op& op = unit_->ops[index];
    const OpLife& life = liveness_.of(index);
    for (unsigned i = 0; i < op.arg_count && life.dead >> i != 0; ++i) {
        const auto t = static_cast<TempIndex>(op.args[i]);
        if ((life.dead >> i & 1) == 0 || is_constant(t)) {
            continue;
        }
        // An input that is also a result of this op has just been given its new value.
        bool redefined = false;
        for (unsigned j = 0; j < output_count(op, helpers_); ++j) {
            redefined = redefined || (j != i && op.args[j] == t);
        }
        if (!redefined) {
            drop(t);
        }
    }
    locked_ = 0;
}

void Allocator::evict(RegMask regs) {
    kept_ &= ~regs | locked_;
    for (RegMask rest = regs & owned_ & ~locked_; rest != 0; rest &= rest - 1) {
        spill(static_cast<HostReg>(std::countr_zero(rest)));
    }
}

void Allocator::save_for_call(uint32_t index) {
    const ir::Op& op = unit_->ops[index];
    const OpLife& life = liveness_.of(index);
    for (RegMask rest = owned_; rest != 0; rest &= rest - 1) {
        const auto reg = static_cast<HostReg>(std::countr_zero(rest));
        const uint16_t t = owner_[reg];
        if (states_[t].in_memory || is_constant(static_cast<TempIndex>(t))) {
            continue;
        }
        bool dies = false;
        for (unsigned i = output_count(op, helpers_); i < op.arg_count; ++i) {
            dies = dies || (op.args[i] == t && (life.dead >> i & 1) != 0);
        }
        if (!dies) {
            moves_.store(temp(static_cast<TempIndex>(t)).type, place_of(static_cast<TempIndex>(t)), reg);
            states_[t].in_memory = true;
        }
    }
}

void Allocator::sync_globals() {
    for (RegMask rest = owned_; rest != 0; rest &= rest - 1) {
        const auto reg = static_cast<HostReg>(std::countr_zero(rest));
        const uint16_t t = owner_[reg];
        if (t < unit_->global_count && !states_[t].in_memory) {
            moves_.store(temp(t).type, place_of(t), reg);
            states_[t].in_memory = true;
        }
    }
}

void Allocator::sync_unit_temps() {
    for (RegMask rest = owned_; rest != 0; rest &= rest - 1) {
        const auto reg = static_cast<HostReg>(std::countr_zero(rest));
        const uint16_t t = owner_[reg];
        if (temp(t).kind == TempKind::unit && !states_[t].in_memory) {
            moves_.store(temp(t).type, place_of(t), reg);
            states_[t].in_memory = true;
        }
    }
}

void Allocator::forget_registers() {
    kept_ = 0;
    for (RegMask rest = owned_; rest != 0; rest &= rest - 1) {
        const auto reg = static_cast<HostReg>(std::countr_zero(rest));
        states_[owner_[reg]].reg = kNoReg;
        disown(reg);
    }
}

void Allocator::begin_block() {
    forget_globals();
    forget_registers();
    if constexpr (WEFT_DEBUG != 0) {
        for (uint32_t i = 0; i < unit_->global_count; ++i) {
            WEFT_ASSERT(states_[i].in_memory == (pinned_[i] == kNoReg));
        }
    }
    for (const TempIndex t : unit_temps_) {
        place_of(t);
        states_[t].in_memory = true;
    }
}

void Allocator::forget_globals() {
    for (RegMask rest = owned_; rest != 0; rest &= rest - 1) {
        const auto reg = static_cast<HostReg>(std::countr_zero(rest));
        const uint16_t t = owner_[reg];
        if (t < unit_->global_count) {
            states_[t].reg = kNoReg;
            states_[t].in_memory = true;
            disown(reg);
        }
    }
}

}  // namespace weft::tcg
