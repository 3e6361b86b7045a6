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

// A pointer inside a struct. Counts and lengths are 64-bit words but for those of `length_bytes` 4.
struct Inner {
    uint8_t offset;
    Struct type;           // of what it points to
    int8_t length_offset;  // where the number of those is; -1: one
    uint8_t length_bytes;
};

// include/uapi/linux/uio.h, socket.h, futex.h. msg_namelen is 32 bits wide and is followed by padding.
constexpr Inner kIovec[] = {{0, Struct::bytes, 8, 8}};
constexpr Inner kMsghdr[] = {
    {0, Struct::bytes, 8, 4}, {16, Struct::iovec, 24, 8}, {32, Struct::bytes, 40, 8}};
constexpr Inner kFutexWaitv[] = {{8, Struct::u32, -1, 0}};

std::span<const Inner> inner_pointers(Struct type) {
    switch (type) {
        case Struct::iovec:
            return kIovec;
        case Struct::msghdr:
        case Struct::mmsghdr:  // a msghdr, then a length
            return kMsghdr;
        case Struct::futex_waitv:
            return kFutexWaitv;
        default:
            return {};
    }
}

// More than the kernel takes of any of them (UIO_MAXIOV is 1024; FUTEX_WAITV_MAX 128; more mmsghdrs are cut to UIO_MAXIOV): it
// refuses, or needs no more. Nothing is copied without bound.
constexpr uint64_t kMaxCopied = 1024;

}  // namespace

uint64_t HostCall::pointer(uint64_t guest, uint64_t size) const {
    if (guest == 0) {
        return 0;  // null means something to most calls
    }
    return range_.holds(guest, size) ? range_.base + guest : kBadAddress;
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
                const uint64_t size = extent_bytes(call, arg, guest);
                args_[i] = pointer(guest[i], size);
                if (!inner_pointers(arg.type).empty() && args_[i] != 0 && args_[i] != kBadAddress) {
                    args_[i] = structs(guest[i], arg.type, size / struct_size(arg.type), arg.access);
                }
                break;
            }
            case ArgKind::path:
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

// The host's address of `count` structs: the guest's own, or that of a copy if a pointer in them has to be changed.
uint64_t HostCall::structs(uint64_t guest, Struct type, uint64_t count, Access direction) {
    const uint64_t own = range_.base + guest;
    const size_t size = struct_size(type);
    count = std::min(count, kMaxCopied);
    static_assert(struct_size(Struct::mmsghdr) % 8 == 0 && struct_size(Struct::futex_waitv) % 8 == 0);
    std::vector<uint64_t> words(count * size / sizeof(uint64_t));
    if (count == 0 || !access_.read(guest, words.data(), count * size)) {
        return own;
    }
    bool changed = false;
    for (uint64_t i = 0; i < count; ++i) {
        uint8_t* bytes = reinterpret_cast<uint8_t*>(words.data()) + i * size;
        for (const Inner& inner : inner_pointers(type)) {
            uint64_t from, length = 1;
            std::memcpy(&from, bytes + inner.offset, sizeof(from));
            if (inner.length_offset >= 0) {
                length = 0;
                std::memcpy(&length, bytes + inner.length_offset, inner.length_bytes);
            }
            const uint64_t total = saturating_mul(length, struct_size(inner.type));
            uint64_t to = pointer(from, total);
            if (to != 0 && to != kBadAddress && !inner_pointers(inner.type).empty()) {
                to = structs(from, inner.type, length, Access::in);
            }
            changed = changed || to != from;
            std::memcpy(bytes + inner.offset, &to, sizeof(to));
        }
    }
    if (!changed) {
        return own;
    }
    words_.push_back(std::move(words));
    copies_.push_back({guest, type, count, words_.size() - 1, direction == Access::inout});
    return reinterpret_cast<uint64_t>(words_.back().data());
}

bool HostCall::finish() {
    for (const Copy& copy : copies_) {
        if (!copy.write_back) {
            continue;
        }
        const size_t size = struct_size(copy.type);
        const uint8_t* words = reinterpret_cast<const uint8_t*>(words_[copy.first_word].data());
        for (uint64_t i = 0; i < copy.count; ++i) {
            // All between the pointers.
            size_t at = 0;
            const auto write_up_to = [&](size_t end) {
                return end <= at ||
                       access_.write(copy.guest + i * size + at, words + i * size + at, end - at);
            };
            for (const Inner& inner : inner_pointers(copy.type)) {
                if (!write_up_to(inner.offset)) {
                    return false;
                }
                at = inner.offset + sizeof(uint64_t);
            }
            if (!write_up_to(size)) {
                return false;
            }
        }
    }
    return true;
}

}  // namespace weft::user
