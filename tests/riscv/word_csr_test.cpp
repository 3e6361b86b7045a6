// CSRs that translations reach without a helper: each form of each instruction on each register in each mode does to the state
// what the helper does to another hart's.
#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "emulator/guest/riscv/cpu/csr.h"
#include "emulator/guest/riscv/isa/csr_numbers.h"
#include "tests/riscv/fake_hart.h"
#include "tests/riscv/test_unit.h"

namespace weft::riscv {
namespace {

constexpr unsigned kA0 = 10;
constexpr unsigned kA1 = 11;

// funct3 of the Zicsr instructions (unprivileged specification, "Zicsr").
enum Form : unsigned { csrrw = 1, csrrs = 2, csrrc = 3, csrrwi = 5, csrrsi = 6, csrrci = 7 };
constexpr Form kForms[] = {csrrw, csrrs, csrrc, csrrwi, csrrsi, csrrci};

uint32_t encode(Form form, unsigned csr, unsigned rd, unsigned source) {
    return csr << 20 | source << 15 | static_cast<unsigned>(form) << 12 | rd << 7 | 0x73;
}

// By the specification's words, not by the translator's.
CsrOp op_of(Form form, unsigned rd, unsigned source) {
    switch (form) {
        case csrrw:
        case csrrwi:
            return rd == 0 ? CsrOp::write : CsrOp::read_write;
        case csrrs:
        case csrrsi:
            return source == 0 ? CsrOp::read : CsrOp::set;
        default:
            return source == 0 ? CsrOp::read : CsrOp::clear;
    }
}

TbFlags flags_in(Priv priv) {
    const MmuMode mode = priv == Priv::user         ? MmuMode::user
                         : priv == Priv::supervisor ? MmuMode::supervisor
                                                    : MmuMode::machine;
    return {priv, mode, mode, FpState::dirty, 0};
}

// The few ops that such a unit is made of, done one after another.
class Evaluator {
  public:
    Evaluator(const TestUnit& unit, FakeHart& hart) : unit_(unit), hart_(hart), values_(ir::kMaxTemps) {}

    // False: it calls another helper than the one that raises.
    bool run() {
        for (const ir::Op& op : unit_.ops()) {
            switch (op.code) {
                case ir::Opcode::mov:
                    put(op, get(op.args[1]));
                    break;
                case ir::Opcode::and_:
                    put(op, get(op.args[1]) & get(op.args[2]));
                    break;
                case ir::Opcode::or_:
                    put(op, get(op.args[1]) | get(op.args[2]));
                    break;
                case ir::Opcode::andc:
                    put(op, get(op.args[1]) & ~get(op.args[2]));
                    break;
                case ir::Opcode::ld:
                    put(op, word(static_cast<int32_t>(op.aux)));
                    break;
                case ir::Opcode::st:
                    word(static_cast<int32_t>(op.aux)) = get(op.args[0]);
                    break;
                case ir::Opcode::call:
                    if (op.aux != kHelperRaise) {
                        return false;
                    }
                    hart_.call<void, uint32_t, uint64_t>(kHelperRaise, static_cast<uint32_t>(get(op.args[0])),
                                                         get(op.args[1]));
                    return true;
                case ir::Opcode::insn_start:
                case ir::Opcode::exit_check:
                case ir::Opcode::goto_tb:
                    break;
                default:
                    FAIL("an op that is not expected: " << static_cast<int>(op.code));
            }
        }
        return true;
    }

  private:
    uint64_t& word(int32_t offset) {
        return *reinterpret_cast<uint64_t*>(reinterpret_cast<uint8_t*>(&hart_.state()) + offset);
    }
    uint64_t get(unsigned index) {
        const ir::Temp& temp = unit_.temp(index);
        return temp.kind == ir::TempKind::global     ? word(temp.offset)
               : temp.kind == ir::TempKind::constant ? temp.value
                                                     : values_[index];
    }
    void put(const ir::Op& op, uint64_t value) {
        const ir::Temp& temp = unit_.temp(op.args[0]);
        (temp.kind == ir::TempKind::global ? word(temp.offset) : values_[op.args[0]]) = value;
    }

    const TestUnit& unit_;
    FakeHart& hart_;
    std::vector<uint64_t> values_;
};

constexpr uint64_t kPatterns[] = {0x0123'4567'89ab'cdef, ~uint64_t{0}, 0};

// Each register holds something else.
void fill(FakeHart& fake, Priv priv, uint64_t pattern) {
    for (unsigned number = 0x100; number < 0x345; ++number) {
        const CsrDesc* csr = find_csr(number);
        if (csr != nullptr && csr->writable != 0) {
            csr_poke(fake.state(), number, pattern * (2 * number + 1));
        }
    }
    fake.header().raised = 0;
    fake.state().exception_cause = fake.state().exception_tval = 0;
    fake.state().priv = priv;
    gpr(fake.state(), kA0) = 0xfedc'ba98'7654'3211;
    gpr(fake.state(), kA1) = ~pattern;
}

struct Case {
    Form form;
    unsigned rd;
    unsigned source;
};

// Kept from case to case: each has megabytes of memory.
struct Harts {
    FakeHart actual;
    FakeHart expected;
};

// Whether the translation did it without the CSR helper; then it did what that does.
bool done_inline(Harts& harts, unsigned number, const Case& one, Priv priv, uint64_t pattern) {
    const uint32_t bits = encode(one.form, number, one.rd, one.source);
    TestUnit unit;
    REQUIRE(translate_code(&unit, Code().word(bits), {.flags = flags_in(priv), .inline_csrs = true}) ==
            TranslateStatus::ok);
    REQUIRE(unit.faults().empty());
    if (!unit.ops_of(ir::Opcode::call).empty() && unit.ops_of(ir::Opcode::call)[0].aux != kHelperRaise) {
        return false;
    }

    FakeHart& actual = harts.actual;
    fill(actual, priv, pattern);
    REQUIRE(Evaluator(unit, actual).run());

    FakeHart& expected = harts.expected;
    fill(expected, priv, pattern);
    const uint64_t operand = one.form < csrrwi ? gpr(expected.state(), one.source) : one.source;
    const uint64_t old = expected.call<uint64_t, uint32_t, uint64_t, uint32_t, uint32_t>(
        kHelperCsr, number, operand, static_cast<uint32_t>(op_of(one.form, one.rd, one.source)), bits);
    if (one.rd != 0 && expected.header().raised == 0) {
        gpr(expected.state(), one.rd) = old;
    }
    INFO("csr " << number << ", insn " << std::hex << bits << ", mode " << static_cast<int>(priv));
    CHECK(actual.header().raised == expected.header().raised);
    CHECK(std::memcmp(static_cast<const void*>(&actual.state()), &expected.state(), sizeof(State)) == 0);
    return true;
}

std::vector<Case> all_cases() {
    std::vector<Case> cases;
    for (const Form form : kForms) {
        for (const unsigned rd : {0u, kA0, kA1}) {
            for (const unsigned source : {0u, kA1}) {
                cases.push_back({form, rd, source});
            }
        }
    }
    return cases;
}

TEST_CASE("what goes without a helper does what the helper does", "[csr]") {
    const std::vector<Case> cases = all_cases();
    Harts harts;
    for (unsigned number = 4; number < 4096; ++number) {  // 1 to 3 are floating point's
        const CsrDesc* csr = find_csr(number);
        unsigned reads = 0;
        unsigned writes = 0;
        for (const Case& one : cases) {
            const bool writing = op_of(one.form, one.rd, one.source) != CsrOp::read;
            for (const Priv priv : {Priv::user, Priv::supervisor, Priv::machine}) {
                if (csr == nullptr || !csr->reads_word()) {
                    // Enough that one mode's goes to the helper.
                    if (priv == Priv::machine) {
                        reads += done_inline(harts, number, one, priv, kPatterns[0]) ? 1 : 0;
                    }
                    continue;
                }
                for (const uint64_t pattern : kPatterns) {
                    (writing ? writes : reads) += done_inline(harts, number, one, priv, pattern) ? 1 : 0;
                }
            }
        }
        INFO("csr " << number);
        CHECK((reads != 0) == (csr != nullptr && csr->reads_word()));
        CHECK((writes != 0) == (csr != nullptr && csr->writes_word()));
    }
}

// By name, so that a row that loses its word by mistake is noticed.
TEST_CASE("registers that are words", "[csr]") {
    for (const unsigned number : {kCsrSscratch, kCsrSepc, kCsrScause, kCsrStval, kCsrScounteren, kCsrMscratch,
                                  kCsrMepc, kCsrMcause, kCsrMtval, kCsrMedeleg}) {
        INFO(number);
        REQUIRE(find_csr(number) != nullptr);
        CHECK(find_csr(number)->writes_word());
    }
    for (const unsigned number : {kCsrStvec, kCsrMtvec, kCsrMie, kCsrMideleg, kCsrMhartid}) {
        INFO(number);
        REQUIRE(find_csr(number) != nullptr);
        CHECK(find_csr(number)->reads_word());
        CHECK_FALSE(find_csr(number)->writes_word());
    }
    // Conditions, other threads, other words: the helper's.
    for (const unsigned number : {kCsrSatp, kCsrStimecmp, kCsrSstatus, kCsrMstatus, kCsrSie, kCsrSip, kCsrMip,
                                  kCsrTime, kCsrMcycle}) {
        INFO(number);
        REQUIRE(find_csr(number) != nullptr);
        CHECK_FALSE(find_csr(number)->reads_word());
    }
}

// Without the switch everything is the helper's, and a store of a word still does not end the unit.
TEST_CASE("the helper does it where it is asked for", "[csr]") {
    TestUnit unit;
    REQUIRE(translate_code(&unit, Code().word(encode(csrrw, kCsrSscratch, kA0, kA1)).word(0x13), {}) ==
            TranslateStatus::ok);
    CHECK(unit.count(ir::Opcode::call) == 1);
    CHECK(unit.unit().insn_count == 2);
}

}  // namespace
}  // namespace weft::riscv
