// Four harts pass a token around by supervisor software interrupts of the ACLINT's SSWI device (aclint=on): each is told by an
// interrupt in S mode, takes its SSIP back, and tells the next. After: ACLINT specification 1.0, "SSWI"; Priv 3.1.9, 4.1.3.
#include "lib.h"

#define SSWI 0x2f00000ul
#define MSWI 0x2000000ul
#define MTIMER 0x2004000ul
enum { HARTS = 4, PASSES = 2000 };
#define SSI 2ul

static volatile u64 token, wrong, there, back;
static volatile u64 seen[HARTS];

static void add(volatile u64* to, u64 n) { __atomic_fetch_add(to, n, __ATOMIC_SEQ_CST); }

// S mode. sscratch: the hart.
__attribute__((interrupt("supervisor"), aligned(4))) static void told(void) {
    const u64 hart = csrr(sscratch);
    if (csrr(scause) != (INTR | 1) || token % HARTS != hart) add(&wrong, 1);
    csrc(sip, SSI);
    if (token >= PASSES) return;
    ++seen[hart];
    add(&token, 1);
    if (token < PASSES) R32(SSWI + 4 * (token % HARTS)) = 1;
}

static void pass(u64 hart) {
    csrw(stvec, (u64)told);
    csrw(sscratch, hart);
    csrw(sie, SSI);
    csrs(sstatus, 2);
    add(&there, 1);
    while (there < HARTS) {
    }
    if (hart == 0) R32(SSWI) = 1;
    while (token < PASSES) asm volatile(".word 0x0100000f");  // pause
    csrw(sie, 0);
}

static void on_hart(u64 hart) {
    csrw(mideleg, SSI);
    run_priv(S, (u64)pass, hart, 0, 0);
    add(&back, 1);
}

int main(void) {
    begin("aclint-sswi");
    // What is no hart's, and what cannot be read.
    ck("SETSSIP reads 0", R32(SSWI), 0);
    R32(SSWI) = 0;
    ck("0 does nothing", csrr(mip) & SSI, 0);
    R32(SSWI) = 1;
    ck("1 sets SSIP", csrr(mip) & SSI, SSI);
    ck("SETSSIP still reads 0", R32(SSWI), 0);
    csrc(mip, SSI);
    ck("software clears it", csrr(mip) & SSI, 0);
    R32(SSWI) = 0xfffffffe;
    ck("other bits do nothing", csrr(mip) & SSI, 0);
    // The CLINT's registers are where they were.
    R32(MSWI) = 1;
    ck("MSIP", csrr(mip) & 8, 8);
    R32(MSWI) = 0;
    ck("MSIP again", csrr(mip) & 8, 0);
    R64(MTIMER) = 0;
    ck("MTIMECMP", csrr(mip) & 0x80, 0x80);
    R64(MTIMER) = ~0ul;
    ckt("MTIME goes on", R64(MTIMER + 0x7ff8) <= R64(MTIMER + 0x7ff8));
    try_m(m_lw, MTIMER + 0x8000);
    ck("nothing behind MTIMER", T.cause, C_LACCESS);
    try_m(m_lw, SSWI + 0x4000);
    ck("nothing behind SSWI", T.cause, C_LACCESS);

    secondary_fn = (u64)on_hart;
    on_hart(0);
    while (back < HARTS) {
    }
    ck("wrong interrupts", wrong, 0);
    ck("passes", token, PASSES);
    for (u64 i = 0; i < HARTS; ++i) ck("of each hart", seen[i], PASSES / HARTS);
    return 0;
}
