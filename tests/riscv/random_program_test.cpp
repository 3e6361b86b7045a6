// Random programs keep their promises.
#include "tests/riscv/random_program.h"

#include <catch2/catch.hpp>
#include <set>

#include "emulator/guest/riscv/isa/disassemble.h"
#include "tests/riscv/test_seed.h"

namespace weft::riscv {
namespace {

struct Placed {
    size_t at;
    Insn insn;
};

// The instructions of a program, one behind the other.
std::vector<Placed> list(const std::vector<uint8_t>& code) {
    std::vector<Placed> insns;
    for (size_t at = 0; at < code.size();) {
        uint32_t bits = 0;
        for (size_t i = 0; i < 4 && at + i < code.size(); ++i) {
            bits |= uint32_t{code[at + i]} << 8 * i;
        }
        insns.push_back({at, decode(bits)});
        REQUIRE(insns.back().insn.desc != nullptr);
        at += insns.back().insn.size;
    }
    REQUIRE((insns.empty() || insns.back().at + insns.back().insn.size == code.size()));
    return insns;
}

TEST_CASE("programs of all families draw every row that has a weight") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    InsnCoverage coverage;
    for (uint64_t i = 0; i < 50; ++i) {
        random_program({.seed = seed + i, .insns = 1000}, &coverage);
    }
    for (const InsnDesc& desc : kInsns) {
        INFO(desc.mnemonic);
        CHECK((coverage.count(desc.id) != 0) == (desc.weight != 0));
    }
    CHECK(coverage.untested().find("mret (priv): not in random programs\n") != std::string::npos);
    CHECK(coverage.untested().find("add ") == std::string::npos);
}

TEST_CASE("programs stay within their families") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    const uint32_t families = GENERATE(
        values<uint32_t>({kFamilyInteger, kFamilyMultiply, kFamilyBitmanip, kFamilyFloating, kFamilyMemory,
                          kFamilyMemory | kFamilyFloating, kFamilyInteger | kFamilyCompressed}));
    const auto code = random_program({.seed = seed, .insns = 300, .families = families}, nullptr);
    const auto insns = list(code);
    CHECK(insns.size() >= 300);
    for (const Placed& placed : insns) {
        INFO(format_insn(placed.insn, std::nullopt));
        CHECK((families_of(*placed.insn.desc) & ~families) == 0);
    }
}

TEST_CASE("equal options give equal programs") {
    const RandomProgramOptions options{.seed = test_seed(), .insns = 200};
    CHECK(random_program(options, nullptr) == random_program(options, nullptr));
    CHECK(random_program(options, nullptr) !=
          random_program({.seed = options.seed + 1, .insns = 200}, nullptr));
}

TEST_CASE("jumps lead forward to an instruction") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    for (uint64_t i = 0; i < 20; ++i) {
        const auto code = random_program({.seed = seed + i, .insns = 500}, nullptr);
        const auto insns = list(code);
        std::set<size_t> starts{code.size()};
        for (const Placed& placed : insns) {
            starts.insert(placed.at);
        }
        for (size_t k = 0; k < insns.size(); ++k) {
            const Insn& insn = insns[k].insn;
            const Format format = insn_desc(insn.desc->semantic).format;
            INFO(format_insn(insn, std::nullopt));
            if (format == Format::branch || format == Format::jal) {
                CHECK(insn.imm > 0);
                CHECK(starts.contains(insns[k].at + static_cast<size_t>(insn.imm)));
            } else if (format == Format::jalr) {
                REQUIRE(k >= 2);
                CHECK(insns[k - 2].insn.desc->id == InsnId::auipc);
                CHECK(insns[k - 1].insn.desc->id == InsnId::addi);
                CHECK(insn.rs1 == insns[k - 1].insn.rd);
                CHECK(insn.imm == 0);
                CHECK(starts.contains(insns[k - 2].at + static_cast<size_t>(insns[k - 1].insn.imm)));
            }
        }
    }
}

TEST_CASE("reserved registers are left alone, and memory is reached through the base") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    const uint32_t reserved = GENERATE(0u, 0x10u, 0x202u);
    const auto code = random_program({.seed = seed, .insns = 3000, .reserved_x = reserved}, nullptr);
    for (const Placed& placed : list(code)) {
        const Insn& insn = placed.insn;
        const std::string_view syntax = format_syntax(insn_desc(insn.desc->semantic).format);
        INFO(format_insn(insn, std::nullopt));
        if (syntax.find('d') != std::string_view::npos && insn.desc->id != InsnId::c_addi16sp) {
            CHECK(((reserved | 1u << 2 | 1u << 8) >> insn.rd & 1) == 0);
        }
        if (syntax.find("i(s)") != std::string_view::npos &&
            insn_desc(insn.desc->semantic).format != Format::jalr) {
            CHECK((insn.rs1 == 2 || insn.rs1 == 8));
        }
        if (insn.desc->format == Format::cbo) {
            CHECK((insn.rs1 == 2 || insn.rs1 == 8));
        } else if (syntax.find("(s)") != std::string_view::npos &&
                   syntax.find("i(s)") == std::string_view::npos) {
            CHECK(insn.rs1 == 9);
        }
    }
}

}  // namespace
}  // namespace weft::riscv
