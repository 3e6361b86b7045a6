"""All that differs between riscv64 Linux and x86-64 Linux, of what a riscv64 program can name: (pattern, where it is dealt with).

Patterns are as in fnmatch. A row that fits nothing is an error, unless it is one of NEWER: headers after Linux 6.1 have them.
"""

ABI = "emulator/linux-user/riscv/abi.h"
CALLS = "emulator/linux-user/syscall/table.h"
NOT_OFFERED = "a call or device that user mode does not offer"
HEADERS = "no value that a call sees"

CONSTANTS = [
    ("__NR_*", CALLS),
    ("__NR3264_*", CALLS),
    # The auxiliary vector: the loader makes the guest's own.
    ("AT_L1?_CACHE*", "the guest's auxiliary vector"),
    ("AT_L2_CACHE*", "the guest's auxiliary vector"),
    ("AT_L3_CACHE*", "the guest's auxiliary vector"),
    ("AT_VECTOR_SIZE_ARCH", "the guest's auxiliary vector"),
    ("COMPAT_HWCAP_ISA_?", "the guest's auxiliary vector"),
    ("R_RISCV_*", "the guest's dynamic linker"),
    # Sizes of core files' and ptrace's register sets.
    ("ELF_NFPREG", NOT_OFFERED),
    ("ELF_NGREG", NOT_OFFERED),
    ("KVM_*", NOT_OFFERED),
    ("COMMAND_LINE_SIZE", NOT_OFFERED),
    # The same values in other words.
    ("SIGRTMAX", HEADERS),
    ("_NSIG*", HEADERS),
    ("__BITS_PER_LONG", HEADERS),
]

LAYOUTS = [
    ("struct epoll_event", ABI),
    ("struct semid64_ds", ABI),
    ("struct sigaction", ABI),
    ("struct stat", ABI),
    ("struct loop_info", ABI),
    # What only loop_info has of them.
    ("type __kernel_old_dev_t", ABI),
    # The signal frame.
    ("struct ucontext", ABI),
    ("struct sigcontext", ABI),
    ("struct user_regs_struct", ABI),
    ("struct __riscv_?_ext_state", ABI),
    ("union __riscv_fp_state", ABI),
    # A struct of 8 bytes and an integer of 8 bytes.
    ("type sigset_t", HEADERS),
    ("type old_sigset_t", HEADERS),
    # 16-bit calls that the generic table has not.
    ("type __kernel_old_?id_t", HEADERS),
    # For 32-bit programs.
    ("struct compat_statfs64", HEADERS),
    ("type elf_*", NOT_OFFERED),
    ("struct kvm_*", NOT_OFFERED),
    ("enumerator KVM_*", NOT_OFFERED),
    ("enumerator PERF_REG_RISCV_*", NOT_OFFERED),
    ("struct bpf_perf_event_data", NOT_OFFERED),
    ("type bpf_user_pt_regs_t", NOT_OFFERED),
]

# Constants that x86-64 alone has in families whose values calls take: the host's kernel would give a guest's bit a meaning.
HOST_FAMILIES = ("AT_*", "CLONE_*", "E[0-9A-Z]*", "EPOLL*", "F_*", "FUTEX_*", "IPC_*", "MADV_*", "MAP_*", "MSG_*", "O_*", "POLL*",
                 "PROT_*", "PR_*", "RLIMIT_*", "SA_*", "SHM_*", "SIG*", "SO_*", "SS_*", "TIOC*")
HOST_ONLY = [
    ("MAP_32BIT", "masked by the memory calls"),
    ("SA_RESTORER", ABI),
    # An attribute of the struct's declaration.
    ("EPOLL_PACKED", ABI),
    # Constants of the x86 boot protocol and of its exceptions.
    ("E820*", HEADERS),
    ("EXIT_REASON_*", HEADERS),
    ("EXTENDED_VGA", HEADERS),
    ("SS_VECTOR", HEADERS),
]

NEWER = [
    ("RISCV_HWPROBE_*", "emulator/linux-user/riscv/hwprobe.h"),
    ("RISCV_V_MAGIC", ABI),
    ("RISCV_ZICFISS_MAGIC", ABI),
    ("END_MAGIC", ABI),
    ("END_HDR_SIZE", ABI),
    ("PTRACE_*", NOT_OFFERED),
    ("RISCV_PTRACE_*", NOT_OFFERED),
    ("struct riscv_hwprobe", "emulator/linux-user/riscv/hwprobe.h"),
    ("struct __riscv_*", ABI),
    ("struct __sc_riscv_*", ABI),
    ("MAP_ABOVE4G", "masked by the memory calls"),
    ("PROT_*SHADOW*", "masked by the memory calls"),
]
