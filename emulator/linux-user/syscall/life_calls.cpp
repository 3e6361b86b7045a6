// clone, clone3, execve, execveat, and the lists of robust futexes.
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/raw_syscall.h"
#include "base/unique_fd.h"
#include "emulator/linux-user/life/lifecycle.h"
#include "emulator/linux-user/loader/auxv.h"
#include "emulator/linux-user/syscall/calls.h"
#include "emulator/linux-user/syscall/paths.h"

namespace weft::user::calls {

namespace {

// MAX_ARG_STRLEN
constexpr size_t kLongestString = size_t{128} << 10;

int64_t do_clone(CallContext& call, const CloneRequest& request) {
    Lifecycle* const lifecycle = call.process.lifecycle();
    return lifecycle != nullptr ? lifecycle->clone(call.thread, request) : -ENOSYS;
}

// The strings that an array of pointers names; null: none, as Linux has it. All strings and pointers of a call have `room` bytes: few
// bytes of the guest's may be named often.
std::expected<std::vector<std::string>, int> strings_at(CallContext& call, uint64_t array, uint64_t& room) {
    std::vector<std::string> strings;
    for (uint64_t place = array; array != 0; place += sizeof(uint64_t)) {
        const auto pointer = call.read<uint64_t>(place);
        if (!pointer) {
            return std::unexpected(-EFAULT);
        }
        if (*pointer == 0) {
            break;
        }
        auto string = call.process.memory().string(*pointer, kLongestString);
        if (!string) {
            return std::unexpected(string.error() == -ENAMETOOLONG ? -E2BIG : string.error());
        }
        const uint64_t used = string->size() + 1 + sizeof(uint64_t);
        if (used > room) {
            return std::unexpected(-E2BIG);
        }
        room -= used;
        strings.push_back(std::move(*string));
    }
    return strings;
}

int64_t execute(CallContext& call, std::string path, uint64_t arguments, uint64_t environment) {
    Lifecycle* const lifecycle = call.process.lifecycle();
    if (lifecycle == nullptr) {
        return -ENOSYS;
    }
    uint64_t room = kMostOfStrings;
    auto argv = strings_at(call, arguments, room);
    auto envp = argv ? strings_at(call, environment, room) : argv;
    if (!envp) {
        // Linux opens the file first.
        const int64_t refused = lifecycle->may_execute(call.thread, path);
        return refused < 0 ? refused : envp.error();
    }
    return lifecycle->execute(call.thread, {std::move(path), std::move(*argv), std::move(*envp)});
}

constexpr size_t kLongestPath = 4096;

bool is_link(CallContext& call, int folder, const std::string& path) {
    struct ::stat status{};
    const std::string name = under_prefix(call.process.options().prefix, path);
    return ::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
}

// What is below an open folder; "": the open file itself. By the kernel's name, which scripts are given, where there is such a file.
std::string name_of(int fd, const std::string& below) {
    const std::string number = std::to_string(fd);
    std::string name = "/dev/fd/" + number;
    if (::faccessat(AT_FDCWD, name.c_str(), F_OK, 0) != 0) {
        name = "/proc/self/fd/" + number;
    }
    return below.empty() ? name : name + "/" + below;
}

bool is_script(const std::string& name) {
    const UniqueFd file(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    std::array<char, 2> start{};
    return file && ::pread(file.get(), start.data(), start.size(), 0) == 2 && start[0] == '#' &&
           start[1] == '!';
}

// By a name that is there without the descriptor; nothing where there is none, or it leads elsewhere for the guest.
std::optional<std::string> name_without(CallContext& call, int folder, const std::string& below) {
    std::array<char, kLongestPath> link;
    const ssize_t size = ::readlink(name_of(folder, "").c_str(), link.data(), link.size());
    if (size <= 0 || static_cast<size_t>(size) == link.size()) {
        return std::nullopt;
    }
    std::string name(link.data(), static_cast<size_t>(size));
    if (!below.empty()) {
        name += "/" + below;
    }
    struct ::stat wanted{};
    struct ::stat found{};
    const bool same = ::stat(name_of(folder, below).c_str(), &wanted) == 0 &&
                      ::stat(name.c_str(), &found) == 0 && wanted.st_dev == found.st_dev &&
                      wanted.st_ino == found.st_ino;
    return same && under_prefix(call.process.options().prefix, name) == name ? std::optional(name)
                                                                             : std::nullopt;
}

// Execveat of, or below, a descriptor that an execve closes. Weft opens the program after its own execve.
int64_t execute_below_closed(CallContext& call, int folder, const std::string& path) {
    const std::string name = name_of(folder, path);
    if (is_script(name)) {
        // Its interpreter could not open it (BINPRM_FLAGS_PATH_INACCESSIBLE of the kernel).
        Lifecycle* const lifecycle = call.process.lifecycle();
        const int64_t refused = lifecycle != nullptr ? lifecycle->may_execute(call.thread, name) : -ENOSYS;
        return refused < 0 ? refused : -ENOENT;
    }
    if (auto lasting = name_without(call, folder, path)) {
        return execute(call, std::move(*lasting), call.arg(2), call.arg(3));
    }
    const auto copy = static_cast<int>(raw_syscall(SYS_fcntl, folder, F_DUPFD, 0));
    if (copy < 0) {
        return copy;
    }
    const int64_t failed = execute(call, name_of(copy, path), call.arg(2), call.arg(3));
    raw_syscall(SYS_close, copy);
    return failed;
}

}  // namespace

// Flags, stack, parent's word, TLS, child's word: CLONE_BACKWARDS of the kernel.
SyscallOutcome clone(CallContext& call) {
    constexpr uint64_t kSignalMask = 0xff;  // CSIGNAL
    const uint64_t flags = call.arg(0) & 0xffffffff & ~kSignalMask;
    return do_clone(call, {.flags = flags,
                           .exit_signal = static_cast<int>(call.arg(0) & kSignalMask),
                           .stack = call.arg(1),
                           .tls = call.arg(3),
                           .parent_tid = call.arg(2),
                           .child_tid = call.arg(4),
                           .pidfd = call.arg(2)});
}

SyscallOutcome clone3(CallContext& call) {
    // linux/sched.h: VER0 to VER2, and whatever is longer has to be zero behind what is known.
    constexpr size_t kLeast = 64;
    constexpr size_t kPage = 4096;
    const uint64_t size = call.arg(1);
    if (size > kPage) {
        return -E2BIG;
    }
    if (size < kLeast) {
        return -EINVAL;
    }
    std::array<std::byte, kPage> bytes{};
    if (!call.read(call.arg(0), bytes.data(), size)) {
        return -EFAULT;
    }
    ::clone_args args{};
    std::memcpy(&args, bytes.data(), std::min<size_t>(size, sizeof(args)));
    for (size_t i = sizeof(args); i < size; ++i) {
        if (bytes[i] != std::byte{0}) {
            return -E2BIG;
        }
    }
    constexpr uint64_t kSignalMask = 0xff;
    constexpr uint64_t kLegacyFlags = 0xffff'ffff;
    constexpr uint64_t kKnown = kLegacyFlags | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP;
    if ((args.flags & ~kKnown) != 0 ||
        (args.flags & ((kSignalMask & ~uint64_t{CLONE_NEWTIME}) | CLONE_DETACHED)) != 0 ||
        args.exit_signal > 64 ||
        ((args.flags & (CLONE_THREAD | CLONE_PARENT)) != 0 && args.exit_signal != 0) ||
        (args.stack == 0) != (args.stack_size == 0)) {
        return -EINVAL;
    }
    // Numbers and groups that are asked for would have to be given by the host's clone3.
    if (args.set_tid_size != 0 || args.set_tid != 0 || (args.flags & CLONE_INTO_CGROUP) != 0) {
        return -EINVAL;
    }
    return do_clone(call, {.flags = args.flags,
                           .exit_signal = static_cast<int>(args.exit_signal),
                           .stack = args.stack + args.stack_size,
                           .tls = args.tls,
                           .parent_tid = args.parent_tid,
                           .child_tid = args.child_tid,
                           .pidfd = args.pidfd});
}

SyscallOutcome execve(CallContext& call) {
    auto path = call.process.memory().string(call.arg(0), kLongestPath);
    if (!path) {
        return path.error();
    }
    if (auto program = find_program(call.process, kWorkingFolder, *path)) {
        *path = std::move(*program);
    }
    return execute(call, std::move(*path), call.arg(1), call.arg(2));
}

SyscallOutcome execveat(CallContext& call) {
    constexpr int kKnown = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;
    const int folder = call.number(0);
    const int flags = call.number(4);
    auto path = call.process.memory().string(call.arg(1), kLongestPath);
    if (!path) {
        return path.error();
    }
    if ((flags & ~kKnown) != 0) {
        return -EINVAL;
    }
    if (path->empty() && (flags & AT_EMPTY_PATH) == 0) {
        return -ENOENT;
    }
    if ((flags & AT_SYMLINK_NOFOLLOW) != 0 && is_link(call, folder, *path)) {
        return -ELOOP;
    }
    if (auto program = path->empty() ? std::nullopt : find_program(call.process, folder, *path)) {
        *path = std::move(*program);
    } else if (!path->starts_with('/') && folder != AT_FDCWD) {
        // The program finds itself by the descriptor's name, which the kernel gives it as well.
        if (::faccessat(AT_FDCWD, name_of(folder, "").c_str(), F_OK, 0) != 0) {
            return -EBADF;
        }
        const int64_t old = raw_syscall(SYS_fcntl, folder, F_GETFD, 0);
        if (old >= 0 && (old & FD_CLOEXEC) != 0) {
            return execute_below_closed(call, folder, *path);
        }
        *path = name_of(folder, *path);
    }
    return execute(call, std::move(*path), call.arg(2), call.arg(3));
}

// The kernel does at a thread's end what the guest's asks it to, where its addresses are the kernel's: also when it is killed.
SyscallOutcome set_robust_list(CallContext& call) {
    constexpr uint64_t kSize = 24;
    if (call.arg(1) != kSize) {
        return -EINVAL;
    }
    call.thread.robust_list = call.arg(0);
    if (call.process.core().config().base == 0 && call.process.memory().range().holds(call.arg(0), kSize)) {
        return raw_syscall(SYS_set_robust_list, call.arg(0), kSize);
    }
    return 0;
}

SyscallOutcome get_robust_list(CallContext& call) {
    const int32_t tid = call.number(0);
    if (tid != 0 && tid != call.thread.tid) {
        if (call.process.core().config().base == 0) {
            return call.pass();
        }
        // Another's list is at addresses of the host's.
        uint64_t list = 0, size = 0;
        const int64_t failed = call.host(SYS_get_robust_list, tid, &list, &size);
        return failed < 0 ? failed : -EPERM;
    }
    constexpr uint64_t kSize = 24;
    const int64_t failed = call.write(call.arg(2), kSize);
    return failed != 0 ? failed : call.write(call.arg(1), call.thread.robust_list);
}

}  // namespace weft::user::calls
