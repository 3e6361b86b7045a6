# A bare-metal guest for four harts, loaded at the start of RAM. Each hart adds 1 to a counter 2000 times; the last one to
# finish prints the sum's remainder by 10 (0) and a line end, and powers off. The others wait for ever.
.option norelax
.globl _start
_start:
    la      s0, counter
    la      s1, finished
    li      s2, 2000
    li      s3, 1
1:  amoadd.w zero, s3, (s0)
    addi    s2, s2, -1
    bnez    s2, 1b
    amoadd.w t0, s3, (s1)
    li      t1, 3
    bne     t0, t1, 2f
    lw      t0, (s0)
    li      t1, 10
    remu    t0, t0, t1
    addi    t0, t0, '0'
    li      t1, 0x10000000
    sb      t0, (t1)
    li      t0, '\n'
    sb      t0, (t1)
    li      t1, 0x100000
    li      t0, 0x5555
    sw      t0, (t1)
2:  wfi
    j       2b

.balign 8
counter:  .word 0
finished: .word 0
