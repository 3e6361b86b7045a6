// A unit that memory does not suffice for leaves optimizer and backend fit for the next one.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <new>
#include <random>

#include "random_input.h"
#include "random_unit.h"
#include "tcg/ir/unit_storage.h"
#include "tcg/opt/optimizer.h"

namespace {

// Of the one thread that there is: allocations until one is refused; 0: none is.
unsigned until_refused = 0;

void* give(size_t size, size_t alignment) {
    if (until_refused != 0 && --until_refused == 0) {
        throw std::bad_alloc();
    }
    void* const memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}

// Not inlined: g++ would see memory of `operator new` be freed.
[[gnu::noinline]] void take_back(void* memory) { std::free(memory); }

}  // namespace

void* operator new(size_t size) { return give(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__); }
void* operator new(size_t size, std::align_val_t alignment) {
    return give(size, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { take_back(memory); }
void operator delete(void* memory, size_t) noexcept { take_back(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { take_back(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { take_back(memory); }

namespace weft::tcg::test {
namespace {

std::span<const GlobalDesc> globals() { return {test_guest().globals, test_guest().global_count}; }
std::span<const HelperDesc> helpers() { return {test_guest().helpers, test_guest().helper_count}; }

ir::Unit& write(UnitMemory& memory, uint64_t seed, const RandomUnitOptions& options) {
    ir::Unit& unit = memory.begin_unit();
    RandomUnit(seed, options).write(unit);
    return unit;
}

// Whether the `n`-th allocation was refused; false: there were fewer.
bool refuse(Harness& harness, Optimizer& optimizer, ir::Unit& unit, unsigned n) {
    bool refused = false;
    until_refused = n;
    try {
        optimizer.optimize(unit, helpers());
        harness.compile(unit);
    } catch (const std::bad_alloc&) {
        refused = true;
    }
    until_refused = 0;
    return refused;
}

void refuse_each(const RandomUnitOptions& options, bool first) {
    UnitMemory memory(globals());
    UnitMemory other(globals());
    unsigned refusals = 0;
    for (uint64_t seed = 1; seed <= 6; ++seed) {
        std::mt19937_64 random(seed);
        const Input input = random_input(random);
        const Outcome expected =
            Harness(Harness::Kind::interp, {}).run(write(memory, seed + 100, options), input);
        for (size_t kind = 0; kind < all_harnesses({}).size(); ++kind) {
            CAPTURE(seed, kind);
            bool refused = true;
            for (unsigned n = 1; refused; ++n) {
                CAPTURE(n);
                const std::unique_ptr<Harness> harness = std::move(all_harnesses({})[kind]);
                Optimizer optimizer(OptimizeOptions{});
                if (!first) {
                    RandomUnitOptions few = options;
                    few.insns = 2;
                    refuse(*harness, optimizer, write(other, seed, few), 0);
                }
                refused = refuse(*harness, optimizer, write(memory, seed, options), n);
                refusals += refused ? 1 : 0;
                ir::Unit& next = write(memory, seed + 100, options);
                optimizer.optimize(next, helpers());
                const std::string found = difference(expected, harness->run(next, input));
                if (!found.empty()) {
                    FAIL(found);
                }
            }
        }
    }
    CHECK(refusals > 100);
}

TEST_CASE("a refused allocation in the first unit does not matter to the next one") { refuse_each({}, true); }

TEST_CASE("a refused allocation in a later unit does not matter to the next one") {
    refuse_each({.insns = 40, .rounds = true}, false);
}

}  // namespace
}  // namespace weft::tcg::test
