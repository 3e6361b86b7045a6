// System calls of user mode with any arguments: they end, and neither weft nor the host's kernel touches memory that is not the
// guest's to be touched.
//
// Input: what the guest's pages hold, kPageBytes of each, then calls: a word for the call and six arguments, each a byte that says of
// what kind it is and a number.
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/unique_fd.h"
#include "emulator/linux-user/syscall/dispatch.h"
#include "entry.h"
#include "tests/support/faults.h"

using namespace weft;
using namespace weft::user;

namespace {

constexpr uint64_t kBase = uint64_t{1} << 45;  // also with AddressSanitizer
constexpr uint64_t kLimit = 16 << 20;
constexpr uint64_t kArena = 0x400000;
constexpr size_t kPageBytes = 96;
constexpr size_t kMostCalls = 12;
constexpr uint8_t kCanary = 0xa5;

// Calls that are left out, and why.
struct LeftOut {
    std::string_view why;
    std::vector<std::string_view> names;
};

const std::vector<LeftOut>& left_out() {
    static const std::vector<LeftOut> kTable = {
        {"ends this process, or sends what may end it or another",
         {"exit", "exit_group", "kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo",
          "pidfd_send_signal", "process_mrelease", "setitimer", "timer_create", "timer_settime",
          "timer_delete", "mq_notify"}},
        {"changes files by their names",
         {"openat",       "openat2",    "open_by_handle_at", "unlinkat",     "mknodat",   "mkdirat",
          "symlinkat",    "linkat",     "renameat2",         "renameat",     "truncate",  "fchmodat",
          "fchmodat2",    "fchownat",   "utimensat",         "setxattr",     "lsetxattr", "removexattr",
          "lremovexattr", "setxattrat", "removexattrat",     "file_setattr", "acct",      "bind",
          "mq_open",      "mq_unlink"}},
        {"changes the host",
         {"reboot",        "mount",         "umount2",     "pivot_root",     "chroot",
          "swapon",        "swapoff",       "sethostname", "setdomainname",  "settimeofday",
          "clock_settime", "clock_adjtime", "adjtimex",    "syslog",         "vhangup",
          "quotactl",      "quotactl_fd",   "open_tree",   "open_tree_attr", "move_mount",
          "fsopen",        "fsconfig",      "fsmount",     "fspick",         "mount_setattr",
          "fanotify_init", "fanotify_mark", "sync",        "syncfs"}},
        {"changes this process for the inputs that follow",
         {"chdir",
          "fchdir",
          "setregid",
          "setgid",
          "setreuid",
          "setuid",
          "setresuid",
          "setresgid",
          "setfsuid",
          "setfsgid",
          "setgroups",
          "setpgid",
          "setsid",
          "unshare",
          "setns",
          "setrlimit",
          "prlimit64",
          "personality",
          "prctl",
          "capset",
          "landlock_restrict_self",
          "umask",
          "setpriority",
          "ioprio_set",
          "sched_setparam",
          "sched_setscheduler",
          "sched_setattr",
          "sched_setaffinity",
          "set_mempolicy",
          "mlockall",
          "set_robust_list",
          "set_tid_address",
          "rt_sigaction",
          "rt_sigprocmask",
          "membarrier",
          "lsm_set_self_attr",
          "migrate_pages"}},
        {"makes what outlives this process",
         {"shmget", "shmctl", "semget", "semctl", "semop", "semtimedop", "msgget", "msgctl", "msgsnd",
          "msgrcv", "add_key", "request_key", "keyctl"}},
        {"acts upon descriptors that are not the input's", {"close", "close_range", "dup3", "pidfd_getfd"}},
        {"opens a way to the host's network", {"socket"}},
        {"acts upon other processes",
         {"shmat", "process_vm_writev", "process_madvise", "move_pages", "kcmp"}},
        {"sleeps with a mask of the guest's",
         {"rt_sigsuspend", "rt_sigtimedwait", "ppoll", "pselect6", "epoll_pwait", "epoll_pwait2"}},
        {"takes registers from a vCPU, which is not here", {"rt_sigreturn"}},
    };
    return kTable;
}

std::vector<const Syscall*> calls_to_make() {
    std::vector<const Syscall*> calls;
    for (const Syscall& call : syscalls()) {
        if (std::ranges::none_of(left_out(), [&](const LeftOut& row) {
                return std::ranges::find(row.names, call.name) != row.names.end();
            })) {
            calls.push_back(&call);
        }
    }
    return calls;
}

// Of the others, what has such operations: signals of descriptors, and settings of the host's network.
bool is_left_out(std::string_view name, const std::array<uint64_t, 6>& args) {
    const auto operation = static_cast<uint32_t>(args[1]);
    if (name == "fcntl") {
        return operation == F_SETSIG || operation == F_SETOWN || operation == F_SETOWN_EX;
    }
    constexpr uint32_t kNetwork = 0x89;
    return name == "ioctl" && (operation >> 8 & 0xff) == kNetwork;
}

// Those that an argument may name; and one that is not open.
class Descriptors {
  public:
    Descriptors() {
        std::array<int, 2> ends{};
        WEFT_ASSERT(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
        keep(ends);
        WEFT_ASSERT(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0);
        keep(ends);
        WEFT_ASSERT(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0);
        keep(ends);
        keep({::memfd_create("fuzz", MFD_CLOEXEC), ::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)});
        keep({::epoll_create1(EPOLL_CLOEXEC), ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)});
        WEFT_ASSERT(::ftruncate(fds_[6].get(), 8192) == 0);
        last_ = fds_.back().get();
    }
    // What calls opened.
    ~Descriptors() { ::close_range(static_cast<unsigned>(last_) + 1, 1023, 0); }
    Descriptors(const Descriptors&) = delete;
    Descriptors& operator=(const Descriptors&) = delete;

    uint64_t get(uint64_t number) const {
        const size_t index = number % (fds_.size() + 1);
        return index == fds_.size() ? 900 : static_cast<uint64_t>(fds_[index].get());
    }

  private:
    void keep(std::array<int, 2> both) {
        for (const int fd : both) {
            WEFT_ASSERT(fd >= 0);
            fds_.emplace_back(fd);
        }
    }
    std::vector<UniqueFd> fds_;
    int last_ = 0;
};

// A signal every few milliseconds, that ends what sleeps.
class Alarm {
  public:
    Alarm() {
        struct sigaction action{};
        action.sa_handler = [](int) {};
        WEFT_ASSERT(::sigaction(SIGUSR1, &action, nullptr) == 0);
        sigevent event{};
        event.sigev_notify = SIGEV_THREAD_ID;
        event.sigev_signo = SIGUSR1;
        event._sigev_un._tid = ::gettid();
        WEFT_ASSERT(::timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0);
        const timespec period{0, 5'000'000};
        const itimerspec times{period, period};
        WEFT_ASSERT(::timer_settime(timer_, 0, &times, nullptr) == 0);
    }
    ~Alarm() { ::timer_delete(timer_); }
    Alarm(const Alarm&) = delete;
    Alarm& operator=(const Alarm&) = delete;

  private:
    timer_t timer_{};
};

// Host memory at both ends of the guest's space, which nobody may write to.
class Canaries {
  public:
    Canaries() {
        for (const uint64_t at : {kBase - kGuestPage, kBase + kLimit}) {
            void* const page = ::mmap(reinterpret_cast<void*>(at), kGuestPage, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
            WEFT_ASSERT(page == reinterpret_cast<void*>(at));
            std::memset(page, kCanary, kGuestPage);
            pages_.push_back(static_cast<uint8_t*>(page));
        }
    }
    ~Canaries() {
        for (uint8_t* const page : pages_) {
            ::munmap(page, kGuestPage);
        }
    }
    Canaries(const Canaries&) = delete;
    Canaries& operator=(const Canaries&) = delete;

    bool whole() const {
        return std::ranges::all_of(pages_, [](const uint8_t* page) {
            return std::all_of(page, page + kGuestPage, [](uint8_t byte) { return byte == kCanary; });
        });
    }

  private:
    std::vector<uint8_t*> pages_;
};

// Files of this process end here for the while: what is not sparse takes memory.
class FileSizes {
  public:
    FileSizes() {
        ::signal(SIGXFSZ, SIG_IGN);
        WEFT_ASSERT(::getrlimit(RLIMIT_FSIZE, &old_) == 0);
        const rlimit limit{1 << 20, old_.rlim_max};
        WEFT_ASSERT(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
    }
    ~FileSizes() { ::setrlimit(RLIMIT_FSIZE, &old_); }
    FileSizes(const FileSizes&) = delete;
    FileSizes& operator=(const FileSizes&) = delete;

  private:
    rlimit old_{};
};

struct Guest {
    Canaries canaries;
    std::atomic<uint32_t> asked{0};
    std::unique_ptr<Process> process;
    std::optional<Thread> thread;

    Guest() {
        auto made = Process::create({}, {.base = kBase, .limit = kLimit, .minimum = 0, .reserve = true},
                                    HostMemory::real());
        WEFT_ASSERT(made);
        process = std::move(*made);
        process->set_limit(RLIMIT_AS, {kLimit, kLimit}, true);
        thread.emplace(*process, ::gettid(), asked);
        // Page 1 is not there, page 2 may be read only.
        for (const uint64_t page : {uint64_t{0}, uint64_t{2}}) {
            WEFT_ASSERT(process->mapper().map(kArena + page * kGuestPage, kGuestPage, PROT_READ | PROT_WRITE,
                                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) >= 0);
        }
    }
    // The start and the end of a page.
    void fill(fuzz::Bytes& input) {
        for (const uint64_t at : {uint64_t{0}, kGuestPage - kPageBytes, 2 * kGuestPage}) {
            for (size_t i = 0; i < kPageBytes; ++i) {
                const auto byte = input.take<uint8_t>();
                WEFT_ASSERT(process->memory().write(kArena + at + i, &byte, 1));
            }
        }
        // Pointers within structs.
        const auto inner = input.take<uint8_t>();
        for (size_t i = 0; i < 8; ++i) {
            if ((inner >> i & 1) != 0) {
                const uint64_t pointer = kArena + 16 * i;
                WEFT_ASSERT(process->memory().write(kArena + 8 * i, &pointer, sizeof(pointer)));
            }
        }
        WEFT_ASSERT(process->mapper().protect(kArena + 2 * kGuestPage, kGuestPage, PROT_READ) == 0);
    }
};

uint64_t argument(fuzz::Bytes& input, const Descriptors& descriptors, ArgKind kind) {
    const auto how = input.take<uint8_t>();
    const auto number = input.take<uint16_t>();
    if (kind == ArgKind::fd) {
        return descriptors.get(number);
    }
    if (kind == ArgKind::dirfd && how % 2 == 0) {
        return static_cast<uint64_t>(int64_t{AT_FDCWD});
    }
    switch (how % 10) {
        case 0:
            return number % 64;
        case 1:
            return kArena + number % kPageBytes;
        case 2:  // ends with the page
            return kArena + kGuestPage - number % kPageBytes;
        case 3:
            return kArena + 2 * kGuestPage + number % kPageBytes;
        case 4:  // ends with the space
            return kLimit - number % 64;
        case 5:
            return (uint64_t{1} << number % 64) + number / 64 % 3 - 1;
        case 6:
            return ~uint64_t{0} - number % 64;
        case 7:
            return uint64_t{number} << 12;
        case 8:
            return number;
        default:
            return input.take<uint64_t>();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const std::vector<const Syscall*> kCalls = calls_to_make();
    fuzz::Bytes input(data, size);
    const test::FaultHandlers handlers;
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGIO, SIG_IGN);
    const Alarm alarm;
    const FileSizes sizes;
    const Descriptors descriptors;
    Guest guest;
    guest.fill(input);
    for (size_t made = 0; made < kMostCalls && input.size() != 0; ++made) {
        const Syscall& call = *kCalls[input.take<uint16_t>() % kCalls.size()];
        std::array<uint64_t, 6> args{};
        for (size_t i = 0; i < args.size(); ++i) {
            args[i] = argument(input, descriptors, call.args[i].kind);
        }
        if (is_left_out(call.name, args)) {
            continue;
        }
        const SyscallOutcome outcome = dispatch(*guest.thread, call.number, args);
        WEFT_ASSERT(outcome.kind == SyscallOutcome::Kind::value ||
                    outcome.kind == SyscallOutcome::Kind::restart);
        WEFT_ASSERT(guest.canaries.whole());
    }
    return 0;
}
