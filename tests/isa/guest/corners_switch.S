/* void run_stub(Frame*): loads the registers, calls the stub by x5 and stores them. Frame is described in
   corners_main.cpp. x31 holds it throughout: no instruction under test writes x5 to x7 or x28 to x31. */
#define FRAME_FCSR      80
#define FRAME_TRAPS     88
#define FRAME_CAUSES    96
#define FRAME_TVALS     104
#define FRAME_SP        112
#define FRAME_RA        120
#define MAX_TRAPS       32

    .macro  each op_x, op_f
    \op_x   x1, 0(x31)
    \op_x   x2, 8(x31)
    \op_x   x10, 16(x31)
    \op_x   x11, 24(x31)
    \op_x   x12, 32(x31)
    \op_x   x13, 40(x31)
    \op_f   f10, 48(x31)
    \op_f   f11, 56(x31)
    \op_f   f12, 64(x31)
    \op_f   f13, 72(x31)
    .endm

    .text
    .globl  run_stub
run_stub:
    mv      x31, a0
    sd      sp, FRAME_SP(x31)
    sd      ra, FRAME_RA(x31)
    ld      t0, FRAME_FCSR(x31)
    csrw    fcsr, t0
    li      t1, 0x80090000              /* isa::kStubBase */
    each    ld, fld
    jalr    t0, 0(t1)
stub_done:
    each    sd, fsd
    csrr    t0, fcsr
    sd      t0, FRAME_FCSR(x31)
    ld      sp, FRAME_SP(x31)
    ld      ra, FRAME_RA(x31)
    ret

    .globl  stub_trap
    .balign 4
stub_trap:
    ld      x6, FRAME_TRAPS(x31)
    addi    x6, x6, 1
    sd      x6, FRAME_TRAPS(x31)
    ld      x7, FRAME_CAUSES(x31)
    slli    x7, x7, 6
    csrr    x28, mcause
    add     x7, x7, x28
    sd      x7, FRAME_CAUSES(x31)
    ld      x7, FRAME_TVALS(x31)
    slli    x28, x7, 2
    add     x7, x7, x28
    csrr    x28, mtval
    add     x7, x7, x28
    sd      x7, FRAME_TVALS(x31)
    csrr    x7, mepc
    srli    x28, x7, 16                 /* outside of the stub there is no next instruction */
    li      x29, 0x8009
    bne     x28, x29, 1f
    li      x28, MAX_TRAPS
    bgeu    x6, x28, 1f
    lhu     x28, 0(x7)
    andi    x28, x28, 3
    li      x29, 3
    addi    x7, x7, 2
    bne     x28, x29, 2f
    addi    x7, x7, 2
2:  csrw    mepc, x7
    mret
1:  la      x7, stub_done
    csrw    mepc, x7
    mret
