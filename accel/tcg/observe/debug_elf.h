// An ELF file, in memory, that tells a debugger of generated code: names in the runtime code, and unwind information for
// all of the buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tcg/runtime_map.h"

namespace weft::accel {

// Of the buffer of `size` bytes that is executed at `start`. Sections: .text (without contents), .debug_frame (DWARF 5,
// 6.4; version 1), .symtab with its names.
std::string make_debug_elf(const tcg::RuntimeMap& map, uint64_t start, uint64_t size);

}  // namespace weft::accel
