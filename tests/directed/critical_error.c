// A double trap in M mode without Smrnmi ("Smdbltrp"): the hart is in the critical-error state and executes nothing, whatever interrupts it
// gets; the other one goes on; a reset of the machine begins both anew. And M mode that says it is ready has no double trap.
#include "lib.h"

#define MDT (1ul << 42)
#define MSI 8ul
// Beyond the image: it outlasts a reset.
#define ROUND R64(0x80f00000)
enum { SECOND_ROUND = 0x5a5a1234 };

static volatile u64 there, alive;

static void on_hart(u64 hart) {
    (void)hart;
    csrw(mie, MSI);
    if (ROUND == SECOND_ROUND) {
        alive = 1;
        return;
    }
    csrs(mstatus, MDT);
    there = 1;
    asm volatile(".word 0xffffffff");
    alive = 1;
}

int main(void) {
    begin("critical-error");
    ck("MDT after a reset", csrr(mstatus) & MDT, MDT);
    csrs(mstatus, MSI);
    ck("MIE while MDT is 1", csrr(mstatus) & MSI, 0);
    csrc(mstatus, MDT);
    csrs(mstatus, MSI);
    ck("MIE after that", csrr(mstatus) & MSI, MSI);
    csrc(mstatus, MSI);
    if (ROUND == SECOND_ROUND) {
        secondary_fn = (u64)on_hart;
        while (!alive) {
        }
        ckt("the other hart runs after the reset", 1);
        finish();
    }
    // A trap that is dealt with: the library's handler returns by MRET.
    for (int round = 0; round < 100; ++round) {
        ck("traps of M mode's own", (u64)try_m((void*)m_ld, 0xa0000000ul), 1);
        ck("cause", T.cause, C_LACCESS);
        csrc(mstatus, MDT);
    }
    secondary_fn = (u64)on_hart;
    while (!there) {
    }
    for (int round = 0; round < 50; ++round) {
        R32(CLINT + 4) = 1;
        delay_us(100);
        R32(CLINT + 4) = 0;
    }
    ck("traps that the other hart took", ctx[1].count, 0);
    ck("instructions after that", alive, 0);
    if (failures == 0) {
        ROUND = SECOND_ROUND;
        R32(FINISHER) = 0x7777;
        for (;;) {
        }
    }
    finish();
}
