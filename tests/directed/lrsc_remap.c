// LR reserves bytes of memory, not an address: an SC after the page was remapped, to memory that was never reserved, must
// fail even if the same value stands there.
// After: riscv/sail-riscv#360, #501; riscv-isa-sim#217 (closes #215); rv32emu#781 (review).
#include "lib.h"

static u64 root2[512] __attribute__((aligned(4096)));

// S-mode: LR at va, then the entry is changed and fenced, then SC. a0: result.
static __attribute__((naked)) void remap(void) {  // a0: va, a1: -> {pte pointer, new pte}
    asm volatile(
        "ld t1, 0(a1)\n\tld t2, 8(a1)\n\tli t3, 0x5a5a\n\t"
        "lr.d t0, (a0)\n\tsd t2, 0(t1)\n\tsfence.vma a0, x0\n\tsc.d a0, t3, (a0)\n\tret");
}
static __attribute__((naked)) void switch_space(void) {  // a0: va, a1: -> {-, new satp}
    asm volatile(
        "ld t2, 8(a1)\n\tli t3, 0x5a5a\n\t"
        "lr.d t0, (a0)\n\tcsrw satp, t2\n\tsfence.vma x0, x0\n\tsc.d a0, t3, (a0)\n\tret");
}

int main(void) {
    begin("lrsc-remap");
    paging_init();
    for (int i = 0; i < 512; ++i) root2[i] = pt_root[i];
    static u64 l1[512] __attribute__((aligned(4096))), l0[512] __attribute__((aligned(4096)));
    root2[4] = PA2PTE(l1) | PTE_V;
    l1[0] = PA2PTE(l0) | PTE_V;
    l0[0] = PA2PTE(page_b) | RWAD;
    static u64 args[2];
    R64(page_a) = R64(page_b) = 0x1111;
    map(0, (u64)page_a, RWAD);
    csrw(satp, satp_of(pt_root, 1));
    sfence_all();
    args[0] = (u64)&pt_l0[0];
    args[1] = PA2PTE(page_b) | RWAD;
    run_priv(S, (u64)remap, TVA, (u64)args, 0);
    ck("remapped: returned", T.cause, C_ECALL_S);
    ckt("remapped: sc fails", T.regs[10] != 0);
    ck("remapped: the other page was not written", R64(page_b), 0x1111);
    R64(page_a) = R64(page_b) = 0x1111;
    map(0, (u64)page_a, RWAD);
    sfence_all();
    args[1] = satp_of(root2, 2);
    run_priv(S, (u64)switch_space, TVA, (u64)args, 0);
    ck("other space: returned", T.cause, C_ECALL_S);
    ckt("other space: sc fails", T.regs[10] != 0);
    ck("other space: its page was not written", R64(page_b), 0x1111);
    return 0;
}
