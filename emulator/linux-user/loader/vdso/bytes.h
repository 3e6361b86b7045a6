// Little-endian bytes, as a string.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

namespace weft::user::vdso {

// Appends a number or a structure of numbers. Hosts are little-endian.
template <class T>
void append(std::string& out, const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    out.append(bytes, sizeof(T));
}

inline void append_uleb(std::string& out, uint64_t value) {
    for (; value >= 0x80; value >>= 7) {
        out.push_back(static_cast<char>(value | 0x80));
    }
    out.push_back(static_cast<char>(value));
}

inline void append_sleb(std::string& out, int64_t value) {
    for (; value < -0x40 || value >= 0x40; value >>= 7) {
        out.push_back(static_cast<char>(value | 0x80));
    }
    out.push_back(static_cast<char>(value & 0x7f));
}

inline void pad(std::string& out, size_t alignment, char filler = '\0') {
    out.resize((out.size() + alignment - 1) / alignment * alignment, filler);
}

}  // namespace weft::user::vdso
