// Compiles one unit after another to x86-64: a walk over the ops, one short function a family.
//
// A unit's code is laid out as: fast path | out-of-line stubs. Each lowering function follows the same order: fetch the
// operands through the allocator, let dying ones go, claim the result, emit. Rare paths are queued and written after
// the fast path, so that it stays dense.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tcg/backend.h"
#include "tcg/exec_state.h"
#include "tcg/opt/access_groups.h"
#include "tcg/regalloc/allocator.h"
#include "tcg/regalloc/liveness.h"
#include "tcg/regalloc/loop_registers.h"
#include "tcg/x86_64/assembler.h"
#include "tcg/x86_64/host_features.h"
#include "tcg/x86_64/host_layout.h"
#include "tcg/x86_64/runtime_code.h"

namespace weft::tcg::x86_64 {

// What all compilers of a backend share; constant.
struct Target {
    HostFeatures features;
    RegisterFile registers;
    RuntimeCode runtime;
    RxAddress buffer_start;
    std::span<const HelperDesc> helpers;
    bool count_insns;
    bool profile;
    bool own_probes;
    bool direct_side_exits;
    bool inline_fp_flags;
    bool loop_registers;
    bool fold_loads;
    bool share_tlb_probes;
    uint32_t carrying_modes;  // GuestArch::steady_modes, or none
    bool fences;
    bool atomic_additions;
    MemoryModel memory;
};

class UnitCompiler final : public Compiler, private MoveEmitter {
  public:
    explicit UnitCompiler(const Target& target);

    CompileStatus compile(const ir::Unit& unit, CodeWindow window, uint32_t unit_index,
                          CompiledUnit* out) override;

  private:
    static constexpr uint32_t kNoSideExit = ~uint32_t{0};

    // An out-of-line piece of code, written after the fast path.
    struct Stub {
        enum class Kind : uint8_t {
            access,
            leader,
            carried,
            atomic,
            soft_float,
            canonical_nan,
            goto_tb,
            call_missed,
            return_stack_full
        };
        struct Nan {
            Xmm reg;
            bool f64;
        };
        struct Carried {
            AccessRecord access;
            uint32_t found;  // offset to go on at, where the place carries the page
            HostReg addend;
            HostReg spare;
            int32_t page;  // from the state pointer: the place's, in CarriedPages
        };
        struct Jump {
            uint32_t site;
            int32_t pc_offset;  // of the destination from page_pc
            uint8_t slot;
            bool back;  // to the loop's head
        };
        Kind kind;
        Label entry;
        uint32_t resume = 0;  // offset to go on at
        InsnRow insn{};       // the guest instruction it belongs to
        union {
            AccessRecord access;
            LeaderRecord leader;
            Carried carried;
            AtomicRecord atomic;
            FloatRecord soft;
            Nan nan;
            Jump jump;
        };
    };

    // ---- MoveEmitter ----
    void move(ir::Type type, HostReg to, HostReg from) override;
    void load(ir::Type type, HostReg to, Place from) override;
    void store(ir::Type type, Place to, HostReg from) override;
    void constant(ir::Type type, HostReg to, uint64_t value) override;

    // ---- the walk (unit_compiler.cpp) ----
    void lower(const ir::Op& op);
    void count_entry();
    bool lower_control(const ir::Op& op);
    bool lower_integer(const ir::Op& op);
    bool lower_memory(const ir::Op& op);
    bool lower_float(const ir::Op& op);
    void write_stubs();
    void write_stub(Stub& stub);
    // What stands behind a call of a thunk; `resume` counts from the unit's start.
    template <class Record>
    void write_record(Record record, uint32_t resume) {
        record.resume = static_cast<int32_t>(resume) - static_cast<int32_t>(as_->offset() + sizeof(Record));
        as_->data({reinterpret_cast<const uint8_t*>(&record), sizeof(Record)});
    }
    void end_insn();

    // ---- control (lower_control.cpp) ----
    // Finds the labels that stand for nothing but a goto_tb, reached from one brcond: its jump is the one that is linked.
    uint32_t side_exit(uint32_t index) const;
    void find_side_exits();
    uint32_t patchable_jcc(Cond cond);
    void insn_start(const ir::Op& op);
    void check_entry(const ir::Op& op) const;
    void brcond(const ir::Op& op);
    // Emits the test of the exit_check that stands before this transfer, if it has one: `ask` jumps on a condition.
    template <class Jump>
    void exit_check(Jump&& jump_if);
    // The part of it that takes from the instruction clock.
    template <class Jump>
    void count_insns(Jump&& jump_if);
    // A jump, unlinked, to the destination that the op's auxiliary word has: its site is to be said.
    Stub& linkable(const ir::Op& op);
    void return_point(const ir::Op& op);
    // Behind the call that the transfer became, if a return_point waits for it: what the callee returns to.
    void returned();
    void goto_tb(const ir::Op& op);
    void lookup_and_goto_ptr(const ir::Op& op);
    void probe();
    void exit_tb(const ir::Op& op);
    void call(const ir::Op& op);
    void place_arguments(std::span<const uint16_t> args, std::span<const Gpr> places);
    // Emits the comparison of a brcond, setcond or movcond; the condition to test then.
    Cond compare(ir::Cond cond, ir::Type type, ir::TempIndex a, ir::TempIndex b);

    // ---- globals in registers of the unit's own (lower_loop.cpp) ----
    void plan_loop();
    // Emits the loads where the unit is entered; behind them is the loop's head.
    void enter_loop();
    // Emits the stores of what the unit writes.
    void store_loop_registers();
    // The same where the unit is left for good.
    void leave_loop();
    // Emits the loads once more, behind what changed or lost them.
    void load_loop_registers();
    // A branch that is the loop's end: goes on at its head if `cond` holds and nobody asks the vCPU to return.
    void branch_back(uint32_t transfer, Cond cond);
    // Out of line, what stubs call to store them, and where faults of direct memory go on.
    void write_loop_exits();
    // Before a stub calls what may fault.
    void store_for_fault();

    // ---- integers (lower_integer.cpp, lower_bits.cpp) ----
    bool lower_bits(const ir::Op& op);
    bool lower_state(const ir::Op& op);
    void alu(const ir::Op& op, Alu code);
    void pc_add(const ir::Op& op);
    // The result lies in `from`, a locked register that no value owns: claims the op's result and ends the op.
    void finish_in(const ir::Op& op, Gpr from);
    void add(const ir::Op& op);
    void sub(const ir::Op& op);
    void multiply(const ir::Op& op);
    void multiply_high(const ir::Op& op);
    void divide(const ir::Op& op);
    void min_max(const ir::Op& op, Cond keep_first);
    void unary(const ir::Op& op, Unary code);
    void with_complement(const ir::Op& op);
    void shift(const ir::Op& op);
    void shift_by_constant(const ir::Op& op, unsigned count);
    void extract(const ir::Op& op);
    void sextract(const ir::Op& op);
    void deposit(const ir::Op& op);
    void count_zeros(const ir::Op& op);
    void setcond(const ir::Op& op);
    void movcond(const ir::Op& op);
    void mov(const ir::Op& op);
    void state_load(const ir::Op& op);
    void state_store(const ir::Op& op);

    // ---- guest memory (lower_memory.cpp) ----
    // Bytes at displacements from a base: the first, and the one behind the last.
    struct Window {
        int32_t low;
        int32_t high;
    };
    struct Probed {
        Gpr addend;
        Gpr spare;
    };
    // Emits the TLB probe for a window: on a hit the entry's addend is in a register, and another may be overwritten.
    Probed probe(Gpr base, Window window, unsigned mmu_mode, bool is_store, Label& miss);
    // The same with registers that are given.
    void probe_into(Probed regs, Gpr base, Window window, unsigned mmu_mode, bool is_store, Label& miss);
    // Whether the access at hand compares with a carried page (CarriedPages) first.
    bool is_carried(ir::MemOp memop) const;
    // Emits that; the addend is in the returned register.
    Gpr compare_carried(Gpr base, const AccessRecord& record);
    // Emits the probe that follows where it fails, up to where that fails as well.
    void write_carried(Stub::Carried& carried);
    // Emits the probe for one access.
    Gpr probe_alone(Gpr base, ir::MemOp memop, bool is_store, Label& miss);
    // The register that keeps the addend for the access at hand, locked; kNoReg where there is none.
    HostReg kept_addend();
    // Emits what the access at hand needs before it is done: the addend is in the returned register. `value` is what the
    // slow path gets to know.
    Gpr begin_access(Gpr base, HostReg value, ir::MemOp memop, bool is_store, HostReg kept);
    // The same for an atomic op, with its operand: slow_ waits for its record.
    Mem begin_atomic(Gpr address, ir::MemOp memop);
    // The access was emitted.
    void end_access();
    void guest_load(const ir::Op& op);
    void guest_store(const ir::Op& op);
    void atomic(const ir::Op& op);

    // ---- direct guest memory (lower_direct.cpp) ----
    bool is_direct() const { return target_.memory.kind == MemoryModel::Kind::direct; }
    // Emit what an access needs before it is done, and give its operand: slow_ is null where it needs nothing.
    Mem begin_direct(Gpr base, HostReg value, ir::MemOp memop, bool is_store);
    Mem begin_direct_atomic(Gpr address, ir::MemOp memop);
    Mem direct_place(Gpr base, int32_t displacement) const;
    // Whether an access has to be looked at before it is done.
    bool is_checked(ir::MemOp memop) const;
    // Emits that: what the host would allow and the guest does not jumps to `refused`.
    void check_direct(Gpr base, ir::MemOp memop, Label& refused);

    // ---- floating point (lower_float.cpp, lower_convert.cpp) ----
    // d = a op b, where the host may have two-operand forms alone.
    void simd(Simd op, Xmm d, Xmm a, Xmm b);
    bool lower_convert(const ir::Op& op);
    void fp_arithmetic(const ir::Op& op);
    void fp_fused(const ir::Op& op);
    void fp_min_max(const ir::Op& op);
    void fp_compare(const ir::Op& op);
    void fp_sign(const ir::Op& op);
    void fp_flags_get(const ir::Op& op);
    void fp_flags_set(const ir::Op& op);
    void fp_to_int(const ir::Op& op);
    void fp_from_int(const ir::Op& op);
    void fp_convert(const ir::Op& op);
    void fp_box(const ir::Op& op);
    void fp_unbox(const ir::Op& op);
    // The op as a call of softfloat: what the host's unit does not do.
    void soft_float(const ir::Op& op);
    FloatRecord float_record(const ir::Op& op, HostReg result) const;
    void canonicalize(Xmm reg, bool f64);
    bool host_rounds(const ir::Op& op) const;

    // ---- shorthands ----
    static Width width_of(ir::Type type) {
        return type == ir::Type::i64 || type == ir::Type::f64 ? Width::q64 : Width::d32;
    }
    static Mem at_state(int32_t offset) { return Mem(kState, offset); }
    // Spill slots do not lie on the host's stack, whose pointer calls move.
    static Mem place(Place at) {
        return at_state(at.in_state ? at.offset : exec_offset(offsetof(ExecState, spills)) + at.offset);
    }
    Gpr use(ir::TempIndex t) { return gpr(values_.use(t)); }
    Xmm use_fp(ir::TempIndex t) { return xmm(values_.use(t)); }
    Gpr scratch() { return gpr(values_.scratch(kLocalGprs)); }
    // Whether `t` is a global that is in its home alone, where an instruction may read it.
    bool in_home(ir::TempIndex t) const {
        Place at{};
        return target_.fold_loads && values_.in_memory_only(t, &at) && at.in_state;
    }
    Mem home(ir::TempIndex t) const { return at_state(values_.temp(t).offset); }
    // Lets go of operands that die here, and gives the register of the op's result: `near`, where that is free now.
    Gpr result(const ir::Op& op) {
        values_.release_dead(op_index_);
        return gpr(values_.def(op.args[0]));
    }
    Gpr result(const ir::Op& op, Gpr near) {
        values_.release_dead(op_index_);
        return gpr(values_.def(op.args[0], host(near)));
    }
    // The same, with what is in `from` moved there.
    Gpr result_of(const ir::Op& op, Width width, Gpr from) {
        const Gpr to = result(op, from);
        copy(width, to, from);
        return to;
    }
    void copy(Width width, Gpr to, Gpr from) {
        if (to != from) {
            as_->mov(width, to, from);
        }
    }
    // Whether `t` is a constant that an instruction of `type` takes as a sign-extended 32-bit immediate.
    bool immediate(ir::TempIndex t, ir::Type type, int64_t* value) const;
    Mem runtime_constant(uint32_t where) const {
        return Mem::rip_unit(static_cast<int32_t>(where - unit_offset_));
    }
    // A position of the runtime code, from the unit's start.
    int64_t runtime(uint32_t where) const { return int64_t{where} - int64_t{unit_offset_}; }
    Stub& stub(Stub::Kind kind);

    const Target& target_;
    Liveness liveness_;
    Allocator values_;
    AccessGroups groups_;
    LoopRegisters loop_;
    std::array<uint16_t, kGprCount> kept_for_{};  // by general register that the allocator keeps: the group
    Stub* slow_ = nullptr;                        // of the access at hand; null where it has none

    // Of the unit being compiled. The vectors keep their memory from unit to unit.
    const ir::Unit* unit_ = nullptr;
    Assembler* as_ = nullptr;
    uint32_t unit_offset_ = 0;  // of the unit's start in the buffer
    uint32_t unit_index_ = 0;
    uint32_t op_index_ = 0;
    const ir::Op* check_ = nullptr;         // the exit_check that waits for its transfer
    const ir::Op* return_point_ = nullptr;  // the return_point that waits for it
    const ir::Op* page_pc_add_ = nullptr;   // the last pc_add: going where it says is a direct jump
    uint32_t loop_head_ = 0;                // offset; these: where loop_ has any
    Label store_loop_, leave_loop_, loop_fault_;
    std::vector<Label> labels_;
    std::vector<uint32_t> side_exits_;  // by label: the op that is its goto_tb, or kNoSideExit
    std::vector<uint32_t> branches_;    // by label: how many brconds aim at it; a br counts twice
    std::vector<Stub> stubs_;
    std::vector<InsnRow> insns_;
    std::vector<uint16_t> outside_;
    InsnRow insn_{};
    bool in_insn_ = false;
    bool touches_fp_ = false;  // values lie in xmm registers: slow paths keep those too
    CompiledUnit* out_ = nullptr;
};

}  // namespace weft::tcg::x86_64
