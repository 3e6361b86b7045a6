/* A loop of a million rounds, then power off. In M mode. */
        .globl  _start
_start:
        li      t0, 1000000
loop:   addi    t0, t0, -1
        bnez    t0, loop
        li      t0, 0x00100000
        li      t1, 0x5555
        sw      t1, 0(t0)
1:      wfi                                             /* until the machine has ended */
        j       1b
