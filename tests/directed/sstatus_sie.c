// Supervisor interrupts switched on and off by CSRRS and CSRRC of sstatus, in all their forms: what rd gets, what changes, and that
// a pending interrupt that SIE lets through is taken before the next instruction. After: Priv 3.1.9 and 4.1.1.
#include "lib.h"

enum { SSI = 2, SIE = 2, ROUNDS = 20 };
#define SPIE (1ul << 5)
#define FS (3ul << 13)
#define SUM (1ul << 18)
#define UXL64 (2ul << 32)
#define SD (1ul << 63)
#define NOWHERE 1ul

static volatile u64 taken_at, taken;

// S mode. It leaves SIE as it was when it was entered: set.
__attribute__((interrupt("supervisor"), aligned(4))) static void told(void) {
    taken_at = csrr(scause) == (INTR | 1) ? csrr(sepc) : NOWHERE;
    ++taken;
    csrc(sip, SSI);
}

struct seen {
    u64 old, next, after, at, count;
};

// Does `insn`, which writes %[old] and may read %[operand], with sstatus and sip as said.
#define DO(insn, status, pending, value)                                                              \
    ({                                                                                                \
        struct seen s;                                                                                \
        csrw(sstatus, (status) & ~(u64)SIE);                                                          \
        csrc(sip, SSI);                                                                               \
        taken = 0;                                                                                    \
        if ((status) & SIE) asm volatile("csrsi sstatus, 2" ::: "memory");                            \
        if (pending) csrs(sip, SSI); /* taken at once where SIE is set already */                     \
        u64 early = taken;                                                                            \
        taken_at = 0;                                                                                 \
        asm volatile("la %[next], 1f\n\t" insn "\n1:\n\tnop"                                          \
                     : [old] "=&r"(s.old), [next] "=&r"(s.next)                                       \
                     : [operand] "r"((u64)(value))                                                    \
                     : "memory");                                                                     \
        s.after = csrr(sstatus);                                                                      \
        csrc(sstatus, SIE);                                                                           \
        s.at = taken_at;                                                                              \
        s.count = taken - early;                                                                      \
        s;                                                                                            \
    })

#define MASK (SIE | FS | SUM | UXL64 | SD)

static void expect(const char* what, struct seen s, u64 old, u64 after, int interrupted) {
    ck(what, s.old & MASK, old | UXL64);
    ck(what, s.after & MASK, after | UXL64);
    ck(what, s.count, (u64)interrupted);
    ck(what, s.at, interrupted ? s.next : 0);
}

static void forms(u64 extra) {
    const u64 off = extra;
    const u64 on = extra | SIE;
    expect("csrrsi, nothing pending", DO("csrrsi %[old], sstatus, 2", off, 0, 0), off, on, 0);
    expect("csrrsi, pending", DO("csrrsi %[old], sstatus, 2", off, 1, 0), off, on, 1);
    expect("csrrsi of a set bit", DO("csrrsi %[old], sstatus, 2", on, 0, 0), on, on, 0);
    expect("csrrsi of other bits", DO("csrrsi %[old], sstatus, 0x1d", off, 1, 0), off, off, 0);
    expect("csrrci", DO("csrrci %[old], sstatus, 2", on, 0, 0), on, off, 0);
    expect("csrrci of a clear bit", DO("csrrci %[old], sstatus, 2", off, 1, 0), off, off, 0);
    expect("csrrci of other bits", DO("csrrci %[old], sstatus, 0x1d", on, 0, 0), on, on, 0);
    expect("csrrs, nothing pending", DO("csrrs %[old], sstatus, %[operand]", off, 0, SIE), off, on, 0);
    expect("csrrs, pending", DO("csrrs %[old], sstatus, %[operand]", off, 1, SIE), off, on, 1);
    expect("csrrs of nothing", DO("csrrs %[old], sstatus, %[operand]", off, 1, 0), off, off, 0);
    expect("csrrs of nothing, on", DO("csrrs %[old], sstatus, %[operand]", on, 0, 0), on, on, 0);
    expect("csrrs of its own rd", DO("mv %[old], %[operand]; csrrs %[old], sstatus, %[old]", off, 1, SIE), off, on, 1);
    expect("csrrs of more", DO("csrrs %[old], sstatus, %[operand]", off, 1, SIE | SUM), off, on | SUM, 1);
    expect("csrrs of something else", DO("csrrs %[old], sstatus, %[operand]", off, 1, SUM), off, off | SUM, 0);
    expect("csrrs of what cannot be written", DO("csrrs %[old], sstatus, %[operand]", off, 1, 1ul << 40 | 0x1d), off, off, 0);
    expect("csrrc", DO("csrrc %[old], sstatus, %[operand]", on, 0, SIE), on, off, 0);
    expect("csrrc of more", DO("csrrc %[old], sstatus, %[operand]", on | SUM, 0, SIE | SUM), on | SUM, off, 0);
    expect("csrrw", DO("csrrw %[old], sstatus, %[operand]", off, 1, extra | SIE), off, on, 1);
    expect("without rd", DO("li %[old], 1; slli %[old], %[old], 33; csrsi sstatus, 2", off, 1, 0), 0, on, 1);
}

static void supervisor(void) {
    csrw(stvec, (u64)told);
    csrw(sie, SSI);
    for (int i = 0; i < ROUNDS; ++i) {
        forms(0);
        forms(FS | SD);        // dirty: SD sums it up
        forms(2ul << 13);      // clean
    }
    csrw(sie, 0);
    csrw(sstatus, 0);
}

int main(void) {
    begin("sstatus-sie");
    csrw(mideleg, SSI);
    run_priv(S, (u64)supervisor, 0, 0, 0);
    return 0;
}
