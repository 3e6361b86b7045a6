# Where weft's signal handlers return to, which the kernel wants to be given: rt_sigreturn (15). Unwinders and debuggers know a
# signal frame by exactly these instructions, and look for them at the return address less 1: hence the nop.

    .hidden weft_user_signal_return
    .globl weft_user_signal_return

    .text
    .p2align 4
    nop
    .type weft_user_signal_return, @function
weft_user_signal_return:
    movq $15, %rax
    syscall
    .size weft_user_signal_return, . - weft_user_signal_return

    .section .note.GNU-stack, "", @progbits
