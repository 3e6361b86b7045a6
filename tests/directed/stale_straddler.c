// Smallest form of what 01 found: a 32-bit instruction over the end of a page, run often; then the second page is mapped
// elsewhere and SFENCE.VMA names an address of that page. The instruction must be the new one. Priv 4.2.1: with rs1 != x0 the
// fence orders the leaf entry of that address before later implicit reads, and the fetch of the second half reads that entry.
#include "lib.h"

static void plant(void) {
    *(u16*)(page_a + 0xffe) = 0x0513;  // low half of addi a0, a0, imm
    *(u16*)page_b = 0x0645;            // imm 100
    *(u16*)(page_b + 2) = 0x8082;      // ret
    *(u16*)page_c = 0x0c85;            // imm 200
    *(u16*)(page_c + 2) = 0x8082;
    fence_i();
}
static void fence_kind(int kind, u64 va) {
    fence();
    switch (kind) {
        case 0: sfence_all(); break;
        case 1: sfence_va(va); break;
        case 2: sfence_asid(0ul); break;
        case 3: sfence_va_asid(va, 0ul); break;
    }
}
static const char* const names[] = {"sfence.vma x0, x0", "sfence.vma va, x0", "sfence.vma x0, asid", "sfence.vma va, asid"};

int main(void) {
    begin("stale-straddler");
    const unsigned X = PTE_V | PTE_R | PTE_X | PTE_A;
    plant();
    paging_init();
    map(0, (u64)page_a, X);
    csrw(satp, satp_of(pt_root, 0));
    for (int kind = 0; kind < 4; ++kind) {
        for (int times = 1; times <= 64; times *= 4) {
            map(1, (u64)page_b, X);
            sfence_all();
            for (int i = 0; i < times; ++i) {
                run_priv(S, TVA + 0xffe, 0, 0, 0);
                ck("before", T.regs[10], 100);
            }
            map(1, (u64)page_c, X);
            fence_kind(kind, TVA + 0x1000);
            run_priv(S, TVA + 0xffe, 0, 0, 0);
            ck(names[kind], T.regs[10], 200);
            map(1, 0, 0);
            fence_kind(kind, TVA + 0x1000);
            run_priv(S, TVA + 0xffe, 0, 0, 0);
            ck("unmapped: cause", T.cause, C_IPAGE);
            ck("unmapped: epc", T.epc, TVA + 0xffe);
            ck("unmapped: tval", T.tval, TVA + 0x1000);
        }
    }
    // The first page instead: its last halfword then belongs to another instruction.
    *(u16*)(page_d + 0xffe) = 0x0593;  // addi a1, a0, imm
    fence_i();
    for (int kind = 0; kind < 4; ++kind) {
        map(0, (u64)page_a, X);
        map(1, (u64)page_b, X);
        sfence_all();
        for (int i = 0; i < 20; ++i) run_priv(S, TVA + 0xffe, 0, 0, 0);
        ck("first page: before", T.regs[10], 100);
        map(0, (u64)page_d, X);
        fence_kind(kind, TVA);
        run_priv(S, TVA + 0xffe, 0, 0, 0);
        ck("first page: a0", T.regs[10], 0);
        ck("first page: a1", T.regs[11], 100);
        map(0, 0, 0);
        fence_kind(kind, TVA);
        run_priv(S, TVA + 0xffe, 0, 0, 0);
        ck("first page unmapped: cause", T.cause, C_IPAGE);
        ck("first page unmapped: tval", T.tval, TVA + 0xffe);
    }
    // Illegal, 16 bits, in the last halfword; the next page is not there and does not matter.
    *(u16*)(page_d + 0xffe) = 0;
    fence_i();
    map(0, (u64)page_d, X);
    map(1, 0, 0);
    sfence_all();
    run_priv(S, TVA + 0xffe, 0, 0, 0);
    ck("illegal at the end: cause", T.cause, C_ILLEGAL);
    csrw(satp, 0);
    return 0;
}
