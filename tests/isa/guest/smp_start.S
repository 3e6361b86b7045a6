/* Start of guest programs that run on several harts: each has a stack of 4 KiB, four harts at most. Hart 0 runs guest_main()
   and ends the machine; the others run guest_secondary(hart) and then wait for ever. In M mode, interrupts off. */
    .section .text.start, "ax"
    .globl  _start
_start:
    csrr    a0, mhartid
    la      sp, stack_top
    slli    t0, a0, 12
    sub     sp, sp, t0
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
    bnez    a0, 1f
    call    guest_main
    j       guest_end
1:  call    guest_secondary
2:  wfi
    j       2b

    .balign 4
unexpected_trap:
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
3:  j       3b
