// A hart that is saved and loaded: whatever its guest may do to its registers can be loaded, and what no guest could have done is
// refused. Expected masks are written down from the privileged specification.
#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include "emulator/guest/riscv/cpu/csr.h"
#include "emulator/guest/riscv/cpu/saved_state.h"
#include "emulator/guest/riscv/isa/csr_numbers.h"
#include "emulator/saved/fields.h"
#include "tests/riscv/fake_hart.h"
#include "tests/support/random.h"

namespace weft::riscv {
namespace {

using test::Random;
using test::test_seed;

CpuModel model_of(const char* text) {
    const auto model = parse_cpu_model(text);
    REQUIRE(model);
    return *model;
}

std::vector<uint8_t> save(FakeHart& fake) {
    saved::FieldWriter writer;
    visit_state(fake.state(), writer);
    auto bytes = writer.take();
    REQUIRE(bytes);
    return *bytes;
}

std::string outcome(FakeHart& fake, const std::vector<uint8_t>& bytes, StateVisitor::Purpose purpose) {
    saved::FieldReader reader(purpose, bytes);
    visit_state(fake.state(), reader);
    const Result<> done = reader.finish();
    return done ? "" : done.error().message();
}
std::string checked(FakeHart& fake, const std::vector<uint8_t>& bytes) {
    return outcome(fake, bytes, StateVisitor::Purpose::check);
}

const char* const kModels[] = {"max",         "rv64",         "max,c=off", "rv64,mmu=off",
                               "max,pmp=off", "max,sstc=off", "rva22s64",  "rva22u64"};

TEST_CASE("what CSR instructions leave can be loaded", "[saved]") {
    for (const char* const name : kModels) {
        const CpuModel model = model_of(name);
        for (unsigned round = 0; round < 50; ++round) {
            INFO("WEFT_TEST_SEED=" << test_seed() << " " << name << " round " << round);
            Random random(test_seed() * 1000 + round);
            FakeHart one(0, model);
            for (unsigned number = 0; number < 4096; ++number) {
                // Many fields take no value with all bits set, and some keep what they have been given.
                for (unsigned i = 0; i < 2; ++i) {
                    const uint64_t bits = random.next();
                    csr_poke(one.state(), number, random.below(2) != 0 ? bits : bits & random.next());
                }
            }
            const std::vector<uint8_t> bytes = save(one);
            FakeHart other(0, model);
            CHECK(checked(other, bytes) == "");
            CHECK(outcome(other, bytes, StateVisitor::Purpose::load) == "");
            CHECK(save(other) == bytes);
            for (unsigned number = 0; number < 4096; ++number) {
                if (number == kCsrSeed) {
                    continue;  // another value at each access
                }
                CAPTURE(number);
                REQUIRE(csr_peek(other.state(), number) == csr_peek(one.state(), number));
            }
        }
    }
}

// A number of 64 bits in what was saved: its kind, the length of its name, the name, the value (docs/saved-machines.md).
void replace(std::vector<uint8_t>& bytes, const std::string& name, uint64_t value) {
    std::string head = {8, static_cast<char>(name.size())};
    head += name;
    const auto at = std::search(bytes.begin(), bytes.end(), head.begin(), head.end());
    REQUIRE(at != bytes.end());
    for (unsigned i = 0; i < 8; ++i) {
        at[static_cast<ptrdiff_t>(head.size() + i)] = static_cast<uint8_t>(value >> 8 * i);
    }
}

TEST_CASE("what no instruction leaves is refused", "[saved]") {
    const CpuModel words = model_of("max,c=off");
    const struct {
        const CpuModel* model;
        const char* field;
        uint64_t value;
    } cases[] = {
        {&kMax, "pc", 0x8000'0001},
        {&words, "pc", 0x8000'0002},
        {&kMax, "mepc", 0x8000'0fff},
        {&words, "mepc", 0x8000'0002},
        {&kMax, "sepc", 1},
        // An ECALL from M mode, and a misaligned instruction.
        {&kMax, "medeleg", 1 << 11},
        {&kMax, "medeleg", 1},
        // Interrupts of M mode are not delegated.
        {&kMax, "mideleg", 1 << 7},
        {&kMax, "mie", 1 << 2},
        {&kMax, "menvcfg", 2},
        {&kMax, "mcounteren", uint64_t{1} << 32},
        {&kMax, "scounteren", uint64_t{1} << 63},
        {&kMax, "mseccfg", uint64_t{1} << 20},
        {&kMax, "mstatus", uint64_t{2} << 11},
        {&kMax, "satp", uint64_t{1} << 60},
    };
    for (const auto& row : cases) {
        CAPTURE(row.field, row.value);
        FakeHart one(0, *row.model);
        FakeHart other(0, *row.model);
        const std::vector<uint8_t> before = save(other);
        std::vector<uint8_t> bytes = save(one);
        CHECK(checked(other, bytes) == "");
        replace(bytes, row.field, row.value);
        CHECK(checked(other, bytes) != "");
        CHECK(save(other) == before);
    }
}

}  // namespace
}  // namespace weft::riscv
