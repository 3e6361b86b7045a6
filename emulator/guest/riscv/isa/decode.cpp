#include "emulator/guest/riscv/isa/decode.h"

#include <array>

#include "emulator/guest/riscv/isa/operands.h"

namespace weft::riscv {

namespace {

// Rows are found by the bits that most instructions are told apart by: a 16-bit one's quadrant and upper
// three bits, a 32-bit one's major opcode and funct3. A row without a fixed funct3 is in the eight buckets of
// its opcode.
constexpr unsigned kBuckets16 = 32;
constexpr unsigned kBuckets32 = 32 * 8;
constexpr unsigned kBuckets = kBuckets16 + kBuckets32;

constexpr uint32_t kQuadrantMask = 3;
constexpr uint32_t kFunct3Mask16 = 0xe000;
constexpr uint32_t kOpcodeMask = 0x7f;
constexpr uint32_t kFunct3Mask32 = 0x7000;

constexpr unsigned bucket16(uint32_t bits) { return (bits & kQuadrantMask) << 3 | (bits >> 13 & 7); }
constexpr unsigned bucket32(uint32_t bits) { return kBuckets16 + ((bits >> 2 & 31) << 3 | (bits >> 12 & 7)); }

template <class Visit>
constexpr void visit_buckets(const InsnDesc& desc, Visit visit) {
    if (desc.size == 2) {
        visit(bucket16(desc.match));
        return;
    }
    const bool fixed_funct3 = (desc.mask & kFunct3Mask32) != 0;
    const unsigned first = bucket32(desc.match);
    for (unsigned funct3 = 0; funct3 < (fixed_funct3 ? 1u : 8u); ++funct3) {
        visit(first + funct3);
    }
}

consteval bool buckets_are_decided() {
    for (const InsnDesc& desc : kInsns) {
        const uint32_t needed = desc.size == 2 ? kQuadrantMask | kFunct3Mask16 : kOpcodeMask;
        if ((desc.mask & needed) != needed) {
            return false;
        }
        const uint32_t funct3 = desc.mask & kFunct3Mask32;
        if (desc.size == 4 && funct3 != 0 && funct3 != kFunct3Mask32) {
            return false;
        }
    }
    return true;
}
static_assert(buckets_are_decided(), "each row fixes the bits that choose its bucket");

consteval unsigned entry_count() {
    unsigned count = 0;
    for (const InsnDesc& desc : kInsns) {
        visit_buckets(desc, [&count](unsigned) { ++count; });
    }
    return count;
}

// The bits of the one field that `desc` wants not to be zero, if that is its only rule; else 0.
constexpr uint32_t nonzero_field(const InsnDesc& desc) {
    const operands::Places& places = operands::places_of(desc.format);
    const auto bits_of = [](operands::RegisterPlace place) { return uint32_t{place.mask} << place.shift; };
    switch (desc.rules) {
        case rule_rd:
            return bits_of(places.rd);
        case rule_rs1:
            return bits_of(places.rs1);
        case rule_rs2:
            return bits_of(places.rs2);
        case rule_imm: {
            uint32_t bits = 0;
            for (unsigned i = 0; i < 8u * desc.size; ++i) {
                bits |= operands::immediate(places.other, 1u << i) != 0 ? 1u << i : 0;
            }
            return bits;
        }
        default:
            return 0;
    }
}

// What decides whether an instruction is that of a row, close together.
struct IndexEntry {
    uint32_t mask;
    uint32_t match;
    uint32_t nonzero;  // one of these bits at least is set
    uint16_t row;      // in kInsns
    Extension extension;
    bool more_rules;  // than that

    bool is_met(uint32_t bits, const ExtensionSet& extensions) const {
        return (bits & mask) == match && (bits & nonzero) != 0 && extensions.has(extension);
    }
};

constexpr IndexEntry make_entry(uint16_t row) {
    const InsnDesc& desc = kInsns[row];
    const uint32_t field = nonzero_field(desc);
    return {desc.mask, desc.match,     field != 0 ? field : ~uint32_t{0},
            row,       desc.extension, desc.rules != rule_none && field == 0};
}

struct DecodeIndex {
    std::array<uint16_t, kBuckets + 1> first{};  // of each bucket's entries
    std::array<IndexEntry, entry_count()> entries{};
};

consteval DecodeIndex make_index() {
    DecodeIndex index;
    std::array<uint16_t, kBuckets> sizes{};
    for (const InsnDesc& desc : kInsns) {
        visit_buckets(desc, [&sizes](unsigned bucket) { ++sizes[bucket]; });
    }
    for (unsigned bucket = 0; bucket < kBuckets; ++bucket) {
        index.first[bucket + 1] = static_cast<uint16_t>(index.first[bucket] + sizes[bucket]);
    }
    std::array<uint16_t, kBuckets> next{};
    for (unsigned bucket = 0; bucket < kBuckets; ++bucket) {
        next[bucket] = index.first[bucket];
    }
    for (uint16_t row = 0; row < kInsnCount; ++row) {
        visit_buckets(kInsns[row], [&index, &next, row](unsigned bucket) {
            index.entries[next[bucket]++] = make_entry(row);
        });
    }
    return index;
}

constexpr DecodeIndex kIndex = make_index();

constexpr uint32_t kFenceTso = 0x8330000f;
constexpr uint32_t kPause = 0x0100000f;
constexpr int32_t kLastAesRound = 10;

bool obeys_rules(const InsnDesc& desc, uint32_t bits, const ExtensionSet& extensions) {
    const unsigned rules = desc.rules;
    const Insn insn = operands::extract(desc, desc.format, bits);
    return !((rules & rule_rounding) != 0 && (insn.rm == 5 || insn.rm == 6)) &&
           !((rules & rule_imm) != 0 && insn.imm == 0) && !((rules & rule_rd) != 0 && insn.rd == 0) &&
           !((rules & rule_rd_sp) != 0 && insn.rd == 2) && !((rules & rule_rs1) != 0 && insn.rs1 == 0) &&
           !((rules & rule_rs2) != 0 && insn.rs2 == 0) &&
           !((rules & rule_round) != 0 && insn.imm > kLastAesRound) &&
           !((rules & rule_even) != 0 && ((insn.rd | insn.rs2) & 1) != 0) &&
           !((rules & rule_plain_fence) != 0 &&
             (bits == kFenceTso || (bits == kPause && extensions.has(Extension::zihintpause))));
}

// From `entry` on, which is met but for its rules.
[[gnu::noinline]] const InsnDesc* find_by_rules(const IndexEntry* entry, const IndexEntry* end, uint32_t bits,
                                                const ExtensionSet& extensions) {
    for (; entry != end; ++entry) {
        if (entry->is_met(bits, extensions) &&
            (!entry->more_rules || obeys_rules(kInsns[entry->row], bits, extensions))) {
            return &kInsns[entry->row];
        }
    }
    return nullptr;
}

}  // namespace

// Few rows have rules that need a call; without one no register is saved.
const InsnDesc* find_insn(uint32_t bits, const ExtensionSet& extensions) {
    const unsigned bucket = (bits & kQuadrantMask) != 3 ? bucket16(bits) : bucket32(bits);
    const IndexEntry* const end = &kIndex.entries[0] + kIndex.first[bucket + 1];
    for (const IndexEntry* entry = &kIndex.entries[0] + kIndex.first[bucket]; entry != end; ++entry) {
        if (entry->is_met(bits, extensions)) {
            return entry->more_rules ? find_by_rules(entry, end, bits, extensions) : &kInsns[entry->row];
        }
    }
    return nullptr;
}

Insn decode(uint32_t bits, const ExtensionSet& extensions) {
    const unsigned size = insn_size(static_cast<uint16_t>(bits));
    bits = size == 2 ? bits & 0xffff : bits;
    const InsnDesc* const desc = find_insn(bits, extensions);
    return desc != nullptr ? operands::extract(*desc, desc->format, bits)
                           : Insn{.bits = bits, .size = static_cast<uint8_t>(size)};
}

bool matches(const InsnDesc& desc, uint32_t bits) {
    return desc.size == insn_size(static_cast<uint16_t>(bits)) && (bits & desc.mask) == desc.match &&
           obeys_rules(desc, bits, kAllExtensions);
}

}  // namespace weft::riscv
