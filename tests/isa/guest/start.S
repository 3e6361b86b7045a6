/* Start of all guest test programs, in M mode with translation and interrupts off. Hart 0 runs guest_main() and ends the machine.
   Others, three at most, run guest_secondary(hart), where the program has one, and then wait for ever. A hart's stack reaches
   down to the next one's, 4 KiB below: 16 KiB for a hart that is alone. */
    .macro  set_stack
    csrr    a0, mhartid
    la      sp, stack_top
    slli    t0, a0, 12
    sub     sp, sp, t0
    .endm

    .section .text.start, "ax"
    .globl  _start
_start:
    set_stack
    la      t0, unexpected_trap
    csrw    mtvec, t0
    csrw    mie, zero
    csrw    medeleg, zero
    csrw    mideleg, zero
    csrw    satp, zero
    li      t0, 1 << 13                 /* mstatus.FS: initial */
    csrs    mstatus, t0
    li      t0, 0xf0                    /* S and U mode may use cbo.inval (CBIE 3), cbo.clean, cbo.flush, cbo.zero */
    csrs    menvcfg, t0
    csrs    senvcfg, t0
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

    .weak   guest_secondary
guest_secondary:
    ret

    .balign 4
unexpected_trap:
    set_stack
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
