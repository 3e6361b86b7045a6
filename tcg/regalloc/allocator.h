// Assigns host registers while a backend walks a unit once, forwards.
//
// Where a value is: a pinned global is always in its host register, and there alone. Any other value is in a register, in
// memory (a global's home in the guest state, a temp's slot in the host's stack frame), or in both. A backend asks for
// its operands with use(), lets go of dying ones with release_dead(), asks for results with def(), and closes each op with
// end_op(). Registers handed out stay locked until then.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "tcg/regalloc/liveness.h"
#include "weft/guest.h"
#include "weft/ir.h"

namespace weft::tcg {

// Host registers of both classes in one numbering, given by the backend; at most 32.
using HostReg = uint8_t;
inline constexpr HostReg kNoReg = 0xff;
using RegMask = uint32_t;
constexpr RegMask mask_of(HostReg reg) { return RegMask{1} << reg; }

// A value's place in memory.
struct Place {
    bool in_state;   // by the state pointer, else by the frame
    int32_t offset;  // bytes
};

// How a backend moves values about on the allocator's behalf.
class MoveEmitter {
  public:
    virtual ~MoveEmitter() = default;
    virtual void move(ir::Type type, HostReg to, HostReg from) = 0;
    virtual void load(ir::Type type, HostReg to, Place from) = 0;
    virtual void store(ir::Type type, Place to, HostReg from) = 0;
    virtual void constant(ir::Type type, HostReg to, uint64_t value) = 0;
};

struct RegisterFile {
    RegMask int_regs;  // those that hold i32 and i64 between ops, pinned ones left out
    RegMask fp_regs;   // those that hold f32 and f64
    // By global number: its pinned register, or kNoReg.
    std::vector<HostReg> pinned;
    unsigned frame_slots;  // 8 bytes each
};

// A global that is pinned in one unit alone: loaded where the unit is entered, and stored where it is left if the unit writes it.
struct UnitPin {
    ir::TempIndex global;
    HostReg reg;
    bool written;
};

class Allocator {
  public:
    Allocator(const RegisterFile& file, const Liveness& liveness, std::span<const HelperDesc> helpers,
              MoveEmitter& moves)
        : file_(file), liveness_(liveness), helpers_(helpers), moves_(moves) {}

    // `pins`: globals that are not pinned anyway, each with a register of its own that values would lie in otherwise. Somebody else
    // moves them.
    void begin(const ir::Unit& unit, std::span<const UnitPin> pins = {});
    // True once the frame had no slot left: the unit must be compiled with fewer instructions.
    bool out_of_slots() const { return out_of_slots_; }

    const ir::Temp& temp(ir::TempIndex t) const { return unit_->temps[t]; }
    bool is_constant(ir::TempIndex t) const { return temp(t).kind == ir::TempKind::constant; }
    // The host register a value is in now, or kNoReg.
    HostReg where(ir::TempIndex t) const { return is_pinned(t) ? pinned_[t] : states_[t].reg; }
    bool is_pinned(ir::TempIndex t) const { return t < unit_->global_count && pinned_[t] != kNoReg; }
    // A value's place in memory if it is up to date there (and not in a register), for operands taken from memory.
    bool in_memory_only(ir::TempIndex t, Place* place) const;

    // The value of `t` in a register of `allowed`.
    HostReg use(ir::TempIndex t, RegMask allowed);
    HostReg use(ir::TempIndex t) { return use(t, class_of(temp(t).type)); }
    // A copy of `t` in exactly `reg`, which the op may overwrite: whatever was there is moved away first.
    void copy_to(ir::TempIndex t, HostReg reg);
    // A register for the op's own use.
    HostReg scratch(RegMask allowed);
    // Keeps what the op wrote into `reg`, which scratch() gave, beyond its end: something that can be computed anew. It is
    // lost when nothing else is left for a value, and wherever all registers are forgotten.
    void keep(HostReg reg) { kept_ |= mask_of(reg); }
    bool kept(HostReg reg) const { return (kept_ & mask_of(reg)) != 0; }
    void let_go(HostReg reg) { kept_ &= ~mask_of(reg); }
    // After the inputs were fetched: registers of inputs that die with op `index` may be given to results.
    void release_dead(uint32_t index);
    // The register that the result `t` is to be written to: `preferred` if that is free. A pinned global's own register
    // is returned whatever `allowed` says.
    HostReg def(ir::TempIndex t, RegMask allowed, HostReg preferred = kNoReg);
    HostReg def(ir::TempIndex t, HostReg preferred = kNoReg) {
        return def(t, class_of(temp(t).type), preferred);
    }
    // Ends op `index`: results that nobody needs are dropped, locks are lifted.
    void end_op(uint32_t index);

    // Makes sure that nothing but locked values lies in `regs` (values are moved to memory).
    void evict(RegMask regs);
    // Before a call that clobbers all registers but pinned ones: stores what is needed after op `index` and is in a
    // register alone. The registers keep their values until forget_registers().
    void save_for_call(uint32_t index);
    // Stores the globals that are newer in registers than in their homes (not pinned ones).
    void sync_globals();
    // The same for temps that live across labels.
    void sync_unit_temps();
    // Forgets all registers: what was not synced is lost.
    void forget_registers();
    // A label: whatever way control came, globals are in their homes and unit temps in their slots.
    void begin_block();
    // Forgets the registers of globals (not pinned ones): a helper wrote their homes.
    void forget_globals();

    RegMask class_of(ir::Type type) const {
        return type == ir::Type::f32 || type == ir::Type::f64 ? fp_all_ : int_all_;
    }
    RegMask locked() const { return locked_; }
    void lock(HostReg reg) { locked_ |= mask_of(reg); }
    void unlock(HostReg reg) { locked_ &= ~mask_of(reg); }
    void unlock_but(RegMask regs) { locked_ &= regs; }

  private:
    static constexpr uint16_t kNoOwner = 0xffff;

    struct State {
        HostReg reg = kNoReg;
        bool in_memory = false;
        int16_t slot = -1;
    };

    void begin_first(const ir::Unit& unit);
    void pin(ir::TempIndex global, ir::Type type, HostReg reg);
    HostReg allocate(RegMask allowed, HostReg preferred);
    void spill(HostReg reg);
    void drop(ir::TempIndex t);
    Place place_of(ir::TempIndex t);

    const RegisterFile& file_;
    const Liveness& liveness_;
    std::span<const HelperDesc> helpers_;
    MoveEmitter& moves_;

    const ir::Unit* unit_ = nullptr;
    RegMask int_all_ = 0;  // with pinned ones
    RegMask fp_all_ = 0;
    RegMask local_ = 0;  // both classes, without pinned ones
    RegMask locked_ = 0;
    void own(HostReg reg, ir::TempIndex t) {
        owner_[reg] = t;
        owned_ |= mask_of(reg);
    }
    void disown(HostReg reg) {
        owner_[reg] = kNoOwner;
        owned_ &= ~mask_of(reg);
    }

    RegMask owned_ = 0;  // registers with an owner
    RegMask kept_ = 0;   // without an owner, but worth keeping
    std::array<uint16_t, 32> owner_{};
    std::vector<HostReg> pinned_;      // by global, in this unit
    std::vector<State> first_states_;  // of the globals, where a unit begins
    bool first_is_ready_ =
        false;  // pinned_, first_states_ and what goes with them are as begin_first() left them
    std::vector<State> states_;
    std::vector<int16_t> free_slots_;
    std::vector<ir::TempIndex> unit_temps_;
    int16_t next_slot_ = 0;
    unsigned next_victim_ = 0;
    bool out_of_slots_ = false;
};

}  // namespace weft::tcg
