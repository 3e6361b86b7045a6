// Guest state by offset, and guest memory through the runtime's hooks.
#include <type_traits>

#include "tcg/interp/machine.h"

namespace weft::tcg::interp {

using ir::MemOp;
using ir::Opcode;
using ir::Type;

namespace {

uint8_t* state_address(Machine& m, const Insn& insn) {
    return static_cast<uint8_t*>(m.state) + static_cast<int32_t>(insn.aux);
}

// Loads a M, extended (by M's signedness) to the word T.
template <class M, class T>
const Insn* load_state(Machine& m, const Insn& insn) {
    M value;
    std::memcpy(&value, state_address(m, insn), sizeof(M));
    m.set<T>(insn, 0, static_cast<T>(value));
    return next<1>(insn);
}

template <class M, class T>
const Insn* store_state(Machine& m, const Insn& insn) {
    const auto value = static_cast<M>(m.get<T>(insn, 0));
    std::memcpy(state_address(m, insn), &value, sizeof(M));
    return next<1>(insn);
}

// The bits of `value` that an access takes.
uint64_t narrow(uint64_t value, uint32_t memop) {
    const unsigned bits = 8 * MemOp(memop).size();
    return bits == 64 ? value : value & ((uint64_t{1} << bits) - 1);
}

uint64_t address(const Machine& m, const Insn& insn) {
    return m.get<uint64_t>(insn, 1) + static_cast<uint64_t>(int64_t{MemOp(insn.aux).displacement()});
}

template <class T>
const Insn* guest_ld(Machine& m, const Insn& insn) {
    uint64_t value = 0;
    m.mark(insn);
    if (MemOp(insn.aux).release()) {
        m.full_barrier();  // earlier stores are seen before this load is done
    }
    if (!m.config.hooks.load(m.state, address(m, insn), MemOp(insn.aux).at(0).bits(), &value)) {
        return m.fault();
    }
    m.set<T>(insn, 0, static_cast<T>(value));
    return next<2>(insn);
}

template <class T>
const Insn* guest_st(Machine& m, const Insn& insn) {
    const uint64_t value = narrow(m.get<T>(insn, 0), insn.aux);
    m.mark(insn);
    if (!m.config.hooks.store(m.state, address(m, insn), MemOp(insn.aux).at(0).bits(), value)) {
        return m.fault();
    }
    return next<2>(insn);
}

template <class T>
const Insn* atomic(Machine& m, const Insn& insn) {
    uint64_t old = 0;
    m.mark(insn);
    if (!m.config.hooks.atomic(m.state, opcode_of(insn.key), m.get<uint64_t>(insn, 1), insn.aux,
                               narrow(m.get<T>(insn, 2), insn.aux), 0, &old)) {
        return m.fault();
    }
    m.set<T>(insn, 0, static_cast<T>(old));
    return next<3>(insn);
}

template <class T>
const Insn* atomic_cmpxchg(Machine& m, const Insn& insn) {
    uint64_t old = 0;
    m.mark(insn);
    if (!m.config.hooks.atomic(m.state, Opcode::atomic_cmpxchg, m.get<uint64_t>(insn, 1), insn.aux,
                               narrow(m.get<T>(insn, 2), insn.aux), narrow(m.get<T>(insn, 3), insn.aux),
                               &old)) {
        return m.fault();
    }
    m.set<T>(insn, 0, static_cast<T>(old));
    return next<4>(insn);
}

template <class T>
void add_words(HandlerTable& table, Type type) {
    using S = std::make_signed_t<T>;
    // A signed source is extended through S first, so that its sign reaches all of T.
    table[key_of(Opcode::ld8u, type)] = &load_state<uint8_t, T>;
    table[key_of(Opcode::ld8s, type)] = &load_state<int8_t, S>;
    table[key_of(Opcode::ld16u, type)] = &load_state<uint16_t, T>;
    table[key_of(Opcode::ld16s, type)] = &load_state<int16_t, S>;
    table[key_of(Opcode::ld32u, type)] = &load_state<uint32_t, T>;
    table[key_of(Opcode::ld32s, type)] = &load_state<int32_t, S>;
    table[key_of(Opcode::ld, type)] = &load_state<T, T>;
    table[key_of(Opcode::st8, type)] = &store_state<uint8_t, T>;
    table[key_of(Opcode::st16, type)] = &store_state<uint16_t, T>;
    table[key_of(Opcode::st32, type)] = &store_state<uint32_t, T>;
    table[key_of(Opcode::st, type)] = &store_state<T, T>;
    table[key_of(Opcode::guest_ld, type)] = &guest_ld<T>;
    table[key_of(Opcode::guest_st, type)] = &guest_st<T>;
    using enum Opcode;
    for (const Opcode code : {atomic_xchg, atomic_add, atomic_and, atomic_or, atomic_xor, atomic_smin,
                              atomic_smax, atomic_umin, atomic_umax}) {
        table[key_of(code, type)] = &atomic<T>;
    }
    table[key_of(Opcode::atomic_cmpxchg, type)] = &interp::atomic_cmpxchg<T>;
}

}  // namespace

void add_memory_handlers(HandlerTable& table) {
    add_words<uint32_t>(table, Type::i32);
    add_words<uint64_t>(table, Type::i64);
}

}  // namespace weft::tcg::interp
