// Random numbers for tests: the same on every run, unless WEFT_TEST_SEED says otherwise.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace weft::test {

// Print it on failure: INFO("WEFT_TEST_SEED=" << test_seed()).
inline std::uint64_t test_seed() {
    const char* text = std::getenv("WEFT_TEST_SEED");
    return text != nullptr ? std::strtoull(text, nullptr, 0) : 1;
}

// A Weyl sequence through a mixing function (splitmix64): any seed will do, also successive ones for threads.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        state_ += 0x9e3779b97f4a7c15u;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }

    // 0 to bound - 1; the bias for bounds far below 2^64 does not matter to tests.
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }

  private:
    std::uint64_t state_;
};

}  // namespace weft::test
