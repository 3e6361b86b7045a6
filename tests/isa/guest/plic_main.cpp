// The PLIC's registers, and its gateways by two sources: the serial port, whose transmitter is always ready, and the clock,
// whose alarm has passed.
#include "probe.h"

namespace {

using namespace guest;

constexpr uint64_t kPlic = 0x0c000000;
constexpr uint64_t kSources = 96;
constexpr uint64_t kMei = 1 << 11;
constexpr uint64_t kSei = 1 << 9;
constexpr unsigned kUart = 10;
constexpr unsigned kRtc = 11;

volatile uint32_t& priority(uint64_t source) { return device32(kPlic + 4 * source); }
volatile uint32_t& pending(uint64_t word) { return device32(kPlic + 0x1000 + 4 * word); }
volatile uint32_t& enable(uint64_t context, uint64_t word) {
    return device32(kPlic + 0x2000 + 0x80 * context + 4 * word);
}
volatile uint32_t& threshold(uint64_t context) { return device32(kPlic + 0x200000 + 0x1000 * context); }
volatile uint32_t& claim(uint64_t context) { return device32(kPlic + 0x200004 + 0x1000 * context); }

// The serial port's interrupt enable register: bit 1 is "transmitter ready", which it always is.
void raise_uart(bool level) {
    *reinterpret_cast<volatile uint8_t*>(0x10000001) = level ? 2 : 0;
    if (!level) {
        (void)*reinterpret_cast<volatile uint8_t*>(0x10000002);  // reading IIR takes "transmitter ready" back
    }
}

// The Goldfish clock: an alarm at 1 ns, long past, with its interrupt enabled; clearing it lowers the line.
void raise_rtc(bool level) {
    constexpr uint64_t kRtcBase = 0x00101000;
    if (level) {
        device32(kRtcBase + 0x10) = 1;  // IRQ_ENABLED
        device32(kRtcBase + 0x0c) = 0;  // ALARM_HIGH
        device32(kRtcBase + 0x08) = 1;  // ALARM_LOW
    } else {
        device32(kRtcBase + 0x14) = 1;  // CLEAR_ALARM
        device32(kRtcBase + 0x1c) = 1;  // CLEAR_INTERRUPT
        device32(kRtcBase + 0x10) = 0;
    }
}

// Printing uses the serial port, and the peer's raises its interrupt anew whenever it is used: what is seen while it is
// raised is printed afterwards.
struct Note {
    const char* name;
    uint64_t value;
};
Note notes[32];
unsigned note_count = 0;

void note(const char* name, uint64_t value) { notes[note_count++] = {name, value}; }

void note_lines(const char* name) {
    note(name, GUEST_CSR_READ(mip) & (kMei | kSei));
    note(" pending", pending(0));
}

// The peer looks at what it enables no sooner than at the next change of something else.
void set_enable(uint64_t context, uint32_t sources) {
    enable(context, 0) = sources;
    const uint32_t kept = threshold(context);
    threshold(context) = kept;
}

void quiet() {
    raise_uart(false);
    raise_rtc(false);
    for (unsigned i = 0; i < note_count; ++i) {
        out_line(notes[i].name, notes[i].value);
    }
    note_count = 0;
    for (uint64_t context = 0; context < 2; ++context) {
        // Everything is enabled once, so that what is claimed can be completed.
        enable(context, 0) = ~uint32_t{1};
    }
    for (uint64_t source = 1; source < kSources; ++source) {
        priority(source) = 7;
    }
    threshold(0) = 0;
    threshold(1) = 0;
    for (uint32_t source = claim(0); source != 0; source = claim(0)) {
        claim(0) = source;
    }
    for (uint64_t context = 0; context < 2; ++context) {
        for (uint64_t word = 0; word < 3; ++word) {
            enable(context, word) = 0;
        }
    }
    for (uint64_t source = 1; source < kSources; ++source) {
        priority(source) = 0;
    }
}

void registers() {
    constexpr uint32_t kPatterns[] = {0, 1, 5, 7, 8, 0x55555555, 0xaaaaaaaa, 0xffffffff};
    for (const uint32_t pattern : kPatterns) {
        for (uint64_t source = 0; source < kSources; source += source == 0 ? 1 : 19) {
            priority(source) = pattern;
            out_line("priority", priority(source));
            priority(source) = 0;
        }
        for (uint64_t context = 0; context < 2; ++context) {
            for (uint64_t word = 0; word < 3; ++word) {
                enable(context, word) = pattern;
                // Source 0 does not exist; whether its bit can be set says nothing.
                out_line("enable", enable(context, word) & (word == 0 ? ~uint32_t{1} : ~uint32_t{0}));
                enable(context, word) = 0;
            }
            threshold(context) = pattern;
            out_line("threshold", threshold(context));
            threshold(context) = 0;
        }
        // Nothing is pending, and nobody can make it so.
        pending(0) = pattern;
        out_line("pending", pending(0));
        out_line("claim", claim(0));
        claim(0) = pattern;
        out_line("claim", claim(1));
    }
}

// One source at each priority against each threshold, for both contexts.
void thresholds() {
    for (uint32_t level = 0; level < 8; ++level) {
        for (uint32_t mask = 0; mask < 8; ++mask) {
            quiet();
            priority(kUart) = level;
            threshold(0) = mask;
            threshold(1) = 7 - mask;
            set_enable(0, 1 << kUart);
            set_enable(1, 1 << kUart);
            raise_uart(true);
            note_lines("raised");
            // The peer claims nothing below the threshold; by the specification ("Interrupt Claim Process") claims are not
            // affected by it.
            threshold(0) = 0;
            threshold(1) = 0;
            const uint32_t claimed = claim(1);
            note("claimed", claimed);
            note_lines("in service");
            note("again", claim(0));
            raise_uart(false);
            claim(1) = claimed;
            note_lines("completed");
        }
    }
}

// Two sources: the higher priority first, then the lower number.
void order() {
    for (uint32_t uart = 0; uart < 4; ++uart) {
        for (uint32_t rtc = 0; rtc < 4; ++rtc) {
            quiet();
            priority(kUart) = uart;
            priority(kRtc) = rtc;
            set_enable(0, 1 << kUart | 1 << kRtc);
            raise_rtc(true);
            raise_uart(true);
            note_lines("both");
            const uint32_t first = claim(0);
            note("first", first);
            note_lines("one left");
            const uint32_t second = claim(0);
            note("second", second);
            note_lines("none left");
            raise_uart(false);
            raise_rtc(false);
            claim(0) = second;
            claim(0) = first;
            note_lines("completed");
        }
    }
}

void enables() {
    for (uint32_t bits = 0; bits < 4; ++bits) {
        quiet();
        priority(kUart) = 3;
        priority(kRtc) = 2;
        raise_uart(true);
        raise_rtc(true);
        note_lines("disabled");
        set_enable(0, bits << kUart);
        note_lines("enabled in M");
        set_enable(1, (3 - bits) << kUart);
        note_lines("enabled in S");
        const uint32_t machine_first = claim(0);
        const uint32_t supervisor_first = claim(1);
        note("claimed in M", machine_first);
        note("claimed in S", supervisor_first);
        note_lines("claimed");
        raise_uart(false);
        raise_rtc(false);
        set_enable(0, ~uint32_t{1});
        claim(0) = machine_first;
        claim(0) = supervisor_first;
        note_lines("completed");
    }
}

// Completing what is not in service, or of no source, changes nothing.
void wrong_completions() {
    constexpr uint32_t kWrong[] = {0, 1, kRtc, 95, 96, 1023, 0xffffffff};
    for (const uint32_t source : kWrong) {
        quiet();
        priority(kUart) = 1;
        set_enable(0, 1 << kUart);
        raise_uart(true);
        const uint32_t claimed = claim(0);
        claim(0) = source;
        note("claimed", claimed);
        note_lines("wrong completion");
        note("again", claim(0));
        raise_uart(false);
        claim(0) = claimed;
        note_lines("completed");
    }
}

// Taken as interrupts, by M and by S mode.
void taken() {
    for (uint64_t delegated = 0; delegated < 2; ++delegated) {
        for (uint64_t context = 0; context < 2; ++context) {
            quiet();
            GUEST_CSR_WRITE(mideleg, delegated != 0 ? kSei : 0);
            GUEST_CSR_WRITE(mie, kMei | kSei);
            GUEST_CSR_WRITE(stvec, reinterpret_cast<uint64_t>(f_supervisor_vector) | 1);
            priority(kRtc) = 1;
            set_enable(context, 1 << kRtc);
            raise_rtc(true);
            out_state("user", probe(f_ecall, user, 0, 0));
            out_state("supervisor", probe(f_ecall, supervisor, kSie, 0));
            GUEST_CSR_WRITE(mie, 0);
            GUEST_CSR_WRITE(mideleg, 0);
        }
    }
    quiet();
}

}  // namespace

void system_main() {
    registers();
    thresholds();
    order();
    enables();
    wrong_completions();
    taken();
}
