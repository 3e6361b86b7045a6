// What the arguments of system calls are: kinds, and what pointers point to.
//
// Three things follow from the kinds of a call in table.h: the range check of its pointers and their conversion where guest
// addresses are not host addresses (host_call.h), and its line in the log of -strace (strace.h). Constants are the host's:
// tests/linux-user/abi/uapi_test.py shows that riscv64 has the same.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::user {

enum class ArgKind : uint8_t {
    none,
    number,     // 32-bit, signed
    number64,   // signed
    size,       // 64-bit, unsigned
    hex,        // a word of bits or a cookie
    flags,      // 32-bit, of a FlagSet
    mode,       // permissions
    fd,         // file descriptor
    dirfd,      // the same, or AT_FDCWD
    signal,     // signal number
    address,    // a guest address that the kernel does not read or write through
    path,       // name of a file, NUL-terminated
    lookup,     // the same, of a call that looks at a file which is there: see paths.h
    string,     // other NUL-terminated text
    strings,    // null-terminated array of such
    pointer,    // guest memory: `direction`, `type` and how many of them
    unchecked,  // guest memory of a size that the call's other arguments do not state as one number
};

// What a call does to the memory that a pointer names: reads it, writes it, or both.
enum class Direction : uint8_t { none, in, out, inout };

// Sets of flags, and of values that have names.
// clang-format off
#define WEFT_USER_FLAG_SETS(X) \
    X(none)                    \
    X(access)                  \
    X(at)                      \
    X(clock)                   \
    X(clone)                   \
    X(close_range)             \
    X(epoll_create)            \
    X(epoll_op)                \
    X(eventfd)                 \
    X(falloc)                  \
    X(fcntl)                   \
    X(flock)                   \
    X(futex)                   \
    X(getrandom)               \
    X(inotify)                 \
    X(itimer)                  \
    X(madvise)                 \
    X(memfd)                   \
    X(mlock)                   \
    X(mmap)                    \
    X(mount)                   \
    X(mremap)                  \
    X(msg)                     \
    X(msync)                   \
    X(open)                    \
    X(priority)                \
    X(prot)                    \
    X(rename)                  \
    X(rlimit)                  \
    X(rusage)                  \
    X(rwf)                     \
    X(sched)                   \
    X(seek)                    \
    X(shutdown)                \
    X(sigmask)                 \
    X(socket_domain)           \
    X(socket_type)             \
    X(splice)                  \
    X(timer)                   \
    X(timerfd)                 \
    X(umount)                  \
    X(unshare)                 \
    X(wait)
// clang-format on
enum class FlagSet : uint8_t {
#define WEFT_USER_FLAG_SET(name) name,
    WEFT_USER_FLAG_SETS(WEFT_USER_FLAG_SET)
#undef WEFT_USER_FLAG_SET
};

// What pointers point to: name and size on riscv64. `bytes` stands for buffers and for structs whose size is an argument;
// `sockaddr` is of such a size too.
// clang-format off
#define WEFT_USER_STRUCTS(X) \
    X(none, 0)               \
    X(bytes, 1)              \
    X(i32, 4)                \
    X(u32, 4)                \
    X(u64, 8)                \
    X(word, 8)               \
    X(offset, 8)             \
    X(timespec, 16)          \
    X(timeval, 16)           \
    X(timezone, 8)           \
    X(itimerspec, 32)        \
    X(itimerval, 32)         \
    X(timex, 208)            \
    X(tms, 32)               \
    X(stat, 128)             \
    X(statx, 256)            \
    X(statfs, 120)           \
    X(rlimit, 16)            \
    X(rusage, 144)           \
    X(sysinfo, 112)          \
    X(utsname, 390)          \
    X(sigset, 8)             \
    X(siginfo, 128)          \
    X(sigaction, 24)         \
    X(stack, 24)             \
    X(sigevent, 64)          \
    X(iovec, 16)             \
    X(remote_iovec, 16)      \
    X(msghdr, 56)            \
    X(mmsghdr, 64)           \
    X(pollfd, 8)             \
    X(epoll_event, 16)       \
    X(sockaddr, 1)           \
    X(sched_param, 4)        \
    X(cap_header, 8)         \
    X(mq_attr, 64)           \
    X(robust_list, 24)       \
    X(futex_waitv, 24)       \
    X(io_event, 32)          \
    X(sembuf, 6)             \
    X(shmid_ds, 112)         \
    X(msqid_ds, 120)         \
    X(hwprobe, 16)           \
    X(cachestat_range, 16)   \
    X(sock_filter, 8)        \
    X(sock_fprog, 16)        \
    X(xattr_args, 16)        \
    X(notify_cookie, 32)     \
    X(thread_sigevent, 64)   \
    X(keyctl_kdf, 56)        \
    X(address, 8)            \
    X(cachestat, 40)
// clang-format on
enum class Struct : uint8_t {
#define WEFT_USER_STRUCT(name, size) name,
    WEFT_USER_STRUCTS(WEFT_USER_STRUCT)
#undef WEFT_USER_STRUCT
};

constexpr size_t struct_size(Struct type) {
    constexpr size_t kSizes[] = {
#define WEFT_USER_STRUCT(name, size) size,
        WEFT_USER_STRUCTS(WEFT_USER_STRUCT)
#undef WEFT_USER_STRUCT
    };
    return kSizes[static_cast<size_t>(type)];
}

// How many elements a pointer points to.
struct Extent {
    enum class Kind : uint8_t {
        fixed,      // `value` of them
        argument,   // as many as argument `value` says
        bits,       // bytes that hold as many bits as argument `value` says, in words of 8 bytes
        length_at,  // as many as the 32-bit word says that argument `value` points to (socklen_t*)
    };
    Kind kind = Kind::fixed;
    uint8_t value = 1;
};

struct Arg {
    ArgKind kind = ArgKind::none;
    FlagSet flags = FlagSet::none;
    Direction direction = Direction::none;
    Struct type = Struct::none;
    Extent extent = {};

    constexpr bool is_memory() const { return kind >= ArgKind::path; }
};

// The words that table.h is written in.
namespace arg {

inline constexpr Arg num{ArgKind::number};
inline constexpr Arg num64{ArgKind::number64};
inline constexpr Arg size{ArgKind::size};
inline constexpr Arg hex{ArgKind::hex};
inline constexpr Arg mode{ArgKind::mode};
inline constexpr Arg fd{ArgKind::fd};
inline constexpr Arg dirfd{ArgKind::dirfd};
inline constexpr Arg sig{ArgKind::signal};
inline constexpr Arg address{ArgKind::address};
inline constexpr Arg path{ArgKind::path, FlagSet::none, Direction::in};
inline constexpr Arg lookup{ArgKind::lookup, FlagSet::none, Direction::in};
inline constexpr Arg string{ArgKind::string, FlagSet::none, Direction::in};
inline constexpr Arg strings{ArgKind::strings, FlagSet::none, Direction::in};
inline constexpr Arg unchecked{ArgKind::unchecked, FlagSet::none, Direction::inout};

constexpr Arg flags(FlagSet set) { return {ArgKind::flags, set}; }

constexpr Extent times(uint8_t count) { return {Extent::Kind::fixed, count}; }
constexpr Extent by(uint8_t argument) { return {Extent::Kind::argument, argument}; }
constexpr Extent bits(uint8_t argument) { return {Extent::Kind::bits, argument}; }
constexpr Extent length_at(uint8_t argument) { return {Extent::Kind::length_at, argument}; }

constexpr Arg in(Struct type, Extent extent = {}) {
    return {ArgKind::pointer, FlagSet::none, Direction::in, type, extent};
}
constexpr Arg out(Struct type, Extent extent = {}) {
    return {ArgKind::pointer, FlagSet::none, Direction::out, type, extent};
}
constexpr Arg inout(Struct type, Extent extent = {}) {
    return {ArgKind::pointer, FlagSet::none, Direction::inout, type, extent};
}

}  // namespace arg

}  // namespace weft::user
