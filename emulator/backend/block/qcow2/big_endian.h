// The numbers of qcow2 images, which are big-endian.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace weft::backend::qcow2 {

// The number at bytes `at` to `at` + sizeof(T) - 1, which `bytes` has.
template <class T>
T load(std::span<const uint8_t> bytes, size_t at) {
    T value;
    std::memcpy(&value, bytes.subspan(at).data(), sizeof(T));
    return std::byteswap(value);
}

template <class T>
void store(std::span<uint8_t> bytes, size_t at, T value) {
    value = std::byteswap(value);
    std::memcpy(bytes.subspan(at).data(), &value, sizeof(T));
}

}  // namespace weft::backend::qcow2
