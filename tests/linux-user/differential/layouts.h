// Structs that are not laid out alike on x86-64 and riscv64: where their fields are on the one this is compiled for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace differential {

struct Field {
    const char* name;
    size_t at, size;
};

struct Layout {
    const char* kind;
    size_t size;
    std::span<const Field> fields;
};

// Null where there is none of the kind.
const Layout* find_layout(const std::string& kind);

}  // namespace differential
