// A unit under construction, for tests that write IR by hand.
#pragma once

#include <string>

#include "backend_harness.h"
#include "tcg/ir/print.h"
#include "tcg/ir/unit_storage.h"
#include "tcg/ir/verify.h"
#include "weft/ir_builder.h"

namespace weft::tcg::test {

struct UnitUnderTest {
    UnitMemory memory{{test_guest().globals, test_guest().global_count}};
    ir::Unit& unit = memory.begin_unit();
    ir::Builder b{unit};

    static std::span<const HelperDesc> helpers() { return {test_guest().helpers, test_guest().helper_count}; }

    ir::I64 r(unsigned n) { return b.global<ir::I64>(n); }
    ir::I32 w(unsigned n) { return b.global<ir::I32>(kFirstWordGlobal + n); }
    ir::F64 f(unsigned n) { return b.global<ir::F64>(kFirstFpGlobal + n); }
    void leave() { b.exit_tb(ir::ExitReason::lookup, b.imm(0)); }

    // The verifier's message; empty if the unit is valid.
    std::string error(RedoRule redo = RedoRule::off) const {
        const Result<> result = verify(unit, helpers(), redo);
        return result ? std::string() : result.error().message();
    }
    std::string text() const { return print_unit(unit, test_names()); }
    std::string last_op() const { return print_op(unit, unit.ops[unit.op_count - 1], test_names()); }
};

}  // namespace weft::tcg::test
