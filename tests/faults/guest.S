# A bare-metal guest for four harts, loaded at the start of RAM, that writes code all the time. In each of its rounds a hart
# writes a function to a page of its own and one to a page that all write to, fences, and calls both; the last hart to
# finish prints 0 if every call gave what it should (else 1) and a line end, and powers off. The others wait for ever.
.option norelax
.option norvc
.equ ROUNDS, 150
.globl _start
_start:
    csrr    s0, mhartid
    la      s1, wrong
    la      s2, own
    slli    t0, s0, 12
    add     s2, s2, t0
    la      s3, shared
    li      s4, ROUNDS
1:  # li a0, number of the round; ret. At another place each time.
    slli    t0, s4, 20
    ori     t0, t0, 0x513
    li      t1, 0x8067
    andi    t2, s4, 63
    slli    t2, t2, 4
    add     t3, s2, t2
    sw      t0, 0(t3)
    sw      t1, 4(t3)
    # li a0, 7; ret: whoever comes first or last, these are the bytes.
    add     t4, s3, t2
    li      t0, 0x700513
    sw      t0, 0(t4)
    sw      t1, 4(t4)
    fence.i
    jalr    t3
    beq     a0, s4, 2f
    sw      s4, (s1)
2:  add     t4, s3, t2
    jalr    t4
    li      t0, 7
    beq     a0, t0, 3f
    sw      s4, (s1)
3:  addi    s4, s4, -1
    bnez    s4, 1b

    la      s5, finished
    li      t1, 1
    amoadd.w t0, t1, (s5)
    li      t1, 3
    bne     t0, t1, 4f
    lw      t0, (s1)
    snez    t0, t0
    addi    t0, t0, '0'
    li      t1, 0x10000000
    sb      t0, (t1)
    li      t0, '\n'
    sb      t0, (t1)
    li      t1, 0x100000
    li      t0, 0x5555
    sw      t0, (t1)
4:  wfi
    j       4b

.balign 8
wrong:    .word 0
finished: .word 0
.balign 4096
own:      .skip 4 * 4096
shared:   .skip 4096
