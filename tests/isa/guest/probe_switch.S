/* void probe_run(Probe*): see probe.h. Interrupts that are enabled may be the trap. */
#include "each_saved.h"

#define PC          0
#define STATUS      8
#define SATP        16
#define A0          24
#define CAUSE       72
#define EPC         80
#define TVAL        88
#define STATUS_OUT  96
#define SP          104
#define TVEC        112

    .text
    .globl  probe_run
probe_run:
    addi    sp, sp, -128
    each_saved sd
    sd      sp, SP(a0)
    csrr    t0, mtvec
    sd      t0, TVEC(a0)
    la      t0, probe_trap
    csrw    mtvec, t0
    csrw    mscratch, a0
    ld      t0, PC(a0)
    csrw    mepc, t0
    ld      t0, SATP(a0)
    csrw    satp, t0
    sfence.vma
    ld      t0, STATUS(a0)
    mv      t6, a0
    .irp    n, 0, 1, 2, 3, 4, 5
    ld      a\n, (A0 + 8 * \n)(t6)
    .endr
    csrw    mstatus, t0                 /* the last: MPRV would hold for the loads */
    mret

    .balign 4
probe_trap:
    csrrw   t6, mscratch, t6
    .irp    n, 0, 1, 2, 3, 4, 5
    sd      a\n, (A0 + 8 * \n)(t6)
    .endr
    csrr    t0, mcause
    sd      t0, CAUSE(t6)
    csrr    t0, mepc
    sd      t0, EPC(t6)
    csrr    t0, mtval
    sd      t0, TVAL(t6)
    csrr    t0, mstatus
    sd      t0, STATUS_OUT(t6)
    li      t0, 1 << 13
    csrw    mstatus, t0
    csrw    satp, zero
    sfence.vma
    ld      t0, TVEC(t6)
    csrw    mtvec, t0
    ld      sp, SP(t6)
    each_saved ld
    addi    sp, sp, 128
    ret
