// mremap: checks in the kernel's order, then in place, or by the host's move to a place that weft chose.
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "emulator/linux-user/memory/mapper.h"
#include "emulator/linux-user/memory/move.h"

namespace weft::user {

namespace {

constexpr uint64_t kKnownFlags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;

bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size) {
    return a < b + b_size && b < a + a_size;
}

}  // namespace

SysResult Mapper::remap(uint64_t address, uint64_t length, uint64_t new_length, uint64_t flags,
                        uint64_t new_address) {
    const uint64_t limit = core_.layout().limit();
    const bool fixed = (flags & MREMAP_FIXED) != 0;
    const bool keep = (flags & MREMAP_DONTUNMAP) != 0;
    if ((flags & ~kKnownFlags) != 0 || address % kGuestPage != 0) {
        return -EINVAL;
    }
    const uint64_t size = round_up(length, kGuestPage);
    const uint64_t new_size = round_up(new_length, kGuestPage);
    if (new_size == 0 || new_size > limit) {
        return -EINVAL;
    }
    if (fixed || keep) {
        if (new_address % kGuestPage != 0 || (flags & MREMAP_MAYMOVE) == 0 || (keep && size != new_size) ||
            new_address > limit - new_size || overlap(address, size, new_address, new_size)) {
            return -EINVAL;
        }
    }
    if (fixed && new_address < core_.layout().minimum()) {
        return -EPERM;
    }
    return or_no_memory([&]() -> SysResult {
        MemoryCore::Call call(core_);
        core_.learn_growth(address, address + std::min(size, limit));
        if (fixed) {
            core_.learn_growth(new_address, new_address + new_size);
        }
        call.restart();
        const Interval* found = call.tree().at(address);
        if (found == nullptr) {
            return -EFAULT;
        }
        const Interval first = *found;
        if (first.attributes.kind == Kind::foreign) {
            return -ENOMEM;
        }
        if (first.attributes.sealed) {
            return -EPERM;
        }
        if (size == 0 && !first.attributes.shared) {
            return -EINVAL;
        }
        const bool within = address + size <= first.end && address + size >= address;
        const Move request{address, size, new_size, static_cast<int>(flags), new_address};
        if (!fixed && !keep && size != 0) {
            if (new_size == size) {
                return static_cast<SysResult>(address);
            }
            if (new_size < size) {
                if (address + size > limit || address + size < address) {
                    return -EINVAL;
                }
                const SysResult cut = remove(core_, call, address + new_size, address + size);
                return cut < 0 ? cut : static_cast<SysResult>(address);
            }
        }
        if (!within && (new_size != size || (keep && !fixed))) {
            // Shrinking with MREMAP_FIXED: only what is kept has to be one mapping.
            const bool kept = fixed && new_size < size && address + new_size <= first.end;
            if (!kept) {
                return -EFAULT;
            }
        }
        if (!fixed && !keep && size != 0) {
            const SysResult limited = core_.check_limits(call.tree(), new_size - size, first.attributes);
            if (limited < 0) {
                return limited;
            }
            const uint64_t end = address + size;
            const bool room = new_size <= limit - address && call.tree().empty(end, address + new_size);
            const Interval* above = call.tree().at_or_after(end);
            const bool gap = above == nullptr || !above->attributes.growing || above->start < end ||
                             above->start - std::min(above->start, address + new_size) >= kGuardGap;
            if (first.end == end && room && gap && core_.layout().contains(address, new_size)) {
                const SysResult grown = grow_in_place(call, first, end, address + new_size);
                if (grown == 0) {
                    return static_cast<SysResult>(address);
                }
                call.restart();
            }
        }
        if ((flags & MREMAP_MAYMOVE) == 0) {
            return -ENOMEM;
        }
        return move_mapping(core_, call, request);
    });
}

// The host's mapping that ends at `end` goes on to `new_end`. -ENOMEM: something is in the way.
SysResult Mapper::grow_host(const Attributes& attributes, uint64_t end, uint64_t new_end) {
    // A reservation is in the way, too.
    const auto each_reserved = [&](const auto& action) {
        for (uint64_t at = end; at < new_end;) {
            const uint64_t until = core_.alike_until(at, new_end);
            if (core_.is_reserved(at)) {
                action(at, until);
            }
            at = until;
        }
    };
    each_reserved(
        [&](uint64_t from, uint64_t to) { core_.host().unmap(core_.host_address(from), to - from); });
    const uint64_t page = core_.host_page();
    if (core_.host().remap(core_.host_address(end - page), page, page + (new_end - end), 0, 0) < 0) {
        each_reserved([&](uint64_t from, uint64_t to) { core_.release(from, to); });
        return -ENOMEM;
    }
    if (page > kGuestPage || core_.protected_pages().contains(end - page)) {
        // The last host page may have allowed more, for others in it, or less, for code.
        core_.protect_pages(end, new_end, MemoryCore::host_protection(attributes.protection));
    }
    return 0;
}

// [end, new_end) is free in the map. -ENOMEM: not here.
SysResult Mapper::grow_in_place(MemoryCore::Call& call, const Interval& whole, uint64_t end,
                                uint64_t new_end) {
    const IntervalTree before = call.tree();
    const uint64_t host_end = core_.up(end);
    const uint64_t new_host_end = core_.up(new_end);
    if (!before.empty(host_end, new_host_end)) {
        return -ENOMEM;  // a host page of somebody else's
    }
    const Attributes& attributes = whole.attributes;
    if (attributes.copied && new_end > end) {
        return -ENOMEM;  // the bytes behind are nowhere yet
    }
    Interval added{end, new_end, whole.part(end - kGuestPage, end).attributes};
    if (added.attributes.backing != nullptr) {
        added.attributes.offset += kGuestPage;
    }
    call.edit().insert(added);
    const IntervalTree after = call.edit().tree();
    // Below a private page that shares its host page there may be another mapping of the host's: it must not grow.
    const bool fresh = core_.host_page() > kGuestPage && attributes.is_private_anonymous();
    if (fresh) {
        if (core_.claim(before, host_end, new_host_end) < 0) {
            return -ENOMEM;
        }
        if (core_.place_like(host_end, new_host_end, attributes) < 0) {
            core_.unclaim(before, host_end, new_host_end);
            return -ENOMEM;
        }
    } else if (new_host_end > host_end) {
        if (const SysResult failed = grow_host(attributes, host_end, new_host_end); failed < 0) {
            return failed;
        }
    }
    if (end < host_end) {
        // What was freed in the last host page, or never the guest's, begins as new.
        const uint64_t last = host_end - core_.host_page();
        core_.protect_pages(last, host_end, core_.page_protection(after, last));
        if (!attributes.shared) {
            const uint64_t part_end = std::min(new_end, host_end);
            discard_part(core_, after, added.part(end, part_end));
        }
    }
    call.commit();
    return 0;
}

}  // namespace weft::user
