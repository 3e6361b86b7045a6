// What ends a reservation besides a store: whatever may change what an address means. Priv 3.1.6.1 (returns), 3.1.6.3 (MPRV),
// 4.1.11 (satp), 4.2.1 (SFENCE.VMA); unprivileged "Zalrsc": SC may succeed only on the memory that LR reserved.
// A control first: without any of these, SC succeeds.
#include "lib.h"

static u64 sc_of(const char* name, u64 want_failure, u64 got) {
    ckt(name, (got != 0) == (want_failure != 0));
    return got;
}

static __attribute__((naked)) void plain(void) {
    asm volatile("lr.d t0, (a0)\n\tsc.d a0, a1, (a0)\n\tret");
}
static __attribute__((naked)) void fenced(void) {
    asm volatile("lr.d t0, (a0)\n\tsfence.vma x0, x0\n\tsc.d a0, a1, (a0)\n\tret");
}
// MPRV is set and cleared again in between: a load or store there would have meant something else.
static __attribute__((naked)) void mprv(void) {
    asm volatile(
        "lr.d t0, (a0)\n\tli t1, 1 << 17\n\tcsrs mstatus, t1\n\tcsrc mstatus, t1\n\tsc.d a0, a1, (a0)\n\tret");
}
static __attribute__((naked)) void returned(void) {
    asm volatile(
        "lr.d t0, (a0)\n\tla t1, 1f\n\tcsrw mepc, t1\n\tli t1, 3 << 11\n\tcsrs mstatus, t1\n\tmret\n\t"
        "1: sc.d a0, a1, (a0)\n\tret");
}
static __attribute__((naked)) void satp_written(void) {
    asm volatile("csrr t1, satp\n\tlr.d t0, (a0)\n\tcsrw satp, t1\n\tsc.d a0, a1, (a0)\n\tret");
}
static __attribute__((naked)) void other_size(void) {
    asm volatile("lr.d t0, (a0)\n\tsc.w a0, a1, (a0)\n\tret");
}
static __attribute__((naked)) void twice(void) {
    asm volatile("lr.d t0, (a0)\n\tsc.d t1, a1, (a0)\n\tsc.d a0, a1, (a0)\n\tret");
}

int main(void) {
    static u64 cell __attribute__((aligned(8)));
    begin("lrsc-ends");
    const struct {
        const char* name;
        const void* code;
        u64 fails;
    } cases[] = {{"nothing in between", plain, 0}, {"sfence.vma", fenced, 1},   {"mstatus.MPRV", mprv, 1},
                 {"mret", returned, 1},            {"satp", satp_written, 1},   {"another size", other_size, 1},
                 {"a second SC", twice, 1}};
    for (unsigned round = 0; round < 4; ++round) {
        for (unsigned i = 0; i < sizeof cases / sizeof *cases; ++i) {
            cell = 1;
            try_m(cases[i].code, (u64)&cell, 2ul);
            ck(cases[i].name, T.cause, NO_TRAP);
            sc_of(cases[i].name, cases[i].fails, T.ret);
        }
    }
    return 0;
}
