#include "emulator/linux-user/syscall/flag_names.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <csignal>
#include <span>
#include <string_view>

namespace weft::user {

namespace {

// Named where value & mask == what.
struct Name {
    std::string_view name;
    uint32_t what;
    uint32_t mask;
};

// A flag of its own bits; one value of those that share the bits of `mask`; one that is compared as a whole.
#define BIT(name) {#name, static_cast<uint32_t>(name), static_cast<uint32_t>(name)}
#define OF(name, mask) {#name, static_cast<uint32_t>(name), static_cast<uint32_t>(mask)}
#define WHOLE(name) {#name, static_cast<uint32_t>(name), 0xffffffff}

// Constants that headers do not have everywhere, and O_LARGEFILE, which the C library hides on 64-bit hosts.
constexpr uint32_t kLargeFile = 0100000;
constexpr uint32_t kTmpFile = 020000000;
constexpr uint32_t kNewTime = 0x80;
constexpr uint32_t kEmptyPath = 0x1000;

constexpr Name kOpen[] = {OF(O_RDONLY, O_ACCMODE),
                          OF(O_WRONLY, O_ACCMODE),
                          OF(O_RDWR, O_ACCMODE),
                          BIT(O_CREAT),
                          BIT(O_EXCL),
                          BIT(O_NOCTTY),
                          BIT(O_TRUNC),
                          BIT(O_APPEND),
                          BIT(O_NONBLOCK),
                          BIT(O_SYNC),
                          BIT(O_DSYNC),
                          {"O_TMPFILE", kTmpFile | O_DIRECTORY, kTmpFile | O_DIRECTORY},
                          BIT(O_DIRECTORY),
                          BIT(O_NOFOLLOW),
                          BIT(O_ASYNC),
                          BIT(O_DIRECT),
                          {"O_LARGEFILE", kLargeFile, kLargeFile},
                          BIT(O_NOATIME),
                          BIT(O_PATH),
                          BIT(O_CLOEXEC)};
constexpr Name kAccess[] = {WHOLE(F_OK), BIT(R_OK), BIT(W_OK), BIT(X_OK)};
// AT_EACCESS and AT_REMOVEDIR are one bit, which the calls read differently.
constexpr Name kAt[] = {BIT(AT_SYMLINK_NOFOLLOW),
                        BIT(AT_REMOVEDIR),
                        BIT(AT_SYMLINK_FOLLOW),
                        BIT(AT_NO_AUTOMOUNT),
                        {"AT_EMPTY_PATH", kEmptyPath, kEmptyPath},
                        {"AT_STATX_FORCE_SYNC", 0x2000, 0x2000},
                        {"AT_STATX_DONT_SYNC", 0x4000, 0x4000},
                        {"AT_RECURSIVE", 0x8000, 0x8000}};
constexpr Name kClock[] = {WHOLE(CLOCK_REALTIME),
                           WHOLE(CLOCK_MONOTONIC),
                           WHOLE(CLOCK_PROCESS_CPUTIME_ID),
                           WHOLE(CLOCK_THREAD_CPUTIME_ID),
                           WHOLE(CLOCK_MONOTONIC_RAW),
                           WHOLE(CLOCK_REALTIME_COARSE),
                           WHOLE(CLOCK_MONOTONIC_COARSE),
                           WHOLE(CLOCK_BOOTTIME),
                           WHOLE(CLOCK_REALTIME_ALARM),
                           WHOLE(CLOCK_BOOTTIME_ALARM),
                           WHOLE(CLOCK_TAI)};
#define NAMESPACES                                                                                    \
    BIT(CLONE_NEWNS), BIT(CLONE_NEWCGROUP), BIT(CLONE_NEWUTS), BIT(CLONE_NEWIPC), BIT(CLONE_NEWUSER), \
        BIT(CLONE_NEWPID), BIT(CLONE_NEWNET)
#define SHARED \
    BIT(CLONE_VM), BIT(CLONE_FS), BIT(CLONE_FILES), BIT(CLONE_SIGHAND), BIT(CLONE_THREAD), BIT(CLONE_SYSVSEM)
constexpr Name kClone[] = {SHARED,
                           BIT(CLONE_PIDFD),
                           BIT(CLONE_PTRACE),
                           BIT(CLONE_VFORK),
                           BIT(CLONE_PARENT),
                           BIT(CLONE_SETTLS),
                           BIT(CLONE_PARENT_SETTID),
                           BIT(CLONE_CHILD_CLEARTID),
                           BIT(CLONE_DETACHED),
                           BIT(CLONE_UNTRACED),
                           BIT(CLONE_CHILD_SETTID),
                           BIT(CLONE_IO),
                           NAMESPACES};
constexpr Name kUnshare[] = {SHARED, NAMESPACES, {"CLONE_NEWTIME", kNewTime, kNewTime}};
constexpr Name kCloseRange[] = {{"CLOSE_RANGE_UNSHARE", 2, 2}, {"CLOSE_RANGE_CLOEXEC", 4, 4}};
constexpr Name kEpollCreate[] = {BIT(EPOLL_CLOEXEC)};
constexpr Name kEpollOp[] = {WHOLE(EPOLL_CTL_ADD), WHOLE(EPOLL_CTL_DEL), WHOLE(EPOLL_CTL_MOD)};
constexpr Name kEventfd[] = {BIT(EFD_SEMAPHORE), BIT(EFD_NONBLOCK), BIT(EFD_CLOEXEC)};
constexpr Name kFalloc[] = {BIT(FALLOC_FL_KEEP_SIZE),      BIT(FALLOC_FL_PUNCH_HOLE),
                            BIT(FALLOC_FL_COLLAPSE_RANGE), BIT(FALLOC_FL_ZERO_RANGE),
                            BIT(FALLOC_FL_INSERT_RANGE),   BIT(FALLOC_FL_UNSHARE_RANGE)};
constexpr Name kFcntl[] = {
    WHOLE(F_DUPFD),         WHOLE(F_GETFD),      WHOLE(F_SETFD),      WHOLE(F_GETFL),     WHOLE(F_SETFL),
    WHOLE(F_GETLK),         WHOLE(F_SETLK),      WHOLE(F_SETLKW),     WHOLE(F_SETOWN),    WHOLE(F_GETOWN),
    WHOLE(F_SETSIG),        WHOLE(F_GETSIG),     WHOLE(F_SETOWN_EX),  WHOLE(F_GETOWN_EX), WHOLE(F_OFD_GETLK),
    WHOLE(F_OFD_SETLK),     WHOLE(F_OFD_SETLKW), WHOLE(F_SETLEASE),   WHOLE(F_GETLEASE),  WHOLE(F_NOTIFY),
    WHOLE(F_DUPFD_CLOEXEC), WHOLE(F_SETPIPE_SZ), WHOLE(F_GETPIPE_SZ), WHOLE(F_ADD_SEALS), WHOLE(F_GET_SEALS)};
constexpr Name kFlock[] = {BIT(LOCK_SH), BIT(LOCK_EX), BIT(LOCK_UN), BIT(LOCK_NB)};
constexpr Name kFutex[] = {OF(FUTEX_WAIT, FUTEX_CMD_MASK),
                           OF(FUTEX_WAKE, FUTEX_CMD_MASK),
                           OF(FUTEX_FD, FUTEX_CMD_MASK),
                           OF(FUTEX_REQUEUE, FUTEX_CMD_MASK),
                           OF(FUTEX_CMP_REQUEUE, FUTEX_CMD_MASK),
                           OF(FUTEX_WAKE_OP, FUTEX_CMD_MASK),
                           OF(FUTEX_LOCK_PI, FUTEX_CMD_MASK),
                           OF(FUTEX_UNLOCK_PI, FUTEX_CMD_MASK),
                           OF(FUTEX_TRYLOCK_PI, FUTEX_CMD_MASK),
                           OF(FUTEX_WAIT_BITSET, FUTEX_CMD_MASK),
                           OF(FUTEX_WAKE_BITSET, FUTEX_CMD_MASK),
                           OF(FUTEX_WAIT_REQUEUE_PI, FUTEX_CMD_MASK),
                           OF(FUTEX_CMP_REQUEUE_PI, FUTEX_CMD_MASK),
                           {"FUTEX_LOCK_PI2", 13, static_cast<uint32_t>(FUTEX_CMD_MASK)},
                           BIT(FUTEX_PRIVATE_FLAG),
                           BIT(FUTEX_CLOCK_REALTIME)};
constexpr Name kGetrandom[] = {BIT(GRND_NONBLOCK), BIT(GRND_RANDOM), {"GRND_INSECURE", 4, 4}};
constexpr Name kInotify[] = {
    BIT(IN_ACCESS),      BIT(IN_MODIFY),     BIT(IN_ATTRIB),   BIT(IN_CLOSE_WRITE), BIT(IN_CLOSE_NOWRITE),
    BIT(IN_OPEN),        BIT(IN_MOVED_FROM), BIT(IN_MOVED_TO), BIT(IN_CREATE),      BIT(IN_DELETE),
    BIT(IN_DELETE_SELF), BIT(IN_MOVE_SELF),  BIT(IN_ONLYDIR),  BIT(IN_DONT_FOLLOW), BIT(IN_EXCL_UNLINK),
    BIT(IN_MASK_CREATE), BIT(IN_MASK_ADD),   BIT(IN_ONESHOT)};
constexpr Name kItimer[] = {WHOLE(ITIMER_REAL), WHOLE(ITIMER_VIRTUAL), WHOLE(ITIMER_PROF)};
constexpr Name kMadvise[] = {WHOLE(MADV_NORMAL),
                             WHOLE(MADV_RANDOM),
                             WHOLE(MADV_SEQUENTIAL),
                             WHOLE(MADV_WILLNEED),
                             WHOLE(MADV_DONTNEED),
                             WHOLE(MADV_FREE),
                             WHOLE(MADV_REMOVE),
                             WHOLE(MADV_DONTFORK),
                             WHOLE(MADV_DOFORK),
                             WHOLE(MADV_MERGEABLE),
                             WHOLE(MADV_UNMERGEABLE),
                             WHOLE(MADV_HUGEPAGE),
                             WHOLE(MADV_NOHUGEPAGE),
                             WHOLE(MADV_DONTDUMP),
                             WHOLE(MADV_DODUMP),
                             WHOLE(MADV_WIPEONFORK),
                             WHOLE(MADV_KEEPONFORK),
                             WHOLE(MADV_COLD),
                             WHOLE(MADV_PAGEOUT),
                             WHOLE(MADV_POPULATE_READ),
                             WHOLE(MADV_POPULATE_WRITE),
                             {"MADV_DONTNEED_LOCKED", 24, 0xffffffff},
                             {"MADV_COLLAPSE", 25, 0xffffffff},
                             {"MADV_GUARD_INSTALL", 102, 0xffffffff},
                             {"MADV_GUARD_REMOVE", 103, 0xffffffff}};
constexpr Name kMemfd[] = {BIT(MFD_CLOEXEC),
                           BIT(MFD_ALLOW_SEALING),
                           BIT(MFD_HUGETLB),
                           {"MFD_NOEXEC_SEAL", 8, 8},
                           {"MFD_EXEC", 16, 16}};
// mlock2's only flag is the first one's bit.
constexpr Name kMlock[] = {BIT(MCL_CURRENT), BIT(MCL_FUTURE), BIT(MCL_ONFAULT)};
constexpr Name kMmap[] = {
    OF(MAP_SHARED, MAP_TYPE), OF(MAP_PRIVATE, MAP_TYPE), OF(MAP_SHARED_VALIDATE, MAP_TYPE),
    BIT(MAP_FIXED),           BIT(MAP_ANONYMOUS),        BIT(MAP_GROWSDOWN),
    BIT(MAP_DENYWRITE),       BIT(MAP_EXECUTABLE),       BIT(MAP_LOCKED),
    BIT(MAP_NORESERVE),       BIT(MAP_POPULATE),         BIT(MAP_NONBLOCK),
    BIT(MAP_STACK),           BIT(MAP_HUGETLB),          BIT(MAP_SYNC),
    BIT(MAP_FIXED_NOREPLACE)};
constexpr Name kMount[] = {BIT(MS_RDONLY),      BIT(MS_NOSUID),     BIT(MS_NODEV),    BIT(MS_NOEXEC),
                           BIT(MS_SYNCHRONOUS), BIT(MS_REMOUNT),    BIT(MS_MANDLOCK), BIT(MS_DIRSYNC),
                           BIT(MS_NOATIME),     BIT(MS_NODIRATIME), BIT(MS_BIND),     BIT(MS_MOVE),
                           BIT(MS_REC),         BIT(MS_SILENT),     BIT(MS_POSIXACL), BIT(MS_UNBINDABLE),
                           BIT(MS_PRIVATE),     BIT(MS_SLAVE),      BIT(MS_SHARED),   BIT(MS_RELATIME),
                           BIT(MS_STRICTATIME), BIT(MS_LAZYTIME)};
constexpr Name kMremap[] = {BIT(MREMAP_MAYMOVE), BIT(MREMAP_FIXED), {"MREMAP_DONTUNMAP", 4, 4}};
constexpr Name kMsg[] = {BIT(MSG_OOB),         BIT(MSG_PEEK),     BIT(MSG_DONTROUTE), BIT(MSG_CTRUNC),
                         BIT(MSG_PROXY),       BIT(MSG_TRUNC),    BIT(MSG_DONTWAIT),  BIT(MSG_EOR),
                         BIT(MSG_WAITALL),     BIT(MSG_FIN),      BIT(MSG_SYN),       BIT(MSG_CONFIRM),
                         BIT(MSG_RST),         BIT(MSG_ERRQUEUE), BIT(MSG_NOSIGNAL),  BIT(MSG_MORE),
                         BIT(MSG_WAITFORONE),  BIT(MSG_BATCH),    BIT(MSG_ZEROCOPY),  BIT(MSG_FASTOPEN),
                         BIT(MSG_CMSG_CLOEXEC)};
constexpr Name kMsync[] = {BIT(MS_ASYNC), BIT(MS_INVALIDATE), BIT(MS_SYNC)};
constexpr Name kPriority[] = {WHOLE(PRIO_PROCESS), WHOLE(PRIO_PGRP), WHOLE(PRIO_USER)};
constexpr Name kProt[] = {WHOLE(PROT_NONE),   BIT(PROT_READ),      BIT(PROT_WRITE),  BIT(PROT_EXEC),
                          {"PROT_SEM", 8, 8}, BIT(PROT_GROWSDOWN), BIT(PROT_GROWSUP)};
constexpr Name kRename[] = {{"RENAME_NOREPLACE", 1, 1}, {"RENAME_EXCHANGE", 2, 2}, {"RENAME_WHITEOUT", 4, 4}};
constexpr Name kRlimit[] = {
    WHOLE(RLIMIT_CPU),      WHOLE(RLIMIT_FSIZE), WHOLE(RLIMIT_DATA),   WHOLE(RLIMIT_STACK),
    WHOLE(RLIMIT_CORE),     WHOLE(RLIMIT_RSS),   WHOLE(RLIMIT_NPROC),  WHOLE(RLIMIT_NOFILE),
    WHOLE(RLIMIT_MEMLOCK),  WHOLE(RLIMIT_AS),    WHOLE(RLIMIT_LOCKS),  WHOLE(RLIMIT_SIGPENDING),
    WHOLE(RLIMIT_MSGQUEUE), WHOLE(RLIMIT_NICE),  WHOLE(RLIMIT_RTPRIO), WHOLE(RLIMIT_RTTIME)};
constexpr Name kRusage[] = {WHOLE(RUSAGE_SELF), WHOLE(RUSAGE_CHILDREN), WHOLE(RUSAGE_THREAD)};
constexpr Name kRwf[] = {{"RWF_HIPRI", 1, 1},
                         {"RWF_DSYNC", 2, 2},
                         {"RWF_SYNC", 4, 4},
                         {"RWF_NOWAIT", 8, 8},
                         {"RWF_APPEND", 16, 16}};
constexpr Name kSched[] = {OF(SCHED_OTHER, ~SCHED_RESET_ON_FORK),
                           OF(SCHED_FIFO, ~SCHED_RESET_ON_FORK),
                           OF(SCHED_RR, ~SCHED_RESET_ON_FORK),
                           OF(SCHED_BATCH, ~SCHED_RESET_ON_FORK),
                           OF(SCHED_IDLE, ~SCHED_RESET_ON_FORK),
                           OF(SCHED_DEADLINE, ~SCHED_RESET_ON_FORK),
                           BIT(SCHED_RESET_ON_FORK)};
constexpr Name kSeek[] = {WHOLE(SEEK_SET), WHOLE(SEEK_CUR), WHOLE(SEEK_END), WHOLE(SEEK_DATA),
                          WHOLE(SEEK_HOLE)};
constexpr Name kShutdown[] = {WHOLE(SHUT_RD), WHOLE(SHUT_WR), WHOLE(SHUT_RDWR)};
constexpr Name kSigmask[] = {WHOLE(SIG_BLOCK), WHOLE(SIG_UNBLOCK), WHOLE(SIG_SETMASK)};
constexpr Name kDomain[] = {WHOLE(AF_UNSPEC),    WHOLE(AF_UNIX),   WHOLE(AF_INET), WHOLE(AF_INET6),
                            WHOLE(AF_NETLINK),   WHOLE(AF_PACKET), WHOLE(AF_ALG),  WHOLE(AF_VSOCK),
                            WHOLE(AF_BLUETOOTH), WHOLE(AF_CAN)};
constexpr Name kSocketType[] = {OF(SOCK_STREAM, 0xf), OF(SOCK_DGRAM, 0xf),     OF(SOCK_RAW, 0xf),
                                OF(SOCK_RDM, 0xf),    OF(SOCK_SEQPACKET, 0xf), OF(SOCK_PACKET, 0xf),
                                BIT(SOCK_NONBLOCK),   BIT(SOCK_CLOEXEC)};
constexpr Name kSplice[] = {BIT(SPLICE_F_MOVE), BIT(SPLICE_F_NONBLOCK), BIT(SPLICE_F_MORE),
                            BIT(SPLICE_F_GIFT)};
constexpr Name kTimer[] = {BIT(TIMER_ABSTIME), {"TFD_TIMER_CANCEL_ON_SET", 2, 2}};
constexpr Name kTimerfd[] = {BIT(TFD_NONBLOCK), BIT(TFD_CLOEXEC)};
constexpr Name kUmount[] = {BIT(MNT_FORCE), BIT(MNT_DETACH), BIT(MNT_EXPIRE), BIT(UMOUNT_NOFOLLOW)};
constexpr Name kWait[] = {BIT(WNOHANG), BIT(WSTOPPED),    BIT(WEXITED), BIT(WCONTINUED),
                          BIT(WNOWAIT), BIT(__WNOTHREAD), BIT(__WALL),  BIT(__WCLONE)};

std::span<const Name> names_of(FlagSet set) {
    switch (set) {
        case FlagSet::none:
            return {};
        case FlagSet::access:
            return kAccess;
        case FlagSet::at:
            return kAt;
        case FlagSet::clock:
            return kClock;
        case FlagSet::clone:
            return kClone;
        case FlagSet::close_range:
            return kCloseRange;
        case FlagSet::epoll_create:
            return kEpollCreate;
        case FlagSet::epoll_op:
            return kEpollOp;
        case FlagSet::eventfd:
            return kEventfd;
        case FlagSet::falloc:
            return kFalloc;
        case FlagSet::fcntl:
            return kFcntl;
        case FlagSet::flock:
            return kFlock;
        case FlagSet::futex:
            return kFutex;
        case FlagSet::getrandom:
            return kGetrandom;
        case FlagSet::inotify:
            return kInotify;
        case FlagSet::itimer:
            return kItimer;
        case FlagSet::madvise:
            return kMadvise;
        case FlagSet::memfd:
            return kMemfd;
        case FlagSet::mlock:
            return kMlock;
        case FlagSet::mmap:
            return kMmap;
        case FlagSet::mount:
            return kMount;
        case FlagSet::mremap:
            return kMremap;
        case FlagSet::msg:
            return kMsg;
        case FlagSet::msync:
            return kMsync;
        case FlagSet::open:
            return kOpen;
        case FlagSet::priority:
            return kPriority;
        case FlagSet::prot:
            return kProt;
        case FlagSet::rename:
            return kRename;
        case FlagSet::rlimit:
            return kRlimit;
        case FlagSet::rusage:
            return kRusage;
        case FlagSet::rwf:
            return kRwf;
        case FlagSet::sched:
            return kSched;
        case FlagSet::seek:
            return kSeek;
        case FlagSet::shutdown:
            return kShutdown;
        case FlagSet::sigmask:
            return kSigmask;
        case FlagSet::socket_domain:
            return kDomain;
        case FlagSet::socket_type:
            return kSocketType;
        case FlagSet::splice:
            return kSplice;
        case FlagSet::timer:
            return kTimer;
        case FlagSet::timerfd:
            return kTimerfd;
        case FlagSet::umount:
            return kUmount;
        case FlagSet::unshare:
            return kUnshare;
        case FlagSet::wait:
            return kWait;
    }
    return {};
}

constexpr uint32_t kCloneSignal = 0xff;  // the lowest byte of clone's flags

}  // namespace

std::string signal_text(uint32_t signal) {
    constexpr uint32_t kFirstRealTime = 32;
    constexpr uint32_t kLastRealTime = 64;
    if (signal >= kFirstRealTime && signal <= kLastRealTime) {
        return fmt::format("SIGRT_{}", signal - kFirstRealTime);
    }
    const char* name =
        signal != 0 && signal < kFirstRealTime ? sigabbrev_np(static_cast<int>(signal)) : nullptr;
    return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("{}", static_cast<int32_t>(signal));
}

std::string flag_text(FlagSet set, uint32_t value) {
    std::string text;
    const auto add = [&](std::string_view part) {
        text += text.empty() ? "" : "|";
        text += part;
    };
    uint32_t left = value;
    for (const Name& name : names_of(set)) {
        // Bits that a name before this one stands for are not named again; a value of zero bits is named where they are zero.
        if ((value & name.mask) == name.what && ((left & name.what) != 0 || name.what == 0)) {
            add(name.name);
            left &= ~name.what;
        }
    }
    if (set == FlagSet::clone && (left & kCloneSignal) != 0) {
        add(signal_text(left & kCloneSignal));
        left &= ~kCloneSignal;
    }
    if (left != 0) {
        add(fmt::format("{:#x}", left));
    }
    return text.empty() ? "0" : text;
}

}  // namespace weft::user
