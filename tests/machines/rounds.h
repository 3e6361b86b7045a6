// For tests that make and destroy something many times and look whether anything stays behind.
//
// A few rounds come first, for what libraries keep for ever. After that the numbers of mappings, descriptors and threads
// have to be the same after all rounds as before, and resident memory may have grown by kToleranceKib in all, however many
// rounds there were: it moves by some hundred KiB with what the C library has at hand for reuse.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/machines/process_facts.h"
#include "weft/abi.h"

namespace weft::test {

inline constexpr size_t kToleranceKib = 4096;
inline constexpr unsigned kWarmUpRounds = 10;

inline unsigned round_count() { return std::getenv("WEFT_TEST_FULL") != nullptr ? 1000 : 100; }

// What a sanitizer itself maps and keeps is not weft's.
inline constexpr bool kOwnMemory = sanitizer_mode() == SanitizerMode::none;

template <class Round>
void repeat_rounds(Round&& round) {
    for (unsigned i = 0; i < kWarmUpRounds; ++i) {
        round();
    }
    const ProcessFacts before = process_facts();
    for (unsigned i = 0; i < round_count(); ++i) {
        round();
    }
    const ProcessFacts after = process_facts();
    INFO("resident: " << before.resident_kib << " KiB, then " << after.resident_kib << " KiB");
    CHECK(after.descriptors == before.descriptors);
    CHECK(after.threads == before.threads);
    if (kOwnMemory) {
        CHECK(after.mappings == before.mappings);
        CHECK(after.resident_kib <= before.resident_kib + kToleranceKib);
    }
}

}  // namespace weft::test
