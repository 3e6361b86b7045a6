// Runs instructions at once, one after another: for code that has been met too rarely to be worth a translation. What they
// do is written in semantics_*.h, for the translator as well. Internal to insn_interpreter.cpp.
#pragma once

#include <atomic>
#include <cstdint>

#include "emulator/guest/riscv/cpu/exception.h"
#include "emulator/guest/riscv/cpu/state.h"
#include "emulator/guest/riscv/cpu/tb_flags.h"
#include "emulator/guest/riscv/isa/decode.h"
#include "emulator/guest/riscv/translate/helpers.h"
#include "emulator/guest/riscv/translate/jump_hint.h"
#include "weft/guest.h"
#include "weft/int_ops.h"
#include "weft/ir.h"

namespace weft::riscv {

// A value, where a Translator has a temp.
template <ir::Type kType, class Word>
struct Known {
    static constexpr ir::Type type = kType;
    Word value = 0;
};

using Known32 = Known<ir::Type::i32, uint32_t>;
using Known64 = Known<ir::Type::i64, uint64_t>;

template <ir::Opcode kCode>
using OpConstant = std::integral_constant<ir::Opcode, kCode>;

// The part of ir::Builder that the semantics use, on values.
class Calculator {
  public:
    static Known64 imm(uint64_t value) { return {value}; }
    static Known32 imm32(uint32_t value) { return {value}; }

    template <ir::Opcode kCode, class V>
    static V op(OpConstant<kCode>, V a) {
        return {int_ops::unary<kCode>(a.value)};
    }
    template <ir::Opcode kCode, class V>
    static V op(OpConstant<kCode>, V a, V b) {
        return {int_ops::binary<kCode>(a.value, b.value)};
    }
    static Known64 add(Known64 a, Known64 b) { return {a.value + b.value}; }
    static Known64 sub(Known64 a, Known64 b) { return {a.value - b.value}; }
    template <class V>
    static V and_(V a, V b) {
        return {a.value & b.value};
    }
    static Known64 or_(Known64 a, Known64 b) { return {a.value | b.value}; }
    template <class V>
    static V xor_(V a, V b) {
        return {a.value ^ b.value};
    }
    static Known64 shl(Known64 a, Known64 b) { return {int_ops::binary<ir::Opcode::shl>(a.value, b.value)}; }
    static Known64 shr(Known64 a, Known64 b) { return {int_ops::binary<ir::Opcode::shr>(a.value, b.value)}; }
    static Known64 extract(Known64 a, unsigned position, unsigned length) {
        return {int_ops::extract(a.value, position, length)};
    }
    static Known64 sextract(Known64 a, unsigned position, unsigned length) {
        return {int_ops::sextract(a.value, position, length)};
    }
    template <class V>
    static V movcond(ir::Cond cond, V a, V b, V x, V y) {
        return int_ops::compare(cond, a.value, b.value) ? x : y;
    }
    static Known32 extrl_i64_i32(Known64 a) { return {static_cast<uint32_t>(a.value)}; }
    // Sequentially consistent whatever is asked for: code that runs rarely.
    void mb(uint32_t) { barrier_.exchange(1, std::memory_order_seq_cst); }

  private:
    // Only ever written: an exchange stands for a fence, which ThreadSanitizer does not know.
    std::atomic<uint32_t> barrier_{0};
};

// One run of instructions in one page. On the vCPU's thread. Offsets are from where it began.
class InsnInterpreter {
  public:
    // `code`: `size` bytes from StateHeader::pc on, at most a page.
    InsnInterpreter(State& state, TbFlags flags, const uint8_t* code, uint32_t size)
        : state_(state),
          header_(state_header(&state)),
          extensions_(state.model->extensions),
          flags_(flags),
          code_(code),
          end_(size & ~1u),
          begin_pc_(header_.pc) {}

    RunResult run();

    Calculator& b() { return calculator_; }
    const ExtensionSet& extensions() const { return extensions_; }

    // ---- registers ----
    Known64 x(unsigned n) const { return {gpr(state_, n)}; }
    void set_x(unsigned n, Known64 value) {
        if (n != 0) {
            gpr(state_, n) = value.value;
        }
    }
    template <ir::Opcode kCode>
    void set_x(unsigned n, OpConstant<kCode> code, Known64 a) {
        set_x(n, Calculator::op(code, a));
    }
    template <ir::Opcode kCode>
    void set_x(unsigned n, OpConstant<kCode> code, Known64 a, Known64 b) {
        set_x(n, Calculator::op(code, a, b));
    }
    template <ir::Opcode kCode>
    void set_x_field(unsigned n, OpConstant<kCode>, Known64 a, unsigned position, unsigned length) {
        static_assert(kCode == ir::Opcode::extract || kCode == ir::Opcode::sextract);
        set_x(n, kCode == ir::Opcode::extract ? Calculator::extract(a, position, length)
                                              : Calculator::sextract(a, position, length));
    }
    void set_x_word(unsigned n, Known64 a) { set_x_word(n, Calculator::extrl_i64_i32(a)); }
    void set_x_word(unsigned n, Known32 a) {
        set_x(n, {static_cast<uint64_t>(int64_t{static_cast<int32_t>(a.value)})});
    }
    void set_x_zero_extended(unsigned n, Known32 a) { set_x(n, {a.value}); }
    void set_x_if(unsigned n, ir::Cond cond, Known64 a, Known64 b) {
        set_x(n, {int_ops::compare(cond, a.value, b.value) ? uint64_t{1} : 0});
    }
    void set_x_pc(unsigned n, int32_t offset) { set_x(n, {pc_at(offset)}); }

    template <class Function>
    Known64 pure(HelperId, Function function, Known64 a, Known64 b) const {
        return {function(a.value, b.value)};
    }

    // ---- memory ----
    Known64 address(const Insn& insn) const {
        return {gpr(state_, insn.rs1) + static_cast<uint64_t>(int64_t{insn.imm})};
    }
    ir::MemOp memop(unsigned size_log2, uint32_t access_flags) const {
        return ir::MemOp(size_log2, static_cast<unsigned>(flags_.data_mode()), access_flags);
    }
    void load_x(unsigned n, Known64 address, ir::MemOp memop) {
        uint64_t value = 0;
        if (accessed(header_.services->load(header_.vcpu, address_of(address, memop), memop.at(0).bits(),
                                            &value))) {
            set_x(n, {value});
        }
    }
    void store(Known64 value, Known64 address, ir::MemOp memop) {
        accessed(header_.services->store(header_.vcpu, address_of(address, memop), memop.at(0).bits(),
                                         value.value));
    }
    template <ir::Opcode kCode>
    void amo_x(unsigned n, OpConstant<kCode>, Known64 address, Known64 operand, ir::MemOp memop) {
        write_before(n, kCode, address, operand.value, 0, memop);
    }
    void cas_x(unsigned n, Known64 address, Known64 desired, ir::MemOp memop) {
        write_before(n, ir::Opcode::atomic_cmpxchg, address, gpr(state_, n), desired.value, memop);
    }
    void load_reserved_x(unsigned n, Known64 pointer, ir::MemOp memop) {
        uint64_t value = 0;
        const uint64_t address = address_of(pointer, memop);
        if (accessed(
                header_.services->load(header_.vcpu, address, memop.bits() | ir::MemOp::kReserve, &value))) {
            state_.res_value = word_or_double(value, memop);
            state_.res_address = reservation_key(address, memop);
            set_x(n, {state_.res_value});
        }
    }
    void store_conditional_x(unsigned n, Known64 pointer, Known64 value, ir::MemOp memop) {
        uint64_t old = 0;
        const uint64_t address = address_of(pointer, memop);
        const bool reserved = state_.res_address == reservation_key(address, memop);
        if (accessed(header_.services->atomic(header_.vcpu, ir::Opcode::atomic_cmpxchg, address, memop.bits(),
                                              state_.res_value, reserved ? value.value : state_.res_value,
                                              &old))) {
            set_x(n, {uint64_t{!reserved || word_or_double(old, memop) != state_.res_value}});
            end_reservation(state_);
        }
    }

    // ---- control ----
    TbFlags flags() const { return flags_; }
    int32_t offset() const { return static_cast<int32_t>(offset_); }
    int32_t next_offset() const { return static_cast<int32_t>(offset_ + size_); }
    void branch(ir::Cond cond, Known64 a, Known64 b, int32_t offset) {
        if (int_ops::compare(cond, a.value, b.value)) {
            end_with_jump(offset);
        }
    }
    Known64 pc_plus(int32_t offset) const { return {pc_at(offset)}; }
    void raise(Exception cause, Known64 tval) {
        record_exception(state_, cause, tval.value);
        progress_ = Progress::raised;
    }
    bool raise_if(ir::Cond cond, Known64 a, Known64 b, Exception cause, Known64 tval) {
        const bool raises = int_ops::compare(cond, a.value, b.value);
        if (raises) {
            raise(cause, tval);
        }
        return raises;
    }
    // Nothing has to be known ahead.
    static constexpr bool knows_target(const Insn&, int32_t*) { return false; }
    void end_with_jump(int32_t offset, JumpHint = {}) { end_with_jump(Known64{pc_at(offset)}); }
    void end_with_jump(Known64 pc, JumpHint = {}) {
        target_ = pc.value;
        progress_ = Progress::jumps;
    }

  private:
    enum class Progress : uint8_t { goes_on, jumps, raised };

    // RecentInsns::Entry::row of the instruction.
    unsigned find_row(uint32_t bits);
    uint64_t pc_at(int32_t offset) const { return begin_pc_ + static_cast<uint64_t>(int64_t{offset}); }
    uint64_t address_of(Known64 base, ir::MemOp memop) const {
        const uint64_t address = base.value + static_cast<uint64_t>(int64_t{memop.displacement()});
        const PointerMask mask = flags_.pointer_mask();
        return mask.length == 0 ? address : mask.apply(address);
    }
    static uint64_t word_or_double(uint64_t value, ir::MemOp memop) {
        return memop.size_log2() == 2 ? static_cast<uint64_t>(int64_t{static_cast<int32_t>(value)}) : value;
    }
    // State::res_address.
    static uint64_t reservation_key(uint64_t address, ir::MemOp memop) {
        return address | (memop.size_log2() == 3 ? 1 : 0);
    }
    void write_before(unsigned n, ir::Opcode code, Known64 address, uint64_t a, uint64_t b, ir::MemOp memop) {
        uint64_t old = 0;
        if (accessed(header_.services->atomic(header_.vcpu, code, address_of(address, memop), memop.bits(), a,
                                              b, &old))) {
            memop.size_log2() == 2 ? set_x_word(n, Known64{old}) : set_x(n, {old});
        }
    }
    bool accessed(bool done) {
        if (!done) {
            progress_ = Progress::raised;
        }
        return done;
    }

    State& state_;
    StateHeader& header_;
    const ExtensionSet& extensions_;
    const TbFlags flags_;
    const uint8_t* const code_;
    const uint32_t end_;  // of the bytes, in whole halfwords
    const uint64_t begin_pc_;

    [[no_unique_address]] Calculator calculator_;
    uint32_t offset_ = 0;  // of the instruction
    uint32_t size_ = 0;    // its bytes
    Progress progress_ = Progress::goes_on;
    uint64_t target_ = 0;  // of a jump
};

}  // namespace weft::riscv
