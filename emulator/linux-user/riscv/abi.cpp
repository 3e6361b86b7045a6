#include "emulator/linux-user/riscv/abi.h"

#include <sys/epoll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <limits>

namespace weft::user::abi {

Stat to_guest(const struct ::stat& host) {
    Stat guest{};
    guest.dev = host.st_dev;
    guest.ino = host.st_ino;
    guest.mode = host.st_mode;
    guest.nlink =
        static_cast<uint32_t>(std::min<uint64_t>(host.st_nlink, std::numeric_limits<uint32_t>::max()));
    guest.uid = host.st_uid;
    guest.gid = host.st_gid;
    guest.rdev = host.st_rdev;
    guest.size = host.st_size;
    guest.blksize = static_cast<int32_t>(host.st_blksize);
    guest.blocks = host.st_blocks;
    guest.atime = host.st_atim.tv_sec;
    guest.atime_nsec = static_cast<uint64_t>(host.st_atim.tv_nsec);
    guest.mtime = host.st_mtim.tv_sec;
    guest.mtime_nsec = static_cast<uint64_t>(host.st_mtim.tv_nsec);
    guest.ctime = host.st_ctim.tv_sec;
    guest.ctime_nsec = static_cast<uint64_t>(host.st_ctim.tv_nsec);
    return guest;
}

struct ::epoll_event to_host(const EpollEvent& guest) {
    struct ::epoll_event host{};
    host.events = guest.events;
    host.data.u64 = guest.data;
    return host;
}

void to_guest(const struct ::epoll_event& host, EpollEvent& guest) {
    guest.events = host.events;
    guest.data = host.data.u64;
}

namespace {

// The two forms of loop_info name the same members.
template <class To, class From>
To convert_loop_info(const From& from) {
    To to{};
    to.number = from.number;
    to.device = static_cast<decltype(to.device)>(from.device);
    to.inode = from.inode;
    to.rdevice = static_cast<decltype(to.rdevice)>(from.rdevice);
    to.offset = from.offset;
    to.encrypt_type = from.encrypt_type;
    to.encrypt_key_size = from.encrypt_key_size;
    to.flags = from.flags;
    std::memcpy(to.name, from.name, sizeof(to.name));
    std::memcpy(to.encrypt_key, from.encrypt_key, sizeof(to.encrypt_key));
    std::memcpy(to.init, from.init, sizeof(to.init));
    std::memcpy(to.reserved, from.reserved, sizeof(to.reserved));
    return to;
}

}  // namespace

HostLoopInfo to_host(const LoopInfo& guest) { return convert_loop_info<HostLoopInfo>(guest); }
LoopInfo to_guest(const HostLoopInfo& host) { return convert_loop_info<LoopInfo>(host); }

HostSemidDs to_host(const SemidDs& guest) {
    HostSemidDs host{};
    host.perm = guest.perm;
    host.otime = guest.otime;
    host.ctime = guest.ctime;
    host.nsems = guest.nsems;
    return host;
}

SemidDs to_guest(const HostSemidDs& host) {
    SemidDs guest{};
    guest.perm = host.perm;
    guest.otime = host.otime;
    guest.ctime = host.ctime;
    guest.nsems = host.nsems;
    return guest;
}

}  // namespace weft::user::abi
