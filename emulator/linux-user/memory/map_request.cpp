#include "emulator/linux-user/memory/map_request.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "emulator/linux-user/memory/mapper.h"

#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

namespace weft::user {

namespace {

constexpr uint64_t kHugeMask = uint64_t{0x3f} << MAP_HUGE_SHIFT;
constexpr uint64_t kMapUninitialized = 0x4000000;
// What the kernel knows for MAP_SHARED_VALIDATE (LEGACY_MAP_MASK and MAP_SYNC).
constexpr uint64_t kValidated = MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE |
                                kMapUninitialized | MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE |
                                MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | kHugeMask | MAP_SYNC |
                                MAP_FIXED_NOREPLACE;
// Passed on to the host. MAP_POPULATE comes after the lock; of fixed places the mapper decides.
constexpr uint64_t kPassed = MAP_TYPE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE |
                             MAP_HUGETLB | kHugeMask | MAP_SYNC;
// MAP_HUGE_16GB: no architecture has larger pages.
constexpr uint64_t kLargestPageShift = 34;
// Linux 6.11: memory that the kernel may forget, and a child of fork does not have.
constexpr uint64_t kDroppable = 8;
constexpr uint64_t kFileEnd = uint64_t{1} << 63;

}  // namespace

MapRequest::MapRequest(MemoryCore& core, uint64_t address, uint64_t length, uint64_t protection,
                       uint64_t flags, int fd, uint64_t offset)
    : core_(core),
      address_(address),
      length_(length),
      protection_(static_cast<int>(protection & kAllAccess)),
      // With MAP_FIXED, MAP_FIXED_NOREPLACE decides.
      flags_(((flags & MAP_FIXED_NOREPLACE) != 0 ? flags | MAP_FIXED : flags) & ~kX86OnlyFlags),
      fd_(fd),
      offset_((flags & MAP_ANONYMOUS) != 0 ? 0 : offset) {}

bool MapRequest::is_file() const { return (flags_ & MAP_ANONYMOUS) == 0; }
bool MapRequest::is_fixed() const { return (flags_ & MAP_FIXED) != 0; }
uint64_t MapRequest::type() const { return flags_ & MAP_TYPE; }
bool MapRequest::is_shared() const { return type() != MAP_PRIVATE && type() != kDroppable; }
uint64_t MapRequest::huge_page() const {
    const uint64_t shift = (flags_ & kHugeMask) >> MAP_HUGE_SHIFT;
    return shift != 0 ? uint64_t{1} << shift : kHugePage;
}

SysResult MapRequest::check_arguments() {
    if (is_file()) {
        if (const SysResult failed = core_.host().describe(fd_, file_); failed < 0) {
            return failed;
        }
    }
    const uint64_t shift = (flags_ & kHugeMask) >> MAP_HUGE_SHIFT;
    const bool huge = (flags_ & MAP_HUGETLB) != 0;
    if (huge && shift != 0 && (shift < 12 || shift > kLargestPageShift)) {
        return -EINVAL;
    }
    const uint64_t unit = huge ? huge_page() : kGuestPage;
    if (length_ == 0) {
        return -EINVAL;
    }
    if (length_ > core_.layout().limit()) {
        return -ENOMEM;
    }
    length_ = round_up(length_, unit);
    if (length_ > core_.layout().limit() || length_ == 0) {
        return -ENOMEM;
    }
    if (is_file() && (offset_ >= kFileEnd || length_ > kFileEnd - offset_)) {
        return -EOVERFLOW;
    }
    return 0;
}

SysResult MapRequest::check_fixed(IntervalTree tree) {
    // The kernel's search for a place gives back a fixed one, and takes an address that could be an error for one.
    constexpr uint64_t kLowestError = ~uint64_t{0} - 4094;
    if (address_ >= kLowestError) {
        return static_cast<SysResult>(address_);
    }
    if ((flags_ & MAP_HUGETLB) != 0 && address_ % huge_page() != 0) {
        return -EINVAL;
    }
    if (address_ > core_.layout().limit() - length_) {
        return -ENOMEM;
    }
    if (address_ % kGuestPage != 0) {
        return -EINVAL;
    }
    if (address_ < core_.layout().minimum()) {
        return -EPERM;
    }
    SysResult outcome = 0;
    tree.visit(address_, address_ + length_, [&](const Interval& interval) {
        const Attributes& attributes = interval.attributes;
        if (attributes.kind == Kind::foreign) {
            outcome = -ENOMEM;
        } else if (outcome == 0 && (flags_ & MAP_FIXED_NOREPLACE) != 0) {
            outcome = -EEXIST;
        } else if (outcome == 0 && attributes.sealed) {
            outcome = -EPERM;
        }
        return outcome != -ENOMEM;
    });
    return outcome;
}

SysResult MapRequest::check_file() {
    const bool shared = type() != MAP_PRIVATE;
    if (type() == MAP_SHARED_VALIDATE && (flags_ & ~kValidated) != 0) {
        return -EOPNOTSUPP;
    }
    if (type() != MAP_SHARED && type() != MAP_PRIVATE && type() != MAP_SHARED_VALIDATE) {
        return -EINVAL;
    }
    if ((shared && (protection_ & kWrite) != 0 && !file_.writable) || !file_.readable) {
        return -EACCES;
    }
    if (file_.no_execute && (protection_ & kExecute) != 0) {
        return -EPERM;
    }
    return (flags_ & MAP_GROWSDOWN) != 0 ? -EINVAL : 0;
}

SysResult MapRequest::check_object(IntervalTree tree) {
    if (is_file()) {
        if (const SysResult failed = check_file(); failed < 0) {
            return failed;
        }
    } else if (is_shared() && (type() != MAP_SHARED || (flags_ & MAP_GROWSDOWN) != 0)) {
        return -EINVAL;
    } else if (type() == kDroppable && (flags_ & (MAP_LOCKED | MAP_HUGETLB | MAP_GROWSDOWN)) != 0) {
        return -EINVAL;
    }
    return core_.check_limits(tree, length_, attributes());
}

std::optional<uint64_t> MapRequest::choose(IntervalTree tree) const {
    Layout::Request request{.size = length_, .hint = address_, .offset = offset_};
    if ((flags_ & MAP_HUGETLB) != 0) {
        request.alignment = huge_page();
    } else if (!is_file() && length_ >= kHugePage) {
        request.wish = kHugePage;
    }
    return core_.layout().choose(tree, request);
}

Attributes MapRequest::attributes() const {
    Attributes attributes;
    attributes.protection = static_cast<uint8_t>(protection_);
    attributes.kind = is_file() ? Kind::file : Kind::anonymous;
    attributes.shared = is_shared();
    attributes.wipe_on_fork = type() == kDroppable;
    attributes.growing = (flags_ & MAP_GROWSDOWN) != 0;
    attributes.locked = (flags_ & MAP_LOCKED) != 0 || core_.lock_future;
    if ((flags_ & MAP_HUGETLB) != 0) {
        const uint64_t shift = (flags_ & kHugeMask) >> MAP_HUGE_SHIFT;
        attributes.huge_shift = static_cast<uint8_t>(shift != 0 ? shift : 21);
    }
    return attributes;
}

SysResult MapRequest::run(MemoryCore::Call& call) {
    // Something of the host's, or a stack that grew meanwhile, is learned once for each place; then the search goes on.
    for (;;) {
        std::optional<uint64_t> start = address_;
        SysResult failed = 0;
        if (is_fixed()) {
            if (address_ <= core_.layout().limit() - length_) {
                core_.learn_growth(address_, address_ + length_);
                call.restart();
            }
            failed = check_fixed(call.tree());
        } else {
            start = choose(call.tree());
            failed = start ? 0 : -ENOMEM;
        }
        if (failed < 0) {
            return failed;
        }
        if (is_fixed()) {
            call.edit().erase(*start, *start + length_);
        }
        if (failed = check_object(call.edit().tree()); failed < 0) {
            return failed;
        }
        const SysResult outcome = at(call, *start);
        if (outcome != -EEXIST) {
            return outcome;
        }
        const uint64_t low = core_.down(*start), high = core_.up(*start + length_);
        if (!call.restart_knowing(low, high)) {
            return -ENOMEM;
        }
    }
}

// Reads what the edges will hold, before anything is changed.
SysResult MapRequest::read_edges(Split& split, uint64_t start) {
    for (Edge& edge : split.edges) {
        edge.bytes.resize(edge.to - edge.from);
        if (is_file()) {
            if (const SysResult failed = read_completely(core_.host(), fd_, edge.bytes.data(),
                                                         edge.bytes.size(), offset_ + (edge.from - start));
                failed < 0) {
                return failed;
            }
        }
    }
    return 0;
}

void MapRequest::insert(IntervalEdit& edit, const Split& split, uint64_t start) {
    const uint64_t end = start + length_;
    Attributes plain = attributes();
    plain.backing = backing_;
    Attributes read = plain;
    read.copied = is_file();
    read.backing = is_file() ? copied_backing_ : backing_;
    const auto add = [&](uint64_t from, uint64_t to, Attributes part) {
        if (from < to) {
            part.offset = part.backing != nullptr ? offset_ + (from - start) : 0;
            edit.insert({from, to, std::move(part)});
        }
    };
    const uint64_t whole = std::clamp(split.start, start, end);
    const uint64_t rest = std::clamp(split.end, whole, end);
    add(start, whole, read);
    add(whole, rest, copied_ ? read : plain);
    add(rest, end, read);
}

SysResult MapRequest::place_host_map(IntervalTree before, const Split& split, uint64_t start) {
    const int protection = MemoryCore::host_protection(static_cast<uint8_t>(protection_));
    // A host page may begin before the mapping; a file's offset is then as far from its own.
    const uint64_t offset = is_file() ? offset_ - (start - std::min(split.start, start)) +
                                            (split.start - std::min(split.start, start))
                                      : 0;
    const SysResult claimed = core_.claim(before, split.start, split.end);
    if (claimed < 0) {
        return claimed;
    }
    const SysResult placed = core_.place(split.start, split.end, protection,
                                         static_cast<int>(flags_ & kPassed), is_file() ? fd_ : -1, offset);
    if (placed < 0) {
        core_.unclaim(before, split.start, split.end);
        // Of MAP_FIXED over what was claimed; EEXIST would mean the host's own.
        return placed == -EEXIST ? -ENOMEM : placed;
    }
    return 0;
}

// The bytes are read beside and moved over the range, so that an error leaves it as it was.
SysResult MapRequest::place_copy(IntervalTree before, const Split& split, uint64_t start) {
    const HostMemory& host = core_.host();
    const uint64_t size = split.end - split.start;
    const int64_t got = host.map(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (got < 0) {
        return got;
    }
    const auto beside = static_cast<uint64_t>(got);
    const uint64_t from = std::max(split.start, start);
    const uint64_t to = std::min(split.end, start + length_);
    SysResult outcome = read_completely(host, fd_, reinterpret_cast<void*>(beside + (from - split.start)),
                                        to - from, offset_ + (from - start));
    if (outcome == 0) {
        outcome = host.protect(beside, size, MemoryCore::host_protection(static_cast<uint8_t>(protection_)));
    }
    if (outcome == 0) {
        outcome = core_.claim(before, split.start, split.end);
        if (outcome == 0) {
            const int64_t moved = host.remap(beside, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
                                             core_.host_address(split.start));
            if (moved >= 0) {
                return 0;
            }
            outcome = moved;
            core_.unclaim(before, split.start, split.end);
        }
    }
    host.unmap(beside, size);
    return outcome;
}

SysResult MapRequest::place(IntervalTree before, const Split& split, uint64_t start) {
    if (split.start >= split.end) {
        return 0;
    }
    return copied_ ? place_copy(before, split, start) : place_host_map(before, split, start);
}

SysResult MapRequest::at(MemoryCore::Call& call, uint64_t start) {
    const IntervalTree before = call.tree();
    const bool shared = is_shared();
    Split split(core_, call.edit().tree(), start, start + length_);
    copied_ = is_file() && start % core_.host_page() != offset_ % core_.host_page();
    if (!split.edges.empty() || copied_) {
        // Who shares a host page has its bytes copied; so nothing that others are to see can be written there.
        if (shared && ((protection_ & kWrite) != 0 || !is_file())) {
            return -EINVAL;
        }
        for (const Edge& edge : split.edges) {
            if (const SysResult failed = can_share_page(core_, call.edit().tree(), edge); failed < 0) {
                return failed;
            }
        }
        if (is_file()) {
            SysResult failed = 0;
            auto view = view_file(core_.host(), fd_, offset_, length_, failed);
            if (view == nullptr) {
                return failed;
            }
            copied_backing_ = std::make_shared<Backing>(Backing{.device = file_.device,
                                                                .number = file_.inode,
                                                                .may_write = !shared,
                                                                .may_execute = !file_.no_execute,
                                                                .view = std::move(view)});
        }
        if (const SysResult failed = read_edges(split, start); failed < 0) {
            return failed;
        }
    }
    if (is_file()) {
        backing_ = std::make_shared<Backing>(Backing{.device = file_.device,
                                                     .number = file_.inode,
                                                     .may_write = !shared || file_.writable,
                                                     .may_execute = !file_.no_execute});
    } else if (shared) {
        backing_ = std::make_shared<Backing>(Backing{.number = core_.next_object()});
    }
    call.gone(start, start + length_);
    insert(call.edit(), split, start);
    const IntervalTree after = call.edit().tree();

    EdgeChange edges(core_, std::move(split.edges));
    if (const SysResult failed = edges.open(before, after); failed < 0) {
        return failed;
    }
    if (const SysResult failed = place(before, split, start); failed < 0) {
        edges.undo(before);
        return failed;
    }
    edges.close(after);
    if (core_.lock_future && (flags_ & MAP_LOCKED) == 0) {
        // Made present after the lock, as that may sleep.
        core_.host().lock(core_.host_address(start), length_, MLOCK_ONFAULT);
        lock_populates_ = !core_.lock_future_on_fault;
    }
    call.commit();
    return static_cast<SysResult>(start);
}

void MapRequest::populate(uint64_t address) const {
    const bool wanted = lock_populates_ || ((flags_ & MAP_POPULATE) != 0 && (flags_ & MAP_NONBLOCK) == 0);
    if (wanted && protection_ != 0) {
        const bool write = (protection_ & kWrite) != 0;
        core_.host().advise(core_.host_address(core_.down(address)),
                            core_.up(address + length_) - core_.down(address),
                            write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
    }
}

}  // namespace weft::user
