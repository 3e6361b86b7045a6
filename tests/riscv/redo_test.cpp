// What process mode needs of every instruction: it can be done again from its start when its memory access faulted on the
// host (tcg/ir/verify.h, RedoRule).
#include <catch2/catch.hpp>
#include <random>

#include "emulator/guest/riscv/isa/decode.h"
#include "emulator/guest/riscv/translate/helpers.h"
#include "tcg/opt/optimizer.h"
#include "tests/riscv/random_program.h"
#include "tests/riscv/test_seed.h"
#include "tests/riscv/test_unit.h"

namespace weft::riscv {
namespace {

constexpr TbFlags kUserFlags{Priv::user, MmuMode::user, MmuMode::user, FpState::dirty, 0};

// What is against the unit, as the translator made it and after the optimizer; empty for a good one.
std::string faults_of(const Code& code, TbFlags flags) {
    TestUnit unit;
    if (translate_code(&unit, code, {.flags = flags}) != TranslateStatus::ok) {
        return "not translated";
    }
    std::string found = unit.faults(tcg::RedoRule::on);
    if (found.empty()) {
        tcg::Optimizer().optimize(unit.unit(), helper_table());
        found = unit.faults(tcg::RedoRule::on);
    }
    return found;
}

Code code_of(uint32_t bits, unsigned size) {
    return size == 2 ? Code().half(static_cast<uint16_t>(bits)) : Code().word(bits);
}

}  // namespace

TEST_CASE("every instruction can be done again when its access faults") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    std::mt19937 random(static_cast<uint32_t>(seed));
    constexpr unsigned kEncodings = 200;
    for (const InsnDesc& desc : kInsns) {
        unsigned found = 0;
        for (unsigned i = 0; i < 400 * kEncodings && found < kEncodings; ++i) {
            // Registers that are the same, and x0, come up more often than by chance.
            uint32_t fill = random();
            if (desc.size == 4 && i % 2 == 0) {
                const uint32_t reg = i % 4 == 0 ? 0 : fill >> 7 & 31;
                fill = (fill & ~(31u << 7 | 31u << 15 | 31u << 20)) | reg << 7 | reg << 15 |
                       ((fill & 1) != 0 ? reg << 20 : fill & 31u << 20);
            }
            const uint32_t bits = desc.match | (fill & ~desc.mask & (desc.size == 2 ? 0xffff : ~0u));
            if (!matches(desc, bits)) {
                continue;
            }
            ++found;
            for (const TbFlags flags : {kUserFlags, kMachineFlags}) {
                if (const std::string reason = faults_of(code_of(bits, desc.size), flags); !reason.empty()) {
                    FAIL(desc.mnemonic << " (" << std::hex << bits << "): " << reason);
                }
            }
        }
        INFO(desc.mnemonic);
        CHECK(found > 0);
    }
}

TEST_CASE("instructions of random programs can be done again, in units of many") {
    const uint64_t first = test_seed();
    for (uint64_t seed = first; seed < first + 100; ++seed) {
        INFO("WEFT_TEST_SEED=" << seed);
        const std::vector<uint8_t> program = random_program({.seed = seed, .insns = 300}, nullptr);
        Code code;
        for (size_t i = 0; i + 1 < std::min<size_t>(program.size(), 4096); i += 2) {
            code.half(static_cast<uint16_t>(program[i] | program[i + 1] << 8));
        }
        CHECK(faults_of(code, kUserFlags) == "");
    }
}

}  // namespace weft::riscv
