// Smallest form of what 01 found: PMP forbids the second half of a 32-bit instruction. It must not run. Priv 3.7.1.3: the entry
// has to match all bytes of an access; the fetch is either one access of four bytes, or two of which the second is refused.
#include "lib.h"

// Entry 1: [code, code + len) RWX; entry 2: the rest of the page RW-; both bind S and U, and M if locked.
static void protect(u64 code, u64 len, u64 lock) {
    csrw(pmpaddr0, code >> 2);
    csrw(pmpaddr1, (code + len) >> 2);
    csrw(pmpaddr2, (code + 4096) >> 2);
    csrw(pmpcfg0, (0x0bul | lock) << 16 | (0x0ful | lock) << 8);
}

static u8 two[2][4096] __attribute__((aligned(4096)));
#define page_c (two[0])
#define page_d (two[1])

int main(void) {
    begin("pmp-halfword");
    // +0: c.addi a0, 1; +2: addi a0, a0, 100; +6: ret. Executable are the first four bytes.
    *(u16*)page_b = 0x0505;
    *(u32*)(page_b + 2) = 0x06450513;
    *(u16*)(page_b + 6) = 0x8082;
    // The same over the end of a page: page_c's last halfword and the first of page_d, of which nothing is executable.
    *(u16*)(page_c + 0xffc) = 0x0505;
    *(u16*)(page_c + 0xffe) = 0x0513;
    *(u16*)page_d = 0x0645;
    *(u16*)(page_d + 2) = 0x8082;
    fence_i();
    protect((u64)page_b, 4, 0);
    for (int mode = U; mode <= S; ++mode) {
        for (int i = 0; i < 8; ++i) {
            run_priv((u64)mode, (u64)page_b, 0, 0, 0);
            ck("in a page: cause", T.cause, C_IACCESS);
            ck("in a page: epc", T.epc, (u64)page_b + 2);
            ck2("in a page: tval", T.tval, (u64)page_b + 4, (u64)page_b + 2);
            ck("in a page: a0", T.regs[10], 1);
        }
    }
    csrw(pmpcfg0, 0);
    // All of page_c, nothing of page_d.
    csrw(pmpaddr0, (u64)page_d >> 2 | 0x1ff);
    csrw(pmpcfg0, 0x1b);  // NAPOT, RW
    for (int i = 0; i < 8; ++i) {
        run_priv(S, (u64)page_c + 0xffc, 0, 0, 0);
        ck("over the end: cause", T.cause, C_IACCESS);
        ck("over the end: epc", T.epc, (u64)page_c + 0xffe);
        ck2("over the end: tval", T.tval, (u64)page_d, (u64)page_c + 0xffe);
        ck("over the end: a0", T.regs[10], 1);
    }
    // Of page_d the first four bytes are data only, the rest is code.
    csrw(pmpcfg0, 0);
    csrw(pmpaddr0, (u64)page_d >> 2);
    csrw(pmpcfg0, 0x13);  // NA4, RW
    for (int i = 0; i < 8; ++i) {
        run_priv(S, (u64)page_c + 0xffc, 0, 0, 0);
        ck("first word of the next page: cause", T.cause, C_IACCESS);
        ck("first word of the next page: epc", T.epc, (u64)page_c + 0xffe);
        ck("first word of the next page: a0", T.regs[10], 1);
    }
    // And the other way round: of page_b the first two bytes... PMP counts in words: the word at +4 is code, that at +0 is not.
    csrw(pmpcfg0, 0);
    csrw(pmpaddr0, (u64)page_b >> 2);
    csrw(pmpcfg0, 0x13);
    run_priv(S, (u64)page_b + 2, 0, 0, 0);
    ck("first half forbidden: cause", T.cause, C_IACCESS);
    ck("first half forbidden: epc", T.epc, (u64)page_b + 2);
    ck("first half forbidden: a0", T.regs[10], 0);
    // An entry that covers the whole word, without X for M-mode: locked.
    csrw(pmpcfg0, 0);
    protect((u64)page_b, 4, 0x80);
    for (int i = 0; i < 8; ++i) {
        try_m(page_b);
        ck("locked, M-mode: cause", T.cause, C_IACCESS);
        ck("locked, M-mode: epc", T.epc, (u64)page_b + 2);
    }
    return 0;
}
