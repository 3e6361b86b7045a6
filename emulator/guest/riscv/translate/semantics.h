// What instructions do, written once for two contexts: a Translator writes it down as IR, a InsnInterpreter does it at once.
//
// The semantics of an instruction is a function named as its row in the tables. Most are templates over their context `T`
// (semantics_*.h) and can be run without being translated; one that is written for the Translator alone cannot, and
// whoever meets it translates. Both contexts have these members:
//
//   extensions()            of the CPU model
//   b()                     a builder of values: the part of ir::Builder that the templates use
//   x(n)                    x[n]; zero for x0
//   set_x(n, value)         writes x[n]; nothing for x0
//   set_x(n, op<Opcode::add>, a, b), and with one operand: the same with the op's result
//   set_x_field(n, op<Opcode::extract>, a, position, length), set_x_word(n, a), set_x_zero_extended(n, a),
//   set_x_if(n, cond, a, b), set_x_pc(n, offset)
//   pure(helper, function, a, b)  a pure function of two words, and the helper that it is
//   address(insn)           x[rs1] + immediate
//   memop(size_log2, flags), load_x(n, address, memop), store(value, address, memop), amo_x(n, op<...>, ...),
//   cas_x(n, address, desired, memop)
//   offset(), next_offset() of the instruction and of the one behind it: from the page's begin for a Translator, from where the
//                           run began for an InsnInterpreter; below 4096 and below 4100
//   pc_plus(offset)         the address there
//   raise(cause, tval)      an exception; nothing of the instruction may follow
//   raise_if(cond, a, b, cause, tval)  the same if (a cond b); whether it is known that it was raised: then nothing may follow
//   branch(cond, a, b, offset), end_with_jump(offset or pc, hint), knows_target(insn, &offset) of a jalr
//
// Whether an instruction raised an exception in the middle is the context's business: what follows a load, a store or an
// atomic access in its semantics has no effect then.
#pragma once

#include <type_traits>

#include "emulator/guest/riscv/isa/decode.h"
#include "weft/ir.h"

namespace weft::riscv::semantics {

// An opcode that is known when the context is compiled. Converts to ir::Opcode.
template <ir::Opcode kCode>
inline constexpr std::integral_constant<ir::Opcode, kCode> op{};

namespace detail {

auto immediate(auto& t, const Insn& insn) { return t.b().imm(static_cast<uint64_t>(int64_t{insn.imm})); }

// Results for x0 are dropped before they are computed: nothing in these has another effect.
template <ir::Opcode kCode>
void unary(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, op<kCode>, t.x(insn.rs1));
    }
}

template <ir::Opcode kCode>
void binary(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, op<kCode>, t.x(insn.rs1), t.x(insn.rs2));
    }
}

template <ir::Opcode kCode>
void binary_imm(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, op<kCode>, t.x(insn.rs1), immediate(t, insn));
    }
}

}  // namespace detail

}  // namespace weft::riscv::semantics
