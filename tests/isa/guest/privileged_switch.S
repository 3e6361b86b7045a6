/* How privileged_main.cpp runs one operation, and looks at memory that it may not be allowed to see. */

#define FRAME_SLOT      48
#define FRAME_CAUSE     56
#define FRAME_EPC       64
#define FRAME_TVAL      72
#define FRAME_STATUS    80
#define FRAME_SP        88
#define FRAME_T5        96

#define STATUS_MPRV     (1 << 17)

    .macro  each_argument op, base
    \op     a0, 0(\base)
    \op     a1, 8(\base)
    \op     a2, 16(\base)
    \op     a3, 24(\base)
    \op     a4, 32(\base)
    \op     a5, 40(\base)
    .endm
#include "each_saved.h"

    .text
    /* void run_operation(Frame*, uint64_t status, uint64_t pc, uint64_t mode): begins at pc, and returns with the first trap to M mode. */
    .globl  run_operation
run_operation:
    addi    sp, sp, -128
    each_saved sd
    sd      sp, FRAME_SP(a0)
    csrw    mscratch, a0
    mv      t3, a0
    mv      t4, a3
    mv      t5, a1
    mv      t6, a2
    each_argument ld, t3
    /* Nothing is loaded or stored from here on: MPRV may be set. M mode has no way into itself by MRET that keeps MPP. */
    li      t3, 3
    beq     t4, t3, 1f
    csrw    mepc, t6
    csrw    mstatus, t5
    mret
1:  csrw    mstatus, t5
    jr      t6

    /* Where M mode's traps go: a slot for each cause of a vectored interrupt. */
    .balign 256
    .globl  trap_table
trap_table:
    .option push
    .option norvc
    .set    slot, 0
    .rept   16
    j       trap_slots + 16 * slot
    .set    slot, slot + 1
    .endr
trap_slots:
    .set    slot, 0
    .rept   16
    csrrw   t6, mscratch, t6
    sd      t5, FRAME_T5(t6)
    li      t5, slot
    j       trap_common
    .set    slot, slot + 1
    .endr
    .option pop
trap_common:
    sd      t5, FRAME_SLOT(t6)
    each_argument sd, t6
    csrr    a0, mcause
    sd      a0, FRAME_CAUSE(t6)
    csrr    a0, mepc
    sd      a0, FRAME_EPC(t6)
    csrr    a0, mtval
    sd      a0, FRAME_TVAL(t6)
    csrr    a0, mstatus
    sd      a0, FRAME_STATUS(t6)
    li      a0, STATUS_MPRV
    csrc    mstatus, a0
    ld      sp, FRAME_SP(t6)
    each_saved ld
    addi    sp, sp, 128
    ret

    /* uint64_t load_if_allowed(uint64_t address): all ones where M mode may not load there. */
    .globl  load_if_allowed
load_if_allowed:
    csrr    t0, mtvec
    la      t1, 2f
    csrw    mtvec, t1
    mv      t1, a0
    li      a0, -1
    ld      a0, 0(t1)
    .balign 4
2:  csrw    mtvec, t0
    ret
