#include "emulator/linux-user/syscall/host_call.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <span>

namespace weft::user {

namespace {

constexpr uint64_t kMaxSize = std::numeric_limits<uint64_t>::max();

uint64_t saturating_mul(uint64_t a, uint64_t b) {
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? kMaxSize : product;
}

// A pointer inside a struct. `length_bytes` is how wide the length is.
struct Inner {
    uint8_t offset;
    Struct type;           // of what it points to
    int8_t length_offset;  // where the number of those is; -1: one
    uint8_t length_bytes;
};

// include/uapi/linux/uio.h, socket.h, futex.h, filter.h, xattr.h, keyctl.h; asm-generic/siginfo.h. msg_namelen is 32 bits wide and is
// followed by padding. A sigevent of SIGEV_THREAD has the address of a cookie for its value (mq_notify(2)).
constexpr Inner kIovec[] = {{0, Struct::bytes, 8, 8}};
constexpr Inner kMsghdr[] = {
    {0, Struct::bytes, 8, 4}, {16, Struct::iovec, 24, 8}, {32, Struct::bytes, 40, 8}};
constexpr Inner kFutexWaitv[] = {{8, Struct::u32, -1, 0}};
constexpr Inner kSockFprog[] = {{8, Struct::sock_filter, 0, 2}};
constexpr Inner kXattrArgs[] = {{0, Struct::bytes, 8, 4}};
constexpr Inner kThreadSigevent[] = {{0, Struct::notify_cookie, -1, 0}};
constexpr Inner kKeyctlKdf[] = {{0, Struct::bytes, -1, 0},
                                {8, Struct::bytes, 16, 4}};  // a name; what else goes in
constexpr Inner kAddress[] = {{0, Struct::bytes, -1, 0}};

std::span<const Inner> inner_pointers(Struct type) {
    switch (type) {
        case Struct::iovec:
            return kIovec;
        case Struct::msghdr:
        case Struct::mmsghdr:  // a msghdr, then a length
            return kMsghdr;
        case Struct::futex_waitv:
            return kFutexWaitv;
        case Struct::sock_fprog:
            return kSockFprog;
        case Struct::xattr_args:
            return kXattrArgs;
        case Struct::thread_sigevent:
            return kThreadSigevent;
        case Struct::keyctl_kdf:
            return kKeyctlKdf;
        case Struct::address:
            return kAddress;
        default:
            return {};
    }
}

// More than the kernel takes of any of them (UIO_MAXIOV is 1024; FUTEX_WAITV_MAX 128; more mmsghdrs are cut to UIO_MAXIOV): it
// refuses, or needs no more. Nothing is copied without bound.
constexpr uint64_t kMaxCopied = 1024;

constexpr size_t kFewBytes = 256;

// MAX_RW_COUNT of linux/fs.h: whatever a size says, one buffer gets or gives no more.
constexpr uint64_t kMostTransferred = 0x7fff'f000;

// The kernel looks at the alignment of some addresses (futex(2)) before it uses them.
constexpr uint64_t kAlignment = sizeof(uint64_t) - 1;
constexpr bool is_bad(uint64_t host) { return (host & ~kAlignment) == kBadAddress; }

}  // namespace

uint64_t host_pointer(const GuestRange& range, GuestAccess& access, uint64_t guest, uint64_t size) {
    if (guest == 0) {
        return 0;  // null means something to most calls
    }
    const uint64_t used = std::min(size, kMostTransferred);
    if (!range.holds(guest, used)) {
        return kBadAddress | (guest & kAlignment);
    }
    // Whichever way it goes: few pages are concerned.
    access.kernel_writes(guest, used);
    return range.base + guest;
}

uint64_t HostCall::pointer(uint64_t guest, uint64_t size) const {
    return host_pointer(range_, access_, guest, size);
}

uint64_t HostCall::extent_bytes(const Syscall& call, const Arg& arg,
                                const std::array<uint64_t, 6>& guest) const {
    const uint64_t operand = guest[arg.extent.value % guest.size()];
    // Numbers of 32 bits come in registers whose upper half is not the kernel's business.
    const uint64_t length = call.args[arg.extent.value % guest.size()].kind == ArgKind::number
                                ? static_cast<uint32_t>(operand)
                                : operand;
    switch (arg.extent.kind) {
        case Extent::Kind::fixed:
            return saturating_mul(arg.extent.value, struct_size(arg.type));
        case Extent::Kind::argument:
            return saturating_mul(length, struct_size(arg.type));
        case Extent::Kind::bits:
            return length / 64 * 8 + (length % 64 != 0 ? 8 : 0);
        case Extent::Kind::length_at: {
            uint32_t count = 0;
            return access_.read(operand, &count, sizeof(count)) ? count : 0;
        }
    }
    return 0;
}

HostCall::HostCall(const Syscall& call, const std::array<uint64_t, 6>& guest, const GuestRange& range,
                   GuestAccess& access)
    : range_(range), access_(access) {
    for (unsigned i = 0; i < args_.size(); ++i) {
        const Arg& arg = call.args[i];
        switch (arg.kind) {
            case ArgKind::pointer: {
                // Where there is no buffer, nobody looks at its length, which may not be there either.
                const uint64_t size = guest[i] == 0 ? 0 : extent_bytes(call, arg, guest);
                args_[i] = pointer(guest[i], size);
                if (!inner_pointers(arg.type).empty() && args_[i] != 0 && !is_bad(args_[i])) {
                    args_[i] = structs(guest[i], arg.type, size / struct_size(arg.type), arg.direction);
                }
                break;
            }
            case ArgKind::path:
            case ArgKind::lookup:
            case ArgKind::string:
            case ArgKind::strings:
            case ArgKind::unchecked:
                args_[i] = pointer(guest[i], 1);
                break;
            default:
                args_[i] = guest[i];
        }
    }
}

// Changes what has to be changed of the pointers in one struct; whether any was.
bool HostCall::convert(uint8_t* bytes, Struct type) {
    bool changed = false;
    for (const Inner& inner : inner_pointers(type)) {
        uint64_t from, length = 1;
        std::memcpy(&from, bytes + inner.offset, sizeof(from));
        if (inner.length_offset >= 0) {
            length = 0;
            std::memcpy(&length, bytes + inner.length_offset, inner.length_bytes);
        }
        uint64_t to = pointer(from, saturating_mul(length, struct_size(inner.type)));
        if (to != 0 && !is_bad(to) && !inner_pointers(inner.type).empty()) {
            to = structs(from, inner.type, length, Direction::in);
        }
        changed = changed || to != from;
        std::memcpy(bytes + inner.offset, &to, sizeof(to));
    }
    return changed;
}

// The host's address of `count` structs: the guest's own, or that of a copy if a pointer in them has to be changed.
uint64_t HostCall::structs(uint64_t guest, Struct type, uint64_t count, Direction direction) {
    const uint64_t own = range_.base + guest;
    const size_t size = struct_size(type);
    const size_t total = std::min(count, kMaxCopied) * size;
    // Most have a few and nothing to change: these are looked at without an allocation.
    alignas(uint64_t) uint8_t few[kFewBytes];
    std::vector<uint8_t> many(total > sizeof(few) ? total : 0);
    uint8_t* bytes = many.empty() ? few : many.data();
    if (total == 0 || !access_.read(guest, bytes, total)) {
        return own;
    }
    bool changed = false;
    for (size_t at = 0; at < total; at += size) {
        changed = convert(bytes + at, type) || changed;
    }
    if (!changed) {
        return own;
    }
    if (many.empty()) {
        many.assign(few, few + total);
    }
    copies_.push_back({guest, type, direction == Direction::inout, std::move(many)});
    return reinterpret_cast<uint64_t>(copies_.back().bytes.data());
}

bool HostCall::finish() {
    for (const Copy& copy : copies_) {
        if (!copy.write_back) {
            continue;
        }
        const size_t size = struct_size(copy.type);
        for (size_t start = 0; start < copy.bytes.size(); start += size) {
            // All between the pointers.
            size_t at = start;
            const auto write_up_to = [&](size_t end) {
                return end <= at || access_.write(copy.guest + at, &copy.bytes[at], end - at);
            };
            for (const Inner& inner : inner_pointers(copy.type)) {
                if (!write_up_to(start + inner.offset)) {
                    return false;
                }
                at = start + inner.offset + sizeof(uint64_t);
            }
            if (!write_up_to(start + size)) {
                return false;
            }
        }
    }
    return true;
}

}  // namespace weft::user
