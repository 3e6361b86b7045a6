#include "emulator/guest/riscv/cpu/csr.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <iterator>

#include "emulator/guest/riscv/cpu/csr_bits.h"
#include "emulator/guest/riscv/cpu/csr_fields.h"

namespace weft::riscv {
namespace {

constexpr uint64_t kAll = ~uint64_t{0};
constexpr uint64_t kAll32 = 0xffff'ffff;
// 3.1.14 and 4.1.7: instructions are aligned to two bytes, or without 16-bit ones to four.
constexpr uint64_t kEpcWritable = ~uint64_t{1};
constexpr uint64_t kWordEpcWritable = ~uint64_t{3};
// 3.1.8: exceptions that cannot occur below M mode are not delegated: with C no instruction is misaligned (bit 0), and an
// ECALL from M mode (bit 11) is M mode's.
constexpr uint64_t kMedelegWritable = 0xb3fe;
constexpr uint64_t kMisalignedInsns = 1;

// 3.1.7 and 4.1.2: modes 2 and 3 are reserved.
template <uint64_t State::* kField>
void write_tvec(State& state, unsigned, uint64_t value, uint64_t) {
    if ((value & 3) < 2) {
        state.*kField = value;
    }
}

uint64_t read_zero(const State&, unsigned) { return 0; }

using Read = uint64_t (*)(const State&, unsigned);
using Write = void (*)(State&, unsigned, uint64_t, uint64_t);
using Allowed = bool (*)(const State&, unsigned);

constexpr CsrDesc range(Extension extension, unsigned first, unsigned last, Read read, Write write = nullptr,
                        uint64_t writable = 0, Allowed allowed = nullptr) {
    return {
        extension, static_cast<uint16_t>(first), static_cast<uint16_t>(last), nullptr, read, write, writable,
        allowed};
}

constexpr CsrDesc one(Extension extension, unsigned number, Read read, Write write = nullptr,
                      uint64_t writable = 0, Allowed allowed = nullptr) {
    return range(extension, number, number, read, write, writable, allowed);
}

constexpr CsrDesc needing_write(CsrDesc csr) {
    csr.needs_write = true;
    return csr;
}

// A register that is a field of the state, and unless it has a function of its own for writes, no more.
constexpr CsrDesc field(Extension extension, unsigned number, uint64_t State::* word, uint64_t writable,
                        Write write = nullptr, Allowed allowed = nullptr) {
    return {extension,
            static_cast<uint16_t>(number),
            static_cast<uint16_t>(number),
            word,
            nullptr,
            write,
            writable,
            allowed};
}

// The lowest mode that may access a register and whether it can be written follow from its number (2.1).
// pmpcfg1 and the other odd ones belong to RV32. Trigger, hypervisor and AIA registers are not there:
// accesses to them are illegal. The first column is the extension that a register exists with.
constexpr CsrDesc kTable[] = {
    one(Extension::f, kCsrFflags, read_fp, write_fp, 0x1f, fp_enabled),
    one(Extension::f, kCsrFrm, read_fp, write_fp, 0x7, fp_enabled),
    one(Extension::f, kCsrFcsr, read_fp, write_fp, 0xff, fp_enabled),

    needing_write(one(Extension::zkr, kCsrSeed, read_seed, nullptr, 0, seed_allowed)),

    one(Extension::s, kCsrSstatus, read_sstatus, write_sstatus, kSstatusWritable),
    one(Extension::s, kCsrSie, read_sie, write_sie, kIntSupervisor),
    field(Extension::s, kCsrStvec, &State::stvec, kAll, write_tvec<&State::stvec>),
    field(Extension::s, kCsrScounteren, &State::scounteren, kAll32),
    field(Extension::s, kCsrSenvcfg, &State::senvcfg, kSenvcfgWritable, write_senvcfg, senvcfg_allowed),
    range(Extension::ssstateen, kCsrSstateen0, kCsrSstateen3, read_zero, nullptr, 0, sstateen_allowed),
    field(Extension::s, kCsrSscratch, &State::sscratch, kAll),
    field(Extension::s, kCsrSepc, &State::sepc, kEpcWritable),
    field(Extension::s, kCsrScause, &State::scause, kAll),
    field(Extension::s, kCsrStval, &State::stval, kAll),
    one(Extension::s, kCsrSip, read_sip, write_sip, kIntSsi | kIntLcofi),
    field(Extension::sstc, kCsrStimecmp, &State::stimecmp, kAll, write_stimecmp, stimecmp_allowed),
    field(Extension::s, kCsrSatp, &State::satp, kAll, write_satp, satp_allowed),

    one(Extension::priv, kCsrMstatus, read_mstatus, write_mstatus, kMstatusWritable),
    one(Extension::priv, kCsrMisa, read_misa),
    field(Extension::s, kCsrMedeleg, &State::medeleg, kMedelegWritable),
    field(Extension::s, kCsrMideleg, &State::mideleg, kIntSupervisor, write_mideleg),
    field(Extension::priv, kCsrMie, &State::mie, kIntAll, write_mie),
    field(Extension::priv, kCsrMtvec, &State::mtvec, kAll, write_tvec<&State::mtvec>),
    field(Extension::u, kCsrMcounteren, &State::mcounteren, kAll32),
    field(Extension::u, kCsrMenvcfg, &State::menvcfg, kMenvcfgWritable, write_menvcfg),
    range(Extension::smstateen, kCsrMstateen0, kCsrMstateen3, read_mstateen, write_mstateen,
          kMstateenWritable),
    field(Extension::priv, kCsrMcountinhibit, &State::mcountinhibit, kAll32, write_mcountinhibit),
    one(Extension::smcntrpmf, kCsrMcyclecfg, read_event, write_event, kEventInhibitions),
    one(Extension::smcntrpmf, kCsrMinstretcfg, read_event, write_event, kEventInhibitions),
    range(Extension::priv, kCsrMhpmevent3, kCsrMhpmevent31, read_event, write_event,
          kEventOf | kEventInhibitions | kEventNumber),
    field(Extension::priv, kCsrMscratch, &State::mscratch, kAll),
    field(Extension::priv, kCsrMepc, &State::mepc, kEpcWritable),
    field(Extension::priv, kCsrMcause, &State::mcause, kAll),
    field(Extension::priv, kCsrMtval, &State::mtval, kAll),
    one(Extension::priv, kCsrMip, read_mip, write_mip, kIntSupervisor),
    field(Extension::mtval2, kCsrMtval2, &State::mtval2, kAll),
    one(Extension::pmp, kCsrPmpcfg0, read_pmpcfg, write_pmpcfg, kAll),
    one(Extension::pmp, kCsrPmpcfg2, read_pmpcfg, write_pmpcfg, kAll),
    // 3.7.1: entries beyond the 16 are read-only zero.
    one(Extension::pmp, kCsrPmpcfg0 + 4, read_zero),
    one(Extension::pmp, kCsrPmpcfg0 + 6, read_zero),
    one(Extension::pmp, kCsrPmpcfg0 + 8, read_zero),
    one(Extension::pmp, kCsrPmpcfg0 + 10, read_zero),
    one(Extension::pmp, kCsrPmpcfg0 + 12, read_zero),
    one(Extension::pmp, kCsrPmpcfg14, read_zero),
    range(Extension::pmp, kCsrPmpaddr0, kCsrPmpaddr15, read_pmpaddr, write_pmpaddr, kPmpAddrMask),
    range(Extension::pmp, kCsrPmpaddr15 + 1, kCsrPmpaddr63, read_zero),

    field(Extension::mseccfg, kCsrMseccfg, &State::mseccfg, kMseccfgWritable, write_mseccfg),

    one(Extension::priv, kCsrMcycle, read_counter, write_counter, kAll),
    one(Extension::priv, kCsrMinstret, read_counter, write_counter, kAll),
    range(Extension::priv, kCsrMhpmcounter3, kCsrMhpmcounter31, read_counter, write_counter, kAll),
    one(Extension::zicntr, kCsrCycle, read_counter, nullptr, 0, counter_allowed),
    one(Extension::zicntr, kCsrTime, read_time, nullptr, 0, counter_allowed),
    one(Extension::zicntr, kCsrInstret, read_counter, nullptr, 0, counter_allowed),
    range(Extension::zihpm, kCsrHpmcounter3, kCsrHpmcounter31, read_counter, nullptr, 0, counter_allowed),
    one(Extension::sscofpmf, kCsrScountovf, read_scountovf),
    one(Extension::priv, kCsrMvendorid, read_zero),
    one(Extension::priv, kCsrMarchid, read_zero),
    one(Extension::priv, kCsrMimpid, read_zero),
    field(Extension::priv, kCsrMhartid, &State::mhartid, 0),
    one(Extension::priv, kCsrMconfigptr, read_zero),
};

// The rows of models without 16-bit instructions, in place of those above.
constexpr CsrDesc kWordAlignedTable[] = {
    field(Extension::s, kCsrSepc, &State::sepc, kWordEpcWritable),
    field(Extension::s, kCsrMedeleg, &State::medeleg, kMedelegWritable | kMisalignedInsns),
    field(Extension::priv, kCsrMepc, &State::mepc, kWordEpcWritable),
};

constexpr unsigned kCsrNumbers = 4096;
constexpr uint8_t kNoRow = 0xff;
static_assert(std::size(kTable) < kNoRow);

// Row by number.
constexpr std::array<uint8_t, kCsrNumbers> kRows = [] {
    std::array<uint8_t, kCsrNumbers> rows{};
    rows.fill(kNoRow);
    for (unsigned row = 0; row < std::size(kTable); ++row) {
        for (unsigned number = kTable[row].first; number <= kTable[row].last; ++number) {
            rows[number] = static_cast<uint8_t>(row);
        }
    }
    return rows;
}();

constexpr bool table_ascends() {
    for (unsigned row = 1; row < std::size(kTable); ++row) {
        if (kTable[row].first <= kTable[row - 1].last) {
            return false;
        }
    }
    return true;
}
static_assert(table_ascends(), "a number has one row");

uint64_t read_csr(const State& state, const CsrDesc& csr, unsigned number) {
    return csr.word != nullptr ? state.*csr.word : csr.read(state, number);
}

constexpr unsigned lowest_priv(unsigned number) { return number >> 8 & 3; }
constexpr bool is_read_only(unsigned number) { return number >> 10 == 3; }

void write_csr(State& state, const CsrDesc& csr, unsigned number, uint64_t old, uint64_t value,
               uint64_t mask) {
    const uint64_t merged = (old & ~csr.writable) | (value & csr.writable);
    if (csr.write != nullptr) {
        csr.write(state, number, merged, mask & csr.writable);
    } else if (csr.word != nullptr) {
        state.*csr.word = merged;
    }
}

}  // namespace

const CsrDesc* find_csr(unsigned number, const ExtensionSet& extensions) {
    const uint8_t row = number < kCsrNumbers ? kRows[number] : kNoRow;
    if (!extensions.has(Extension::zca)) [[unlikely]] {
        const auto* const other = std::ranges::find(kWordAlignedTable, number, &CsrDesc::first);
        if (other != std::end(kWordAlignedTable) && extensions.has(other->extension)) {
            return other;
        }
    }
    return row == kNoRow || !extensions.has(kTable[row].extension) ? nullptr : &kTable[row];
}

bool csr_reachable(unsigned number, Priv priv, bool writes) {
    return static_cast<unsigned>(priv) >= lowest_priv(number) && !(writes && is_read_only(number));
}

// Itanium C++ ABI, 2.3.1: a pointer to a data member is its offset.
int32_t csr_word_offset(const CsrDesc& csr) {
    static_assert(sizeof(csr.word) == sizeof(ptrdiff_t));
    return static_cast<int32_t>(std::bit_cast<ptrdiff_t>(csr.word));
}

bool csr_access(State& state, unsigned number, uint64_t operand, CsrOp op, uint64_t* old) {
    const CsrDesc* csr = find_csr(number, state.model->extensions);
    if (csr == nullptr || !csr_reachable(number, state.priv, op != CsrOp::read) ||
        (csr->allowed != nullptr && !csr->allowed(state, number)) ||
        (csr->needs_write && op == CsrOp::read)) {
        return false;
    }
    *old = read_csr(state, *csr, number);
    switch (op) {
        case CsrOp::read:
            break;
        case CsrOp::write:
        case CsrOp::read_write:
            write_csr(state, *csr, number, *old, operand, kAll);
            break;
        case CsrOp::set:
            write_csr(state, *csr, number, *old, *old | operand, operand);
            break;
        case CsrOp::clear:
            write_csr(state, *csr, number, *old, *old & ~operand, operand);
            break;
    }
    return true;
}

std::optional<uint64_t> csr_peek(const State& state, unsigned number) {
    const CsrDesc* csr = find_csr(number, state.model->extensions);
    return csr == nullptr ? std::nullopt : std::optional(read_csr(state, *csr, number));
}

bool csr_poke(State& state, unsigned number, uint64_t value) {
    const CsrDesc* csr = find_csr(number, state.model->extensions);
    if (csr == nullptr || csr->writable == 0) {
        return false;
    }
    write_csr(state, *csr, number, read_csr(state, *csr, number), value, kAll);
    return true;
}

}  // namespace weft::riscv
