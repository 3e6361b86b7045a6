#include "tests/riscv/random_program.h"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "base/assert.h"

namespace weft::riscv {

namespace {

using Random = std::mt19937_64;

constexpr unsigned kSp = 2;
constexpr unsigned kBase = 8;
// Holds computed addresses, within a sequence.
constexpr unsigned kAddress = 9;

constexpr uint32_t bit(unsigned n) { return 1u << n; }

constexpr uint32_t kFieldRd = 31u << 7;
constexpr uint32_t kFieldRs1 = 31u << 15;
constexpr uint32_t kFieldRs1Compressed = 7u << 7;

uint32_t with_field(uint32_t bits, uint32_t field, uint32_t value) {
    return (bits & ~field) | (value * (field & -field) & field);
}

uint32_t encode_addi(unsigned rd, unsigned rs1, int32_t imm) {
    return static_cast<uint32_t>(imm) << 20 | rs1 << 15 | rd << 7 | 0x13;
}
uint32_t encode_auipc(unsigned rd) { return rd << 7 | 0x17; }

// `bits` with the distance of a branch or jump put in; what it replaces is whatever was drawn.
uint32_t with_distance(Format format, uint32_t bits, uint32_t d) {
    const auto take = [d](unsigned low, unsigned length, unsigned to) {
        return (d >> low & ((1u << length) - 1)) << to;
    };
    switch (format) {
        case Format::branch:
            return (bits & 0x01fff07f) | take(12, 1, 31) | take(5, 6, 25) | take(1, 4, 8) | take(11, 1, 7);
        case Format::jal:
            return (bits & 0xfff) | take(20, 1, 31) | take(1, 10, 21) | take(11, 1, 20) | take(12, 8, 12);
        case Format::cb_branch:
            return (bits & 0xe383) | take(8, 1, 12) | take(3, 2, 10) | take(6, 2, 5) | take(1, 2, 3) |
                   take(5, 1, 2);
        default:  // cj
            return (bits & 0xe003) | take(11, 1, 12) | take(4, 1, 11) | take(8, 2, 9) | take(10, 1, 8) |
                   take(6, 1, 7) | take(7, 1, 6) | take(1, 3, 3) | take(5, 1, 2);
    }
}

// The format of what the row does, that is of the 32-bit instruction where it is a compressed one.
Format semantic_format(const InsnDesc& desc) { return insn_desc(desc.semantic).format; }

bool has_operand(Format format, char letter) {
    return format_syntax(format).find(letter) != std::string_view::npos;
}

// The x registers that an instruction with rd writes.
uint32_t written(const Insn& insn) {
    const bool pair = (insn.desc->rules & rule_even) != 0 && insn.rd != 0;
    return bit(insn.rd) | (pair ? bit(insn.rd + 1u) : 0);
}

bool writes_x(const InsnDesc& desc) { return has_operand(semantic_format(desc), 'd'); }

class Generator {
  public:
    Generator(const RandomProgramOptions& options, InsnCoverage* coverage)
        : options_(options), coverage_(coverage), random_(options.seed) {
        for (const InsnDesc& desc : kInsns) {
            if ((families_of(desc) & ~options.families) == 0) {
                rows_.insert(rows_.end(), desc.weight, &desc);
                if ((families_of(desc) & (kFamilyControl | kFamilyAtomic)) == 0) {
                    simple_rows_.insert(simple_rows_.end(), desc.weight, &desc);
                }
            }
        }
    }

    std::vector<uint8_t> run() {
        while (!rows_.empty() && insns_ < options_.insns) {
            append(*pick(rows_), bit(kSp) | bit(kBase) | options_.reserved_x);
        }
        return std::move(bytes_);
    }

  private:
    const InsnDesc* pick(const std::vector<const InsnDesc*>& rows) { return rows[random_() % rows.size()]; }
    uint64_t below(uint64_t limit) { return random_() % limit; }

    void put(uint32_t bits) {
        const Insn insn = decode(bits);
        WEFT_ASSERT(insn.desc != nullptr);
        if (coverage_ != nullptr) {
            coverage_->add(insn.desc->id);
        }
        ++insns_;
        for (unsigned i = 0; i < insn.size; ++i) {
            bytes_.push_back(static_cast<uint8_t>(bits >> 8 * i));
        }
    }

    // A sequence around an instruction of this row. `reserved`: x registers that it must not change.
    void append(const InsnDesc& desc, uint32_t reserved) {
        switch (semantic_format(desc)) {
            case Format::branch:
            case Format::jal:
                append_jump(desc, reserved);
                break;
            case Format::jalr:
                append_indirect_jump(desc, reserved);
                break;
            case Format::lr:
                append_reservation(desc, reserved);
                break;
            case Format::amo:
                append_amo(desc, reserved);
                break;
            default:
                if (desc.format == Format::ci_sp) {
                    append_sp_change(desc);
                } else {
                    append_simple(desc, reserved);
                }
        }
    }

    void append_simple(const InsnDesc& desc, uint32_t reserved) {
        if (const std::optional<uint32_t> bits = draw(desc, reserved)) {
            put(*bits);
        }
    }

    // An encoding of the row that meets its operands' policy; nothing if there is hardly any.
    std::optional<uint32_t> draw(const InsnDesc& desc, uint32_t reserved) {
        constexpr unsigned kAttempts = 2000;
        for (unsigned i = 0; i < kAttempts; ++i) {
            const uint32_t raw = (static_cast<uint32_t>(random_()) & ~desc.mask) | desc.match;
            const uint32_t bits = place_base(desc, desc.size == 2 ? raw & 0xffff : raw);
            const Insn insn = decode(bits);
            if (insn.desc == &desc && is_acceptable(insn, reserved)) {
                return bits;
            }
        }
        return std::nullopt;
    }

    // Memory is reached through the base registers, and CSRs are those of floating point.
    uint32_t place_base(const InsnDesc& desc, uint32_t bits) {
        switch (desc.format) {
            case Format::cbo:
            case Format::load:
            case Format::store:
            case Format::fp_load:
            case Format::fp_store:
                return with_field(bits, kFieldRs1, below(2) == 0 ? kSp : kBase);
            case Format::cl_lbu:
            case Format::cl_lh:
            case Format::cs_sb:
            case Format::cs_sh:
            case Format::cl_lw:
            case Format::cl_ld:
            case Format::cl_fld:
            case Format::cs_sw:
            case Format::cs_sd:
            case Format::cs_fsd:
                return with_field(bits, kFieldRs1Compressed, kBase - 8);
            case Format::csr:
            case Format::csri:
                return with_field(bits, 0xfff00000, static_cast<uint32_t>(1 + below(3)));
            default:
                return bits;
        }
    }

    bool is_acceptable(const Insn& insn, uint32_t reserved) {
        if (writes_x(*insn.desc) && (reserved & written(insn)) != 0) {
            return false;
        }
        return insn.desc->extension != Extension::zicsr || is_acceptable_csr(insn);
    }

    // frm never gets a reserved value, with which dynamic rounding would be illegal.
    static bool is_acceptable_csr(const Insn& insn) {
        constexpr int32_t kFflags = 1;
        constexpr int32_t kFcsr = 3;
        constexpr unsigned kHighestRounding = 4;
        const bool is_write = insn.desc->id == InsnId::csrrw || insn.desc->id == InsnId::csrrwi;
        if (insn.imm == kFflags || (!is_write && insn.rs1 == 0)) {
            return true;
        }
        if (insn.desc->format == Format::csr) {
            return is_write && insn.rs1 == 0;
        }
        // Five bits of fcsr are the flags alone; csrrwi puts frm to zero.
        return insn.imm == kFcsr || (is_write && insn.rs1 <= kHighestRounding);
    }

    // Over a few sequences, at times over many.
    void append_jump(const InsnDesc& desc, uint32_t reserved) {
        const std::optional<uint32_t> bits = draw(desc, reserved);
        if (!bits || simple_rows_.empty()) {
            return;
        }
        const size_t at = bytes_.size();
        put(*bits);
        append_body(reserved);
        patch(at, with_distance(desc.format, *bits, static_cast<uint32_t>(bytes_.size() - at)), desc.size);
    }

    void append_body(uint32_t reserved) {
        // Sequences here are at most 4 bytes long, and the shortest branch reaches 254.
        const uint64_t most = below(4) == 0 ? 60 : 3;
        for (uint64_t i = 1 + below(most); i != 0; --i) {
            append(*pick(simple_rows_), reserved);
        }
    }

    void patch(size_t at, uint32_t bits, unsigned size) {
        for (unsigned i = 0; i < size; ++i) {
            bytes_[at + i] = static_cast<uint8_t>(bits >> 8 * i);
        }
    }

    // auipc; addi, whose immediate is the distance; then the jump, whose own immediate (if it has one) is
    // zero.
    void append_indirect_jump(const InsnDesc& desc, uint32_t reserved) {
        const uint32_t links = desc.format == Format::cr_jalr ? bit(1) : 0;
        if ((reserved & (bit(kAddress) | links)) != 0 || simple_rows_.empty()) {
            return;
        }
        uint32_t bits = desc.match;
        if (desc.size == 2) {
            bits = with_field(bits, kFieldRd, kAddress);
        } else {
            const std::optional<uint32_t> drawn = draw(desc, reserved);
            if (!drawn) {
                return;
            }
            bits = with_field(*drawn & 0xfffff, kFieldRs1, kAddress);
        }
        const size_t start = bytes_.size();
        put(encode_auipc(kAddress));
        const size_t addi = bytes_.size();
        put(encode_addi(kAddress, kAddress, 0));
        put(bits);
        append_body(reserved);
        patch(addi, encode_addi(kAddress, kAddress, static_cast<int32_t>(bytes_.size() - start)), 4);
    }

    // Puts an address within the scratch memory into kAddress, aligned to 16, or 8 bytes behind that.
    void put_address(bool odd) {
        const int32_t imm = static_cast<int32_t>(below(256)) * 16 - 2048;
        put(encode_addi(kAddress, kBase, imm + (odd ? 8 : 0)));
    }

    std::optional<uint32_t> draw_atomic(const InsnDesc& desc, uint32_t reserved) {
        const std::optional<uint32_t> bits = draw(desc, reserved);
        return bits ? std::optional(with_field(*bits, kFieldRs1, kAddress)) : std::nullopt;
    }

    void append_amo(const InsnDesc& desc, uint32_t reserved) {
        const std::optional<uint32_t> bits = draw_atomic(desc, reserved);
        if (!bits || (reserved & bit(kAddress)) != 0) {
            return;
        }
        // A lone SC goes where no LR goes, so that it fails whatever a machine remembers of older ones.
        const bool is_sc = desc.id == InsnId::sc_w || desc.id == InsnId::sc_d;
        const bool whole = desc.id == InsnId::amocas_q;
        put_address(!whole && (is_sc || below(2) == 0));
        put(*bits);
    }

    // LR, computations, then SC of the same size: to the same address, or at times to another, where it
    // fails. Whether it may succeed with another size is the machine's choice.
    void append_reservation(const InsnDesc& desc, uint32_t reserved) {
        const uint32_t kept = reserved | bit(kAddress);
        const std::optional<uint32_t> lr = draw_atomic(desc, kept);
        const std::optional<uint32_t> sc =
            draw_atomic(insn_desc(desc.id == InsnId::lr_w ? InsnId::sc_w : InsnId::sc_d), kept);
        if (!lr || !sc || (reserved & bit(kAddress)) != 0) {
            return;
        }
        put_address(false);
        put(*lr);
        if (!simple_rows_.empty()) {
            append(*pick(simple_rows_), kept);
        }
        if (below(4) == 0) {
            put_address(true);
        }
        put(*sc);
    }

    // c.addi16sp, and back.
    void append_sp_change(const InsnDesc& desc) {
        constexpr int32_t kMinimum = -512;  // its negative is out of range
        std::optional<uint32_t> there;
        do {
            there = draw(desc, 0);
        } while (!there || decode(*there).imm == kMinimum);
        const int32_t imm = -decode(*there).imm;
        put(*there);
        std::optional<uint32_t> back;
        do {
            back = draw(desc, 0);
        } while (!back || decode(*back).imm != imm);
        put(*back);
    }

    const RandomProgramOptions& options_;
    InsnCoverage* coverage_;
    Random random_;
    std::vector<const InsnDesc*> rows_;         // as often as they weigh
    std::vector<const InsnDesc*> simple_rows_;  // those that may stand within a sequence
    std::vector<uint8_t> bytes_;
    unsigned insns_ = 0;
};

uint64_t pick_of(Random& random, std::initializer_list<uint64_t> values) {
    return values.begin()[random() % values.size()];
}

uint64_t random_integer(Random& random) {
    switch (random() % 4) {
        case 0:
            return pick_of(random,
                           {0, 1, ~uint64_t{0}, uint64_t{1} << 63, (uint64_t{1} << 63) - 1, 0x7fffffff,
                            0x80000000, 0xffffffff, 0xffffffff80000000, 0xff, 0x8000, 64, 31});
        case 1:
            return uint64_t{1} << random() % 64;
        case 2:
            return static_cast<uint64_t>(static_cast<int64_t>(random()) >> random() % 64);
        default:
            return random();
    }
}

uint64_t random_double(Random& random) {
    switch (random() % 4) {
        case 0:  // zeros, ones, extremes, subnormals, infinities, quiet and signalling NaNs
            return pick_of(random,
                           {0, 0x8000000000000000, 0x3ff0000000000000, 0xbff0000000000000, 0x7fefffffffffffff,
                            0x0010000000000000, 0x0000000000000001, 0x800fffffffffffff, 0x7ff0000000000000,
                            0xfff0000000000000, 0x7ff8000000000000, 0xfff8000000000001, 0x7ff0000000000001,
                            0x41dfffffffc00000, 0x43e0000000000000});
        case 1: {  // of ordinary size
            const uint64_t sign_and_fraction = random() & 0x800fffffffffffff;
            return sign_and_fraction | (1023 - 32 + random() % 64) << 52;
        }
        default:
            return random();
    }
}

uint64_t random_single(Random& random) {
    switch (random() % 4) {
        case 0:
            return pick_of(random, {0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f7fffff, 0x00800000, 0x00000001,
                                    0x807fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001, 0x7f800001,
                                    0x4effffff, 0x5f000000});
        case 1: {
            const uint64_t sign_and_fraction = random() & 0x807fffff;
            return sign_and_fraction | (127 - 16 + random() % 32) << 23;
        }
        default:
            return random() & 0xffffffff;
    }
}

}  // namespace

uint32_t families_of(const InsnDesc& desc) {
    if (desc.size == 2) {
        return kFamilyCompressed | families_of(insn_desc(desc.semantic));
    }
    switch (desc.format) {
        case Format::cbo:
        case Format::load:
        case Format::store:
            return kFamilyMemory;
        case Format::fp_load:
        case Format::fp_store:
            return kFamilyMemory | kFamilyFloating;
        case Format::branch:
        case Format::jal:
        case Format::jalr:
            return kFamilyControl;
        case Format::fence:
        case Format::fence_none:
            return kFamilyAtomic;
        default:
            break;
    }
    switch (desc.extension) {
        case Extension::m:
        case Extension::zmmul:
            return kFamilyMultiply;
        case Extension::zaamo:
        case Extension::zalrsc:
        case Extension::zabha:
        case Extension::zacas:
        case Extension::zabha_zacas:
        case Extension::zawrs:
            return kFamilyAtomic;
        case Extension::zba:
        case Extension::zbb_zbkb:
        case Extension::zbc:
        case Extension::zbc_zbkc:
        case Extension::zbkb:
        case Extension::zbkx:
        case Extension::zkne:
        case Extension::zknd:
        case Extension::zkne_zknd:
        case Extension::zknh:
        case Extension::zksed:
        case Extension::zksh:
        case Extension::zbb:
        case Extension::zbs:
            return kFamilyBitmanip;
        case Extension::f:
        case Extension::d:
        case Extension::zfhmin:
        case Extension::zfh:
        case Extension::zfh_d:
        case Extension::zfa:
        case Extension::zfa_d:
        case Extension::zfa_zfh:
        case Extension::zicsr:
            return kFamilyFloating;
        default:
            // auipc's result depends on where the code is.
            return desc.id == InsnId::auipc ? kFamilyControl : kFamilyInteger;
    }
}

std::string InsnCoverage::untested() const {
    std::string text;
    for (const InsnDesc& desc : kInsns) {
        if (count(desc.id) == 0) {
            text += std::string(desc.mnemonic) + " (" + std::string(extension_name(desc.extension)) + ")" +
                    (desc.weight == 0 ? ": not in random programs\n" : "\n");
        }
    }
    return text;
}

std::vector<uint8_t> random_program(const RandomProgramOptions& options, InsnCoverage* coverage) {
    return Generator(options, coverage).run();
}

RandomRegisters random_registers(uint64_t seed) {
    constexpr uint64_t kBox = 0xffffffff00000000;
    Random random(seed);
    RandomRegisters registers;
    for (unsigned n = 1; n < 32; ++n) {
        registers.x[n] = random_integer(random);
    }
    for (uint64_t& value : registers.f) {
        // Doubles are singles that are not boxed properly.
        value = random() % 2 == 0 ? random_double(random) : kBox | random_single(random);
    }
    return registers;
}

}  // namespace weft::riscv
