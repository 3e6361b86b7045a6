// From an event to its handler: software interrupts from another hart and the timer, for a hart that runs and one that
// halted. Each line: a name, and the latencies' median, 99th percentile and maximum in ticks of `time` (100 ns), in
// hexadecimal. Two harts.
#include "smp.h"

namespace {

using namespace guest;

constexpr uint64_t kSamples = 1000;
constexpr uint64_t kEnd = 9;

struct Receiver {
    // Not "wanted" from the first, or hart 1 would begin before hart 0 is ready for it.
    Word ready{2};  // 0: hart 1 is wanted; 1: it waits for the interrupt; 2: it has had it; kEnd: no more
    Word halts;     // 1: it waits by WFI
    uint64_t handled_at = 0;
};
Receiver receiver;
uint64_t samples[kSamples];

extern "C" uint64_t handler_time;
uint64_t handler_time = 0;

// Notes the time before anything else, then forgets its interrupt.
extern "C" void latency_handler();
asm(R"(
    .text
    .balign 4
    .globl latency_handler
latency_handler:
    csrw    mscratch, t0
    csrr    t0, time
    addi    sp, sp, -32
    sd      t1, 0(sp)
    sd      t2, 8(sp)
    la      t1, handler_time
    sd      t0, 0(t1)
    csrr    t0, mhartid
    li      t1, 0x02000000
    slli    t2, t0, 2
    add     t2, t2, t1
    sw      zero, 0(t2)
    li      t1, 0x02004000
    slli    t2, t0, 3
    add     t2, t2, t1
    li      t1, -1
    sd      t1, 0(t2)
    ld      t1, 0(sp)
    ld      t2, 8(sp)
    addi    sp, sp, 32
    csrr    t0, mscratch
    mret
)");

void spin(uint64_t ticks) {
    const uint64_t end = time() + ticks;
    while (time() < end) {
    }
}

void take_interrupts(uint64_t which) {
    GUEST_CSR_WRITE(mtvec, reinterpret_cast<uint64_t>(latency_handler));
    GUEST_CSR_WRITE(mie, which);
    GUEST_CSR_SET(mstatus, kStatusMie);
}

// The time the handler noted, once it did.
uint64_t wait_for_handler(bool halts) {
    uint64_t at = 0;
    while ((at = *const_cast<volatile uint64_t*>(&handler_time)) == 0) {
        if (halts) {
            // An interrupt between the load and here would be slept through, were it not for the mask.
            GUEST_CSR_CLEAR(mstatus, kStatusMie);
            if (*const_cast<volatile uint64_t*>(&handler_time) == 0) {
                asm volatile("wfi");
            }
            GUEST_CSR_SET(mstatus, kStatusMie);
        }
    }
    return at;
}

void report(const char* name) {
    for (uint64_t gap = kSamples / 2; gap != 0; gap /= 2) {
        for (uint64_t i = gap; i < kSamples; ++i) {
            for (uint64_t j = i; j >= gap && samples[j] < samples[j - gap]; j -= gap) {
                const uint64_t other = samples[j];
                samples[j] = samples[j - gap];
                samples[j - gap] = other;
            }
        }
    }
    put_text(name);
    const uint64_t places[] = {kSamples / 2, kSamples * 99 / 100, kSamples - 1};
    for (const uint64_t place : places) {
        put_char(' ');
        put_hex(samples[place]);
    }
    put_char('\n');
}

void ipis(const char* name, bool halts) {
    receiver.halts.set(halts ? 1 : 0);
    for (uint64_t i = 0; i < kSamples; ++i) {
        receiver.ready.set(0);
        receiver.ready.wait_for(1);
        spin(300);  // 30 us: the receiver has halted by then
        const uint64_t begin = time();
        msip(1) = 1;
        receiver.ready.wait_for(2);
        samples[i] = receiver.handled_at - begin;
    }
    report(name);
}

void timers(const char* name, bool halts) {
    take_interrupts(kMti);
    for (uint64_t i = 0; i < kSamples; ++i) {
        handler_time = 0;
        const uint64_t due = time() + 1000;  // 100 us
        mtimecmp(0) = due;
        samples[i] = wait_for_handler(halts) - due;
    }
    report(name);
}

}  // namespace

void guest_secondary(uint64_t) {
    take_interrupts(kMsi);
    while (true) {
        while (receiver.ready.get() != 0) {
            if (receiver.ready.get() == kEnd) {
                return;
            }
        }
        handler_time = 0;
        const bool halts = receiver.halts.get() != 0;
        receiver.ready.set(1);
        receiver.handled_at = wait_for_handler(halts);
        receiver.ready.set(2);
    }
}

void guest_main() {
    ipis("ipi-running", false);
    ipis("ipi-halted", true);
    receiver.ready.set(kEnd);
    timers("timer-running", false);
    timers("timer-halted", true);
}
