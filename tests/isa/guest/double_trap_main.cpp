// Double traps (Ssdbltrp, Smdbltrp): what the bits that say a trap is being dealt with keep, do to interrupt enables and become at traps
// and returns, and what becomes of a trap too many in S mode. One in M mode stops the hart, which tests/directed looks at.
#include "probe.h"

namespace {

using namespace guest;

constexpr uint64_t kCode = kData;             // code that is put together here
constexpr uint64_t kHandler = kData + 0x400;  // of S mode
constexpr uint64_t kAll = ~uint64_t{0};

constexpr uint64_t kSdt = uint64_t{1} << 24;
constexpr uint64_t kMdt = uint64_t{1} << 42;
constexpr uint64_t kDte = uint64_t{1} << 59;
constexpr uint64_t kSsi = 1 << 1;
constexpr uint64_t kMsi = 1 << 3;

constexpr unsigned kSstatus = 0x100;
constexpr unsigned kStvec = 0x105;
constexpr unsigned kSepc = 0x141;
constexpr unsigned kMstatus = 0x300;
constexpr unsigned kMenvcfg = 0x30a;
constexpr unsigned kMtval2 = 0x34b;

constexpr uint32_t csr_insn(uint32_t kind, uint32_t rd, uint32_t csr, uint32_t rs1) {
    return csr << 20 | rs1 << 15 | kind << 12 | rd << 7 | 0x73;
}
constexpr uint32_t csrrw(uint32_t rd, uint32_t csr, uint32_t rs1) { return csr_insn(1, rd, csr, rs1); }
constexpr uint32_t csrrs(uint32_t rd, uint32_t csr, uint32_t rs1) { return csr_insn(2, rd, csr, rs1); }
constexpr uint32_t csrrc(uint32_t rd, uint32_t csr, uint32_t rs1) { return csr_insn(3, rd, csr, rs1); }
constexpr uint32_t csrrsi(uint32_t rd, uint32_t csr, uint32_t bits) { return csr_insn(6, rd, csr, bits); }
constexpr uint32_t kEcall = 0x00000073;
constexpr uint32_t kEbreak = 0x00100073;
constexpr uint32_t kSret = 0x10200073;
constexpr uint32_t kIllegal = 0xffffffff;
constexpr uint32_t kLoadA4 = 0x00073683;  // ld a3, 0(a4)

// Up to 16 instructions; an ECALL follows.
void put(uint64_t where, const uint32_t* insns, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        *reinterpret_cast<volatile uint32_t*>(where + 4 * i) = insns[i];
    }
    *reinterpret_cast<volatile uint32_t*>(where + 4 * count) = kEcall;
    asm volatile("fence.i" ::: "memory");
}

template <unsigned kCount>
Probe run(Mode mode, uint64_t status, const uint32_t (&insns)[kCount], uint64_t a0 = 0, uint64_t a1 = 0,
          uint64_t a2 = 0, uint64_t a4 = 0) {
    put(kCode, insns, kCount);
    return probe(reinterpret_cast<const char*>(kCode), mode, status, 0, a0, a1, a2, a4);
}

template <unsigned kCount>
void handle(const uint32_t (&insns)[kCount]) {
    put(kHandler, insns, kCount);
    GUEST_CSR_WRITE(stvec, kHandler);
}

void put_outcome(const char* name, const Probe& p) {
    out_state(name, p);
    out_line(" bits", p.status_out & (kSdt | kMdt));
    out_line(" second cause", GUEST_CSR_READ(0x34b));
}

void set_dte(bool on) {
    GUEST_CSR_CLEAR(0x30a, kDte);
    GUEST_CSR_SET(0x30a, on ? kDte : 0);
}

void quiet() {
    GUEST_CSR_WRITE(mie, 0);
    GUEST_CSR_WRITE(mip, 0);
    GUEST_CSR_WRITE(mideleg, 0);
    GUEST_CSR_WRITE(medeleg, 0);
    set_dte(false);
}

// What registers keep of a value.
void keeps() {
    constexpr uint32_t kNumbers[] = {kMtval2, kMenvcfg, 0x302};
    constexpr uint64_t kCompared[] = {kAll, kDte, uint64_t{1} << 16};
    for (unsigned i = 0; i < 3; ++i) {
        constexpr uint64_t kWritten[] = {uint64_t{0}, kAll, uint64_t{0x123456789abcdef}};
        for (const uint64_t value : kWritten) {
            const uint32_t insns[] = {csrrs(12, kNumbers[i], 0), csrrw(0, kNumbers[i], 10),
                                      csrrs(11, kNumbers[i], 0), csrrw(0, kNumbers[i], 12)};
            const Probe p = run(machine, 0, insns, value);
            out_line("register", kNumbers[i]);
            out_line(" cause", p.cause);
            out_line(" keeps", p.a[1] & kCompared[i]);
        }
    }
    const uint32_t below[] = {csrrs(11, kMtval2, 0)};
    out_line("mtval2 in S mode", run(supervisor, 0, below).cause);
}

// Both bits and the enables that they rule, from each of their values to each by each kind of write.
void writes() {
    constexpr uint32_t kRegisters[] = {kMstatus, kSstatus};
    for (unsigned dte = 0; dte < 2; ++dte) {
        set_dte(dte != 0);
        for (const uint32_t csr : kRegisters) {
            for (uint64_t from = 0; from < 16; ++from) {
                for (uint64_t to = 0; to < 16; ++to) {
                    const auto bits = [](uint64_t n) {
                        return ((n & 1) != 0 ? kSie : 0) | ((n & 2) != 0 ? kSdt : 0) |
                               ((n & 4) != 0 ? kMie : 0) | ((n & 8) != 0 ? kMdt : 0);
                    };
                    const uint32_t kinds[] = {csrrw(0, csr, 11), csrrs(0, csr, 11), csrrc(0, csr, 11)};
                    out_text("status");
                    for (const uint32_t kind : kinds) {
                        const uint32_t insns[] = {csrrw(0, kMstatus, 10), kind, csrrs(12, kMstatus, 0),
                                                  csrrs(13, kSstatus, 0), csrrw(0, kMstatus, 0)};
                        const Probe p = run(machine, 0, insns, bits(from) | machine << kMppShift, bits(to));
                        out_char(' ');
                        out_short(p.a[2] & bits(15));
                        out_char(' ');
                        out_short(p.a[3] & bits(15));
                    }
                    out_char('\n');
                }
            }
        }
    }
    // DTE off: the bit reads as zero, and is zero when it is on again.
    set_dte(true);
    GUEST_CSR_SET(mstatus, kSdt);
    out_line("on", GUEST_CSR_READ(mstatus) & kSdt);
    set_dte(false);
    out_line("off", (GUEST_CSR_READ(mstatus) | GUEST_CSR_READ(sstatus)) & kSdt);
    set_dte(true);
    out_line("on again", GUEST_CSR_READ(mstatus) & kSdt);
    quiet();
}

// In S mode, where SIE alone is what kernels change: often enough that it is compiled.
void enables() {
    set_dte(true);
    for (uint64_t bits = 0; bits < 4; ++bits) {
        for (unsigned round = 0; round < 40; ++round) {
            const uint64_t from = ((bits & 1) != 0 ? kSdt : 0) | ((bits & 2) != 0 ? kSie : 0);
            const uint32_t insns[] = {csrrw(0, kSstatus, 10), csrrsi(11, kSstatus, 2),
                                      csrrs(12, kSstatus, 0), csrrw(0, kSstatus, 10),
                                      csrrs(0, kSstatus, 14), csrrs(13, kSstatus, 0)};
            const Probe p = run(supervisor, 0, insns, from, 0, 0, kSie);
            out_line("was", p.a[1] & (kSie | kSdt));
            out_line("by immediate", p.a[2] & (kSie | kSdt));
            out_line("by register", p.a[3] & (kSie | kSdt));
        }
    }
    quiet();
}

constexpr Mode kBelow[] = {user, supervisor};

// Into S mode and out again.
void entries() {
    for (unsigned dte = 0; dte < 2; ++dte) {
        for (const Mode mode : kBelow) {
            constexpr uint64_t kStatuses[] = {uint64_t{0}, kSie | kSpie, kSdt, kSdt | kSpp, kMpie | kSpie};
            for (const uint64_t status : kStatuses) {
                quiet();
                set_dte(dte != 0);
                put_outcome("not delegated", probe(f_ebreak, mode, status, 0, 0));
                if ((status & kSdt) != 0) {
                    continue;
                }
                GUEST_CSR_WRITE(medeleg, 1 << 3);
                const uint32_t look[] = {csrrs(11, kSstatus, 0)};
                handle(look);
                const Probe p = probe(f_ebreak, mode, status, 0, 0);
                put_outcome("delegated", p);
                out_line(" sstatus", p.a[1] & (kSdt | kSie | kSpie | kSpp));
                // SRET: a2 is where it goes to.
                const uint32_t back[] = {csrrw(0, kSepc, 12), csrrs(11, kSstatus, 0), kSret};
                handle(back);
                put_outcome("and back",
                            probe(f_ebreak, mode, status, 0, 0, 0, reinterpret_cast<uint64_t>(f_ecall)));
                // Software says that it is ready for another trap: a1 is SDT, a2 the next handler.
                const uint32_t ready[] = {csrrc(13, kSstatus, 11), csrrw(0, kStvec, 12), kEbreak};
                handle(ready);
                put_outcome("ready again",
                            probe(f_ebreak, mode, status, 0, 0, kSdt, reinterpret_cast<uint64_t>(f_ecall)));
            }
        }
    }
    quiet();
}

// One too many in S mode: M mode is told of both.
void double_traps() {
    constexpr uint64_t kDelegated = 1 << 2 | 1 << 3 | 1 << 5 | 1 << 9;
    constexpr uint32_t kSecond[] = {kIllegal, kEbreak, kLoadA4, kEcall};
    for (const Mode mode : kBelow) {
        for (const uint32_t second : kSecond) {
            constexpr uint64_t kStatuses[] = {uint64_t{0}, kSie | kSpie};
            for (const uint64_t status : kStatuses) {
                quiet();
                set_dte(true);
                GUEST_CSR_WRITE(medeleg, kDelegated);
                const uint32_t insns[] = {csrrs(11, kSstatus, 0), second};
                handle(insns);
                const Probe p = probe(f_ebreak, mode, status, 0, 0, 0, 0, kBeyondRam);
                put_outcome("double trap", p);
                out_line(" epc", p.epc - kHandler);
                out_line(" sepc", GUEST_CSR_READ(sepc) - p.pc);
                out_line(" scause", GUEST_CSR_READ(scause));
                out_line(" stval", GUEST_CSR_READ(stval));
            }
        }
    }
    // SDT that software has set.
    for (const uint32_t insn : kSecond) {
        quiet();
        set_dte(true);
        GUEST_CSR_WRITE(medeleg, kDelegated);
        handle({kEcall});
        const uint32_t insns[] = {csrrs(11, kSstatus, 10), insn};
        put_outcome("set by software", run(supervisor, 0, insns, kSdt, 0, 0, kBeyondRam));
    }
    quiet();
}

// SRET in M mode, MRET in all.
void returns() {
    for (unsigned dte = 0; dte < 2; ++dte) {
        constexpr uint64_t kSpps[] = {uint64_t{0}, kSpp};
        for (const uint64_t spp : kSpps) {
            constexpr uint64_t kBits[] = {uint64_t{0}, kSdt, kMdt, kSdt | kMdt};
            for (const uint64_t bits : kBits) {
                set_dte(dte != 0);
                // To S or U mode, where ECALL traps: not a trap too many.
                const uint32_t insns[] = {csrrw(0, kSepc, 12), csrrs(0, kMstatus, 11), csrrs(13, kMstatus, 0),
                                          kSret};
                const Probe p = run(machine, 0, insns, 0, bits | spp, reinterpret_cast<uint64_t>(f_ecall));
                put_outcome("SRET in M mode", p);
                out_line(" before", p.a[3] & (kSdt | kMdt));
            }
        }
        constexpr Mode kModes[] = {user, supervisor, machine};
        for (const Mode mode : kModes) {
            constexpr uint64_t kBits[] = {uint64_t{0}, kSdt, kMdt, kSdt | kMdt};
            for (const uint64_t bits : kBits) {
                set_dte(dte != 0);
                const uint32_t insns[] = {csrrs(11, mode == machine ? kMstatus : kSstatus, 0)};
                const Probe p = run(mode, bits | kMpie, insns);
                put_outcome("MRET", p);
                out_line(" status", p.a[1] & (kSdt | kMdt | kMie | kSie));
            }
        }
    }
    quiet();
}

// Of S mode none while SDT is one; of M mode all the same.
void interrupts() {
    constexpr uint64_t kBits[] = {uint64_t{0}, kSdt};
    for (const uint64_t bits : kBits) {
        quiet();
        set_dte(true);
        const uint32_t look[] = {csrrs(11, kSstatus, 0)};
        handle(look);
        GUEST_CSR_WRITE(mideleg, kSsi);
        GUEST_CSR_WRITE(mie, kSsi);
        GUEST_CSR_WRITE(mip, kSsi);
        const uint32_t insns[] = {csrrs(0, kSstatus, 10), csrrs(12, kSstatus, 0)};
        const Probe p = run(supervisor, 0, insns, bits | kSie);
        out_state("SSI", p);
        out_line(" in the handler", p.epc - kHandler < 64);
        GUEST_CSR_WRITE(mip, 0);
        GUEST_CSR_WRITE(mie, kMsi);
        device32(0x02000000) = 1;
        out_state("MSI", run(supervisor, 0, insns, bits | kSie));
        device32(0x02000000) = 0;
        while ((GUEST_CSR_READ(mip) & kMsi) != 0) {
        }
    }
    quiet();
}

}  // namespace

void system_main() {
    device(0x02004000) = kAll;  // mtimecmp: no timer interrupt pending
    keeps();
    writes();
    enables();
    entries();
    double_traps();
    returns();
    interrupts();
}
