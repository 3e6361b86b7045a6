// What emulators boot: a guest test program with what the host generated for it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weft::isa_test {

// Appends the bytes of plain data to `bytes`.
template <class T>
void append(std::string* bytes, const T& value) {
    bytes->append(reinterpret_cast<const char*>(&value), sizeof value);
}

// An ELF program with `runtime` at the start of RAM, its entry, and `program` at isa::kProgramBase.
std::string make_image(const std::string& runtime, const std::string& program);

}  // namespace weft::isa_test
