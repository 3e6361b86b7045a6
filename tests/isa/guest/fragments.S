/* Code that probes run: see probe.h. */
    .option arch, +svinval
    .text

    .macro  fragment name
    .balign 8
    .globl  \name
\name:
    .endm
    .macro  access name, insn:vararg
    fragment \name
    \insn
    ecall
    .endm

    access  f_ecall, nop
    access  f_ebreak, ebreak
    access  f_illegal, .4byte 0xffffffff
    access  f_c_illegal, .2byte 0, 1
    access  f_csr_read_only, csrw mhartid, a0
    access  f_lb, lb a0, 0(a0)
    access  f_lh, lh a0, 0(a0)
    access  f_lw, lw a0, 0(a0)
    access  f_ld, ld a0, 0(a0)
    access  f_sb, sb a1, 0(a0)
    access  f_sh, sh a1, 0(a0)
    access  f_sw, sw a1, 0(a0)
    access  f_sd, sd a1, 0(a0)
    access  f_fld, fld fa0, 0(a0)
    access  f_fsd, fsd fa0, 0(a0)
    access  f_amo_w, amoadd.w a0, a1, (a0)
    access  f_amo_d, amoadd.d a0, a1, (a0)
    access  f_jump, jr a0
    access  f_sfence, sfence.vma a0, a1
    access  f_sinval, sinval.vma a0, a1
    access  f_sfence_w_inval, sfence.w.inval
    access  f_read_satp, csrr a0, satp
    access  f_write_satp, csrw satp, a0
    access  f_read_cycle, csrr a1, cycle
    access  f_read_time, csrr a1, time
    access  f_read_instret, csrr a1, instret
    access  f_read_stimecmp, csrr a0, stimecmp
    access  f_write_stimecmp, csrw stimecmp, a0
    access  f_fp, fadd.d fa0, fa0, fa0
    access  f_read_fcsr, frcsr a1
    access  f_mret, mret
    access  f_sret, sret
    access  f_wfi, wfi

    /* Reservation, and its end by SC: to a0, then once more. */
    fragment f_lr_w
    lr.w    a1, (a0)
    sc.w    a0, a1, (a0)
    ecall
    fragment f_sc_w
    sc.w    a0, a1, (a0)
    ecall
    /* a2: address of the SC. a0: what it says; a3: what a second one says. */
    fragment f_lr_sc
    lr.w    a1, (a0)
    sc.w    a4, a1, (a2)
    sc.w    a3, a1, (a2)
    mv      a0, a4
    ecall

    access  f_lr_w_alone, lr.w a0, (a0)
    access  f_lr_d_alone, lr.d a0, (a0)
    /* Twice, after a load: by what the load left in a TLB. */
    fragment f_ld_lr
    lw      a1, (a0)
    lr.w    a2, (a0)
    lr.w    a3, (a0)
    ecall

    /* LR from a0, then something after which a0 is other memory, then SC of a4 there; a0: what SC says. */
    .macro  remapped name, insns
    fragment \name
    lr.d    a3, (a0)
    \insns
    sc.d    a0, a4, (a0)
    ecall
    .endm
    remapped f_lr_sc_same, "nop"
    /* a1: address of the PTE, a2: its new value. */
    remapped f_lr_sfence_sc, "sd a2, (a1); sfence.vma a0, x0"
    remapped f_lr_sfence_all_sc, "sd a2, (a1); sfence.vma"
    remapped f_lr_sinval_sc, "sd a2, (a1); sfence.w.inval; sinval.vma a0, x0; sfence.inval.ir"
    /* a1: of satp. */
    remapped f_lr_satp_sc, "csrw satp, a1"
    remapped f_lr_satp_sfence_sc, "csrw satp, a1; sfence.vma"
    /* In M mode. a1: mstatus, in which a0 is another address; it is a2 again afterwards. */
    fragment f_lr_mprv_sc
    lr.d    a3, (a0)
    csrw    mstatus, a1
    sc.d    a0, a4, (a0)
    csrw    mstatus, a2
    ecall
    /* In M mode. MRET with mstatus a1 to the SC. */
    fragment f_lr_mret_sc
    la      a5, 1f
    csrw    mepc, a5
    csrw    mstatus, a1
    lr.d    a3, (a0)
    mret
1:  sc.d    a0, a4, (a0)
    ecall
    /* In S mode, EBREAK being delegated. The handler makes a1 satp and goes on behind it. */
    fragment f_lr_trap_sc
    la      a5, 2f
    csrw    stvec, a5
    .option push
    .option norvc
    lr.d    a3, (a0)
    ebreak
    sc.d    a0, a4, (a0)
    ecall
    .balign 4
2:  csrw    satp, a1
    csrr    a5, sepc
    addi    a5, a5, 4
    csrw    sepc, a5
    li      a5, 1 << 8
    csrs    sstatus, a5
    sret
    .option pop

    /* Calls a0, which returns something in t0, in the address spaces a1, a2 and a1: a3, a4, a5. */
    fragment f_two_spaces
    csrw    satp, a1
    jalr    a0
    mv      a3, t0
    csrw    satp, a2
    jalr    a0
    mv      a4, t0
    csrw    satp, a1
    jalr    a0
    mv      a5, t0
    ecall

    /* Calls a0, which returns. */
    fragment f_call_through
    jalr    a0
    ecall

    /* Calls a0 a4 times, stores a2 to the PTE at a1, fences the page at a3, and calls once more. a5: the form of the fence. a4:
       t0 before; a2 and a3: t0 and t1 afterwards. FENCE.I, since an emulator may look around there. */
    fragment f_remap
1:  jalr    a0
    fence.i
    addi    a4, a4, -1
    bnez    a4, 1b
    sd      a2, 0(a1)
    mv      a4, t0
    li      t0, 0
    li      t1, 0
    li      a2, 1
    beqz    a5, 2f
    beq     a5, a2, 3f
    addi    a2, a2, 1
    beq     a5, a2, 4f
    sfence.vma a3, x0
    j       5f
2:  sfence.vma
    j       5f
3:  sfence.vma a3, t0
    j       5f
4:  sfence.vma x0, t0
5:  jalr    a0
    mv      a2, t0
    mv      a3, t1
    ecall

    /* With mstatus a1, in M mode; it is a2 again afterwards. */
    fragment f_mprv_load
    csrw    mstatus, a1
    ld      a0, 0(a0)
    csrw    mstatus, a2
    ecall
    fragment f_mprv_store
    csrw    mstatus, a1
    sd      a3, 0(a0)
    csrw    mstatus, a2
    ecall

    /* In M mode, with FS dirty: a0 and a1 become operands, FS clean; then the comparison. a0: its result, a1: fflags,
       a2: mstatus. */
    fragment f_compare
    fmv.d.x fa0, a0
    fmv.d.x fa1, a1
    csrw    fflags, zero
    li      a2, 1 << 13
    csrc    mstatus, a2
    flt.d   a0, fa0, fa1
    csrr    a2, mstatus
    csrr    a1, fflags
    ecall

    fragment f_spin
1:  j       1b
    /* Sets the bits a0 of sstatus, then waits. */
    fragment f_enable_and_spin
    csrs    sstatus, a0
1:  j       1b
    fragment f_wfi_after_enable
    csrs    mie, a0
    wfi
    ecall

    /* For stvec, vectored. a0: the entry that was taken, a1 to a4: scause, sepc, stval, sstatus. */
    .balign 256
    .globl  f_supervisor_vector
f_supervisor_vector:
    .set    n, 0
    .option push
    .option norvc
    .rept   16
    j       f_vector_entries + 8 * n
    .set    n, n + 1
    .endr
f_vector_entries:
    .set    n, 0
    .rept   16
    li      a0, n
    j       supervisor_record
    .set    n, n + 1
    .endr
    .option pop
supervisor_record:
    csrr    a1, scause
    csrr    a2, sepc
    csrr    a3, stval
    csrr    a4, sstatus
    ecall

    /* sret to a0 with sstatus a1. */
    fragment f_supervisor_sret
    csrw    sepc, a0
    csrw    sstatus, a1
    sret

    /* In M mode: sets mtvec to the vectors below, with mode a0, and enables interrupts; then EBREAK. a0: the entry that
       was taken, a1 and a2: mcause and mepc. The mtvec before is there again at the ECALL. */
    fragment f_machine_vector
    csrr    a5, mtvec
    la      a4, machine_vectors
    add     a4, a4, a0
    csrw    mtvec, a4
    csrsi   mstatus, 8
    ebreak
    .balign 256
machine_vectors:
    .set    n, 0
    .option push
    .option norvc
    .rept   16
    j       machine_entries + 8 * n
    .set    n, n + 1
    .endr
machine_entries:
    .set    n, 0
    .rept   16
    li      a0, n
    j       machine_record
    .set    n, n + 1
    .endr
    .option pop
machine_record:
    csrw    mtvec, a5
    csrr    a1, mcause
    csrr    a2, mepc
    ecall
