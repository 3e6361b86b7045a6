// clone, clone3, execve, execveat, and the lists of robust futexes.
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/raw_syscall.h"
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
    if (!path->starts_with('/') && folder != AT_FDCWD) {
        // The program finds itself by the descriptor's name, which the kernel gives it as well.
        const std::string name = "/proc/self/fd/" + std::to_string(folder);
        if (::faccessat(AT_FDCWD, name.c_str(), F_OK, 0) != 0) {
            return -EBADF;
        }
        *path = path->empty() ? name : name + "/" + *path;
        if (path->size() == name.size()) {
            // Weft opens it after its own execve: the descriptor has to be there still.
            const int64_t old = raw_syscall(SYS_fcntl, folder, F_GETFD, 0);
            if (old >= 0 && (old & FD_CLOEXEC) != 0) {
                const int64_t copy = raw_syscall(SYS_fcntl, folder, F_DUPFD, 0);
                if (copy < 0) {
                    return copy;
                }
                const int64_t failed =
                    execute(call, "/proc/self/fd/" + std::to_string(copy), call.arg(2), call.arg(3));
                raw_syscall(SYS_close, copy);
                return failed;
            }
        }
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
