// What a compiler may write: nothing behind the highwater margin, whatever the window's size.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstring>
#include <span>

#include "random_unit.h"
#include "tcg/code/sizing.h"
#include "tcg/ir/unit_storage.h"
#include "tests/support/random.h"

namespace weft::tcg::test {

namespace {

constexpr uint8_t kUntouched = 0xa5;

// Compiles the unit into windows that are too small, down to nothing.
void check_windows(Harness& harness, const ir::Unit& unit, std::mt19937_64& random) {
    const Harness::Placed placed = harness.compile(unit);
    const auto compiler = harness.backend().make_compiler();
    const size_t whole = placed.compiled.code_size;
    REQUIRE(placed.window.size >= whole);
    for (unsigned round = 0; round < 8; ++round) {
        CodeWindow window = placed.window;
        window.size = random() % whole & ~size_t{15};
        const size_t allowed = window.size + kHighwaterMargin;
        if (allowed >= placed.window.size) {
            continue;
        }
        const std::span<uint8_t> behind(window.bytes() + allowed, placed.window.size - allowed);
        std::ranges::fill(behind, kUntouched);
        CompiledUnit compiled;
        INFO("window of " << window.size << " bytes for " << whole);
        CHECK(compiler->compile(unit, window, placed.index, &compiled) == CompileStatus::region_full);
        REQUIRE(std::ranges::all_of(behind, [](uint8_t byte) { return byte == kUntouched; }));
    }
}

}  // namespace

TEST_CASE("a unit that does not fit its window leaves everything behind the margin alone", "[window]") {
    RandomUnitOptions options;
    options.insns = 60;
    UnitMemory memory({test_guest().globals, test_guest().global_count});
    std::mt19937_64 random(weft::test::test_seed());
    INFO("WEFT_TEST_SEED=" << weft::test::test_seed());
    for (const auto& harness : all_harnesses({})) {
        for (unsigned i = 0; i < 60; ++i) {
            ir::Unit& unit = memory.begin_unit();
            RandomUnit(weft::test::test_seed() + i, options).write(unit);
            check_windows(*harness, unit, random);
        }
    }
}

}  // namespace weft::tcg::test
