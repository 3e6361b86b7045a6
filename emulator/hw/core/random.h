// Random numbers that are the same in every run from the same seed: no secret, and nothing that a guest's keys should come from.
#pragma once

#include <cstdint>

namespace weft::hw {

// splitmix64: any seed gives a sequence without visible structure. `state` begins as the seed.
inline uint8_t splitmix64_byte(uint64_t& state) {
    state += 0x9e3779b97f4a7c15;
    uint64_t mixed = state;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return static_cast<uint8_t>((mixed ^ mixed >> 31) >> 56);
}

}  // namespace weft::hw
