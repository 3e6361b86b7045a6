// LR and SC to a device: a region either supports reservations or it does not (RsrvNone: LR raises a load access fault, SC a
// store access fault). An LR that reads the device, with its effects, before an SC that cannot be done is neither.
// After: riscv-isa-sim#1122 (LR to MMIO had effects though it trapped), #272; NEMU#827. Priv 3.6.3.2.
#include "lib.h"

static u64 lr(u64 a) { u64 v; asm volatile("lr.w %0, (%1)" : "=r"(v) : "r"(a) : "memory"); return v; }
static u64 lrsc(u64 a, u64 x) {
    u64 v, r;
    asm volatile("lr.w %0, (%2)\n\tsc.w %1, %3, (%2)" : "=&r"(v), "=&r"(r) : "r"(a), "r"(x) : "memory");
    return r;
}

int main(void) {
    begin("lr-device");
    // One character, in loopback; reading the register takes it out.
    R8(UART + 1) = 0;
    R8(UART + 4) = 0x10;
    while (R8(UART + 5) & 1) (void)R8(UART);
    R8(UART) = 'A';
    delay_us(3000);
    try_m(lr, UART);
    const u64 cause = T.cause;
    const u64 left = R8(UART + 5) & 1;
    while (R8(UART + 5) & 1) (void)R8(UART);
    R8(UART + 4) = 0;
    note("LR to the serial port: cause", cause);
    note("and the character is still there", left);
    if (cause != NO_TRAP) ck("an LR that traps has no effect", left, 1);
    const u64 old = R32(MTIMECMP);
    try_m(lr, MTIMECMP);
    const u64 c1 = T.cause;
    try_m(lrsc, MTIMECMP, old);
    const u64 c2 = T.cause, r = T.ret;
    note("LR to the CLINT: cause", c1);
    note("LR and SC to the CLINT: cause", c2);
    ckt("LR is refused, or SC is not", c1 == C_LACCESS || c2 == NO_TRAP);
    if (c2 == NO_TRAP) note("SC gave", r);
    return 0;
}
