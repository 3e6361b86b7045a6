// Counters: which there are, what their configurations keep, in which modes they count, and what their overflows do. How fast they
// count is no matter: what happens sooner or later is waited for.
#include "probe.h"

namespace {

using namespace guest;

constexpr uint64_t kCode = kData;  // code that is put together here
constexpr uint64_t kAll = ~uint64_t{0};

constexpr uint64_t kOf = uint64_t{1} << 63;
constexpr uint64_t kMinh = uint64_t{1} << 62;
constexpr uint64_t kSinh = uint64_t{1} << 61;
constexpr uint64_t kUinh = uint64_t{1} << 60;
constexpr uint64_t kCycles = 1;
constexpr uint64_t kInstructions = 2;

constexpr uint64_t kSsi = 1 << 1;
constexpr uint64_t kSei = 1 << 9;
constexpr uint64_t kLcofi = 1 << 13;

// The counter that is used here is mhpmcounter7, and its event mhpmevent7.
constexpr unsigned kNumber = 7;
constexpr uint64_t kBit = 1 << kNumber;

constexpr uint32_t csrrw(uint32_t rd, uint32_t csr, uint32_t rs1) {
    return csr << 20 | rs1 << 15 | 1 << 12 | rd << 7 | 0x73;
}
constexpr uint32_t csrrs(uint32_t rd, uint32_t csr, uint32_t rs1) {
    return csr << 20 | rs1 << 15 | 2 << 12 | rd << 7 | 0x73;
}

Probe run(Mode mode, const uint32_t* insns, uint64_t count, uint64_t a0 = 0) {
    for (uint64_t i = 0; i < count; ++i) {
        *reinterpret_cast<volatile uint32_t*>(kCode + 4 * i) = insns[i];
    }
    *reinterpret_cast<volatile uint32_t*>(kCode + 4 * count) = 0x00000073;
    asm volatile("fence.i" ::: "memory");
    return probe(reinterpret_cast<const char*>(kCode), mode, 0, 0, a0);
}

void quiet() {
    GUEST_CSR_WRITE(mie, 0);
    GUEST_CSR_WRITE(mideleg, 0);
    GUEST_CSR_WRITE(mcountinhibit, 0);
    GUEST_CSR_WRITE(mhpmevent7, 0);
    GUEST_CSR_WRITE(mhpmcounter7, 0);
    GUEST_CSR_WRITE(mip, 0);
}

// What registers keep of a value.
void fields() {
    constexpr uint32_t kNumbers[] = {0x320, 0x321, 0x322, 0x323, 0x327, 0x33f,
                                     0xb03, 0xb1f, 0x303, 0x304, 0x344};
    // Of interrupts those that both sides have. The others of mcyclecfg and minstretcfg, and bits 56 and 57 of mhpmevent, are
    // reserved: QEMU keeps them.
    constexpr uint64_t kModes = kMinh | kSinh | kUinh;
    constexpr uint64_t kEvent = kAll & ~(uint64_t{3} << 56);
    constexpr uint64_t kCompared[] = {kAll, kModes, kModes, kEvent, kEvent, kEvent,
                                      kAll, kAll,   0x2aaa, 0x2aaa, 0x2aaa};
    GUEST_CSR_WRITE(mcountinhibit, kAll);
    for (unsigned i = 0; i < 11; ++i) {
        for (unsigned bit = 0; bit < 66; ++bit) {
            const uint64_t value = bit < 64 ? uint64_t{1} << bit : bit == 64 ? kAll : 0;
            const uint32_t insns[] = {csrrs(12, kNumbers[i], 0), csrrw(0, kNumbers[i], 10),
                                      csrrs(11, kNumbers[i], 0), csrrw(0, kNumbers[i], 12)};
            const Probe p = run(machine, insns, 4, value);
            out_line("register", kNumbers[i]);
            out_line(" cause", p.cause);
            out_line(" keeps", p.a[1] & kCompared[i]);
        }
    }
    quiet();
}

// Who may have the counters of U mode, and scountovf.
void access() {
    constexpr uint32_t kNumbers[] = {0xc03, 0xc07, 0xc1f, 0xda0};
    constexpr Mode kModes[] = {machine, supervisor, user};
    for (uint64_t enables = 0; enables < 4; ++enables) {
        GUEST_CSR_WRITE(mcounteren, (enables & 1) != 0 ? kAll : 0);
        GUEST_CSR_WRITE(scounteren, (enables & 2) != 0 ? kAll : 0);
        for (const uint32_t number : kNumbers) {
            for (const Mode mode : kModes) {
                const uint32_t read[] = {csrrs(10, number, 0)};
                out_line("reads", run(mode, read, 1).cause);
                const uint32_t write[] = {csrrw(10, number, 10)};
                out_line("writes", run(mode, write, 1).cause);
            }
        }
    }
    GUEST_CSR_WRITE(mcounteren, 0);
    GUEST_CSR_WRITE(scounteren, 0);
}

constexpr uint64_t kPatience = 20'000'000;

// Whether `fn` holds sooner or later.
template <class Function>
bool comes(Function fn) {
    for (uint64_t i = 0; i < kPatience; ++i) {
        if (fn()) {
            return true;
        }
    }
    return false;
}

// Whether the counter goes on here, in M mode.
bool advances() {
    const uint64_t before = GUEST_CSR_READ(mhpmcounter7);
    return comes([before] { return GUEST_CSR_READ(mhpmcounter7) != before; });
}

bool stands() {
    const uint64_t before = GUEST_CSR_READ(mhpmcounter7);
    for (unsigned i = 0; i < 2000; ++i) {
        asm volatile("nop");
    }
    return GUEST_CSR_READ(mhpmcounter7) == before;
}

void events() {
    constexpr uint64_t kCounted[] = {kCycles, kInstructions};
    for (const uint64_t event : kCounted) {
        GUEST_CSR_WRITE(mhpmevent7, event);
        out_line("event", GUEST_CSR_READ(mhpmevent7));
        out_line("advances", advances());
        GUEST_CSR_WRITE(mcountinhibit, kBit);
        out_line("inhibited", stands());
        GUEST_CSR_WRITE(mhpmcounter7, 12345);
        out_line("written", GUEST_CSR_READ(mhpmcounter7));
        GUEST_CSR_WRITE(mcountinhibit, ~kBit);
        out_line("others inhibited", advances());
        GUEST_CSR_WRITE(mcountinhibit, 0);
        // Twice as far as it can have counted.
        GUEST_CSR_WRITE(mhpmcounter7, uint64_t{1} << 62);
        out_line("goes on from there", GUEST_CSR_READ(mhpmcounter7) >> 62);
    }
    GUEST_CSR_WRITE(mhpmevent7, 0);
    out_line("no event", stands());
    GUEST_CSR_WRITE(mhpmevent7, 0x12345);  // nobody's
    out_line("unknown event", stands());
    quiet();
}

// In which modes a counter counts: it is looked at before and after some time in each of them, and in M mode where it does not
// count. Of the fixed counters as well.
void modes() {
    constexpr Mode kModes[] = {supervisor, user};
    for (uint64_t inhibited = 0; inhibited < 4; ++inhibited) {
        const uint64_t filter =
            kMinh | ((inhibited & 1) != 0 ? kSinh : 0) | ((inhibited & 2) != 0 ? kUinh : 0);
        for (uint64_t event = 1; event < 3; ++event) {
            GUEST_CSR_WRITE(mhpmevent7, event | filter);
            GUEST_CSR_WRITE(0x321, filter);
            GUEST_CSR_WRITE(0x322, filter);
            GUEST_CSR_WRITE(mhpmcounter7, 0);
            GUEST_CSR_WRITE(mcycle, 0);
            GUEST_CSR_WRITE(minstret, 0);
            out_line("stands in M mode", stands());
            for (const Mode mode : kModes) {
                const uint64_t before = GUEST_CSR_READ(mhpmcounter7);
                const uint64_t cycle = GUEST_CSR_READ(mcycle);
                const uint64_t instret = GUEST_CSR_READ(minstret);
                // Ends by a timer interrupt that nothing in the code comes before.
                GUEST_CSR_WRITE(mie, 1 << 7);
                device(0x02004000) = device(0x0200bff8) + 2000;
                probe(f_spin, mode, 0, 0);
                GUEST_CSR_WRITE(mie, 0);
                device(0x02004000) = kAll;
                out_line("mode", mode);
                out_line(" counted", GUEST_CSR_READ(mhpmcounter7) != before);
                out_line(" cycles", GUEST_CSR_READ(mcycle) != cycle);
                out_line(" instructions", GUEST_CSR_READ(minstret) != instret);
            }
            out_line("stands in M mode", stands());
        }
    }
    GUEST_CSR_WRITE(0x321, 0);
    GUEST_CSR_WRITE(0x322, 0);
    quiet();
}

bool has_overflowed() { return (GUEST_CSR_READ(0xda0) & kBit) != 0; }

// An overflow is seen in three places, once until OF is zero again.
void overflows() {
    constexpr uint64_t kCounted[] = {kCycles, kInstructions};
    for (const uint64_t event : kCounted) {
        quiet();
        GUEST_CSR_WRITE(mhpmevent7, event);
        out_line("none yet", has_overflowed());
        GUEST_CSR_WRITE(mhpmcounter7, -uint64_t{200'000});
        out_line("overflows", comes(has_overflowed));
        out_line("event", GUEST_CSR_READ(mhpmevent7));
        out_line("mip", GUEST_CSR_READ(mip) & kLcofi);
        out_line("scountovf", GUEST_CSR_READ(0xda0));
        out_line("counter", GUEST_CSR_READ(mhpmcounter7) >> 62);
        // Software has both bits.
        GUEST_CSR_CLEAR(mip, kLcofi);
        out_line("mip", GUEST_CSR_READ(mip) & kLcofi);
        out_line("event", GUEST_CSR_READ(mhpmevent7));
        GUEST_CSR_WRITE(mhpmcounter7, -uint64_t{50'000});
        out_line("again", comes([] { return GUEST_CSR_READ(mhpmcounter7) >> 63 == 0; }));
        out_line("mip", GUEST_CSR_READ(mip) & kLcofi);
        GUEST_CSR_WRITE(mhpmevent7, event);
        out_line("event", GUEST_CSR_READ(mhpmevent7));
        out_line("scountovf", GUEST_CSR_READ(0xda0));
        // Not by a write.
        GUEST_CSR_WRITE(mhpmcounter7, 0);
        out_line("event", GUEST_CSR_READ(mhpmevent7));
        // Bits that software sets are no overflow.
        GUEST_CSR_WRITE(mhpmevent7, kOf);
        out_line("scountovf", GUEST_CSR_READ(0xda0));
        out_line("mip", GUEST_CSR_READ(mip) & kLcofi);
    }
    // What S mode sees of it.
    GUEST_CSR_WRITE(mhpmevent7, kOf);
    for (unsigned bit = 0; bit < 32; ++bit) {
        GUEST_CSR_WRITE(mcounteren, uint64_t{1} << bit);
        const uint32_t insns[] = {csrrs(10, 0xda0, 0)};
        out_line("scountovf in S mode", run(supervisor, insns, 1).a[0]);
    }
    GUEST_CSR_WRITE(mcounteren, 0);
    quiet();
}

// By an interrupt, to M and to S mode, while nothing else happens.
void interrupts() {
    GUEST_CSR_WRITE(stvec, reinterpret_cast<uint64_t>(f_supervisor_vector) | 1);
    constexpr uint64_t kCounted[] = {kCycles, kInstructions};
    for (const uint64_t event : kCounted) {
        for (unsigned filter = 0; filter < 2; ++filter) {
            quiet();
            GUEST_CSR_WRITE(mhpmevent7, event | (filter != 0 ? kMinh : 0));
            GUEST_CSR_WRITE(mhpmcounter7, -uint64_t{100'000});
            GUEST_CSR_WRITE(mie, kLcofi);
            out_state("to M mode", probe(f_spin, user, 0, 0));
            out_line("event", GUEST_CSR_READ(mhpmevent7));
            quiet();
            // The event comes last: there is a deadline all the same. (QEMU has one where the counter is written.)
            GUEST_CSR_WRITE(mie, kLcofi);
            GUEST_CSR_WRITE(mideleg, kLcofi);
            GUEST_CSR_WRITE(mhpmcounter7, -uint64_t{100'000});
            GUEST_CSR_WRITE(mhpmevent7, event | (filter != 0 ? kMinh : 0));
            if (on_peer()) {
                GUEST_CSR_WRITE(mhpmcounter7, -uint64_t{100'000});
            }
            const Probe p = probe(f_enable_and_spin, supervisor, 0, 0, kSie);
            out_line("to S mode", p.a[1]);
            out_line("vector", p.a[0]);
            out_line("sip", GUEST_CSR_READ(sip));
            GUEST_CSR_CLEAR(sip, kLcofi);
            out_line("sip", GUEST_CSR_READ(sip));
            quiet();
        }
    }
    // After all others.
    GUEST_CSR_WRITE(mie, kLcofi | kSsi | kSei);
    GUEST_CSR_WRITE(mip, kLcofi | kSsi);
    out_line("with SSI", probe(f_ecall, user, 0, 0).cause);
    GUEST_CSR_WRITE(mip, kLcofi | kSei);
    out_line("with SEI", probe(f_ecall, user, 0, 0).cause);
    GUEST_CSR_WRITE(mip, kLcofi);
    out_line("alone", probe(f_ecall, user, 0, 0).cause);
    quiet();
}

// A counter that stands does not keep a hart that waits from its timer.
void waits() {
    constexpr uint64_t kMti = 1 << 7;
    for (unsigned round = 0; round < 20; ++round) {
        quiet();
        GUEST_CSR_WRITE(mhpmevent7, kCycles | kMinh);
        GUEST_CSR_WRITE(mhpmcounter7, -uint64_t{1000});
        GUEST_CSR_WRITE(mie, kLcofi | kMti);
        // For a while it counts.
        GUEST_CSR_WRITE(mip, 0);
        probe(f_ecall, user, 0, 0);
        device(0x02004000) = device(0x0200bff8) + 5000;
        while ((GUEST_CSR_READ(mip) & kMti) == 0) {
            asm volatile("wfi");
        }
        out_line("timer", GUEST_CSR_READ(mip) & kMti);
        device(0x02004000) = kAll;
    }
    quiet();
}

}  // namespace

void system_main() {
    device(0x02004000) = kAll;  // mtimecmp: no timer interrupt pending
    while ((GUEST_CSR_READ(mip) & 0x80) != 0) {
    }
    fields();
    access();
    events();
    modes();
    overflows();
    interrupts();
    waits();
}
