/* For ever: arithmetic, a helper, a device, RAM, a call and a return. In M mode. */
        .set    MTIME, 0x0200bff8
        .globl  _start
_start:
        li      s0, MTIME
        la      s2, counter
        li      s1, 0
loop:   addi    s1, s1, 1
        csrr    a5, mip
        ld      a2, 0(s0)
        la      a3, sub
        jalr    a3
        j       loop

sub:    sd      s1, 0(s2)
        amoadd.d a4, s1, (s2)
        ret

        .data
counter: .dword 0
