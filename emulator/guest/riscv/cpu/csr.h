// Control and status registers, privileged specification chapter 2: one table says for each which mode may
// see it, how it is read and written, and which of its bits a write reaches.
#pragma once

#include <cstdint>
#include <optional>

#include "emulator/guest/riscv/cpu/state.h"
#include "emulator/guest/riscv/isa/extensions.h"

namespace weft::riscv {

struct CsrDesc {
    Extension extension;  // the models that have it have the register
    uint16_t first;       // number; a row may stand for a range of registers that differ in an index alone
    uint16_t last;
    // Where the register is a word of the state: reading it gives the word, and `read` is null.
    uint64_t State::* word;
    uint64_t (*read)(const State& state, unsigned number);
    // Stores `value`, in which bits outside `writable` are those that were read. `mask` has the bits that the
    // instruction names: all of `writable`, or those that CSRRS and CSRRC set and clear. Encodings that are
    // not legal leave the field or the register as it was (WARL, 2.3). Null: a word is just stored, of others writes
    // are ignored.
    void (*write)(State& state, unsigned number, uint64_t value, uint64_t mask);
    uint64_t writable;
    // Conditions besides privilege and read-only numbers under which the register exists. Null: none.
    bool (*allowed)(const State& state, unsigned number);
    // An instruction that would only read it is illegal.
    bool needs_write = false;

    // The register is a word of the state, and whoever may have it by its number may read it.
    constexpr bool reads_word() const { return word != nullptr && allowed == nullptr; }
    // A write is a store of the value's `writable` bits, and no more: neither TB flags nor mappings nor pending interrupts
    // depend on it. The word's other bits are zero.
    constexpr bool writes_word() const { return reads_word() && write == nullptr && writable != 0; }
};

// The row of a register; null where none of these extensions has one by that number.
const CsrDesc* find_csr(unsigned number, const ExtensionSet& extensions);
// Of any extension.
inline const CsrDesc* find_csr(unsigned number) { return find_csr(number, kAllExtensions); }

// What a Zicsr instruction does. Reads and writes have side effects of their own, so the forms that leave one out say so
// (unprivileged specification, "Zicsr": rd=x0 of CSRRW reads nothing, rs1=x0 of CSRRS/CSRRC writes nothing).
// fflags, frm and fcsr never come here: translators do them in IR.
enum class CsrOp : uint32_t { read, write, read_write, set, clear };

// Whether the register is there for an instruction in mode `priv`, and can be written if it `writes`: what its number says
// (2.1). CsrDesc::allowed may refuse it all the same.
bool csr_reachable(unsigned number, Priv priv, bool writes);

// Where a register's word lies, from the state pointer.
int32_t csr_word_offset(const CsrDesc& csr);

// What a Zicsr instruction does with `operand`. False: it is illegal and nothing happened. On the vCPU's
// thread.
bool csr_access(State& state, unsigned number, uint64_t operand, CsrOp op, uint64_t* old);

// For debuggers: like accesses from M mode to a register of any kind. While the vCPU is stopped or on its
// thread.
std::optional<uint64_t> csr_peek(const State& state, unsigned number);
bool csr_poke(State& state, unsigned number, uint64_t value);

}  // namespace weft::riscv
