/* A program with a mistake: it sets a timer and waits for the interrupt's handler to count, but never enables that
   interrupt in mie. The example of docs/debugging.md. In M mode. */
        .set    MTIMECMP, 0x02004000
        .set    MTIME, 0x0200bff8
        .globl  _start
_start:
        la      t0, tick
        csrw    mtvec, t0
        li      t0, MTIME
        ld      t1, 0(t0)
        li      t2, 100000                              /* 10 ms */
        add     t1, t1, t2
        li      t0, MTIMECMP
        sd      t1, 0(t0)
        csrsi   mstatus, 8                              /* MIE */
        la      s0, ticks
wait:   ld      a0, 0(s0)
        beqz    a0, wait
        li      t0, 0x00100000                          /* the test finisher: power off */
        li      t1, 0x5555
        sw      t1, 0(t0)
1:      wfi
        j       1b

        .balign 4
tick:   li      t0, MTIMECMP
        li      t1, -1
        sd      t1, 0(t0)
        la      t0, ticks
        ld      t1, 0(t0)
        addi    t1, t1, 1
        sd      t1, 0(t0)
        mret

        .data
ticks:  .dword  0
