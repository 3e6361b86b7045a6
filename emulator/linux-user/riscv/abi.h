// Linux's system-call interface on riscv64, where it differs from the host's: layouts of structs and the few constants.
//
// What is not here is the same on riscv64 and x86-64 and goes to the host as it is; tests/linux-user/abi/uapi_test.py compares
// both sets of kernel headers and knows the differences by name. Layouts are held against the cross compiler's headers by
// tests/linux-user/abi/abi_test.cpp. Used by the calls, by signal delivery and by the loader; includes nothing of them.
//
// Names of members are the kernel's without prefix. All are little-endian, as both architectures are.
#pragma once

#include <cstddef>
#include <cstdint>

struct stat;
struct epoll_event;

namespace weft::user::abi {

// --- Files -----------------------------------------------------------------------------------------------------------------

// asm-generic/stat.h: what fstat and newfstatat write.
struct Stat {
    uint64_t dev;
    uint64_t ino;
    uint32_t mode;
    uint32_t nlink;
    uint32_t uid;
    uint32_t gid;
    uint64_t rdev;
    uint64_t pad1;
    int64_t size;
    int32_t blksize;
    int32_t pad2;
    int64_t blocks;
    int64_t atime;
    uint64_t atime_nsec;
    int64_t mtime;
    uint64_t mtime_nsec;
    int64_t ctime;
    uint64_t ctime_nsec;
    uint32_t unused4;
    uint32_t unused5;
};
static_assert(sizeof(Stat) == 128 && offsetof(Stat, mode) == 16 && offsetof(Stat, rdev) == 32 &&
              offsetof(Stat, size) == 48 && offsetof(Stat, blocks) == 64);

// The guest's form of the host's. A host link count that does not fit in 32 bits becomes the largest one.
Stat to_guest(const struct ::stat& host);

// linux/eventpoll.h. The host's is packed: 12 bytes.
struct EpollEvent {
    uint32_t events;
    uint32_t pad;  // kernels neither read nor write it
    uint64_t data;
};
static_assert(sizeof(EpollEvent) == 16 && offsetof(EpollEvent, data) == 8);

struct ::epoll_event to_host(const EpollEvent& guest);
// Keeps guest.pad, as the kernel does.
void to_guest(const struct ::epoll_event& host, EpollEvent& guest);

// linux/loop.h, for LOOP_SET_STATUS and LOOP_GET_STATUS: device numbers of 4 bytes.
struct LoopInfo {
    int32_t number;
    uint32_t device;
    uint64_t inode;
    uint32_t rdevice;
    int32_t offset;
    int32_t encrypt_type;
    int32_t encrypt_key_size;
    int32_t flags;
    uint8_t name[64];
    uint8_t encrypt_key[32];
    uint64_t init[2];
    uint8_t reserved[4];
};
static_assert(sizeof(LoopInfo) == 160 && offsetof(LoopInfo, inode) == 8 && offsetof(LoopInfo, name) == 36 &&
              offsetof(LoopInfo, init) == 136);

// The host's, by its layout: its own header cannot be included beside the C library's in every version.
struct HostLoopInfo {
    int32_t number;
    uint64_t device;
    uint64_t inode;
    uint64_t rdevice;
    int32_t offset;
    int32_t encrypt_type;
    int32_t encrypt_key_size;
    int32_t flags;
    uint8_t name[64];
    uint8_t encrypt_key[32];
    uint64_t init[2];
    uint8_t reserved[4];
};
static_assert(sizeof(HostLoopInfo) == 168);

HostLoopInfo to_host(const LoopInfo& guest);
// Device numbers are cut to 32 bits, as the kernel does where its old dev_t is that narrow.
LoopInfo to_guest(const HostLoopInfo& host);

// --- System V IPC ----------------------------------------------------------------------------------------------------------

// asm-generic/ipcbuf.h; the same on both, here for its place in SemidDs.
struct IpcPerm {
    int32_t key;
    uint32_t uid;
    uint32_t gid;
    uint32_t cuid;
    uint32_t cgid;
    uint32_t mode;
    uint16_t seq;
    uint16_t pad2;
    uint64_t unused1;
    uint64_t unused2;
};
static_assert(sizeof(IpcPerm) == 48 && offsetof(IpcPerm, seq) == 24 && offsetof(IpcPerm, unused1) == 32);

// asm-generic/sembuf.h, for semctl's IPC_STAT, IPC_SET, SEM_STAT and SEM_STAT_ANY.
struct SemidDs {
    IpcPerm perm;
    int64_t otime;
    int64_t ctime;
    uint64_t nsems;
    uint64_t unused3;
    uint64_t unused4;
};
static_assert(sizeof(SemidDs) == 88 && offsetof(SemidDs, ctime) == 56 && offsetof(SemidDs, nsems) == 64);

// x86-64's, asm/sembuf.h: a reserved word behind each time.
struct HostSemidDs {
    IpcPerm perm;
    int64_t otime;
    uint64_t unused1;
    int64_t ctime;
    uint64_t unused2;
    uint64_t nsems;
    uint64_t unused3;
    uint64_t unused4;
};
static_assert(sizeof(HostSemidDs) == 104 && offsetof(HostSemidDs, nsems) == 80);

HostSemidDs to_host(const SemidDs& guest);
SemidDs to_guest(const HostSemidDs& host);

// --- Signals ---------------------------------------------------------------------------------------------------------------

inline constexpr unsigned kSignals = 64;

// asm-generic/signal.h as rt_sigaction has it: no restorer, as the vDSO holds the return.
struct Sigaction {
    uint64_t handler;
    uint64_t flags;
    uint64_t mask;  // bit n - 1: signal n
};
static_assert(sizeof(Sigaction) == 24 && offsetof(Sigaction, mask) == 16);

// x86-64's; `restorer` is read where flags hold kHostSaRestorer, which no guest may set.
struct HostSigaction {
    uint64_t handler;
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;
};
static_assert(sizeof(HostSigaction) == 32 && offsetof(HostSigaction, mask) == 24);
inline constexpr uint64_t kHostSaRestorer = 0x04000000;

// stack_t: the same on both, here for its place in the frame. The 4 bytes before `size` are not used.
struct Stack {
    uint64_t sp;
    int32_t flags;
    uint32_t pad;
    uint64_t size;
};
static_assert(sizeof(Stack) == 24 && offsetof(Stack, size) == 16);

// asm/ptrace.h, user_regs_struct: pc, then x1 to x31 in their order.
struct UserRegs {
    uint64_t pc;
    uint64_t x[31];
};
static_assert(sizeof(UserRegs) == 256);

// asm/ptrace.h, union __riscv_fp_state: as large as its quad-precision form, used as the double-precision one. `reserved` are
// the last words of the former. Since Linux 6.5 the first of them is reserved and the others are the header of further state
// (magic, size); zeros end the list, so all kernels agree that zeros are written and that on return nothing but zeros is good.
struct alignas(16) FpState {
    uint64_t f[32];
    uint32_t fcsr;
    uint32_t unused[64];
    uint32_t reserved[3];
};
static_assert(sizeof(FpState) == 528 && offsetof(FpState, fcsr) == 256 && offsetof(FpState, reserved) == 516);

// asm/sigcontext.h
struct Sigcontext {
    UserRegs regs;
    FpState fp;
};
static_assert(sizeof(Sigcontext) == 784 && offsetof(Sigcontext, fp) == 256);

// asm/ucontext.h
struct Ucontext {
    uint64_t flags;
    uint64_t link;
    Stack stack;
    uint64_t sigmask;
    uint8_t unused[120];  // room for a sigset_t of 1024 bits
    Sigcontext mcontext;
};
static_assert(sizeof(Ucontext) == 960 && offsetof(Ucontext, sigmask) == 40 &&
              offsetof(Ucontext, mcontext) == 176);

// What lies at the stack pointer when a handler begins, and what rt_sigreturn reads there (arch/riscv's rt_sigframe; programs
// and debuggers reach it by the pointers in a1 and a2).
inline constexpr size_t kSiginfoSize = 128;
struct RtSigframe {
    uint8_t info[kSiginfoSize];
    Ucontext uc;
};
static_assert(sizeof(RtSigframe) == 1088 && offsetof(RtSigframe, uc) == 128);
inline constexpr uint64_t kStackAlign = 16;  // RISC-V calling convention

// --- Calls whose arguments differ ------------------------------------------------------------------------------------------

// clone: which argument is what. On x86-64 ctid comes before tls.
inline constexpr unsigned kCloneFlags = 0;
inline constexpr unsigned kCloneStack = 1;
inline constexpr unsigned kCloneParentTid = 2;
inline constexpr unsigned kCloneTls = 3;
inline constexpr unsigned kCloneChildTid = 4;

// Bits of mmap's flags that mean nothing on riscv64 and something on x86-64 (MAP_32BIT, MAP_ABOVE4G).
inline constexpr uint64_t kHostOnlyMapFlags = 0x40 | 0x80;

// asm/hwprobe.h
struct HwprobePair {
    int64_t key;
    uint64_t value;
};
static_assert(sizeof(HwprobePair) == 16);

}  // namespace weft::user::abi
