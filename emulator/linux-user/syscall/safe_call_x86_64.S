# See safe_call.h. System V AMD64 ABI; the kernel's convention: number rax, arguments rdi rsi rdx r10 r8 r9, result rax; rcx and
# r11 are lost. In the window stack and callee-saved registers are as at its ways out.

    .hidden weft_user_safe_call
    .hidden weft_user_safe_call_window
    .hidden weft_user_safe_call_done
    .hidden weft_user_safe_call_left
    .globl weft_user_safe_call
    .globl weft_user_safe_call_window
    .globl weft_user_safe_call_done
    .globl weft_user_safe_call_left

    .text
    .p2align 4
    .type weft_user_safe_call, @function
# int64_t weft_user_safe_call(const uint32_t* asked, long number, const uint64_t args[6])
weft_user_safe_call:
    .cfi_startproc
    endbr64
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    movq %rdi, %rbx
    movq %rsi, %rax
    movq %rdx, %r11
    movq (%r11), %rdi
    movq 8(%r11), %rsi
    movq 16(%r11), %rdx
    movq 24(%r11), %r10
    movq 32(%r11), %r8
    movq 40(%r11), %r9
weft_user_safe_call_window:
    cmpl $0, (%rbx)
    jne weft_user_safe_call_left
    syscall
weft_user_safe_call_done:
    popq %rbx
    .cfi_remember_state
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    ret
weft_user_safe_call_left:
    .cfi_restore_state
    movq $-512, %rax
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    ret
    .cfi_endproc
    .size weft_user_safe_call, . - weft_user_safe_call

    .section .note.GNU-stack, "", @progbits
