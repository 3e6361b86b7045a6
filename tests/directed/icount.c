// What the guest sees of time where it is that of instructions (-icount shift=N): ticks of the board's clock, 100 ns each, which it
// prints for icount_test.py to judge. How long to wait is in RAM, where -device loader has put it.
#include "lib.h"

enum { LOOPS = 4000000 };  // of two instructions
#define TICKS R64(0x84000000)

static u64 spin(void) {
    const u64 begin = csrr(time);
    u64 left = LOOPS;
    asm volatile("1: addi %0, %0, -1\n bnez %0, 1b" : "+r"(left));
    return csrr(time) - begin;
}

// Interrupts stay off in mstatus: WFI ends where one is pending (Privileged Architecture, 3.3.3).
static u64 wait(u64 ticks) {
    csrw(mie, 1 << 7);
    const u64 begin = csrr(time);
    R64(MTIMECMP) = begin + ticks;
    while ((csrr(mip) & 1 << 7) == 0) {
        asm volatile("wfi");
    }
    const u64 end = csrr(time);
    R64(MTIMECMP) = ~0ul;
    return end - begin;
}

int main(void) {
    begin("icount");
    note("spin", spin());
    note("again", spin());
    note("wait", wait(TICKS));
    ckt("there was time to wait", TICKS != 0);
    finish();
}
