/* void run_case(const isa::Case*, Frame*): loads the state of a case, runs its code and stores the state it ends with.
   Frame is described in random_main.cpp. */
#include "each_saved.h"

#define FRAME_F         256
#define FRAME_FCSR      512
#define FRAME_MSTATUS   520
#define FRAME_SSCRATCH  528
#define FRAME_TRAPS     536
#define FRAME_START     544
#define FRAME_END       552
#define FRAME_SP        560
#define FRAME_ENTRY     568             /* mstatus to start with */
#define FRAME_SATP      576
#define FRAME_TVEC      584
#define FRAME_RECORDS   592
#define CASE_FCSR       32
#define CASE_X          40
#define CASE_F          296

#define MAX_RECORDS     64              /* isa::kMaxTraps */
#define MAX_TRAPS       1000            /* more: the code has run wild */
#define STATUS_FS_CLEAN (2 << 13)

    .altmacro
    .macro  each_x op, base, offset, first, last
    .set    i, \first
    .rept   \last - \first + 1
    one_x   \op, %i, \base, \offset
    .set    i, i + 1
    .endr
    .endm
    .macro  one_x op, n, base, offset
    \op     x\n, (\offset + 8 * \n)(\base)
    .endm
    .macro  each_f op, base, offset
    .set    i, 0
    .rept   32
    one_f   \op, %i, \base, \offset
    .set    i, i + 1
    .endr
    .endm
    .macro  one_f op, n, base, offset
    \op     f\n, (\offset + 8 * \n)(\base)
    .endm
    .text
    .globl  run_case
run_case:
    addi    sp, sp, -128
    each_saved sd
    sd      sp, FRAME_SP(a1)
    csrr    t0, mtvec
    sd      t0, FRAME_TVEC(a1)
    la      t0, case_trap
    csrw    mtvec, t0
    csrw    mscratch, a1
    csrw    sscratch, zero
    ld      t0, FRAME_START(a1)
    csrw    mepc, t0
    each_f  fld, a0, CASE_F
    ld      t0, CASE_FCSR(a0)
    csrw    fcsr, t0
    ld      t0, FRAME_ENTRY(a1)
    csrw    mstatus, t0
    ld      t0, FRAME_SATP(a1)
    csrw    satp, t0
    sfence.vma
    mv      x31, a0
    each_x  ld, x31, CASE_X, 1, 30
    ld      x31, (CASE_X + 8 * 31)(x31)
    mret

    .balign 4
case_trap:
    csrrw   x31, mscratch, x31
    each_x  sd, x31, 0, 1, 30
    csrr    x1, mscratch
    sd      x1, (8 * 31)(x31)
    csrw    mscratch, x31
    csrr    a0, mepc
    ld      a1, FRAME_START(x31)
    ld      a2, FRAME_END(x31)
    beq     a0, a2, case_done
    ld      a3, FRAME_TRAPS(x31)
    li      a4, MAX_RECORDS
    bgeu    a3, a4, 1f
    slli    a4, a3, 4
    slli    a5, a3, 3
    add     a4, a4, a5
    add     a4, a4, x31
    csrr    a5, mcause
    sd      a5, FRAME_RECORDS(a4)
    csrr    a5, mtval
    sd      a5, (FRAME_RECORDS + 8)(a4)
    sub     a5, a0, a1
    sd      a5, (FRAME_RECORDS + 16)(a4)
1:  addi    a3, a3, 1
    sd      a3, FRAME_TRAPS(x31)
    li      a4, MAX_TRAPS
    bgeu    a3, a4, case_done
    bltu    a0, a1, case_done           /* outside of the code: there is no next instruction */
    bgeu    a0, a2, case_done
    lhu     a4, 0(a0)
    andi    a4, a4, 3
    li      a5, 3
    addi    a0, a0, 2
    bne     a4, a5, 2f
    addi    a0, a0, 2
2:  csrw    mepc, a0
    each_x  ld, x31, 0, 1, 30
    ld      x31, (8 * 31)(x31)
    mret

case_done:
    csrw    satp, zero
    sfence.vma
    csrr    a0, mstatus
    sd      a0, FRAME_MSTATUS(x31)
    csrr    a0, sscratch
    sd      a0, FRAME_SSCRATCH(x31)
    li      a0, STATUS_FS_CLEAN         /* whatever the code did to it: reading needs it */
    csrs    mstatus, a0
    each_f  fsd, x31, FRAME_F
    csrr    a0, fcsr
    sd      a0, FRAME_FCSR(x31)
    ld      a0, FRAME_TVEC(x31)
    csrw    mtvec, a0
    ld      sp, FRAME_SP(x31)
    each_saved ld
    addi    sp, sp, 128
    ret

    /* Sv39: the gigabyte at 0x80000000 mapped to itself, readable, writable, executable, A and D set; for U mode too
       in the second one. */
    .data
    .balign 4096
    .globl  root_supervisor, root_user
root_supervisor:
    .dword  0, 0, 0x200000cf
    .skip   4096 - 24
root_user:
    .dword  0, 0, 0x200000df
    .skip   4096 - 24
