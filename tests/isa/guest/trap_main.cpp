// Exceptions and their way: cause, tval and epc in each mode, delegation, vectors, returns, and the bits of mstatus that
// forbid instructions.
#include "probe.h"

namespace {

using namespace guest;

constexpr Mode kModes[] = {user, supervisor, machine};
constexpr unsigned kEcallFromS = 9;

struct Case {
    const char* name;
    const char* fragment;
    uint64_t address;
};
constexpr Case kExceptions[] = {
    {"ecall", f_ecall, 0},
    {"ebreak", f_ebreak, 0},
    {"illegal", f_illegal, 0},
    {"c.illegal", f_c_illegal, 0},
    {"read-only csr", f_csr_read_only, 0},
    {"load fault", f_ld, kBeyondRam},
    {"store fault", f_sd, kBeyondRam + 8},
    {"amo fault", f_amo_d, kBeyondRam},
    {"lr fault", f_lr_w, kBeyondRam},
    {"fetch fault", f_jump, kBeyondRam},
    {"amo misaligned", f_amo_d, kData + 4},
    {"amo.w misaligned", f_amo_w, kData + 2},
    {"lr misaligned", f_lr_w, kData + 2},
    {"load misaligned", f_ld, kData + 1},
    {"store misaligned", f_sd, kData + 1},
};

uint64_t page_tables() {
    clear_pages(kTables, 1);
    word(kTables + 16) = leaf(kGigapage, kPteAll);
    word(kTables + 24) = leaf(kGigapage, kPteAll | kPteU);
    return satp_of(kSv39, kTables);
}

void exceptions() {
    for (const Case& test : kExceptions) {
        for (const Mode mode : kModes) {
            out_line("mode", mode);
            out_state(test.name, probe(test.fragment, mode, kMpie | kSpie, 0, test.address, 1));
        }
    }
}

// Delegated to S mode and taken by its handler, which leaves by an ECALL to M mode.
void delegation() {
    const uint64_t vector = reinterpret_cast<uint64_t>(f_supervisor_vector);
    constexpr Case kPageFaults[] = {
        {"load page fault", f_ld, 0x1000},    {"store page fault", f_sd, 0x1000},
        {"amo page fault", f_amo_d, 0x1000},  {"lr page fault", f_lr_w, 0x1000},
        {"fetch page fault", f_jump, 0x1000}, {"misaligned amo", f_amo_d, 0x1004},
    };
    const uint64_t satp = page_tables();
    for (unsigned vectored = 0; vectored < 2; ++vectored) {
        GUEST_CSR_WRITE(stvec, vector | vectored);
        for (unsigned number = 0; number < 16; ++number) {
            GUEST_CSR_WRITE(medeleg, uint64_t{1} << number);
            out_line("medeleg", GUEST_CSR_READ(medeleg) & 0xb3fe);
            for (const Mode mode : kModes) {
                if (mode == supervisor && number == kEcallFromS) {
                    continue;  // the handler's own ECALL would lead back to it
                }
                for (const Case& test : kExceptions) {
                    out_state(test.name, probe(test.fragment, mode, kSie | kMpie, 0, test.address, 1));
                }
                for (const Case& test : kPageFaults) {
                    if (mode != machine) {
                        out_state(test.name, probe(test.fragment, mode, kSie, satp, test.address, 1));
                    }
                }
            }
        }
    }
    GUEST_CSR_WRITE(medeleg, 0);
}

// MRET and SRET: from which mode, to which, and what they do to the status.
void returns() {
    constexpr uint64_t kStatus[] = {0,    kMpie,       kSpie,       kSie, kSpp, kSpp | kSpie,
                                    kTsr, kTsr | kSpp, kMprv | kSpp};
    for (const uint64_t status : kStatus) {
        for (const Mode mode : kModes) {
            out_line("from mode", mode);
            GUEST_CSR_WRITE(sepc, reinterpret_cast<uint64_t>(f_ecall));
            out_state("sret", probe(f_sret, mode, status, 0));
            if (mode != machine) {
                out_state("mret", probe(f_mret, mode, status, 0));
            }
        }
        out_state("sret with sstatus", probe(f_supervisor_sret, supervisor, 0, 0,
                                             reinterpret_cast<uint64_t>(f_ecall), status & ~kMprv & ~kTsr));
    }
    // Where to: sepc with its lowest bits set.
    for (uint64_t bits = 0; bits < 4; ++bits) {
        out_state("sepc", probe(f_supervisor_sret, supervisor, 0, 0, (kData + 64) | bits, kSpp));
    }
}

void forbidden() {
    constexpr uint64_t kStatus[] = {0, kTvm, kTw, kTsr, kTvm | kTw | kTsr};
    constexpr Case kInsns[] = {{"sfence", f_sfence, 0},
                               {"sinval", f_sinval, 0},
                               {"sfence.w.inval", f_sfence_w_inval, 0},
                               {"read satp", f_read_satp, 0},
                               {"write satp", f_write_satp, 0}};
    for (const uint64_t status : kStatus) {
        for (const Mode mode : kModes) {
            for (const Case& test : kInsns) {
                out_line("status", status << 2 | mode);
                out_state(test.name, probe(test.fragment, mode, status, 0, test.address));
            }
        }
    }
    // WFI without TW, with an interrupt pending, so that it ends: only with TW it must be forbidden. In U mode it may be,
    // which is the implementation's choice.
    GUEST_CSR_WRITE(mie, 2);
    GUEST_CSR_SET(mip, 2);
    GUEST_CSR_WRITE(mideleg, 2);  // to S mode, where it is not enabled
    out_state("wfi in S", probe(f_wfi, supervisor, 0, 0));
    out_state("wfi in S with TW", probe(f_wfi, supervisor, kTw, 0));
    out_state("wfi in M", probe(f_wfi, machine, 0, 0));
    out_state("wfi in M with TW", probe(f_wfi, machine, kTw, 0));
    GUEST_CSR_CLEAR(mip, 2);
    GUEST_CSR_WRITE(mie, 0);
    GUEST_CSR_WRITE(mideleg, 0);
}

// FS: off forbids, and what dirties.
void floating() {
    for (uint64_t fs = 0; fs < 4; ++fs) {
        constexpr Case kInsns[] = {{"fadd.d", f_fp, 0},
                                   {"fld", f_fld, kData},
                                   {"fsd", f_fsd, kData},
                                   {"frcsr", f_read_fcsr, 0},
                                   {"ecall", f_ecall, 0}};
        for (const Case& test : kInsns) {
            Probe p{};
            p.pc = reinterpret_cast<uint64_t>(test.fragment);
            p.status = uint64_t{machine} << kMppShift | fs << 13;
            p.a[0] = test.address;
            probe_run(&p);
            out_line("fs", fs);
            // With FS clean or initial, storing and reading may leave it so or not.
            out_state(test.name, p);
        }
    }
}

// Flags are FP state as well. The peer does not notice that a comparison raised one.
void raised_flags() {
    constexpr uint64_t kOne = 0x3ff0000000000000;
    constexpr uint64_t kNan = 0x7ff8000000000000;
    constexpr uint64_t kOperands[] = {kOne, kNan};
    for (const uint64_t operand : kOperands) {
        const Probe p = probe(f_compare, machine, kFs, 0, operand, kOne);
        out_line("result", p.a[0]);
        out_line("flags", p.a[1]);
        const bool dirty = (p.a[2] & kFs) == kFs;
        out_line("unnoticed", p.a[1] != 0 && !dirty && !on_peer());
    }
}

void counters() {
    constexpr Case kReads[] = {{"cycle", f_read_cycle, 0},
                               {"time", f_read_time, 0},
                               {"instret", f_read_instret, 0},
                               {"stimecmp", f_read_stimecmp, 0}};
    for (uint64_t m = 0; m < 8; ++m) {
        for (uint64_t s = 0; s < 8; ++s) {
            for (uint64_t stce = 0; stce < 2; ++stce) {
                GUEST_CSR_WRITE(mcounteren, m);
                GUEST_CSR_WRITE(scounteren, s);
                GUEST_CSR_WRITE(0x30a, stce << 63);
                GUEST_CSR_WRITE(0x14d, ~uint64_t{0});
                for (const Mode mode : kModes) {
                    out_line("enabled: m, s, stce, mode", m << 12 | s << 8 | stce << 4 | mode);
                    for (const Case& test : kReads) {
                        const Probe p = probe(test.fragment, mode, 0, 0);
                        out_line(test.name, p.cause);
                    }
                }
            }
        }
    }
    GUEST_CSR_WRITE(0x30a, 0);
}

// LR and SC: to the same address, another, and twice; with a store in between.
void reservations() {
    constexpr uint64_t kOffsets[] = {0, 4, 8, 64, 4096};
    for (const uint64_t offset : kOffsets) {
        word(kData) = word(kData + 4096) = 0x1122334455667788;
        const Probe p = probe(f_lr_sc, supervisor, 0, 0, kData, 0, kData + offset);
        out_state("lr, sc", p);
    }
    out_state("sc alone", probe(f_sc_w, supervisor, 0, 0, kData, 0x99));
}

}  // namespace

void system_main() {
    fill_with_ecalls(kData, 8192);
    exceptions();
    delegation();
    fill_with_ecalls(kData, 8192);
    returns();
    forbidden();
    floating();
    raised_flags();
    counters();
    reservations();
}
