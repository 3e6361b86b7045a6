// Random units: valid to the verifier, and the same on every backend, optimized or not.
#include <catch2/catch.hpp>

#include "base/error.h"
#include "random_input.h"
#include "random_unit.h"
#include "tcg/ir/unit_storage.h"
#include "tcg/ir/verify.h"
#include "tcg/opt/optimizer.h"

namespace weft::tcg::test {

namespace {

constexpr unsigned kRunsPerUnit = 3;

std::span<const GlobalDesc> globals() { return {test_guest().globals, test_guest().global_count}; }
std::span<const HelperDesc> helpers() { return {test_guest().helpers, test_guest().helper_count}; }

struct Case {
    uint64_t seed;
    const RandomUnitOptions& options;
    const ir::Unit& plain;
    const ir::Unit& optimized;
};

// The first disagreement, or an empty string.
std::string compare(const std::vector<std::unique_ptr<Harness>>& harnesses, const Case& tried) {
    std::mt19937_64 random(tried.seed);
    for (unsigned run = 0; run < kRunsPerUnit; ++run) {
        const Input input = random_input(random);
        const Outcome expected = harnesses.front()->run(tried.plain, input);
        for (const auto& harness : harnesses) {
            for (const bool optimized : {false, true}) {
                const Outcome actual = harness->run(optimized ? tried.optimized : tried.plain, input);
                if (const std::string found = difference(expected, actual); !found.empty()) {
                    return std::string(harness->name()) + (optimized ? " (optimized)" : "") + ", run " +
                           std::to_string(run) + ": " + found;
                }
            }
        }
    }
    return {};
}

void run_cases_on(const std::vector<std::unique_ptr<Harness>>& harnesses, const RandomUnitOptions& options,
                  uint64_t first_seed, unsigned count, const OptimizeOptions& optimize_options = {}) {
    UnitMemory plain(globals());
    UnitMemory optimized(globals());
    Optimizer optimizer(optimize_options);
    for (uint64_t seed = first_seed; seed < first_seed + count; ++seed) {
        INFO("WEFT_TEST_SEED=" << seed);
        ir::Unit& unit = plain.begin_unit();
        RandomUnit(seed, options).write(unit);
        ir::Unit& copy = optimized.begin_unit();
        RandomUnit(seed, options).write(copy);
        const Result<> valid = verify(unit, helpers());
        INFO((valid ? "" : valid.error().message()));
        REQUIRE(valid.has_value());

        optimizer.optimize(copy, helpers());
        const Result<> still_valid = verify(copy, helpers());
        const std::string found =
            still_valid ? compare(harnesses, Case{seed, options, unit, copy}) : still_valid.error().message();
        if (!found.empty()) {
            FAIL(found << "\n"
                       << print_unit(unit, test_names()) << "optimized:\n"
                       << print_unit(copy, test_names()));
        }
    }
    SUCCEED();
}

void run_cases(const RandomUnitOptions& options, const HarnessOptions& harness_options, uint64_t first_seed,
               unsigned count, const OptimizeOptions& optimize_options = {}) {
    run_cases_on(all_harnesses(harness_options), options, first_seed, count, optimize_options);
}

}  // namespace

TEST_CASE("random units of integer ops") {
    RandomUnitOptions options;
    options.fp = false;
    options.faults = false;
    run_cases(options, {}, test_seed(1), test_cases(1500));
}

TEST_CASE("random units of all ops") { run_cases({}, {}, test_seed(100'000), test_cases(2500)); }

// Those that call helpers keep no registers of their own.
TEST_CASE("random units that jump back to their start") {
    for (const bool helpers : {false, true}) {
        for (const bool fp : {true, false}) {
            RandomUnitOptions options;
            options.rounds = true;
            options.helpers = helpers;
            options.fp = fp;
            HarnessOptions linked;
            linked.link_rounds = true;
            HarnessOptions counting = linked;
            counting.count_insns = true;
            HarnessOptions unpinned = linked;
            unpinned.native.pin_registers = false;
            unpinned.tlb_pages = 1;
            run_cases_on(all_harnesses_and_memories(linked), options, test_seed(900'000), test_cases(1000));
            run_cases_on(all_harnesses_and_memories(counting), options, test_seed(910'000), test_cases(250));
            run_cases(options, unpinned, test_seed(920'000), test_cases(500));
        }
    }
}

TEST_CASE("random units with accesses by the slow path: all, and those of one page") {
    for (const unsigned pages : {0u, 1u, 2u}) {
        HarnessOptions options;
        options.tlb_pages = pages;
        run_cases({}, options, test_seed(200'000), test_cases(300));
    }
}

TEST_CASE("random units with direct memory: usual ones, long ones, and without pinned registers") {
    RandomUnitOptions longer;
    longer.insns = 120;
    HarnessOptions unpinned;
    unpinned.count_insns = true;
    unpinned.native.pin_registers = false;
    run_cases_on(all_harnesses_and_memories({}), {}, test_seed(800'000), test_cases(1000));
    run_cases_on(all_harnesses_and_memories({}), longer, test_seed(810'000), test_cases(50));
    run_cases_on(all_harnesses_and_memories(unpinned), {}, test_seed(820'000), test_cases(250));
}

TEST_CASE("random units with the native backend's optimisations off") {
    HarnessOptions options;
    options.native = NativeOptions{.pin_registers = false,
                                   .own_probes = false,
                                   .direct_side_exits = false,
                                   .share_tlb_probes = false,
                                   .carry_pages = false,
                                   .loop_registers = false,
                                   .fold_loads = false,
                                   .inline_fp_flags = false,
                                   .features = {}};
    run_cases({}, options, test_seed(400'000), test_cases(500));
}

#if WEFT_HAVE_X86_64_BACKEND
TEST_CASE("random units on hosts that lack a feature, or all but popcnt") {
    const x86_64::HostFeatures host = x86_64::HostFeatures::detect();
    x86_64::HostFeatures least;
    least.popcnt = host.popcnt;
    std::vector<x86_64::HostFeatures> variants{least};
    for (const x86_64::HostFeatureName& feature : x86_64::kHostFeatureNames) {
        if (host.*feature.flag && feature.flag != &x86_64::HostFeatures::popcnt) {
            variants.push_back(host.without(feature.name).value());
        }
    }
    for (const x86_64::HostFeatures& features : variants) {
        INFO("features: " << features.names());
        HarnessOptions options;
        options.native.features = features;
        run_cases({}, options, test_seed(700'000), test_cases(250));
    }
}
#endif

TEST_CASE("random units under an instruction budget") {
    HarnessOptions options;
    options.count_insns = true;
    run_cases({}, options, test_seed(300'000), test_cases(500));
}

TEST_CASE("long random units") {
    RandomUnitOptions options;
    options.insns = 120;
    run_cases(options, {}, test_seed(400'000), test_cases(150));
}

TEST_CASE("random units with one optimization switched off, or on alone") {
    bool OptimizeOptions::* const kSwitches[] = {
        &OptimizeOptions::propagate_copies, &OptimizeOptions::fold_constants, &OptimizeOptions::simplify,
        &OptimizeOptions::known_bits,       &OptimizeOptions::combine,        &OptimizeOptions::unbox,
        &OptimizeOptions::coalesce,         &OptimizeOptions::unreachable};
    for (const auto one : kSwitches) {
        OptimizeOptions others;
        others.*one = false;
        run_cases({}, {}, test_seed(500'000), test_cases(250), others);
        OptimizeOptions alone{false, false, false, false, false, false, false, false};
        alone.*one = true;
        run_cases({}, {}, test_seed(600'000), test_cases(250), alone);
    }
}

}  // namespace weft::tcg::test
