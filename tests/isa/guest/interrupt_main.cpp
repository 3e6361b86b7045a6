// Interrupts: priorities, delegation, enables, the CLINT's two, Sstc's, vectors, WFI.
#include "probe.h"

namespace {

using namespace guest;

constexpr uint64_t kSsi = 1 << 1;
constexpr uint64_t kMsi = 1 << 3;
constexpr uint64_t kSti = 1 << 5;
constexpr uint64_t kMti = 1 << 7;
constexpr uint64_t kSei = 1 << 9;
constexpr uint64_t kMei = 1 << 11;
constexpr uint64_t kSupervisorInts = kSsi | kSti | kSei;
constexpr uint64_t kAll = kSupervisorInts | kMsi | kMti | kMei;

// CLINT.
constexpr uint64_t kMsip = 0x02000000;
constexpr uint64_t kMtimecmp = 0x02004000;
constexpr uint64_t kMtime = 0x0200bff8;
constexpr uint64_t kNever = ~uint64_t{0};

extern "C" const char f_machine_vector[];

void quiet() {
    GUEST_CSR_WRITE(mie, 0);
    GUEST_CSR_WRITE(mideleg, 0);
    GUEST_CSR_WRITE(mip, 0);
    device32(kMsip) = 0;
    device(kMtimecmp) = kNever;
}

// Makes the machine's two pending or not, and waits until mip shows it.
void set_machine(uint64_t pending) {
    device32(kMsip) = (pending & kMsi) != 0 ? 1 : 0;
    device(kMtimecmp) = (pending & kMti) != 0 ? 0 : kNever;
    while ((GUEST_CSR_READ(mip) & (kMsi | kMti)) != (pending & (kMsi | kMti))) {
    }
}

// 3.1.9: MEI, MSI, MTI, SEI, SSI, STI; those for M mode before those that are delegated. The peer takes the lowest number
// within each: there, that counts as right.
uint64_t first_of(uint64_t pending) {
    constexpr uint64_t kSpecified[] = {11, 3, 7, 9, 1, 5};
    constexpr uint64_t kPeers[] = {1, 3, 5, 7, 9, 11};
    for (const uint64_t number : on_peer() ? kPeers : kSpecified) {
        if ((pending >> number & 1) != 0) {
            return number;
        }
    }
    return 0;
}

// Who took which interrupt, if any: as specified or not, and the state after it.
void out_taken(const Probe& p, uint64_t pending, uint64_t delegated) {
    constexpr uint64_t kInterrupt = uint64_t{1} << 63;
    const bool to_machine = (p.cause & kInterrupt) != 0;
    const bool to_supervisor = p.cause == 9 && (p.a[1] & kInterrupt) != 0;
    out_text(to_machine ? "M mode " : to_supervisor ? "S mode " : "none ");
    if (to_machine || to_supervisor) {
        const uint64_t cause = to_machine ? p.cause : p.a[1];
        const uint64_t candidates = pending & (to_machine ? ~delegated : delegated);
        const bool expected = candidates != 0 && (cause & ~kInterrupt) == first_of(candidates);
        out_text(expected ? "as specified" : "out of order");
        if (to_supervisor) {
            out_text((p.a[0] | kInterrupt) == cause ? " vector" : " wrong vector");
            out_line(" sepc", p.a[2]);
            out_line(" sstatus", p.a[4]);
        }
    }
    out_line(" mstatus", p.status_out & (kSie | kMie | kSpie | kMpie | kSpp | kMpp));
}

// Every set of pending ones against delegation and mode; all enabled. The code spins or ends at once.
void priorities() {
    constexpr uint64_t kBits[] = {kSsi, kSti, kSei, kMsi, kMti};
    constexpr uint64_t kDelegated[] = {0, kSupervisorInts, kSsi, kSti | kSei};
    GUEST_CSR_WRITE(stvec, reinterpret_cast<uint64_t>(f_supervisor_vector) | 1);
    for (uint64_t set = 0; set < 32; ++set) {
        uint64_t pending = 0;
        for (unsigned i = 0; i < 5; ++i) {
            pending |= (set >> i & 1) != 0 ? kBits[i] : 0;
        }
        quiet();
        set_machine(pending);
        GUEST_CSR_WRITE(mip, pending & kSupervisorInts);
        for (const uint64_t delegated : kDelegated) {
            GUEST_CSR_WRITE(mideleg, delegated);
            GUEST_CSR_WRITE(mie, kAll);
            out_line("mip", GUEST_CSR_READ(mip) & kAll);
            out_line("sip", GUEST_CSR_READ(sip) & kAll);
            out_line("sie", GUEST_CSR_READ(sie) & kAll);
            constexpr uint64_t kStatus[] = {0, kSie, kMpie, kSie | kMpie};
            constexpr Mode kModes[] = {user, supervisor, machine};
            for (const Mode mode : kModes) {
                for (const uint64_t status : kStatus) {
                    out_taken(probe(f_ecall, mode, status, 0), pending, delegated);
                }
            }
        }
    }
    quiet();
}

void enables() {
    for (unsigned bit = 0; bit < 16; ++bit) {
        quiet();
        GUEST_CSR_WRITE(mie, uint64_t{1} << bit);
        GUEST_CSR_WRITE(mip, kSupervisorInts);
        set_machine(kMsi | kMti);
        out_line("mie", GUEST_CSR_READ(mie));
        out_state("enabled", probe(f_ecall, user, 0, 0));
        GUEST_CSR_WRITE(mideleg, kAll);
        out_line("mideleg", GUEST_CSR_READ(mideleg) & kAll);
        out_state("enabled and delegated", probe(f_ecall, user, 0, 0));
        out_state("enabled and delegated", probe(f_ecall, supervisor, kSie, 0));
    }
    quiet();
}

// In a loop that nothing but an interrupt ends.
void asynchronous() {
    for (unsigned i = 0; i < 5; ++i) {
        quiet();
        GUEST_CSR_WRITE(mie, kMti);
        device(kMtimecmp) = device(kMtime) + 10000;
        out_state("spinning in M", probe(f_spin, machine, kMpie, 0));
        device(kMtimecmp) = device(kMtime) + 10000;
        out_state("spinning in U", probe(f_spin, user, 0, 0));
        quiet();
        GUEST_CSR_WRITE(0x30a, uint64_t{1} << 63);
        GUEST_CSR_WRITE(mcounteren, 2);
        GUEST_CSR_WRITE(mie, kSti);
        GUEST_CSR_WRITE(mideleg, kSti);
        GUEST_CSR_WRITE(0x14d, device(kMtime) + 10000);
        out_state("spinning in S", probe(f_enable_and_spin, supervisor, 0, 0, kSie));
        GUEST_CSR_WRITE(0x14d, kNever);
        out_line("mip", GUEST_CSR_READ(mip) & kSti);
        GUEST_CSR_WRITE(0x14d, 0);
        while ((GUEST_CSR_READ(mip) & kSti) == 0) {
        }
        GUEST_CSR_CLEAR(mip, kSti);  // read-only where stimecmp decides
        out_line("mip", GUEST_CSR_READ(mip) & kSti);
        GUEST_CSR_WRITE(0x14d, kNever);
        GUEST_CSR_WRITE(0x30a, 0);
        quiet();
        device32(kMsip) = 1;
        GUEST_CSR_WRITE(mie, kMsi);
        out_state("software", probe(f_spin, supervisor, 0, 0));
        out_line("msip", device32(kMsip));
    }
    quiet();
}

// The timer may be faster than the way to the WFI: then its address is that of the interrupt.
void out_wakeup(const char* name, const Probe& p, uint64_t address) {
    out_text(name);
    out_char(' ');
    out_short(p.cause);
    out_line(address - p.pc <= 8 ? " at the WFI" : " elsewhere", p.a[1]);
}

// WFI ends at what mie allows, whatever mstatus says.
void waiting() {
    for (unsigned i = 0; i < 5; ++i) {
        quiet();
        device(kMtimecmp) = device(kMtime) + 20000;
        out_state("wfi, disabled", probe(f_wfi_after_enable, machine, 0, 0, kMti));
        quiet();
        device(kMtimecmp) = device(kMtime) + 20000;
        const Probe enabled = probe(f_wfi_after_enable, machine, kMpie, 0, kMti);
        out_wakeup("wfi, enabled", enabled, enabled.epc);
        quiet();
        GUEST_CSR_WRITE(0x30a, uint64_t{1} << 63);
        GUEST_CSR_WRITE(mideleg, kSti);
        GUEST_CSR_WRITE(mie, kSti);
        GUEST_CSR_WRITE(0x14d, device(kMtime) + 20000);
        out_state("wfi in S, disabled", probe(f_wfi, supervisor, 0, 0));
        GUEST_CSR_WRITE(0x14d, device(kMtime) + 20000);
        const Probe delegated = probe(f_wfi, supervisor, kSie, 0);
        out_wakeup("wfi in S, enabled", delegated, delegated.a[2]);
        GUEST_CSR_WRITE(0x14d, kNever);
        GUEST_CSR_WRITE(0x30a, 0);
    }
    quiet();
}

// mtime is a register like others: the timers follow it. Its lowest 32 bits move on between two looks.
void setting_time() {
    constexpr uint64_t kTimes[] = {0, 0x123456789abcdef0, uint64_t{1} << 63, 1000};
    for (const uint64_t time : kTimes) {
        quiet();
        device(kMtime) = time;
        out_line("mtime", device(kMtime) >> 32);
        out_line("time", GUEST_CSR_READ(time) >> 32);
        out_line("not before", device(kMtime) >= time && GUEST_CSR_READ(time) >= time);
        device(kMtimecmp) = time;
        out_line("due", (GUEST_CSR_READ(mip) & kMti) != 0);
        device(kMtimecmp) = time + (uint64_t{1} << 40);
        out_line("not due", (GUEST_CSR_READ(mip) & kMti) != 0);
        device(kMtime) = time + (uint64_t{1} << 41);
        out_line("overtaken", (GUEST_CSR_READ(mip) & kMti) != 0);
        device(kMtime) = time;
        out_line("set back", (GUEST_CSR_READ(mip) & kMti) != 0);
        device(kMtimecmp) = time + 20000;
        GUEST_CSR_WRITE(mie, kMti);
        out_state("spinning until then", probe(f_spin, machine, kMpie, 0));
        GUEST_CSR_WRITE(mie, 0);
        // A half keeps the other half.
        device32(kMtime + 4) = 7;
        out_line("upper half", device(kMtime) >> 32);
        device32(kMtime) = 0;
        out_line("lower half", device(kMtime) >> 32);
        GUEST_CSR_WRITE(0x30a, uint64_t{1} << 63);
        GUEST_CSR_WRITE(0x14d, uint64_t{8} << 32);
        out_line("stimecmp", (GUEST_CSR_READ(mip) & kSti) != 0);
        device(kMtime) = uint64_t{9} << 32;
        out_line("stimecmp overtaken", (GUEST_CSR_READ(mip) & kSti) != 0);
        GUEST_CSR_WRITE(0x14d, kNever);
        GUEST_CSR_WRITE(0x30a, 0);
    }
    quiet();
}

// mtvec with vectors.
void vectors() {
    constexpr uint64_t kBits[] = {kSsi, kSti, kSei, kMsi, kMti};
    for (const uint64_t bit : kBits) {
        for (uint64_t vectored = 0; vectored < 2; ++vectored) {
            quiet();
            set_machine(bit);
            GUEST_CSR_WRITE(mip, bit & kSupervisorInts);
            GUEST_CSR_WRITE(mie, bit);
            out_state("vector", probe(f_machine_vector, machine, 0, 0, vectored));
        }
    }
    quiet();
    out_state("vectored, exception", probe(f_machine_vector, machine, 0, 0, 1));
}

}  // namespace

void system_main() {
    priorities();
    enables();
    asynchronous();
    waiting();
    vectors();
    setting_time();
}
