// The instruction tables and the decoder over the whole 16-bit space and the 32-bit one as far as fields
// matter.
#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "emulator/guest/riscv/isa/decode.h"

namespace weft::riscv {
namespace {

std::vector<const InsnDesc*> matching_rows(uint32_t bits, const std::vector<const InsnDesc*>& rows) {
    std::vector<const InsnDesc*> found;
    for (const InsnDesc* desc : rows) {
        if (matches(*desc, bits)) {
            found.push_back(desc);
        }
    }
    return found;
}

std::vector<const InsnDesc*> rows_where(auto predicate) {
    std::vector<const InsnDesc*> rows;
    for (const InsnDesc& desc : kInsns) {
        if (predicate(desc)) {
            rows.push_back(&desc);
        }
    }
    return rows;
}

// Whether decode() gives the one row that matches, or none where none does.
bool decodes_to_only_match(uint32_t bits, const std::vector<const InsnDesc*>& rows,
                           std::set<const InsnDesc*>* seen) {
    const std::vector<const InsnDesc*> found = matching_rows(bits, rows);
    const Insn insn = decode(bits);
    if (found.size() > 1 || insn.desc != (found.empty() ? nullptr : found[0])) {
        return false;
    }
    seen->insert(found.begin(), found.end());
    return true;
}

TEST_CASE("no 16-bit encoding is two instructions, and each compressed row is reached") {
    const auto rows = rows_where([](const InsnDesc& desc) { return desc.size == 2; });
    std::set<const InsnDesc*> seen;
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
        if ((bits & 3) == 3) {
            continue;
        }
        if (!decodes_to_only_match(bits, rows, &seen)) {
            FAIL("encoding " << std::hex << bits);
        }
    }
    CHECK(seen.size() == rows.size());
    CHECK(rows.size() == 37 + 12 + 8);  // C, Zcb, Zcmop
}

TEST_CASE("no 32-bit encoding is two instructions, and each row is reached") {
    // Every value of opcode, funct3, funct7 and rs2, with rd and rs1 at the values that encodings single out.
    std::set<const InsnDesc*> seen;
    size_t expected = 0;
    for (uint32_t opcode = 3; opcode < 128; opcode += 4) {
        const auto rows = rows_where(
            [opcode](const InsnDesc& desc) { return desc.size == 4 && (desc.match & 0x7f) == opcode; });
        expected += rows.size();
        for (uint32_t upper = 0; upper < 1u << 15; ++upper) {
            const uint32_t fixed = (upper & 7) << 12 | (upper >> 3) << 20 | opcode;
            for (const uint32_t others : {0u, 1u << 7, 1u << 15, 2u << 7 | 31u << 15}) {
                if (!decodes_to_only_match(fixed | others, rows, &seen)) {
                    FAIL("encoding " << std::hex << (fixed | others));
                }
            }
        }
    }
    CHECK(seen.size() == expected);
    CHECK(expected == kInsn32Count);
}

TEST_CASE("a compressed row stands for a 32-bit one") {
    for (const InsnDesc& desc : kInsns) {
        INFO(desc.mnemonic);
        CHECK(insn_desc(desc.semantic).size == 4);
        CHECK((desc.size == 2) == (desc.semantic != desc.id));
    }
}

TEST_CASE("mnemonics are unique") {
    std::set<std::string_view> names;
    for (const InsnDesc& desc : kInsns) {
        INFO(desc.mnemonic);
        CHECK(names.insert(desc.mnemonic).second);
    }
}

constexpr ExtensionSet kRv64Letters = {Extension::i, Extension::zca};

TEST_CASE("reserved encodings are no instructions") {
    CHECK(decode(0x0000).desc == nullptr);                      // defined illegal
    CHECK(decode(0x0004).desc == nullptr);                      // c.addi4spn by zero
    CHECK(decode(0x6101).desc == nullptr);                      // c.addi16sp by zero
    CHECK(decode(0x6201).desc == nullptr);                      // c.lui of zero
    CHECK(decode(0x6081).desc == &insn_desc(InsnId::c_mop_1));  // but to some registers
    CHECK(decode(0x6081, kRv64Letters).desc == nullptr);
    CHECK(decode(0x2001).desc == nullptr);      // c.addiw to x0
    CHECK(decode(0x4002).desc == nullptr);      // c.lwsp to x0
    CHECK(decode(0x8002).desc == nullptr);      // c.jr to x0
    CHECK(decode(0x02a5d553).desc == nullptr);  // fadd.d with rounding mode 5
    CHECK(decode(0x0000001f).desc == nullptr);  // longer than 32 bits
    CHECK(decode(0x0000001f).size == 4);
    CHECK(decode(0xffff0001).desc == &insn_desc(InsnId::c_nop));  // the upper half is not looked at
    CHECK(decode(0xffff0001).bits == 1);
}

}  // namespace
}  // namespace weft::riscv
