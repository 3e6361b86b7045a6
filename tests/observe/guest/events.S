/* Something for each item of -d, then power off. In M mode. */
        .set    CLINT, 0x02000000
        .set    FINISHER, 0x00100000
        .globl  _start
_start:
        la      t0, handler
        csrw    mtvec, t0
        /* Entry 0 of the PMP: all memory for all modes. */
        li      t0, -1
        csrw    pmpaddr0, t0
        li      t0, 0x1f
        csrw    pmpcfg0, t0

        /* int: an exception. */
        ecall

        /* guest_errors: no register is there. unimp: the serial port sends no break. */
        li      s0, CLINT
        li      t0, CLINT + 0xb000
        lw      t1, 0(t0)
        li      t0, 0x10000000
        li      t1, 0x43
        sb      t1, 3(t0)

        /* mmu: Sv39 with one page of 1 GiB, 0x40000000 on to where RAM is. Loads are S mode's (MPRV). */
        la      t0, root
        li      t1, (0x80000000 >> 2) | 0xcf            /* V R W X A D */
        sd      t1, 8(t0)
        srli    t0, t0, 12
        li      t1, 8 << 60
        or      t0, t0, t1
        csrw    satp, t0
        sfence.vma
        li      t2, (1 << 17) | (1 << 11)               /* MPRV, MPP = S */
        csrs    mstatus, t2
        li      t0, 0x40001234
        ld      t1, 0(t0)
        li      t0, 0xc0000000                          /* not mapped: a page fault */
        ld      t1, 0(t0)
        csrc    mstatus, t2

        /* exec: a loop of ten rounds. */
        li      t0, 10
loop:   addi    t0, t0, -1
        bnez    t0, loop

        /* int: an interrupt, at once. */
        li      t0, 8                                   /* MSIE, MIE */
        csrs    mie, t0
        li      t1, 1
        sw      t1, 0(s0)
        csrs    mstatus, t0
        nop

        li      t0, FINISHER
        li      t1, 0x5555
        sw      t1, 0(t0)
1:      wfi                                             /* until the machine has ended */
        j       1b

        /* Goes on behind the instruction; an interrupt is taken back. MPP is set to S again, as the loads want. */
        .balign 4
handler:
        csrr    t3, mcause
        bltz    t3, 2f
        csrr    t3, mepc
        addi    t3, t3, 4
        csrw    mepc, t3
        li      t3, 3 << 11
        csrs    mstatus, t3
        mret
2:      sw      zero, 0(s0)
        mret

        .data
        .balign 4096
root:   .skip   4096
