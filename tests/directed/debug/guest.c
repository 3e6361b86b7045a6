// What the tests of the machine's gdb stub debug: functions that they stop in, and labels at single instructions.
#include "tests/directed/lib.h"

volatile u64 go_on;     // set by the debugger
volatile u64 counters[4];  // one a hart, while it spins
volatile u64 ticks;

__attribute__((noinline)) u64 add(u64 a, u64 b) {
    asm volatile("" ::: "memory");
    return a + b;
}

// The three harts besides the first one, where there are so many.
__attribute__((noinline, noclone)) static void spin(u64 hart) {
    while (!go_on) ++counters[hart];
}

// Memory that is watched: a word in the middle of a page, and one that lies on two.
u64 watched_pages[2][512] __attribute__((aligned(4096)));

asm(R"(
    .text
    .balign 4
    .option push
    .option norvc
    .globl accesses, access_load, access_store, access_amo, access_lr, access_sc, access_byte, access_before, access_beside
    .globl access_across, access_across_load, access_float, accesses_end
accesses:                               # a0: the word at the pages' meeting, a1: the one within a page
access_load:        ld a2, 0(a1)
access_store:       sd a2, 0(a1)
access_amo:         amoadd.w a3, a2, (a1)
access_lr:          lr.d a3, (a1)
access_sc:          sc.d a4, a2, (a1)
access_byte:        sb a2, 7(a1)
access_before:      sd a2, -5(a1)       # its last three bytes are the word's
access_beside:      sd a2, -8(a1)
                    sd a2, 8(a1)
access_across:      sd a2, -4(a0)
access_across_load: lw a3, -2(a0)
access_float:       fsd fa0, 0(a1)
accesses_end:       ret

    .globl calls, calls_end
calls:              ecall
calls_end:          ret

    .globl sleeps, sleep_wfi, sleep_done
sleeps:
sleep_wfi:          wfi
sleep_done:         ret

    # With a timer that is due: interrupts go to tick_handler.
    .globl masked, masked_on, masked_one, masked_two, masked_off, tick_handler
masked:
masked_on:          csrsi mstatus, 8
masked_one:         addi a0, a0, 1
masked_two:         addi a0, a0, 1
masked_off:         csrci mstatus, 8
                    ret
    .balign 4
tick_handler:       csrw mscratch, t0
                    la t0, ticks
                    sd t1, -8(sp)
                    ld t1, 0(t0)
                    addi t1, t1, 1
                    sd t1, 0(t0)
                    li t0, 0x2004000
                    li t1, -1
                    sd t1, 0(t0)
                    ld t1, -8(sp)
                    csrr t0, mscratch
                    mret

    # In U mode, at another address than where it is: see main().
    .globl in_user, user_word
    .balign 4096
in_user:            lla a2, user_word
                    ld a0, 0(a2)
                    addi a0, a0, 1
                    sd a0, 0(a2)
                    ecall
    .balign 8
user_word:          .dword 41
    .balign 4096
    .option pop
)");

void accesses(void* meeting, void* within);
void calls(void);
void sleeps(void);
void masked(u64);
extern char in_user[], tick_handler[];
extern u64 user_word;

static void run_accesses(void) {
    accesses(&watched_pages[1], &watched_pages[0][256]);
}

// The page of in_user is at TVA, for U mode without the rights that a load of S mode needs.
static void run_user(void) {
    paging_init();
    map(0, (u64)in_user, PTE_V | PTE_R | PTE_W | PTE_X | PTE_U | PTE_A | PTE_D);
    csrw(satp, satp_of(pt_root, 1));
    sfence_all();
    run_priv(U, TVA, 0, 0, 0);
    csrw(satp, 0);
    ck("user word", user_word, 42);
}

static void run_timer(void) {
    const u64 old = csrrw(mtvec, tick_handler);
    const u64 scratch = csrr(mscratch);
    csrs(mie, 1 << 7);
    R64(MTIMECMP) = 0;
    masked(0);
    csrc(mie, 1 << 7);
    csrw(mscratch, scratch);
    csrw(mtvec, old);
    ck("ticks", ticks, 1);
}

int main(void) {
    begin("debug");
    secondary_fn = (u64)spin;
    u64 sum = 0;
    for (u64 i = 0; i < 5; ++i) sum = add(sum, i);
    asm volatile(".globl add_out\nadd_out: mv a0, %0" ::"r"(sum) : "a0");
    ck("sum", sum, 10);
    run_accesses();
    try_m(calls);
    ck("cause", T.cause, C_ECALL_M);
    run_timer();
    run_user();
    spin(0);
    sleeps();
    return 0;
}
