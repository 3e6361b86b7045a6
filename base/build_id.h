// Which build of a program or module this is.
#pragma once

#include <cstdint>
#include <span>

namespace weft {

// The build id (ELF note NT_GNU_BUILD_ID, which the linker makes of everything in the file) of the program or module that `address`, a
// function's or an object's of static duration, lies in. Valid as long as it is loaded. Empty: it has none, or nothing is there. Any
// thread.
std::span<const uint8_t> build_id_of(const void* address);

}  // namespace weft
