// Moves, integer arithmetic, logic and bit fields.
#include "tcg/interp/machine.h"
#include "weft/int_ops.h"

namespace weft::tcg::interp {

using ir::Cond;
using ir::Opcode;
using ir::Type;

namespace {

template <Opcode kCode, class T>
const Insn* binary(Machine& m, const Insn& insn) {
    m.set<T>(insn, 0, int_ops::binary<kCode>(m.get<T>(insn, 1), m.get<T>(insn, 2)));
    return next<3>(insn);
}

template <Opcode kCode, class T>
const Insn* unary(Machine& m, const Insn& insn) {
    m.set<T>(insn, 0, int_ops::unary<kCode>(m.get<T>(insn, 1)));
    return next<2>(insn);
}

template <class T>
const Insn* mov(Machine& m, const Insn& insn) {
    m.set<T>(insn, 0, m.get<T>(insn, 1));
    return next<2>(insn);
}

template <class T>
const Insn* extract(Machine& m, const Insn& insn) {
    m.set<T>(insn, 0, int_ops::extract(m.get<T>(insn, 1), insn.aux & 0xff, insn.aux >> 8));
    return next<2>(insn);
}

template <class T>
const Insn* sextract(Machine& m, const Insn& insn) {
    m.set<T>(insn, 0, int_ops::sextract(m.get<T>(insn, 1), insn.aux & 0xff, insn.aux >> 8));
    return next<2>(insn);
}

template <class T>
const Insn* deposit(Machine& m, const Insn& insn) {
    m.set<T>(insn, 0, int_ops::deposit(m.get<T>(insn, 1), m.get<T>(insn, 2), insn.aux & 0xff, insn.aux >> 8));
    return next<3>(insn);
}

template <class T>
bool holds(Machine& m, const Insn& insn, unsigned index) {
    return int_ops::compare(static_cast<Cond>(insn.cond), m.get<T>(insn, index), m.get<T>(insn, index + 1));
}

template <class T>
const Insn* setcond(Machine& m, const Insn& insn) {
    m.set<T>(insn, 0, holds<T>(m, insn, 1) ? 1 : 0);
    return next<3>(insn);
}

template <class T>
const Insn* negsetcond(Machine& m, const Insn& insn) {
    m.set<T>(insn, 0, holds<T>(m, insn, 1) ? ~T{0} : 0);
    return next<3>(insn);
}

template <class T>
const Insn* movcond(Machine& m, const Insn& insn) {
    m.set<T>(insn, 0, m.get<T>(insn, holds<T>(m, insn, 1) ? 3 : 4));
    return next<5>(insn);
}

template <class T>
const Insn* brcond(Machine& m, const Insn& insn) {
    return holds<T>(m, insn, 0) ? insn_at(insn, static_cast<int32_t>(operands(insn)[2])) : next<3>(insn);
}

const Insn* ext_i32_i64(Machine& m, const Insn& insn) {
    m.set<uint64_t>(insn, 0, static_cast<uint64_t>(int64_t{m.get<int32_t>(insn, 1)}));
    return next<2>(insn);
}

const Insn* extu_i32_i64(Machine& m, const Insn& insn) {
    m.set<uint64_t>(insn, 0, m.get<uint32_t>(insn, 1));
    return next<2>(insn);
}

const Insn* extrl_i64_i32(Machine& m, const Insn& insn) {
    m.set<uint32_t>(insn, 0, static_cast<uint32_t>(m.get<uint64_t>(insn, 1)));
    return next<2>(insn);
}

const Insn* pc_add(Machine& m, const Insn& insn) {
    const auto offset = static_cast<uint64_t>(int64_t{static_cast<int32_t>(insn.aux)});
    m.set<uint64_t>(insn, 0, m.header().page_pc + offset);
    return next<1>(insn);
}

template <Opcode... kCodes>
void add_binary(HandlerTable& table) {
    ((table[key_of(kCodes, Type::i32)] = &binary<kCodes, uint32_t>), ...);
    ((table[key_of(kCodes, Type::i64)] = &binary<kCodes, uint64_t>), ...);
}

template <Opcode... kCodes>
void add_unary(HandlerTable& table) {
    ((table[key_of(kCodes, Type::i32)] = &unary<kCodes, uint32_t>), ...);
    ((table[key_of(kCodes, Type::i64)] = &unary<kCodes, uint64_t>), ...);
}

// Ops whose handlers are templates over the word alone; i32 shares its key with f32, i64 with f64.
template <class T>
void add_words(HandlerTable& table, Type type) {
    table[key_of(Opcode::mov, type)] = &mov<T>;
    table[key_of(Opcode::bitcast_int, type)] = &mov<T>;
    table[key_of(Opcode::bitcast_fp, type)] = &mov<T>;
    table[key_of(Opcode::extract, type)] = &extract<T>;
    table[key_of(Opcode::sextract, type)] = &sextract<T>;
    table[key_of(Opcode::deposit, type)] = &deposit<T>;
    table[key_of(Opcode::setcond, type)] = &setcond<T>;
    table[key_of(Opcode::negsetcond, type)] = &negsetcond<T>;
    table[key_of(Opcode::movcond, type)] = &movcond<T>;
    table[key_of(Opcode::brcond, type)] = &brcond<T>;
}

}  // namespace

void add_integer_handlers(HandlerTable& table) {
    using enum Opcode;
    add_binary<add, sub, mul, mulsh, muluh, mulsuh, divs, divu, rems, remu, smin, smax, umin, umax>(table);
    add_binary<and_, or_, xor_, andc, orc, eqv, shl, shr, sar, rotl, rotr>(table);
    add_unary<neg, not_, clz, ctz, ctpop, bswap>(table);
    add_words<uint32_t>(table, Type::i32);
    add_words<uint64_t>(table, Type::i64);
    table[key_of(Opcode::ext_i32_i64, Type::none)] = &interp::ext_i32_i64;
    table[key_of(Opcode::extu_i32_i64, Type::none)] = &interp::extu_i32_i64;
    table[key_of(Opcode::extrl_i64_i32, Type::none)] = &interp::extrl_i64_i32;
    table[key_of(Opcode::pc_add, Type::none)] = &interp::pc_add;
}

}  // namespace weft::tcg::interp
