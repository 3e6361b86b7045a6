// Text of IR: what is read prints the same again; a valid unit stays valid and does the same when it is optimized, on every
// backend.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
#include <string>

#include "base/assert.h"
#include "defined_unit.h"
#include "entry.h"
#include "tcg/ir/parse.h"
#include "tcg/ir/unit_storage.h"
#include "tcg/ir/verify.h"
#include "tcg/opt/optimizer.h"
#include "tests/tcg/random_input.h"

using namespace weft;
using namespace weft::tcg;

namespace {

constexpr unsigned kStates = 2;

std::span<const GlobalDesc> globals() { return test::test_names().globals; }
std::span<const HelperDesc> helpers() { return test::test_names().helpers; }
std::string text_of(const ir::Unit& unit) { return print_unit(unit, test::test_names()); }

[[noreturn]] void stop(const std::string& reason, const ir::Unit& unit, const ir::Unit& optimized) {
    std::cerr << reason << '\n' << text_of(unit) << "optimized:\n" << text_of(optimized);
    std::abort();
}

// Backends once: making one maps memory. What they keep from run to run is where code lies.
std::span<const std::unique_ptr<test::Harness>> harnesses() {
    static const auto kHarnesses = test::all_harnesses({});
    return kHarnesses;
}

void check_runs(const ir::Unit& plain, const ir::Unit& optimized, uint64_t seed) {
    std::mt19937_64 random(seed);
    for (unsigned i = 0; i < kStates; ++i) {
        const test::Input input = test::random_input(random);
        const test::Outcome expected = harnesses().front()->run(plain, input);
        for (const auto& harness : harnesses()) {
            for (const ir::Unit* unit : {&plain, &optimized}) {
                const std::string found = test::difference(expected, harness->run(*unit, input));
                if (!found.empty()) {
                    stop(std::string(harness->name()) + (unit == &optimized ? ", optimized: " : ": ") + found,
                         plain, optimized);
                }
            }
        }
    }
}

void optimize(ir::Unit& unit, const ir::Unit& plain) {
    Optimizer().optimize(unit, helpers());
    if (const Result<> valid = verify(unit, helpers()); !valid) {
        stop(valid.error().message(), plain, unit);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    UnitMemory read(globals());
    UnitMemory again(globals());
    if (!parse_unit(text, test::test_names(), read.begin_unit())) {
        return 0;
    }
    const std::string printed = text_of(read.unit());
    WEFT_ASSERT(parse_unit(printed, test::test_names(), again.begin_unit()).has_value());
    WEFT_ASSERT(text_of(again.unit()) == printed);
    const bool valid = verify(read.unit(), helpers()).has_value();
    WEFT_ASSERT(verify(again.unit(), helpers()).has_value() == valid);
    if (!valid) {
        return 0;
    }
    // As it is, and then as one that may be run.
    optimize(again.unit(), read.unit());
    UnitMemory plain(globals());
    UnitMemory optimized(globals());
    if (fuzz::make_defined(read.unit(), plain.begin_unit()) &&
        fuzz::make_defined(read.unit(), optimized.begin_unit())) {
        WEFT_ASSERT(verify(plain.unit(), helpers()).has_value());
        optimize(optimized.unit(), plain.unit());
        check_runs(plain.unit(), optimized.unit(), size);
    }
    return 0;
}
