#include "tests/isa/corners.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <span>

#include "emulator/guest/riscv/isa/decode.h"
#include "emulator/guest/riscv/isa/disassemble.h"
#include "tests/isa/encode.h"
#include "tests/isa/guest_image.h"
#include "tests/isa/values.h"

namespace weft::isa_test {
namespace {

using riscv::decode;
using riscv::Format;
using riscv::Insn;
using riscv::insn_desc;
using riscv::InsnDesc;
using riscv::InsnId;

constexpr unsigned kA = 10;  // x10 and f10: the first operand
constexpr unsigned kB = 11;
constexpr unsigned kC = 12;
constexpr unsigned kResult = 13;
constexpr uint16_t kReturn = 0x8282;  // c.jr x5
constexpr unsigned kDynamic = 7;
constexpr unsigned kRoundingModes = 5;

bool has_operand(const InsnDesc& desc, char letter) {
    return riscv::format_syntax(desc.format).find(letter) != std::string_view::npos;
}

const InsnDesc& semantic(const InsnDesc& desc) { return insn_desc(desc.semantic); }

// The registers of a 32-bit instruction, for those of its fields that are registers.
struct Registers {
    unsigned rd = kResult;
    unsigned rs1 = kA;
    unsigned rs2 = kB;
};

uint32_t encode(const InsnDesc& desc, const Registers& registers) {
    uint32_t bits = desc.match;
    if (has_operand(desc, 'd') || has_operand(desc, 'D')) {
        bits |= registers.rd << 7;
    }
    if (has_operand(desc, 's') || has_operand(desc, 'S')) {
        bits |= registers.rs1 << 15;
    }
    if (has_operand(desc, 't') || has_operand(desc, 'T')) {
        bits |= registers.rs2 << 20;
    }
    if (has_operand(desc, 'R')) {
        bits |= kC << 27;
    }
    return bits;
}

class Suite {
  public:
    explicit Suite(bool full) : full_(full) {
        zero_ = add_values(std::array{uint64_t{0}});
        few_integers_ = add_values(few_integer_corners());
        integers_ = add_values(integer_corners());
        few_singles_ = add_values(few_single_corners());
        singles_ = add_values(single_corners());
        few_halves_ = add_values(few_half_corners());
        halves_ = add_values(half_corners());
        few_doubles_ = add_values(few_double_corners());
        doubles_ = add_values(double_corners());
        addresses_ = add_values(addresses(1));
        aligned_ = add_values(addresses(8));
        std::array<uint64_t, 2> landing = {isa::kStubBase + 8, isa::kStubBase + 9};
        landing_ = add_values(landing);
    }

    CornerSuite run() {
        for (const InsnDesc& desc : riscv::kInsns) {
            if (!reason_without_corners(desc.id).empty()) {
                continue;
            }
            row_ = &desc;
            if (desc.size == 2) {
                add_compressed();
            } else {
                add_row();
            }
        }
        add_near_misses();
        return std::move(suite_);
    }

  private:
    ValueRange add_values(std::span<const uint64_t> values) {
        const ValueRange range{suite_.values.size(), values.size()};
        suite_.values.insert(suite_.values.end(), values.begin(), values.end());
        return range;
    }

    // On both sides of the page boundary in the scratch memory.
    static std::vector<uint64_t> addresses(uint64_t step) {
        std::vector<uint64_t> values;
        for (uint64_t address = isa::kScratchMiddle - 16; address <= isa::kScratchMiddle + 8;
             address += step) {
            values.push_back(address);
        }
        return values;
    }

    static isa::CornerJob job_of(std::initializer_list<uint32_t> insns) {
        isa::CornerJob job{};
        size_t at = 0;
        for (const uint32_t bits : insns) {
            job.code[at++] = static_cast<uint16_t>(bits);
            if ((bits & 3) == 3) {
                job.code[at++] = static_cast<uint16_t>(bits >> 16);
            }
        }
        std::fill(job.code + at, std::end(job.code), kReturn);
        job.frm_count = 1;
        return job;
    }

    void add(isa::CornerJob job, ValueRange a, ValueRange b, ValueRange c) {
        const std::array ranges = {a, b, c};
        for (size_t i = 0; i < ranges.size(); ++i) {
            job.first[i] = ranges[i].first;
            job.count[i] = ranges[i].count;
        }
        suite_.jobs.push_back(job);
        suite_.rows.push_back(row_->id);
    }

    void add(uint32_t bits, ValueRange a, ValueRange b) { add(job_of({bits}), a, b, zero_); }
    void add(uint32_t bits, ValueRange a) { add(bits, a, zero_); }

    ValueRange wide(ValueRange few, ValueRange all) const { return full_ ? all : few; }

    // --- 32-bit instructions ---

    void add_row() {
        const InsnDesc& desc = *row_;
        const uint32_t bits = encode(desc, {});
        switch (desc.format) {
            case Format::r:
            case Format::sfence:
                add_two_operands();
                break;
            case Format::r_unary:
                add(bits, integers_);
                add(encode(desc, {kA, kA, kB}), few_integers_);
                add(encode(desc, {0, kA, kB}), few_integers_);
                break;
            case Format::i:
                for (const int32_t imm : {0, 1, -1, 2, 31, 63, 0x555, -0x556, 2046, 2047, -2047, -2048}) {
                    add(bits | immediate_i(imm), integers_);
                }
                add(encode(desc, {kA, kA, 0}) | immediate_i(-5), few_integers_);
                add(encode(desc, {0, kA, 0}) | immediate_i(7), few_integers_);
                add(encode(desc, {kResult, 0, 0}) | immediate_i(-7), zero_);
                break;
            case Format::shift64:
            case Format::shift32:
                for (uint32_t shift = 0; shift < (desc.format == Format::shift64 ? 64u : 32u); ++shift) {
                    add(bits | shift << 20, few_integers_);
                }
                break;
            case Format::aes_round:
                for (uint32_t round = 0; round <= 10; ++round) {
                    add(bits | round << 20, integers_);
                }
                add(encode(desc, {kA, kA, 0}) | 3u << 20, few_integers_);
                add(encode(desc, {0, kA, 0}) | 3u << 20, few_integers_);
                break;
            case Format::sm4_byte:
                for (uint32_t byte = 0; byte < 4; ++byte) {
                    add(bits | byte << 30, few_integers_, integers_);
                }
                add(encode(desc, {kA, kA, kB}) | 1u << 30, few_integers_, few_integers_);
                add(encode(desc, {kB, kA, kB}) | 2u << 30, few_integers_, few_integers_);
                add(encode(desc, {kResult, kA, kA}) | 3u << 30, few_integers_, few_integers_);
                add(encode(desc, {0, kA, kB}), few_integers_, few_integers_);
                break;
            case Format::u:
                for (const uint32_t imm : {0u, 1u, 0x7ffffu, 0x80000u, 0xfffffu, 0x55555u}) {
                    add(bits | imm << 12, zero_);
                }
                break;
            case Format::load:
            case Format::fp_load:
            case Format::store:
            case Format::fp_store:
                add_memory();
                break;
            case Format::branch:
                add_branch();
                break;
            case Format::jal:
                add(job_of({bits | jump_offset(8), addi(kC, 0, 7)}), zero_, zero_, zero_);
                break;
            case Format::jalr:
                add_indirect_jump();
                break;
            case Format::csr:
            case Format::csri:
                add_csr();
                break;
            case Format::cbo:
                add_cache_operation();
                break;
            case Format::amo:
            case Format::lr:
                add_atomic();
                break;
            default:
                if (is_floating(desc)) {
                    add_floating();
                } else {
                    add(bits, zero_);
                }
        }
    }

    void add_two_operands() {
        const InsnDesc& desc = *row_;
        add(encode(desc, {}), integers_, wide(few_integers_, integers_));
        add(encode(desc, {}), few_integers_, integers_);
        for (const Registers& registers : {Registers{kA, kA, kB},
                                           {kB, kA, kB},
                                           {kResult, kA, kA},
                                           {kA, kA, kA},
                                           {0, kA, kB},
                                           {kResult, 0, kB},
                                           {kResult, kA, 0},
                                           {kResult, 0, 0}}) {
            add(encode(desc, registers), few_integers_, few_integers_);
        }
    }

    void add_memory() {
        const InsnDesc& desc = *row_;
        const bool store = desc.format == Format::store || desc.format == Format::fp_store;
        for (const int32_t imm : {0, 1, -1, 2047, -2048}) {
            const uint32_t field =
                store ? bit_range(imm, 11, 5, 25) | bit_range(imm, 4, 0, 7) : immediate_i(imm);
            isa::CornerJob job = job_of({encode(desc, {}) | field});
            job.touches_memory = 1;
            job.bias = -static_cast<uint64_t>(static_cast<int64_t>(imm));
            add(job, addresses_, store ? few_integers_ : zero_, few_integers_);
        }
        if (desc.format == Format::load) {
            isa::CornerJob job = job_of({encode(desc, {kA, kA, 0})});
            job.touches_memory = 1;
            add(job, addresses_, zero_, few_integers_);
        }
    }

    // x13 says whether it was taken. `bits` jumps over an addi.
    void add_branch(uint32_t bits, ValueRange second) {
        add(job_of({addi(kResult, 0, 1), bits, addi(kResult, 0, 2)}), integers_, second, zero_);
    }

    void add_branch() {
        const uint32_t offset = branch_offset(8);
        add_branch(encode(*row_, {0, kA, kB}) | offset, few_integers_);
        for (const Registers& registers : {Registers{0, kA, kA}, {0, kA, 0}, {0, 0, kB}}) {
            add_branch(encode(*row_, registers) | offset, few_integers_);
        }
    }

    void add_indirect_jump() {
        for (const int32_t imm : {0, 1, -1, 2047, -2048}) {
            isa::CornerJob job = job_of({encode(*row_, {}) | immediate_i(imm), addi(kC, 0, 7)});
            job.bias = -static_cast<uint64_t>(static_cast<int64_t>(imm));
            add(job, landing_, zero_, zero_);
        }
        add(job_of({encode(*row_, {kA, kA, 0}), addi(kC, 0, 7)}), landing_, zero_, zero_);
    }

    void add_csr() {
        // fflags, frm, fcsr, sscratch; two that cannot be written, one that is not there.
        for (const uint32_t csr : {0x001u, 0x002u, 0x003u, 0x140u, 0xf14u, 0xf15u, 0x5c3u}) {
            if (row_->format == Format::csr) {
                add(encode(*row_, {}) | csr << 20, integers_);
                add(encode(*row_, {kA, kA, 0}) | csr << 20, few_integers_);
                add(encode(*row_, {0, kA, 0}) | csr << 20, few_integers_);
                add(encode(*row_, {kResult, 0, 0}) | csr << 20, zero_);
            } else {
                for (const uint32_t imm : {0u, 1u, 4u, 5u, 7u, 16u, 31u}) {
                    add(row_->match | csr << 20 | imm << 15 | kResult << 7, zero_);
                    add(row_->match | csr << 20 | imm << 15, zero_);
                }
            }
        }
    }

    void add_cache_operation() {
        isa::CornerJob job = job_of({encode(*row_, {})});
        job.touches_memory = 1;
        add(job, addresses_, zero_, few_integers_);
        add(job_of({encode(*row_, {kResult, 0, 0})}), zero_, zero_, zero_);  // there is no memory at 0
    }

    // Both halves of the pair in memory as in the registers, or the second one another.
    void add_pair() {
        for (const unsigned rd : {kC, 0u}) {
            for (const unsigned rs2 : {kA, kC, 0u}) {
                const uint32_t bits = encode(*row_, {rd, kA, rs2});
                for (isa::CornerJob job : {job_of({bits}), job_of({sd(kResult, kA, 8), bits})}) {
                    job.touches_memory = 1;
                    add(job, aligned_, few_integers_, few_integers_);
                }
            }
        }
        isa::CornerJob misaligned = job_of({encode(*row_, {kC, kA, kA})});
        misaligned.touches_memory = 1;
        add(misaligned, addresses_, zero_, few_integers_);
        // Pairs do not begin with odd registers.
        for (const Registers& odd : {Registers{kResult, kA, kA}, Registers{kC, kA, kB}}) {
            add(encode(*row_, odd), aligned_, zero_);
        }
    }

    void add_atomic() {
        if (row_->id == InsnId::amocas_q) {
            add_pair();
            return;
        }
        const bool is_sc = row_->id == InsnId::sc_w || row_->id == InsnId::sc_d;
        const bool is_lr = row_->format == Format::lr;
        const uint32_t sc = insn_desc(row_->id == InsnId::lr_w ? InsnId::sc_w : InsnId::sc_d).match;
        for (uint32_t order = 0; order < 4; ++order) {
            const uint32_t bits = encode(*row_, {}) | order << 25;
            // No LR goes without its SC: what a reservation does to later ones is the machine's choice.
            isa::CornerJob job =
                is_lr ? job_of({bits, sc | order << 25 | kC << 7 | kB << 20 | kA << 15}) : job_of({bits});
            job.touches_memory = 1;
            add(job, aligned_, few_integers_, few_integers_);
        }
        // The peer does not look at the alignment of an SC that fails for want of a reservation.
        if (!is_sc) {
            isa::CornerJob job = job_of({encode(*row_, {})});
            job.touches_memory = 1;
            for (uint64_t i = 1; i < 8; ++i) {
                add(job, {addresses_.first + i, is_lr && i == 4 && row_->id == InsnId::lr_w ? 0u : 1u},
                    few_integers_, few_integers_);
            }
        }
        if (!is_lr && !is_sc) {
            // x12 has what is in memory: what a compare-and-swap may expect.
            for (const Registers& registers :
                 {Registers{kA, kA, kB}, {kB, kA, kB}, {0, kA, kB}, {kResult, kA, 0}, {kC, kA, kB}}) {
                isa::CornerJob job = job_of({encode(*row_, registers)});
                job.touches_memory = 1;
                add(job, aligned_, few_integers_, few_integers_);
            }
        }
    }

    // --- floating point ---

    struct Values {
        ValueRange few;
        ValueRange all;
    };

    Values operands_of(const InsnDesc& desc) const {
        if (has_operand(desc, 's')) {
            return {few_integers_, integers_};
        }
        switch (operand_precision(desc)) {
            case 'h':
                return {few_halves_, halves_};
            case 'd':
                return {few_doubles_, doubles_};
            default:
                return {few_singles_, singles_};
        }
    }

    static bool is_floating(const InsnDesc& desc) {
        constexpr std::string_view kLetters = "DSTR";
        return riscv::format_syntax(desc.format).find_first_of(kLetters) != std::string_view::npos;
    }

    void add_floating() {
        const InsnDesc& desc = *row_;
        const uint32_t bits = encode(desc, {});
        if (desc.format == Format::fp_li) {
            for (uint32_t constant = 0; constant < 32; ++constant) {
                add(job_of({bits | constant << 15}), zero_, zero_, zero_);
            }
            return;
        }
        constexpr uint32_t kRoundingBits = 7 << 12;
        if ((desc.mask & kRoundingBits) != 0 || (!has_operand(desc, 'm') && !has_operand(desc, 'n'))) {
            add_floating(job_of({bits}), true);
            return;
        }
        for (uint32_t rm = 0; rm < kRoundingModes; ++rm) {
            add_floating(job_of({bits | rm << 12}), true);
            isa::CornerJob other_frm = job_of({bits | rm << 12});
            other_frm.first_frm = (rm + 1) % kRoundingModes;
            add_floating(other_frm, false);
        }
        isa::CornerJob dynamic = job_of({bits | kDynamic << 12});
        dynamic.frm_count = 8;  // the reserved ones too
        add_floating(dynamic, false);
        for (const uint32_t reserved : {5u, 6u}) {
            add(job_of({bits | reserved << 12}), zero_, zero_, zero_);
        }
    }

    void add_floating(const isa::CornerJob& job, bool thorough) {
        const InsnDesc& desc = *row_;
        const Values values = operands_of(desc);
        const ValueRange all = thorough ? values.all : values.few;
        if (has_operand(desc, 'R')) {
            add(job, wide(values.few, all), wide(values.few, all), values.few);
        } else if (has_operand(desc, 'T')) {
            add(job, all, wide(values.few, all), zero_);
            add(job, values.few, all, zero_);
        } else {
            add(job, all, zero_, zero_);
        }
    }

    // --- compressed instructions ---

    // All encodings with x10 to x13 (or x2, where it is fixed) as operands.
    void add_compressed() {
        for (uint32_t bits = 0; bits < 0x10000; ++bits) {
            const Insn insn = decode(bits);
            if (insn.desc == row_ && insn.size == 2 && is_wanted(insn)) {
                add_compressed(insn);
            }
        }
    }

    bool is_wanted(const Insn& insn) const {
        const InsnDesc& full = semantic(*row_);
        const bool usual_base = insn.rs1 == kA || insn.rs1 == 2;
        const bool reads_rs2 = has_operand(full, 't') || has_operand(full, 'T');
        const bool writes = has_operand(full, 'd') || has_operand(full, 'D');
        switch (row_->format) {
            case Format::c_nop:
            case Format::c_none:
            case Format::ci_sp:
                return true;
            case Format::cj:
                return insn.imm == 6;
            case Format::cb_branch:
                return insn.rs1 == kA && insn.imm == 6;
            case Format::cr_jr:
            case Format::cr_jalr:
                return insn.rs1 == kA;
            case Format::cu:
            case Format::cu_zext_b:
            case Format::cu_not:
                return insn.rd == kA;
            default:
                break;
        }
        if (is_memory(full)) {
            return usual_base && (writes ? insn.rd == kA || insn.rd == kResult : insn.rs2 == kB);
        }
        if (reads_rs2) {
            return (insn.rd == kA || insn.rd == kResult || insn.rd == 0) &&
                   (insn.rs2 == kB || insn.rs2 == kA);
        }
        return insn.rd == kA;
    }

    static bool is_memory(const InsnDesc& desc) {
        return desc.format == Format::load || desc.format == Format::store ||
               desc.format == Format::fp_load || desc.format == Format::fp_store;
    }

    void add_compressed(const Insn& insn) {
        const InsnDesc& full = semantic(*row_);
        switch (row_->format) {
            case Format::cj:
                add(job_of({insn.bits, addi(kC, 0, 7)}), zero_, zero_, zero_);
                return;
            case Format::cr_jr:
            case Format::cr_jalr:
                add(job_of({insn.bits, kCompressedNop, addi(kC, 0, 7)}), landing_, zero_, zero_);
                return;
            case Format::cb_branch:
                add_branch(insn.bits, zero_);
                return;
            default:
                break;
        }
        if (!is_memory(full)) {
            const bool reads_rs2 = has_operand(full, 't');
            add(insn.bits, reads_rs2 ? integers_ : few_integers_, reads_rs2 ? few_integers_ : zero_);
            return;
        }
        isa::CornerJob job = job_of({insn.bits});
        job.touches_memory = 1;
        job.bias = -static_cast<uint64_t>(static_cast<int64_t>(insn.imm));
        job.sp_offset = static_cast<uint64_t>(static_cast<int64_t>(insn.imm));
        job.uses_sp = insn.rs1 == 2 ? 1 : 0;
        add(job, job.uses_sp != 0 ? zero_ : addresses_, few_integers_, zero_);
        add(job, job.uses_sp != 0 ? zero_ : aligned_, zero_, few_integers_);
    }

    // --- what is no instruction ---

    // All 16-bit encodings that weft knows nothing of, and instructions with one bit of the fixed ones wrong.
    void add_near_misses() {
        std::vector<uint32_t> none;
        for (uint32_t bits = 0; bits < 0x10000; ++bits) {
            if ((bits & 3) != 3 && decode(bits).desc == nullptr) {
                none.push_back(bits);
            }
        }
        add_traps(none, isa::kStubHalfwords - 1);
        none.clear();
        for (const InsnDesc& desc : riscv::kInsns) {
            const uint32_t bits = encode(desc, {});
            for (unsigned i = 0; desc.size == 4 && i < 32; ++i) {
                const uint32_t other = bits ^ 1u << i;
                if ((desc.mask >> i & 1) != 0 && (other & 3) == 3 && decode(other).desc == nullptr) {
                    none.push_back(other);
                }
            }
        }
        std::sort(none.begin(), none.end());
        none.erase(std::unique(none.begin(), none.end()), none.end());
        add_traps(none, (isa::kStubHalfwords - 1) / 2);
    }

    void add_traps(const std::vector<uint32_t>& encodings, size_t most) {
        for (size_t i = 0; i < encodings.size(); i += most) {
            isa::CornerJob job = job_of({});
            size_t at = 0;
            for (size_t j = i; j < std::min(i + most, encodings.size()); ++j) {
                job.code[at++] = static_cast<uint16_t>(encodings[j]);
                if ((encodings[j] & 3) == 3) {
                    job.code[at++] = static_cast<uint16_t>(encodings[j] >> 16);
                }
            }
            add(job, zero_, zero_, zero_);
        }
    }

    bool full_;
    CornerSuite suite_;
    const InsnDesc* row_ = nullptr;
    ValueRange zero_;
    ValueRange few_integers_;
    ValueRange integers_;
    ValueRange few_singles_;
    ValueRange singles_;
    ValueRange few_halves_;
    ValueRange halves_;
    ValueRange few_doubles_;
    ValueRange doubles_;
    ValueRange addresses_;
    ValueRange aligned_;
    ValueRange landing_;
};

}  // namespace

CornerSuite make_corner_suite(bool full) { return Suite(full).run(); }

std::string corner_program(const CornerSuite& suite, const std::vector<isa::CornerJob>& jobs) {
    std::string bytes;
    append(&bytes, isa::CornerProgram{jobs.size(), suite.values.size()});
    for (const uint64_t value : suite.values) {
        append(&bytes, value);
    }
    for (const isa::CornerJob& job : jobs) {
        append(&bytes, job);
    }
    return bytes;
}

std::string describe(const isa::CornerJob& job) {
    std::string text;
    for (size_t i = 0; i < std::size(job.code) && job.code[i] != kReturn;) {
        uint32_t bits = job.code[i++];
        if ((bits & 3) == 3) {
            bits |= uint32_t{job.code[i++]} << 16;
        }
        text += (text.empty() ? "" : "; ") + riscv::format_insn(decode(bits), std::nullopt);
    }
    return text;
}

std::string_view reason_without_corners(InsnId id) {
    switch (id) {
        case InsnId::wfi:
            return "has no operands; isa-system has it";
        case InsnId::mret:
        case InsnId::sret:
            return "goes where a CSR says; isa-system has it";
        default:
            return {};
    }
}

}  // namespace weft::isa_test
