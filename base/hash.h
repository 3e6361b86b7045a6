// Hashes of a few machine words, for tables inside one process. The values are not stable between versions:
// nothing that is stored or sent may depend on them.
#pragma once

#include <bit>
#include <cstdint>

namespace weft {

// A bijection in which every input bit changes every output bit with a probability near one half: two rounds
// of multiply and shift, which is what inputs that differ in a few low bits (page offsets, flags) need.
constexpr std::uint64_t hash_mix(std::uint64_t value) {
    value ^= value >> 32;
    value *= 0xd6e8feb86659fd93u;
    value ^= value >> 32;
    value *= 0xd6e8feb86659fd93u;
    value ^= value >> 32;
    return value;
}

// One step of a running hash: order matters, and a zero word changes the state too.
constexpr std::uint64_t hash_step(std::uint64_t state, std::uint64_t word) {
    // The word is spread before it meets the state, so that close words cannot cancel in neighbouring steps.
    word *= 0x9e3779b97f4a7c15u;
    word ^= word >> 29;
    return std::rotl(state ^ word, 27) * 0xbf58476d1ce4e5b9u + 0x52dce729u;
}

template <class... Words>
constexpr std::uint64_t hash_words(Words... words) {
    std::uint64_t state = 0x2545f4914f6cdd1du;
    ((state = hash_step(state, static_cast<std::uint64_t>(words))), ...);
    return hash_mix(state);
}

// 32 bits of a 64-bit hash, for tables that index by the low bits (base/qht.h).
constexpr std::uint32_t hash_fold(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

}  // namespace weft
