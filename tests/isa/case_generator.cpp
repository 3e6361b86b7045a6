#include "tests/isa/case_generator.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>
#include <optional>

#include "emulator/guest/riscv/isa/decode.h"
#include "emulator/guest/riscv/isa/disassemble.h"
#include "tests/isa/encode.h"
#include "tests/isa/guest_image.h"
#include "tests/isa/values.h"
#include "tests/support/random.h"

namespace weft::isa_test {
namespace {

using riscv::decode;
using riscv::Format;
using riscv::Insn;
using riscv::insn_desc;
using riscv::InsnDesc;
using riscv::InsnId;

constexpr unsigned kSp = 2;
constexpr unsigned kLink = 1;
constexpr uint32_t kFieldRd = 31u << 7;
constexpr uint32_t kFieldRs1 = 31u << 15;

enum CsrNumber : uint32_t {
    fflags = 1,
    frm = 2,
    fcsr = 3,
    sscratch = 0x140,
    mhartid = 0xf14,
    absent = 0x5c3
};

constexpr uint32_t bit(unsigned n) { return 1u << n; }

uint32_t with_rd(uint32_t bits, unsigned rd) { return (bits & ~kFieldRd) | rd << 7; }
uint32_t with_rs1(uint32_t bits, unsigned rs1) { return (bits & ~kFieldRs1) | rs1 << 15; }

bool has_operand(Format format, char letter) {
    return riscv::format_syntax(format).find(letter) != std::string_view::npos;
}

const InsnDesc& semantic(const InsnDesc& desc) { return insn_desc(desc.semantic); }

// The x registers that an instruction writes.
uint32_t written_x(const Insn& insn) {
    if (!has_operand(semantic(*insn.desc).format, 'd') || insn.rd == 0) {
        return 0;
    }
    return (insn.desc->rules & riscv::rule_even) != 0 ? 3u << insn.rd : bit(insn.rd);
}

// How often the rows of a family occur in cases of another: weights are multiplied by this.
unsigned emphasis(CaseFamily of, const InsnDesc& desc) {
    const uint32_t families = riscv::families_of(desc);
    const auto is = [families](uint32_t family) { return (families & family) != 0; };
    const bool compressed = is(riscv::kFamilyCompressed);
    switch (of) {
        case CaseFamily::integer:
            return is(riscv::kFamilyFloating | riscv::kFamilyAtomic | riscv::kFamilyMemory) ? 0
                   : is(riscv::kFamilyMultiply | riscv::kFamilyBitmanip)                    ? 8
                                                                                            : 4;
        case CaseFamily::floating:
            return is(riscv::kFamilyFloating) ? 12 : is(riscv::kFamilyAtomic | riscv::kFamilyMemory) ? 0 : 1;
        case CaseFamily::memory:
            return is(riscv::kFamilyMemory) ? 16 : is(riscv::kFamilyFloating) ? 0 : 2;
        case CaseFamily::atomic:
            return is(riscv::kFamilyAtomic) ? 24 : is(riscv::kFamilyFloating) ? 0 : 2;
        case CaseFamily::compressed:
            return compressed ? 16 : is(riscv::kFamilyFloating) ? 1 : 2;
        case CaseFamily::system:
            return desc.extension == riscv::Extension::zicsr ? 40 : is(riscv::kFamilyControl) ? 8 : 2;
        case CaseFamily::mixed:
            break;
    }
    return 4;
}

// Rows whose weight in straight programs is zero, but that these cases can bear.
unsigned own_weight(const InsnDesc& desc) {
    switch (desc.id) {
        case InsnId::fence_i:
        case InsnId::sfence_vma:
        case InsnId::sinval_vma:
        case InsnId::sfence_w_inval:
        case InsnId::sfence_inval_ir:
        case InsnId::ecall:
        case InsnId::ebreak:
        case InsnId::c_ebreak:
            return 1;
        default:
            return desc.weight;
    }
}

class Generator {
  public:
    Generator(uint64_t seed, CaseFamily family, unsigned insns) : random_(seed), length_(insns) {
        constexpr std::array kOther = {riscv::Extension::f, riscv::Extension::d, riscv::Extension::i};
        const riscv::Extension other_precision =
            family == CaseFamily::floating ? kOther[below(kOther.size())] : riscv::Extension::i;
        for (const InsnDesc& desc : riscv::kInsns) {
            unsigned weight =
                reason_not_in_random_cases(desc.id).empty() ? own_weight(desc) * emphasis(family, desc) : 0;
            // Most cases keep to one precision: a double is no single, and makes NaNs where it is taken for one.
            if (desc.extension == other_precision && other_precision != riscv::Extension::i) {
                weight /= 8;
            }
            total_weight_ += weight;
            weights_[static_cast<unsigned>(desc.id)] = weight;
        }
        result_.family = family;
        traps_ = chance(family == CaseFamily::system ? 90 : 30);
        captures_flags_ = chance(60);
    }

    RandomCase run() {
        choose_pointers();
        choose_state();
        while (sequence().size() < length_) {
            add_something();
        }
        sequence().settle();
        return std::move(result_);
    }

  private:
    Sequence& sequence() { return result_.sequence; }
    uint64_t below(uint64_t bound) { return random_.below(bound); }
    bool chance(unsigned percent) { return below(100) < percent; }

    // Registers that hold addresses within the scratch memory throughout.
    void choose_pointers() {
        if (chance(60)) {
            pointers_ |= bit(kSp);
        }
        pointers_ |= bit(static_cast<unsigned>(8 + below(8)));
        unsigned any;
        do {
            any = static_cast<unsigned>(1 + below(31));
        } while (any == kSp);  // sp, where it is none, is to be changed
        pointers_ |= bit(any);
    }

    void choose_state() {
        constexpr unsigned kFrmShift = 5;
        isa::Case& start = result_.start;
        start.mode = chance(40) ? isa::machine : below(isa::kCaseModes);
        start.scratch_seed = random_.next();
        start.fcsr = (chance(97) ? below(5) : 5 + below(3)) << kFrmShift | (chance(30) ? below(32) : 0);
        for (unsigned n = 1; n < 32; ++n) {
            const bool misaligned = chance(25);
            start.x[n] = (pointers_ & bit(n)) != 0 ? isa::kScratchMiddle + (misaligned ? below(16) : 0)
                                                   : random_integer(random_);
        }
        for (uint64_t& value : start.f) {
            value = random_fp(random_);
        }
    }

    unsigned any_pointer() {
        const unsigned skipped =
            static_cast<unsigned>(below(static_cast<unsigned>(std::popcount(pointers_))));
        uint32_t left = pointers_;
        for (unsigned i = 0; i < skipped; ++i) {
            left &= left - 1;
        }
        return static_cast<unsigned>(std::countr_zero(left));
    }

    // A register that may be overwritten and is not x0.
    unsigned free_register() {
        unsigned n;
        do {
            n = static_cast<unsigned>(1 + below(31));
        } while ((kept() & bit(n)) != 0);
        return n;
    }

    uint32_t kept() const { return pointers_ | held_; }

    const InsnDesc& any_row() {
        uint64_t left = below(total_weight_);
        for (const InsnDesc& desc : riscv::kInsns) {
            const unsigned weight = weights_[static_cast<unsigned>(desc.id)];
            if (left < weight) {
                return desc;
            }
            left -= weight;
        }
        return riscv::kInsns[0];
    }

    void add_something() {
        if (traps_ && chance(4)) {
            add_fault();
        } else if (depth_ == 0 && chance(3)) {
            add_loop();
        } else if (depth_ == 0 && chance(2)) {
            add_call();
        } else {
            add_row(any_row());
        }
    }

    void add_row(const InsnDesc& desc) {
        switch (semantic(desc).format) {
            case Format::branch:
            case Format::jal:
                add_branch(desc);
                break;
            case Format::jalr:
                add_indirect_jump(desc);
                break;
            case Format::cbo:
            case Format::load:
            case Format::store:
            case Format::fp_load:
            case Format::fp_store:
                draw(desc, [this](const Insn& insn) { return (pointers_ & bit(insn.rs1)) != 0; });
                break;
            case Format::lr:
                add_reservation(desc);
                break;
            case Format::amo:
                add_amo(desc);
                break;
            case Format::csr:
            case Format::csri:
                add_csr(desc);
                break;
            default:
                add_simple(desc);
        }
    }

    void add_simple(const InsnDesc& desc) {
        const std::optional<uint32_t> bits = find(desc, [](const Insn&) { return true; });
        if (!bits) {
            return;
        }
        if (has_operand(desc.format, 'S') && chance(35)) {
            add_fresh_operand(desc, decode(*bits).rs1);
        }
        const uint32_t begin = sequence().size();
        sequence().add(*bits);
        if (is_exact_rounding(desc.id)) {
            // The peer leaves it out, and what it raises, where its result is overwritten unread.
            sequence().add(fmv_x_d(free_register(), decode(*bits).rd));
            sequence().close_group(begin);
        }
        after_simple(desc);
    }

    static bool is_exact_rounding(InsnId id) {
        return id == InsnId::froundnx_h || id == InsnId::froundnx_s || id == InsnId::froundnx_d;
    }

    // NaNs and infinities spread: an operand is loaded now and then.
    void add_fresh_operand(const InsnDesc& desc, unsigned f) {
        const int32_t offset = static_cast<int32_t>(below(500) * 8) - 2000;
        const unsigned pointer = any_pointer();
        const int32_t misaligned = static_cast<int32_t>(result_.start.x[pointer] & 7);
        const char precision = operand_precision(desc);
        sequence().add(precision == 'd'   ? fld(f, pointer, offset - misaligned)
                       : precision == 'h' ? flh(f, pointer, offset - misaligned)
                                          : flw(f, pointer, offset - misaligned));
    }

    // Flags stick, and hide what later instructions raise: they are read, stored and cleared now and then.
    void after_simple(const InsnDesc& desc) {
        const bool floating = (riscv::families_of(desc) & riscv::kFamilyFloating) != 0;
        if (!floating || !captures_flags_ || !chance(25)) {
            return;
        }
        const unsigned n = free_register();
        const uint32_t begin = sequence().size();
        sequence().add(csrrwi(n, fflags, 0));
        sequence().add(sd(n, any_pointer(), static_cast<int32_t>(below(4000)) - 2000));
        sequence().close_group(begin);
    }

    // An encoding of the row that `accepts` and that writes none of the registers to be kept. Nothing where
    // hardly any is so.
    template <class Accepts>
    std::optional<uint32_t> find(const InsnDesc& desc, Accepts accepts) {
        constexpr unsigned kAttempts = 600;
        for (unsigned i = 0; i < kAttempts; ++i) {
            uint32_t bits = (static_cast<uint32_t>(random_.next()) & ~desc.mask) | desc.match;
            if (desc.size == 2) {
                bits &= 0xffff;
            }
            const Insn insn = decode(bits);
            if (insn.desc == &desc && (kept() & written_x(insn)) == 0 && accepts(insn)) {
                return bits;
            }
        }
        return std::nullopt;
    }

    template <class Accepts>
    bool draw(const InsnDesc& desc, Accepts accepts) {
        const std::optional<uint32_t> bits = find(desc, accepts);
        if (bits) {
            sequence().add(*bits);
        }
        return bits.has_value();
    }

    uint32_t target_ahead() {
        return sequence().size() + static_cast<uint32_t>(1 + below(chance(10) ? 30 : 6));
    }

    void add_branch(const InsnDesc& desc) {
        const std::optional<uint32_t> bits = find(desc, [](const Insn&) { return true; });
        if (!bits) {
            return;
        }
        SequenceInsn insn;
        insn.bits = *bits;
        insn.size = desc.size;
        insn.target = target_ahead();
        insn.fixup = desc.format == Format::branch      ? Fixup::branch
                     : desc.format == Format::jal       ? Fixup::jump
                     : desc.format == Format::cb_branch ? Fixup::compressed_branch
                                                        : Fixup::compressed_jump;
        add_jump(insn);
    }

    // And what lies between it and its target.
    void add_jump(SequenceInsn insn) {
        const uint32_t begin = sequence().size();
        sequence().add(insn);
        const uint32_t end = insn.target;
        ++depth_;
        while (sequence().size() < end) {
            add_something();
        }
        --depth_;
        sequence()[begin].target = end;
    }

    // auipc, perhaps addi, and the jump through the register.
    void add_indirect_jump(const InsnDesc& desc) {
        const std::optional<uint32_t> bits = find(desc, [](const Insn&) { return true; });
        if (!bits) {
            return;
        }
        const uint32_t begin = sequence().size();
        const unsigned address = free_register();
        const uint32_t target = begin + 3 + static_cast<uint32_t>(below(5));
        SequenceInsn low;
        low.fixup = Fixup::low_part;
        low.target = target;
        low.base = 1;
        low.extra = chance(20) ? 1 : 0;
        sequence().add(auipc(address));
        if (desc.size == 2) {
            low.bits = addi(address, address, 0);
            sequence().add(low);
            sequence().add(with_rd(desc.match, address));  // where these formats have rs1
        } else {
            low.bits = with_rs1(*bits, address);
            sequence().add(low);
        }
        sequence().close_group(begin);
        ++depth_;
        while (sequence().size() < target) {
            add_something();
        }
        --depth_;
    }

    // Puts an address within the scratch memory into a register. Aligned to 16, to 8, or at times to nothing.
    unsigned add_address(unsigned misaligned_percent) {
        const unsigned address = free_register();
        const unsigned pointer = any_pointer();
        int32_t offset = static_cast<int32_t>(below(250) * 16) - 2000;
        offset -= static_cast<int32_t>(result_.start.x[pointer] & 15);
        if (chance(misaligned_percent)) {
            offset += static_cast<int32_t>(below(8));
        }
        sequence().add(addi(address, pointer, offset));
        return address;
    }

    void add_amo(const InsnDesc& desc) {
        const bool is_sc = desc.id == InsnId::sc_w || desc.id == InsnId::sc_d;
        // After a compare-and-swap to x0 the peer takes what it found for zero, up to the next jump; isa-corners has them alone.
        const bool compares = is_compare_and_swap(desc.id);
        const std::optional<uint32_t> bits =
            find(desc, [compares](const Insn& insn) { return !compares || insn.rd != 0; });
        if (!bits) {
            return;
        }
        // The peer does not look at the alignment of an SC that fails for want of a reservation.
        const uint32_t begin = sequence().size();
        const unsigned address = add_address(traps_ && !is_sc ? 10 : 0);
        if (compares) {
            add_expected(*bits, address);
        }
        sequence().add(with_rs1(*bits, address));
        sequence().close_group(begin);
    }

    static bool is_compare_and_swap(InsnId id) { return id >= InsnId::amocas_b && id <= InsnId::amocas_q; }

    // Half of the time what is in memory is what is expected there; of a pair at times the half of it.
    void add_expected(uint32_t bits, unsigned address) {
        const unsigned rd = decode(bits).rd;
        if (rd != address && rd != 0 && chance(50)) {
            sequence().add(ld(rd, address, 0));
        }
        if (decode(bits).desc->id == InsnId::amocas_q && rd != 0 && rd + 1 != address && rd != address &&
            chance(70)) {
            sequence().add(ld(rd + 1, address, 8));
        }
    }

    // LR and SC of the same size, since an SC of another is the machine's choice. Every LR has its SC, so that
    // none is left over for an SC elsewhere.
    void add_reservation(const InsnDesc& desc) {
        const InsnDesc& store = insn_desc(desc.id == InsnId::lr_w ? InsnId::sc_w : InsnId::sc_d);
        const auto any = [](const Insn&) { return true; };
        const uint32_t begin = sequence().size();
        const uint32_t held_before = held_;
        unsigned address = add_address(0);
        held_ |= bit(address);
        const std::optional<uint32_t> lr = find(desc, any);
        const std::optional<uint32_t> sc = find(store, any);
        if (lr && sc) {
            sequence().add(with_rs1(*lr, address));
            for (uint64_t left = below(4); left != 0; --left) {
                add_between_reservation(address);
            }
            if (chance(20)) {
                address = add_address(0);
            }
            sequence().add(with_rs1(*sc, address));
        }
        held_ = held_before;
        sequence().close_group(begin);
    }

    // Computations; stores to the reserved place or elsewhere; traps, which end the reservation.
    void add_between_reservation(unsigned address) {
        if (chance(15)) {
            sequence().add(sd(static_cast<unsigned>(below(32)), address, chance(50) ? 0 : 64));
        } else if (traps_ && chance(15)) {
            sequence().add(0x00000073);  // ecall
        } else {
            draw(insn_desc(InsnId::addi), [](const Insn&) { return true; });
        }
    }

    void add_csr(const InsnDesc& desc) {
        constexpr std::array kUsual = {fflags, frm, fcsr, fflags, fcsr, sscratch};
        constexpr std::array kFaulting = {mhartid, absent};
        const uint32_t csr =
            traps_ && chance(10) ? kFaulting[below(kFaulting.size())] : kUsual[below(kUsual.size())];
        const std::optional<uint32_t> bits = find(desc, [](const Insn&) { return true; });
        if (!bits) {
            return;
        }
        const uint32_t begin = sequence().size();
        sequence().add((*bits & ~kImmediateIBits) | csr << 20);
        // With a reserved rounding mode most of what follows would trap.
        if ((csr == frm || csr == fcsr) && chance(95)) {
            sequence().add(csrrwi(0, frm, static_cast<uint32_t>(below(5))));
        }
        sequence().close_group(begin);
    }

    // A few times around.
    void add_loop() {
        const uint32_t begin = sequence().size();
        const unsigned counter = free_register();
        const uint32_t held_before = held_;
        sequence().add(addi(counter, 0, static_cast<int32_t>(2 + below(4))));
        const uint32_t body = sequence().size();
        held_ |= bit(counter);
        ++depth_;
        for (uint64_t left = 1 + below(6); left != 0; --left) {
            add_something();
        }
        --depth_;
        held_ = held_before;
        sequence().add(addi(counter, counter, -1));
        SequenceInsn back;
        back.bits = bne(counter, 0);
        back.fixup = Fixup::branch;
        back.target = body;
        sequence().add(back);
        sequence().close_group(begin);
    }

    // A call of a routine behind the code, and the return from it.
    void add_call() {
        const uint32_t begin = sequence().size();
        unsigned link = chance(50) ? kLink : 5;
        if ((kept() & bit(link)) != 0) {
            link = free_register();
        }
        const uint32_t held_before = held_;
        SequenceInsn call;
        call.bits = jal(link);
        call.fixup = Fixup::jump;
        sequence().add(call);
        ++depth_;
        add_something();
        const uint32_t skip = sequence().size();
        SequenceInsn over;
        over.bits = jal(0);
        over.fixup = Fixup::jump;
        sequence().add(over);
        sequence()[begin].target = sequence().size();
        held_ |= bit(link);
        for (uint64_t left = 1 + below(4); left != 0; --left) {
            add_something();
        }
        held_ = held_before;
        --depth_;
        sequence().add(jalr(0, link, 0));
        sequence()[skip].target = sequence().size();
        sequence().close_group(begin);
    }

    void add_fault() {
        switch (below(4)) {
            case 0:
                sequence().add(not_an_instruction());
                break;
            case 1:
                add_row(insn_desc(chance(30)   ? InsnId::c_ebreak
                                  : chance(50) ? InsnId::ecall
                                               : InsnId::ebreak));
                break;
            default:
                add_bad_access();
        }
    }

    // An instruction with one wrong bit, if that is none; or bits of any kind.
    uint32_t not_an_instruction() {
        while (true) {
            const InsnDesc& desc = riscv::kInsns[below(riscv::kInsnCount)];
            uint32_t bits = (static_cast<uint32_t>(random_.next()) & ~desc.mask) | desc.match;
            bits ^= chance(80) ? bit(static_cast<unsigned>(below(desc.size * 8)))
                               : static_cast<uint32_t>(random_.next());
            const Insn insn = decode(bits);
            if (insn.desc == nullptr) {
                return insn.bits;
            }
        }
    }

    // Beyond the end of RAM: an access fault in each mode. Where there are pages, also a non-canonical address.
    void add_bad_access() {
        constexpr std::array kRows = {InsnId::lb,        InsnId::lw,  InsnId::ld,  InsnId::sh,
                                      InsnId::sd,        InsnId::flw, InsnId::fsd, InsnId::amoadd_w,
                                      InsnId::amoswap_d, InsnId::lr_w};
        const bool paged = result_.start.mode == isa::supervisor_sv39 || result_.start.mode == isa::user_sv39;
        const InsnDesc& desc = insn_desc(kRows[below(kRows.size())]);
        const std::optional<uint32_t> bits = find(desc, [](const Insn&) { return true; });
        const unsigned address = free_register();
        if (!bits) {
            return;
        }
        const uint32_t begin = sequence().size();
        if (paged && chance(50)) {
            sequence().add(addi(address, 0, chance(50) ? -1 : 1));
            sequence().add(slli(address, address, static_cast<unsigned>(36 + below(28))));
        } else {
            sequence().add(addi(address, 0, 5));
            sequence().add(slli(address, address, 29));  // 0xa0000000
        }
        sequence().add(with_rs1(*bits, address));
        sequence().close_group(begin);
    }

    test::Random random_;
    unsigned length_;
    std::array<unsigned, riscv::kInsnCount> weights_{};
    uint64_t total_weight_ = 0;
    bool traps_ = false;
    bool captures_flags_ = false;
    uint32_t pointers_ = 0;  // registers, as a mask
    uint32_t held_ = 0;      // further ones not to be overwritten just now
    unsigned depth_ = 0;     // of what is nested
    RandomCase result_;
};

}  // namespace

std::string_view case_family_name(CaseFamily family) {
    constexpr std::array<std::string_view, kCaseFamilies> kNames = {
        "integer", "floating", "memory", "atomic", "compressed", "system", "mixed"};
    return kNames[static_cast<unsigned>(family)];
}

std::string RandomCase::bytes(uint32_t kept) const {
    const std::string code = sequence.code(kept);
    isa::Case header = start;
    header.code_size = code.size();
    header.size = (sizeof header + code.size() + 7) & ~uint64_t{7};
    std::string bytes;
    append(&bytes, header);
    bytes += code;
    bytes.resize(header.size);
    return bytes;
}

std::string RandomCase::describe() const {
    constexpr std::array kModes = {"M", "S", "S with Sv39", "U", "U with Sv39"};
    std::string text = fmt::format("{} case in {} mode, fcsr {:#x}\n", case_family_name(family),
                                   kModes[start.mode], start.fcsr);
    const std::string code = sequence.code(sequence.size());
    uint32_t offset = 0;
    for (uint32_t i = 0; i < sequence.size(); ++i) {
        uint32_t bits = 0;
        std::memcpy(&bits, code.data() + offset, sequence[i].size);
        text += fmt::format("  {:3} {:#06x}: {:0{}x} {}\n", i, offset, bits, sequence[i].size * 2,
                            riscv::format_insn(decode(bits), offset));
        offset += sequence[i].size;
    }
    return text;
}

RandomCase make_random_case(uint64_t seed, CaseFamily family, unsigned insns, riscv::InsnCoverage* coverage) {
    RandomCase result = Generator(seed, family, insns).run();
    for (uint32_t i = 0; coverage != nullptr && i < result.sequence.size(); ++i) {
        const Insn insn = decode(result.sequence[i].bits);
        if (insn.desc != nullptr) {
            coverage->add(insn.desc->id);
        }
    }
    return result;
}

std::string_view reason_not_in_random_cases(InsnId id) {
    switch (id) {
        case InsnId::wfi:
            return "sleeps where no interrupt is enabled; isa-system has it";
        case InsnId::mret:
        case InsnId::sret:
            return "goes where a CSR says; isa-system has it";
        default:
            return {};
    }
}

}  // namespace weft::isa_test
