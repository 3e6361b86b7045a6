// The state of one translation, and what the translations of single instructions are written with. Internal
// to translate*.cpp.
//
// How units end. A unit runs on across conditional branches: the taken sides leave by *side exits*, which are
// emitted behind the unit's last instruction; but where a unit may have inner branches and comes to what one of them leads to,
// that branch stays in it. Behind a jump a unit goes on only where a branch has led. It ends
//  - by goto_tb where the next pc is in the unit's page, or near it in a process, and cannot be that of an instruction
//    which straddles a page's end;
//  - by lookup_and_goto_ptr for any other pc;
//  - by exit_tb where TB flags, mappings or enabled interrupts may have changed.
// Before each stands an exit_check with the number of instructions completed on that path.
#pragma once

#include <array>
#include <cstdint>

#include "emulator/guest/riscv/cpu/exception.h"
#include "emulator/guest/riscv/cpu/state.h"
#include "emulator/guest/riscv/cpu/tb_flags.h"
#include "emulator/guest/riscv/isa/cpu_model.h"
#include "emulator/guest/riscv/isa/decode.h"
#include "emulator/guest/riscv/translate/helpers.h"
#include "emulator/guest/riscv/translate/jump_hint.h"
#include "emulator/guest/riscv/translate/semantics_all.h"
#include "emulator/guest/riscv/translate/translate.h"
#include "weft/guest.h"
#include "weft/ir_builder.h"
#include "weft/memory.h"

namespace weft::riscv {

class Translator {
  public:
    Translator(const TranslateRequest& request, ir::Unit& unit)
        : request_(request),
          extensions_(static_cast<const CpuModel*>(request.model)->extensions),
          flags_(request.tb_flags),
          unit_(unit),
          b_(unit),
          offset_(request.page_offset) {}

    TranslateStatus run();

    ir::Builder& b() { return b_; }
    const ExtensionSet& extensions() const { return extensions_; }
    TbFlags flags() const { return flags_; }

    bool inlines_csrs() const { return request_.inline_csrs; }

    // ---- registers ----
    // x[n]; zero for x0.
    ir::I64 x(unsigned n) { return n == 0 ? b_.imm(0) : b_.global<ir::I64>(gpr_global(n)); }
    // Where x[n] is to be written: for x0 a temp that nobody reads.
    ir::I64 x_out(unsigned n) {
        if (n == known_.number) {
            known_.number = 0;
        }
        return n == 0 ? b_.temp<ir::I64>() : b_.global<ir::I64>(gpr_global(n));
    }
    ir::F64 f(unsigned n) { return b_.global<ir::F64>(fpr_global(n)); }
    // Where f[n] is to be written. Makes the FP state dirty.
    ir::F64 f_out(unsigned n) {
        writes_fp_state();
        return b_.global<ir::F64>(fpr_global(n));
    }
    // f[n] as a single-precision operand: the canonical NaN unless it is NaN-boxed.
    ir::F32 f32(unsigned n) { return b_.funbox(f(n)); }

    // Writes the result of an op into x[n] without a move in between. `args` are temps.
    template <class... Args>
    void emit_x(unsigned n, ir::Opcode code, ir::Type type, uint8_t cond, uint32_t aux, Args... args) {
        b_.emit(code, type, cond, aux, x_out(n).index, args.index...);
    }
    void set_x(unsigned n, ir::I64 value) { emit_x(n, ir::Opcode::mov, ir::Type::i64, 0, 0, value); }
    void set_x(unsigned n, ir::Opcode code, ir::I64 a) { emit_x(n, code, ir::Type::i64, 0, 0, a); }
    void set_x(unsigned n, ir::Opcode code, ir::I64 a, ir::I64 b) {
        emit_x(n, code, ir::Type::i64, 0, 0, a, b);
    }
    // The field [position, position + length) of `a`: `code` is extract or sextract.
    void set_x_field(unsigned n, ir::Opcode code, ir::I64 a, unsigned position, unsigned length) {
        emit_x(n, code, ir::Type::i64, 0, position | length << 8, a);
    }
    // 1 if (a cond b), else 0.
    void set_x_if(unsigned n, ir::Cond cond, ir::I64 a, ir::I64 b) {
        if (n != 0) {
            emit_x(n, ir::Opcode::setcond, ir::Type::i64, static_cast<uint8_t>(cond), 0, a, b);
        }
    }
    // page_pc + `page_offset`.
    void set_x_pc(unsigned n, int32_t page_offset) {
        if (n != 0) {
            emit_x(n, ir::Opcode::pc_add, ir::Type::none, 0, static_cast<uint32_t>(page_offset));
            known_ = {n, page_offset};
        }
    }
    // The low half of `a`, sign-extended.
    void set_x_word(unsigned n, ir::I64 a) { set_x_field(n, ir::Opcode::sextract, a, 0, 32); }
    void set_x_word(unsigned n, ir::I32 a) { emit_x(n, ir::Opcode::ext_i32_i64, ir::Type::none, 0, 0, a); }
    void set_x_zero_extended(unsigned n, ir::I32 a) {
        emit_x(n, ir::Opcode::extu_i32_i64, ir::Type::none, 0, 0, a);
    }
    void set_f32(unsigned n, ir::F32 value) {
        b_.emit(ir::Opcode::fbox, ir::Type::none, 0, 0, f_out(n).index, value.index);
    }

    // What a pure helper of two words gives; `function` is what an InsnInterpreter calls.
    template <class Function>
    ir::I64 pure(HelperId helper, Function, ir::I64 a, ir::I64 b) {
        return b_.call_value<ir::I64>(helper, a, b);
    }

    // ---- memory ----
    ir::I64 address(const Insn& insn) {
        return insn.imm == 0 ? x(insn.rs1)
                             : b_.add(x(insn.rs1), b_.imm(static_cast<uint64_t>(int64_t{insn.imm})));
    }
    ir::MemOp memop(unsigned size_log2, uint32_t access_flags = 0) const {
        return ir::MemOp(size_log2, static_cast<unsigned>(flags_.data_mode()), access_flags);
    }
    // The address as the mode's pointer mask leaves it.
    ir::I64 masked(ir::I64 address) {
        const PointerMask mask = flags_.pointer_mask();
        return mask.length == 0    ? address
               : mask.extends_sign ? b_.sextract(address, 0, 64u - mask.length)
                                   : b_.extract(address, 0, 64u - mask.length);
    }
    // Where an access goes: what is masked is the sum of address and displacement.
    struct Place {
        ir::I64 address;
        ir::MemOp memop;
    };
    Place place(ir::I64 address, ir::MemOp memop) {
        if (flags_.pointer_mask().length == 0) {
            return {address, memop};
        }
        const auto displacement = static_cast<uint64_t>(int64_t{memop.displacement()});
        return {masked(displacement == 0 ? address : b_.add(address, b_.imm(displacement))), memop.at(0)};
    }
    void load_x(unsigned n, ir::I64 base, ir::MemOp access) {
        const auto [address, memop] = place(base, access);
        emit_x(n, ir::Opcode::guest_ld, ir::Type::i64, 0, memop.bits(), address);
    }
    void store(ir::I64 value, ir::I64 base, ir::MemOp access) {
        const auto [address, memop] = place(base, access);
        b_.guest_st(value, address, memop);
    }
    // x[n] becomes the value in memory before; of less than 8 bytes, sign-extended (as `memop` says of less than 4).
    void amo_x(unsigned n, ir::Opcode code, ir::I64 pointer, ir::I64 operand, ir::MemOp memop) {
        const ir::I64 address = masked(pointer);
        if (memop.size_log2() == 3) {
            emit_x(n, code, ir::Type::i64, 0, memop.bits(), address, operand);
        } else if (memop.size_log2() == 2) {
            set_x_word(n, b_.atomic(code, address, b_.extrl_i64_i32(operand), memop));
        } else {
            set_x(n, b_.call_value<ir::I64>(kHelperAmo, address, operand,
                                            b_.imm32(static_cast<uint32_t>(code)), b_.imm32(memop.bits())));
        }
    }
    // The same with `desired` in memory where x[n] was there.
    void cas_x(unsigned n, ir::I64 pointer, ir::I64 desired, ir::MemOp memop) {
        const ir::I64 address = masked(pointer);
        if (memop.size_log2() == 3) {
            emit_x(n, ir::Opcode::atomic_cmpxchg, ir::Type::i64, 0, memop.bits(), address, x(n), desired);
        } else if (memop.size_log2() == 2) {
            set_x_word(n,
                       b_.atomic_cmpxchg(address, b_.extrl_i64_i32(x(n)), b_.extrl_i64_i32(desired), memop));
        } else {
            set_x(n, b_.call_value<ir::I64>(kHelperCas, address, x(n), desired, b_.imm32(memop.bits())));
        }
    }
    void load_reserved_x(unsigned n, ir::I64 pointer, ir::MemOp memop);
    void store_conditional_x(unsigned n, ir::I64 pointer, ir::I64 value, ir::MemOp memop);
    // x[n] was written by other means than set_x.
    void forget_x(unsigned n) { known_.number = known_.number == n ? 0 : known_.number; }

    // ---- floating point ----
    // False, having made the instruction illegal, while the FP state is off.
    bool needs_fp(const Insn& insn);
    // The direction that insn.rm means. False, having made the instruction illegal, where frm holds a
    // reserved one.
    bool rounding(const Insn& insn, ir::Rounding* result);
    // This instruction changes FP registers or flags: mstatus.FS becomes dirty once it is done.
    void writes_fp_state() { fp_written_ = true; }

    // ---- ends ----
    // Page offset of the instruction being translated, and of the one behind it (which may be past the page).
    int32_t offset() const { return static_cast<int32_t>(offset_); }
    int32_t next_offset() const { return static_cast<int32_t>(offset_ + size_); }

    // The instruction raises an exception; the unit ends.
    void raise(Exception cause, ir::I64 tval);
    void illegal(const Insn& insn) { raise(Exception::illegal_insn, b_.imm(insn.bits)); }
    // The same in the middle of an instruction whose other paths go on: the unit does not end.
    void raise_here(Exception cause, ir::I64 tval);
    // On the path where (a cond b). False: others go on.
    bool raise_if(ir::Cond cond, ir::I64 a, ir::I64 b, Exception cause, ir::I64 tval);
    ir::I64 pc_plus(int32_t page_offset) { return b_.pc_add(page_offset); }

    // Whether it is known that the jalr leads to page_pc + *target, by an auipc before it.
    bool knows_target(const Insn& insn, int32_t* target) const;
    // Ends the unit by a transfer to page_pc + target.
    void end_with_jump(int32_t target, JumpHint hint = {});
    void end_with_jump(ir::I64 pc, JumpHint hint = {});
    // Ends the unit: the loop looks at everything anew and carries on behind this instruction, or at `pc`.
    void end_with_exit(ir::ExitReason reason = ir::ExitReason::lookup);
    void end_with_exit(ir::ExitReason reason, ir::I64 pc);
    // Leaves for page_pc + target if (a cond b), else goes on.
    void branch(ir::Cond cond, ir::I64 a, ir::I64 b, int32_t target);
    // As end_with_exit(), if (a cond b); others go on. Nothing of the instruction is left to do.
    void exit_if(ir::Cond cond, ir::I64 a, ir::I64 b);
    // The same on the path at hand: others, which a label leads to, go on.
    void exit_here();

  private:
    // Without initial values: there is room for many, and most units have few.
    struct SideExit {
        uint16_t label;  // ir::Label::index
        int32_t target;  // page offset
        int32_t source;  // page offset of the branch
        uint32_t insns;  // completed when the branch is taken
        bool by_loop;    // as end_with_exit()
    };

    static constexpr int32_t kNoJoin = INT32_MAX;

    // Fetches and decodes the instruction at offset_. False: it reaches past the bytes or the page.
    bool fetch(Insn* insn) const;
    void translate_insn(const Insn& insn);
    void finish_fp_write();
    // Whether the unit is one instruction that ends in the next page.
    bool straddles() const { return request_.page_offset + size_ > kPageSize; }
    // Whether a jump to this page offset may be a goto_tb.
    bool may_link(int32_t target) const;
    void say_call(JumpHint hint);
    void transfer(int32_t target, int32_t source, uint32_t insns, JumpHint hint = {});
    void emit_side_exits();
    // Whether a branch from the instruction at hand to that page offset may stay in the unit, if that comes to it.
    bool may_stay(int32_t target) const;
    ir::Label new_side_exit(int32_t target);
    // Whether it may become a goto_tb.
    bool links(const SideExit& exit) const { return !exit.by_loop && may_link(exit.target); }
    // Side exits that lead to the instruction at offset_ do not leave the unit.
    void join();
    bool joins_next() const { return next_offset() == next_join_; }

    // A register that was made from the pc last, while it is that: page_pc + offset. Number 0: none.
    struct KnownAddress {
        unsigned number;
        int32_t offset;
    };

    const TranslateRequest& request_;
    const ExtensionSet& extensions_;
    const TbFlags flags_;
    ir::Unit& unit_;
    ir::Builder b_;

    uint32_t offset_;     // page offset of the instruction being translated
    uint32_t size_ = 0;   // its bytes
    uint32_t insns_ = 0;  // translated, with the current one
    bool ended_ = false;
    bool fp_written_ = false;  // by the current instruction
    KnownAddress known_{};

    std::array<SideExit, kMaxUnitInsns> side_exits_;
    uint32_t side_exit_count_ = 0;
    uint32_t linked_side_exits_ = 0;  // those that will take a goto_tb slot
    int32_t next_join_ =
        kNoJoin;  // the nearest page offset in front that a side exit leads to which may stay in the unit
};

}  // namespace weft::riscv
