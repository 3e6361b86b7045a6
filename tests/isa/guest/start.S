/* Start of all guest test programs, in M mode with translation and interrupts off. */
    .section .text.start, "ax"
    .globl  _start
_start:
    la      sp, stack_top
    la      t0, unexpected_trap
    csrw    mtvec, t0
    csrw    mie, zero
    csrw    medeleg, zero
    csrw    mideleg, zero
    csrw    satp, zero
    li      t0, 1 << 13                 /* mstatus.FS: initial */
    csrs    mstatus, t0
    li      t0, -1                      /* entry 0 of the PMP: S and U mode may use all memory */
    csrw    pmpaddr0, t0
    li      t0, 0x1f
    csrw    pmpcfg0, t0
    call    guest_main
    j       guest_end

    .balign 4
unexpected_trap:
    la      sp, stack_top
    csrr    a0, mcause
    csrr    a1, mepc
    csrr    a2, mtval
    call    guest_unexpected_trap

    /* The test finisher: power off with success. */
    .globl  guest_end
guest_end:
    li      t0, 0x100000
    li      t1, 0x5555
    sw      t1, 0(t0)
1:  j       1b
