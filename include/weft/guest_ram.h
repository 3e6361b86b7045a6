// The one way C++ touches guest RAM: relaxed atomics of the access's natural size.
//
// Guests race with each other by design; weft must not add undefined behaviour to that. A naturally aligned access is one
// single-copy atomic access; a misaligned one is split into bytes, as RISC-V allows (unprivileged specification, RVWMO,
// "Memory Model Primitives"). Values are in the guest's order, little-endian; the host is little-endian too.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace weft::guest_ram {

static_assert(std::endian::native == std::endian::little);

namespace detail {

template <class T>
T load_aligned(const uint8_t* host) {
    return __atomic_load_n(reinterpret_cast<const T*>(reinterpret_cast<uintptr_t>(host)), __ATOMIC_RELAXED);
}

template <class T>
void store_aligned(uint8_t* host, T value) {
    __atomic_store_n(reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(host)), value, __ATOMIC_RELAXED);
}

inline bool is_aligned(const void* host, size_t size) {
    return (reinterpret_cast<uintptr_t>(host) & (size - 1)) == 0;
}

}  // namespace detail

// Loads sizeof(T) bytes at `host`.
template <class T>
T load(const uint8_t* host) {
    if constexpr (sizeof(T) == 1) {
        return detail::load_aligned<T>(host);
    } else {
        if (detail::is_aligned(host, sizeof(T))) [[likely]] {
            return detail::load_aligned<T>(host);
        }
        T value = 0;
        for (size_t i = 0; i < sizeof(T); ++i) {
            value = static_cast<T>(
                value | static_cast<T>(static_cast<T>(detail::load_aligned<uint8_t>(host + i)) << 8 * i));
        }
        return value;
    }
}

// Stores sizeof(T) bytes at `host`.
template <class T>
void store(uint8_t* host, T value) {
    if constexpr (sizeof(T) == 1) {
        detail::store_aligned<T>(host, value);
    } else {
        if (detail::is_aligned(host, sizeof(T))) [[likely]] {
            detail::store_aligned<T>(host, value);
            return;
        }
        for (size_t i = 0; i < sizeof(T); ++i) {
            detail::store_aligned<uint8_t>(host + i, static_cast<uint8_t>(value >> 8 * i));
        }
    }
}

// The same with `size` bytes, 1 to 8, as the low bytes of the value; sizes that are no power of two go byte by byte.
inline uint64_t load_sized(const uint8_t* host, unsigned size) {
    switch (size) {
        case 1:
            return load<uint8_t>(host);
        case 2:
            return load<uint16_t>(host);
        case 4:
            return load<uint32_t>(host);
        case 8:
            return load<uint64_t>(host);
        default: {
            uint64_t value = 0;
            for (unsigned i = 0; i < size; ++i) {
                value |= uint64_t{load<uint8_t>(host + i)} << 8 * i;
            }
            return value;
        }
    }
}

inline void store_sized(uint8_t* host, unsigned size, uint64_t value) {
    switch (size) {
        case 1:
            store(host, static_cast<uint8_t>(value));
            break;
        case 2:
            store(host, static_cast<uint16_t>(value));
            break;
        case 4:
            store(host, static_cast<uint32_t>(value));
            break;
        case 8:
            store(host, value);
            break;
        default:
            for (unsigned i = 0; i < size; ++i) {
                store(host + i, static_cast<uint8_t>(value >> 8 * i));
            }
            break;
    }
}

// Compare-and-swap at a naturally aligned `host`, sequentially consistent. Returns the value before: it is `expected`
// exactly when `desired` was stored.
template <class T>
T compare_exchange(uint8_t* host, T expected, T desired) {
    __atomic_compare_exchange_n(reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(host)), &expected, desired,
                                false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return expected;
}

// The same of two words, the one at the lower address first, at a `host` that is aligned to 16. The host processor has to have
// cmpxchg16b. ThreadSanitizer does not see it.
inline std::array<uint64_t, 2> compare_exchange_pair(uint8_t* host, const std::array<uint64_t, 2>& expected,
                                                     const std::array<uint64_t, 2>& desired) {
    uint64_t low = expected[0];
    uint64_t high = expected[1];
    asm volatile("lock cmpxchg16b (%[at])"
                 : "+a"(low), "+d"(high)
                 : [at] "r"(host), "b"(desired[0]), "c"(desired[1])
                 : "memory", "cc");
    return {low, high};
}

// The same, sequentially consistent: for words that order a device's other accesses against the guest's (ring indices).
// `host` is aligned to sizeof(T) for this to hold; otherwise they are as load() and store().
template <class T>
T load_sync(const uint8_t* host) {
    if (!detail::is_aligned(host, sizeof(T))) [[unlikely]] {
        return load<T>(host);
    }
    return __atomic_load_n(reinterpret_cast<const T*>(reinterpret_cast<uintptr_t>(host)), __ATOMIC_SEQ_CST);
}

template <class T>
void store_sync(uint8_t* host, T value) {
    if (!detail::is_aligned(host, sizeof(T))) [[unlikely]] {
        store<T>(host, value);
        return;
    }
    __atomic_store_n(reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(host)), value, __ATOMIC_SEQ_CST);
}

// Copies `size` bytes out of guest RAM, in ascending order, with the widest aligned loads.
inline void read(void* to, const uint8_t* host, size_t size) {
    auto* out = static_cast<uint8_t*>(to);
    while (size != 0) {
        if (size >= 8 && detail::is_aligned(host, 8)) {
            const auto value = detail::load_aligned<uint64_t>(host);
            __builtin_memcpy(out, &value, 8);
            host += 8;
            out += 8;
            size -= 8;
        } else {
            *out++ = detail::load_aligned<uint8_t>(host++);
            --size;
        }
    }
}

// Copies `size` bytes into guest RAM, in ascending order, with the widest aligned stores.
inline void write(uint8_t* host, const void* from, size_t size) {
    const auto* in = static_cast<const uint8_t*>(from);
    while (size != 0) {
        if (size >= 8 && detail::is_aligned(host, 8)) {
            uint64_t value;
            __builtin_memcpy(&value, in, 8);
            detail::store_aligned<uint64_t>(host, value);
            host += 8;
            in += 8;
            size -= 8;
        } else {
            detail::store_aligned<uint8_t>(host++, *in++);
            --size;
        }
    }
}

// Fills `size` bytes of guest RAM.
inline void fill(uint8_t* host, uint8_t value, size_t size) {
    for (; size != 0; ++host, --size) {
        detail::store_aligned<uint8_t>(host, value);
    }
}

}  // namespace weft::guest_ram
