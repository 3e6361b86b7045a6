// The widths of guest accesses as types.
#pragma once

#include <cstdint>
#include <type_traits>

#include "weft/ir.h"

namespace weft::accel {

// fn(T{}) for the unsigned T of `size` bytes: 1, 2, 4 or 8.
template <class Fn>
decltype(auto) with_width(unsigned size, Fn&& fn) {
    switch (size) {
        case 1:
            return fn(uint8_t{});
        case 2:
            return fn(uint16_t{});
        case 4:
            return fn(uint32_t{});
        default:
            return fn(uint64_t{});
    }
}

// By the memop's sign.
template <class T>
uint64_t extend(T value, ir::MemOp memop) {
    return memop.sign() ? static_cast<uint64_t>(int64_t{static_cast<std::make_signed_t<T>>(value)}) : value;
}

}  // namespace weft::accel
