// What debuggers and profilers need to know of generated code: names in the runtime code, and how to find the caller.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weft::tcg {

struct RuntimeSymbol {
    std::string name;
    uint32_t offset;  // from the start of the code buffer
    uint32_t size;
};

// From `offset` on, up to the next row: the caller's stack pointer before its call (the CFA of DWARF 5, 6.4) is the stack
// pointer plus `cfa_offset`, or `by_state` the word at RuntimeMap::frame_word of the state plus that, where guest code may have
// moved the stack pointer. The return address is in the word below the CFA, and the first `saved` of
// RuntimeMap::saved_registers in the words below that one. All other registers that C++ preserves are as in the caller.
struct FrameRow {
    uint32_t offset;
    uint32_t cfa_offset;
    uint32_t saved;
    bool by_state = false;
};

struct RuntimeMap {
    uint16_t elf_machine;  // e_machine of ELF
    // DWARF numbers of the host's ABI.
    uint8_t stack_register;
    uint8_t return_register;
    uint8_t state_register;
    int32_t frame_word;                    // from what is in state_register
    std::vector<uint8_t> saved_registers;  // in the order in which the prologue saves them
    uint32_t runtime_size;                 // what follows in the buffer is units
    std::vector<FrameRow> runtime;         // in ascending order; the first begins at 0
    FrameRow units;                        // holds in all units; its offset says nothing
    std::vector<RuntimeSymbol> symbols;    // in ascending order
};

}  // namespace weft::tcg
