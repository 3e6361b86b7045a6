#include "emulator/linux-user/memory/shm.h"

#include <sys/mman.h>
#include <sys/shm.h>

#include <algorithm>
#include <cerrno>

#include "emulator/linux-user/memory/fragments.h"
#include "emulator/linux-user/memory/mapper.h"

namespace weft::user {

SysResult SharedMemory::attach(int id, uint64_t address, int flags) {
    if (id < 0) {
        return -EINVAL;
    }
    if (address != 0 && address % kGuestPage != 0) {
        if ((flags & SHM_RND) == 0) {
            return -EINVAL;
        }
        address = round_down(address, kGuestPage);
        if (address == 0 && (flags & SHM_REMAP) != 0) {
            return -EINVAL;
        }
    }
    if (address == 0 && (flags & SHM_REMAP) != 0) {
        return -EINVAL;
    }
    const int64_t bytes = core_.host().segment_size(id);
    if (bytes < 0) {
        return bytes;
    }
    const uint64_t size = round_up(static_cast<uint64_t>(bytes), kGuestPage);
    if (address != 0 && address > core_.layout().limit() - std::min(size, core_.layout().limit())) {
        // do_shmat() asks whether the range wraps where nothing may be there; the rest is mmap's.
        return (flags & SHM_REMAP) == 0 && address + size < address ? -EINVAL : -ENOMEM;
    }
    if (address != 0 && address < core_.layout().minimum()) {
        return -EPERM;
    }
    return or_no_memory([&]() -> SysResult {
        MemoryCore::Call call(core_);
        for (;;) {
            uint64_t start = address;
            if (address == 0) {
                const auto chosen = core_.layout().choose(call.tree(), {.size = size});
                if (!chosen) {
                    return -ENOMEM;
                }
                start = *chosen;
            } else if (start % core_.host_page() != 0) {
                return -EINVAL;
            } else if ((flags & SHM_REMAP) == 0 && !call.tree().empty(start, start + size)) {
                return -EINVAL;
            }
            const SysResult outcome = attach_at(call, id, start, size, flags);
            if (outcome != -EEXIST) {
                return outcome;
            }
            core_.learn_growth(start, core_.up(start + size));
            if (!core_.learn_foreign(start, core_.up(start + size))) {
                return -ENOMEM;
            }
            call.restart();
        }
    });
}

SysResult SharedMemory::attach_at(MemoryCore::Call& call, int id, uint64_t start, uint64_t size, int flags) {
    const IntervalTree before = call.tree();
    SysResult refused = 0;
    before.visit(start, start + size, [&](const Interval& interval) {
        if (interval.attributes.kind == Kind::foreign || interval.attributes.sealed) {
            refused = interval.attributes.sealed ? -EPERM : -ENOMEM;
        }
        return refused == 0;
    });
    if (refused < 0) {
        return refused;
    }
    const bool read_only = (flags & SHM_RDONLY) != 0;
    Attributes attributes;
    attributes.protection =
        static_cast<uint8_t>(kRead | (read_only ? 0 : kWrite) | ((flags & SHM_EXEC) != 0 ? kExecute : 0));
    attributes.kind = Kind::shm;
    attributes.shared = true;
    attributes.backing =
        std::make_shared<Backing>(Backing{.number = core_.next_object(),
                                          .may_write = !read_only,
                                          .may_execute = (flags & SHM_EXEC) != 0 || !read_only,
                                          .size = size});
    call.gone(start, start + size);
    call.edit().erase(start, start + size);
    const Split split(core_, call.edit().tree(), start, start + size);
    if (!split.edges.empty()) {
        return -EINVAL;  // the rest of the last host page is the segment's
    }
    if (const SysResult limited = core_.check_limits(call.edit().tree(), size, attributes); limited < 0) {
        return limited;
    }
    call.edit().insert({start, start + size, attributes});
    if (const SysResult failed = core_.claim(before, split.start, split.end); failed < 0) {
        return failed;
    }
    // Everything there is the guest's or claimed: the host may replace it. Never executable for the host.
    const int64_t got = core_.host().attach(id, core_.host_address(start), (flags & SHM_RDONLY) | SHM_REMAP);
    if (got < 0) {
        core_.unclaim(before, split.start, split.end);
        return got;
    }
    call.commit();
    return static_cast<SysResult>(start);
}

SysResult SharedMemory::detach(uint64_t address) {
    if (address % kGuestPage != 0) {
        return -EINVAL;
    }
    return or_no_memory([&]() -> SysResult {
        MemoryCore::Call call(core_);
        // As the kernel finds it: the first part of an attachment that began at `address`, however much of it is left.
        std::shared_ptr<const Backing> segment;
        std::vector<std::pair<uint64_t, uint64_t>> parts;
        call.tree().visit(address, ~uint64_t{0}, [&](const Interval& interval) {
            const Attributes& attributes = interval.attributes;
            const bool of_it = attributes.kind == Kind::shm &&
                               interval.start - attributes.offset == address &&
                               (segment == nullptr || segment == attributes.backing);
            if (of_it) {
                segment = attributes.backing;
                parts.emplace_back(interval.start, interval.end);
            }
            return segment == nullptr || interval.end - address < segment->size;
        });
        if (parts.empty()) {
            return -EINVAL;
        }
        for (const auto& [start, end] : parts) {
            if (const SysResult failed = Mapper::remove(core_, call, start, end); failed < 0) {
                return failed;
            }
            call.restart();
        }
        return 0;
    });
}

}  // namespace weft::user
