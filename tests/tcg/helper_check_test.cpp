// A helper that does floating point without saying so is found (NativeOptions::check_helpers).
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <iterator>
#include <string>

#include "tests/support/process_end.h"
#include "tests/tcg/backend_harness.h"
#include "tests/tcg/ir_fixture.h"

namespace weft::tcg {
namespace {

using namespace test;
using weft::test::end_of;
using weft::test::ProcessEnd;

volatile double one = 1;
volatile double three = 3;

// Inexact.
void divides(GuestState* state) { state->helper_trace = static_cast<uint64_t>(1e9 * (one / three)); }
void counts(GuestState* state) { ++state->helper_trace; }

enum Helper : uint32_t { kDivides, kDividesAndSaysSo, kCounts };

const HelperDesc kHelpers[] = {
    make_helper<&divides>("divides", kHelperSideEffects),
    make_helper<&divides>("divides_and_says_so", kHelperSideEffects | kHelperUsesFp),
    make_helper<&counts>("counts", kHelperSideEffects),
};

// How it ends to call the helper from generated code.
ProcessEnd end_of_call(Helper helper, bool check) {
    static const GuestArch guest = [] {
        GuestArch arch = test_guest();
        arch.helpers = kHelpers;
        arch.helper_count = static_cast<uint32_t>(std::size(kHelpers));
        return arch;
    }();
    HarnessOptions options;
    options.guest = &guest;
    options.native.check_helpers = check;
    Harness harness(Harness::Kind::x86_64, options);
    UnitUnderTest t;
    t.b.insn_start(0);
    t.b.call(helper);
    t.leave();
    return end_of([&] {
        if (harness.run(t.unit, {}).exit != ExitKind::lookup) {
            std::abort();
        }
    });
}

TEST_CASE("a helper that does floating point without saying so ends the program, and is named") {
    const ProcessEnd end = end_of_call(kDivides, true);
    CHECK(end.signal == SIGABRT);
    INFO(end.errors);
    CHECK(end.errors.find("helper 'divides' changes MXCSR from 0x1f80 to 0x1fa0") != std::string::npos);
}

TEST_CASE("helpers that say so, and those that leave MXCSR alone, pass the check") {
    CHECK(end_of_call(kDividesAndSaysSo, true).signal == 0);
    CHECK(end_of_call(kCounts, true).signal == 0);
}

TEST_CASE("nothing is checked where that is off") { CHECK(end_of_call(kDivides, false).signal == 0); }

}  // namespace
}  // namespace weft::tcg
