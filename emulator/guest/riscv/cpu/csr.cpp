#include "emulator/guest/riscv/cpu/csr.h"

#include <array>
#include <iterator>

#include "emulator/guest/riscv/cpu/csr_bits.h"
#include "emulator/guest/riscv/cpu/csr_fields.h"
#include "emulator/guest/riscv/isa/cpu_model.h"

namespace weft::riscv {
namespace {

constexpr uint64_t kAll = ~uint64_t{0};
constexpr uint64_t kAll32 = 0xffff'ffff;
// 3.1.14 and 4.1.7: instructions are aligned to two bytes.
constexpr uint64_t kEpcWritable = ~uint64_t{1};
// 3.1.8: exceptions that cannot occur below M mode are not delegated: with C no instruction is misaligned (bit 0), and an
// ECALL from M mode (bit 11) is M mode's.
constexpr uint64_t kMedelegWritable = 0xb3fe;

template <uint64_t State::* kField>
uint64_t read_field(const State& state, unsigned) {
    return state.*kField;
}

template <uint64_t State::* kField>
void write_field(State& state, unsigned, uint64_t value, uint64_t) {
    state.*kField = value;
}

// 3.1.7 and 4.1.2: modes 2 and 3 are reserved.
template <uint64_t State::* kField>
void write_tvec(State& state, unsigned, uint64_t value, uint64_t) {
    if ((value & 3) < 2) {
        state.*kField = value;
    }
}

uint64_t read_zero(const State&, unsigned) { return 0; }

constexpr CsrDesc one(Extension extension, unsigned number, uint64_t (*read)(const State&, unsigned),
                      void (*write)(State&, unsigned, uint64_t, uint64_t) = nullptr, uint64_t writable = 0,
                      bool (*allowed)(const State&, unsigned) = nullptr) {
    return {extension, static_cast<uint16_t>(number), static_cast<uint16_t>(number), read, write, writable,
            allowed};
}

constexpr CsrDesc range(Extension extension, unsigned first, unsigned last,
                        uint64_t (*read)(const State&, unsigned),
                        void (*write)(State&, unsigned, uint64_t, uint64_t) = nullptr, uint64_t writable = 0,
                        bool (*allowed)(const State&, unsigned) = nullptr) {
    return {extension, static_cast<uint16_t>(first), static_cast<uint16_t>(last), read, write, writable,
            allowed};
}

// A register that is a field of the state and no more.
template <uint64_t State::* kField>
constexpr CsrDesc field(Extension extension, unsigned number, uint64_t writable) {
    return one(extension, number, read_field<kField>, write_field<kField>, writable);
}

// The lowest mode that may access a register and whether it can be written follow from its number (2.1).
// pmpcfg1 and the other odd ones belong to RV32. Trigger, hypervisor and AIA registers are not there:
// accesses to them are illegal. The first column is the extension that a register exists with.
constexpr CsrDesc kTable[] = {
    one(Extension::f, kCsrFflags, read_fp, write_fp, 0x1f, fp_enabled),
    one(Extension::f, kCsrFrm, read_fp, write_fp, 0x7, fp_enabled),
    one(Extension::f, kCsrFcsr, read_fp, write_fp, 0xff, fp_enabled),

    one(Extension::s, kCsrSstatus, read_sstatus, write_sstatus, kSstatusWritable),
    one(Extension::s, kCsrSie, read_sie, write_sie, kIntSupervisor),
    one(Extension::s, kCsrStvec, read_field<&State::stvec>, write_tvec<&State::stvec>, kAll),
    field<&State::scounteren>(Extension::s, kCsrScounteren, kAll32),
    field<&State::senvcfg>(Extension::s, kCsrSenvcfg, kEnvcfgFiom),
    field<&State::sscratch>(Extension::s, kCsrSscratch, kAll),
    field<&State::sepc>(Extension::s, kCsrSepc, kEpcWritable),
    field<&State::scause>(Extension::s, kCsrScause, kAll),
    field<&State::stval>(Extension::s, kCsrStval, kAll),
    one(Extension::s, kCsrSip, read_sip, write_sip, kIntSsi),
    one(Extension::sstc, kCsrStimecmp, read_field<&State::stimecmp>, write_stimecmp, kAll, stimecmp_allowed),
    one(Extension::s, kCsrSatp, read_field<&State::satp>, write_satp, kAll, satp_allowed),

    one(Extension::priv, kCsrMstatus, read_mstatus, write_mstatus, kMstatusWritable),
    one(Extension::priv, kCsrMisa, read_misa),
    field<&State::medeleg>(Extension::s, kCsrMedeleg, kMedelegWritable),
    one(Extension::s, kCsrMideleg, read_field<&State::mideleg>, write_mideleg, kIntSupervisor),
    one(Extension::priv, kCsrMie, read_field<&State::mie>, write_mie, kIntAll),
    one(Extension::priv, kCsrMtvec, read_field<&State::mtvec>, write_tvec<&State::mtvec>, kAll),
    field<&State::mcounteren>(Extension::u, kCsrMcounteren, kAll32),
    one(Extension::u, kCsrMenvcfg, read_field<&State::menvcfg>, write_menvcfg, kEnvcfgFiom | kEnvcfgStce),
    one(Extension::priv, kCsrMcountinhibit, read_field<&State::mcountinhibit>, write_mcountinhibit,
        kCounterCy | kCounterIr),
    range(Extension::priv, kCsrMhpmevent3, kCsrMhpmevent31, read_zero),
    field<&State::mscratch>(Extension::priv, kCsrMscratch, kAll),
    field<&State::mepc>(Extension::priv, kCsrMepc, kEpcWritable),
    field<&State::mcause>(Extension::priv, kCsrMcause, kAll),
    field<&State::mtval>(Extension::priv, kCsrMtval, kAll),
    one(Extension::priv, kCsrMip, read_mip, write_mip, kIntSupervisor),
    one(Extension::priv, kCsrPmpcfg0, read_pmpcfg, write_pmpcfg, kAll),
    one(Extension::priv, kCsrPmpcfg2, read_pmpcfg, write_pmpcfg, kAll),
    // 3.7.1: entries beyond the 16 are read-only zero.
    one(Extension::priv, kCsrPmpcfg0 + 4, read_zero),
    one(Extension::priv, kCsrPmpcfg0 + 6, read_zero),
    one(Extension::priv, kCsrPmpcfg0 + 8, read_zero),
    one(Extension::priv, kCsrPmpcfg0 + 10, read_zero),
    one(Extension::priv, kCsrPmpcfg0 + 12, read_zero),
    one(Extension::priv, kCsrPmpcfg14, read_zero),
    range(Extension::priv, kCsrPmpaddr0, kCsrPmpaddr15, read_pmpaddr, write_pmpaddr, kPmpAddrMask),
    range(Extension::priv, kCsrPmpaddr15 + 1, kCsrPmpaddr63, read_zero),

    one(Extension::priv, kCsrMcycle, read_cycle, write_cycle, kAll),
    one(Extension::priv, kCsrMinstret, read_instret, write_instret, kAll),
    range(Extension::priv, kCsrMhpmcounter3, kCsrMhpmcounter31, read_zero),
    one(Extension::zicntr, kCsrCycle, read_cycle, nullptr, 0, counter_allowed),
    one(Extension::zicntr, kCsrTime, read_time, nullptr, 0, counter_allowed),
    one(Extension::zicntr, kCsrInstret, read_instret, nullptr, 0, counter_allowed),
    range(Extension::priv, kCsrHpmcounter3, kCsrHpmcounter31, read_zero, nullptr, 0, counter_allowed),
    one(Extension::priv, kCsrMvendorid, read_zero),
    one(Extension::priv, kCsrMarchid, read_zero),
    one(Extension::priv, kCsrMimpid, read_zero),
    field<&State::mhartid>(Extension::priv, kCsrMhartid, 0),
    one(Extension::priv, kCsrMconfigptr, read_zero),
};

constexpr unsigned kCsrNumbers = 4096;
constexpr uint8_t kNoRow = 0xff;
static_assert(std::size(kTable) < kNoRow);

// Row by number, of the registers that the CPU model has.
constexpr std::array<uint8_t, kCsrNumbers> kRows = [] {
    std::array<uint8_t, kCsrNumbers> rows{};
    rows.fill(kNoRow);
    for (unsigned row = 0; row < std::size(kTable); ++row) {
        if (!kRv64.extensions.has(kTable[row].extension)) {
            continue;
        }
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

constexpr unsigned lowest_priv(unsigned number) { return number >> 8 & 3; }
constexpr bool is_read_only(unsigned number) { return number >> 10 == 3; }

void write_csr(State& state, const CsrDesc& csr, unsigned number, uint64_t old, uint64_t value,
               uint64_t mask) {
    if (csr.write != nullptr) {
        csr.write(state, number, (old & ~csr.writable) | (value & csr.writable), mask & csr.writable);
    }
}

}  // namespace

const CsrDesc* find_csr(unsigned number) {
    const uint8_t row = number < kCsrNumbers ? kRows[number] : kNoRow;
    return row == kNoRow ? nullptr : &kTable[row];
}

bool csr_access(State& state, unsigned number, uint64_t operand, CsrOp op, uint64_t* old) {
    const CsrDesc* csr = find_csr(number);
    if (csr == nullptr || static_cast<unsigned>(state.priv) < lowest_priv(number) ||
        (op != CsrOp::read && is_read_only(number)) ||
        (csr->allowed != nullptr && !csr->allowed(state, number))) {
        return false;
    }
    *old = csr->read(state, number);
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
    const CsrDesc* csr = find_csr(number);
    return csr == nullptr ? std::nullopt : std::optional(csr->read(state, number));
}

bool csr_poke(State& state, unsigned number, uint64_t value) {
    const CsrDesc* csr = find_csr(number);
    if (csr == nullptr || csr->write == nullptr || csr->writable == 0) {
        return false;
    }
    write_csr(state, *csr, number, csr->read(state, number), value, kAll);
    return true;
}

}  // namespace weft::riscv
