// The seed of randomised tests: WEFT_TEST_SEED, or a fixed one.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace weft::riscv {

inline uint64_t test_seed() {
    const char* text = std::getenv("WEFT_TEST_SEED");
    return text != nullptr ? std::strtoull(text, nullptr, 0) : 0x5eed0f7e57;
}

}  // namespace weft::riscv
