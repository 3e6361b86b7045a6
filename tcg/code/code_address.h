// Addresses in the code buffer. The writable and the executable view are distinct types, so that mixing them up does not
// compile; CodeBuffer converts. With split-wx off both name the same byte.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace weft::tcg {

namespace detail {

template <class Tag>
class CodeAddress {
  public:
    constexpr CodeAddress() = default;
    constexpr explicit CodeAddress(uintptr_t value) : value_(value) {}

    constexpr uintptr_t value() const { return value_; }
    constexpr explicit operator bool() const { return value_ != 0; }
    constexpr auto operator<=>(const CodeAddress&) const = default;

    constexpr CodeAddress operator+(size_t bytes) const { return CodeAddress(value_ + bytes); }
    constexpr ptrdiff_t operator-(CodeAddress other) const {
        return static_cast<ptrdiff_t>(value_ - other.value_);
    }

    template <class T>
    T* as() const {
        return reinterpret_cast<T*>(value_);
    }

  private:
    uintptr_t value_ = 0;
};

}  // namespace detail

using RxAddress = detail::CodeAddress<struct RxTag>;  // where the host executes (or the interpreter reads) it
using RwAddress = detail::CodeAddress<struct RwTag>;  // where weft writes it

// A stretch of the buffer to write into, with both its addresses.
struct CodeWindow {
    RwAddress rw;
    RxAddress rx;
    size_t size;

    uint8_t* bytes() const { return rw.as<uint8_t>(); }
};

}  // namespace weft::tcg
