#include "emulator/linux-user/memory/advice.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "emulator/linux-user/memory/checked_code.h"
#include "emulator/linux-user/memory/fragments.h"

namespace weft::user {

namespace {

// The advice of Linux 6.18 (asm-generic/mman-common.h); hosts' headers may be older.
enum : int {
    kNormal = 0,
    kRandom = 1,
    kSequential = 2,
    kWillNeed = 3,
    kDontNeed = 4,
    kFree = 8,
    kRemove = 9,
    kDontFork = 10,
    kDoFork = 11,
    kMergeable = 12,
    kUnmergeable = 13,
    kHugePages = 14,
    kNoHugePages = 15,
    kDontDump = 16,
    kDoDump = 17,
    kWipeOnFork = 18,
    kKeepOnFork = 19,
    kCold = 20,
    kPageOut = 21,
    kPopulateRead = 22,
    kPopulateWrite = 23,
    kDontNeedLocked = 24,
    kCollapse = 25,
    kPoison = 100,
    kSoftOffline = 101,
    kGuardInstall = 102,
    kGuardRemove = 103,
};

enum class Edges : uint8_t {
    dropped,  // a hint
    by_hand,  // done on the guest's part
    refused,  // EINVAL
};

struct Row {
    int advice;
    bool changes_bytes;  // X5: translations go. What sealed memory refuses
    bool sleeps;         // the host is asked after the lock
    Edges edges;
};

constexpr Row kRows[] = {
    {kNormal, false, false, Edges::dropped},       {kRandom, false, false, Edges::dropped},
    {kSequential, false, false, Edges::dropped},   {kWillNeed, false, true, Edges::dropped},
    {kDontNeed, true, false, Edges::by_hand},      {kFree, true, false, Edges::dropped},
    {kRemove, true, false, Edges::refused},        {kDontFork, false, false, Edges::refused},
    {kDoFork, false, false, Edges::refused},       {kMergeable, false, false, Edges::dropped},
    {kUnmergeable, false, false, Edges::dropped},  {kHugePages, false, false, Edges::dropped},
    {kNoHugePages, false, false, Edges::dropped},  {kDontDump, false, false, Edges::dropped},
    {kDoDump, false, false, Edges::dropped},       {kWipeOnFork, false, false, Edges::refused},
    {kKeepOnFork, false, false, Edges::refused},   {kCold, false, false, Edges::dropped},
    {kPageOut, false, false, Edges::dropped},      {kPopulateRead, false, true, Edges::dropped},
    {kPopulateWrite, false, true, Edges::dropped}, {kDontNeedLocked, true, false, Edges::by_hand},
    {kCollapse, false, true, Edges::dropped},      {kGuardInstall, true, false, Edges::refused},
    {kGuardRemove, false, false, Edges::refused},
};

const Row* row_of(int advice) {
    for (const Row& row : kRows) {
        if (row.advice == advice) {
            return &row;
        }
    }
    return nullptr;
}

// What the map keeps of it; false: nothing.
bool record(int advice, Attributes& attributes) {
    switch (advice) {
        case kDontFork:
        case kDoFork:
            attributes.dont_fork = advice == kDontFork;
            return true;
        case kWipeOnFork:
        case kKeepOnFork:
            attributes.wipe_on_fork = advice == kWipeOnFork;
            return true;
        default:
            return false;
    }
}

bool is_recorded(int advice) {
    Attributes ignored;
    return record(advice, ignored);
}

// In the next version, of the first `count` parts.
void record_parts(MemoryCore::Call& call, const std::vector<Interval>& parts, std::size_t count, int advice) {
    for (std::size_t i = 0; is_recorded(advice) && i < count; ++i) {
        if (parts[i].attributes.kind != Kind::foreign) {
            call.edit().update(parts[i].start, parts[i].end,
                               [advice](Attributes& attributes) { record(advice, attributes); });
        }
    }
}

}  // namespace

// The whole host pages of a part to the host, the rest as the table says.
SysResult Advice::advise_interval(IntervalTree tree, const Interval& part, int advice) {
    const Row& row = *row_of(advice);
    const Attributes& attributes = part.attributes;
    const bool by_hand = row.edges == Edges::by_hand;
    if (by_hand && attributes.shared && !attributes.copied) {
        return 0;  // the object keeps its bytes
    }
    // By hand, nobody else's bytes go with the page, and what was read by weft is not the host's.
    uint64_t start = core_.up(part.start);
    uint64_t end = core_.down(part.end);
    if (by_hand && attributes.copied) {
        start = end = part.end;
    }
    if (start > end || (start == end && by_hand)) {
        start = end = part.end;
    }
    if (row.edges == Edges::refused && (start != part.start || end != part.end)) {
        const Split split(core_, tree, part.start, part.end);
        if (!split.edges.empty()) {
            return -EINVAL;
        }
        start = split.start;
        end = split.end;
    }
    if (start < end && by_hand && core_.host_page() > kGuestPage && attributes.is_private_anonymous()) {
        // A file may lie below, from a time when the host page had other guest pages: the host would read it.
        if (const SysResult failed = core_.place_like(start, end, attributes); failed < 0) {
            return failed;
        }
    } else if (start < end) {
        if (const SysResult failed = core_.host().advise(core_.host_address(start), end - start, advice);
            failed < 0) {
            return failed;
        }
    }
    if (!by_hand) {
        return 0;
    }
    for (uint64_t at = part.start; at < part.end;) {
        if (at == start && start < end) {
            at = end;
            continue;
        }
        const uint64_t until = std::min({part.end, core_.down(at) + core_.host_page()});
        if (const SysResult failed = discard_part(core_, tree, part.part(at, until)); failed < 0) {
            return failed;
        }
        at = until;
    }
    return 0;
}

SysResult Advice::advise(uint64_t address, uint64_t length, int advice) {
    const bool injects = advice == kPoison || advice == kSoftOffline;
    const Row* row = row_of(advice);
    // Whether the host's kernel knows errors of memory, it says of nothing.
    if ((row == nullptr && (!injects || core_.host().advise(0, 0, advice) < 0)) ||
        address % kGuestPage != 0) {
        return -EINVAL;
    }
    const uint64_t size = round_up(length, kGuestPage);
    if ((length != 0 && size == 0) || address + size < address) {
        return -EINVAL;
    }
    if (size == 0) {
        return 0;
    }
    if (injects) {
        return -EPERM;
    }
    const uint64_t end = address + size;
    return or_no_memory([&]() -> SysResult {
        MemoryCore::Call call(core_);
        core_.learn_growth(address, end);
        call.restart();
        const IntervalTree tree = call.tree();
        SysResult outcome = tree.first_hole(address, end) < end ? -ENOMEM : 0;
        std::vector<Interval> parts = call.edit().collect(address, end);
        // All sealed memory is looked at before anything is done. What a file has is not lost by it (can_madvise_modify() of Linux).
        for (const Interval& part : parts) {
            const Attributes& a = part.attributes;
            if (a.sealed && row->changes_bytes && a.is_private_anonymous() && (a.protection & kWrite) == 0) {
                return -EPERM;
            }
        }
        if (row->changes_bytes) {
            call.gone(address, end);
        }
        // Up to the first part that cannot have it.
        std::size_t count = 0;
        for (; count < parts.size(); ++count) {
            const bool foreign = parts[count].attributes.kind == Kind::foreign;
            if (foreign) {
                outcome = -ENOMEM;
            } else if ((advice == kFree || advice == kWipeOnFork) &&
                       !parts[count].attributes.is_private_anonymous()) {
                outcome = -EINVAL;
                break;
            }
        }
        // Before the host, which takes nothing back: here there may be no memory.
        record_parts(call, parts, count, advice);
        for (std::size_t i = 0; !row->sleeps && i < count; ++i) {
            if (parts[i].attributes.kind == Kind::foreign) {
                continue;
            }
            if (const SysResult failed = advise_interval(tree, parts[i], advice); failed < 0) {
                outcome = failed;
                if (is_recorded(advice)) {
                    call.restart();
                    record_parts(call, parts, i, advice);
                }
                break;
            }
        }
        call.commit();
        call.finish();
        if (advice == kPopulateWrite) {
            make_checked(core_, address, size);  // the host would refuse where code keeps W from it
        }
        for (const Interval& part : parts) {
            if (row->sleeps && part.attributes.kind != Kind::foreign) {
                if (advice == kPopulateRead && (part.attributes.protection & kRead) == 0) {
                    return -EINVAL;  // the host's pages can be read: its W and X are not without R
                }
                const uint64_t start = core_.down(part.start);
                const SysResult failed =
                    core_.host().advise(core_.host_address(start), core_.up(part.end) - start, advice);
                if (failed < 0) {
                    return failed;
                }
            }
        }
        return outcome;
    });
}

SysResult Advice::sync(uint64_t address, uint64_t length, int flags) {
    if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) != 0 || address % kGuestPage != 0 ||
        (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC)) {
        return -EINVAL;
    }
    const uint64_t size = round_up(length, kGuestPage);
    // The kernel's order: a length that wraps to nothing is nothing, an end that wraps is an error.
    if (address + size < address) {
        return -ENOMEM;
    }
    if (size == 0) {
        return 0;
    }
    return or_no_memory([&]() -> SysResult {
        MemoryCore::Call call(core_);
        SysResult outcome = call.tree().first_hole(address, address + size) < address + size ? -ENOMEM : 0;
        const std::vector<Interval> parts = call.edit().collect(address, address + size);
        call.finish();
        for (const Interval& part : parts) {
            if (part.attributes.kind == Kind::foreign) {
                outcome = -ENOMEM;
                continue;
            }
            if ((flags & MS_INVALIDATE) != 0 && part.attributes.locked) {
                return -EBUSY;
            }
            const uint64_t start = core_.down(part.start);
            const SysResult failed =
                core_.host().sync(core_.host_address(start), core_.up(part.end) - start, flags);
            if (failed < 0) {
                outcome = failed;
            }
        }
        return outcome;
    });
}

SysResult Advice::resident(uint64_t address, uint64_t length, unsigned char* vector) {
    if (address % kGuestPage != 0) {
        return -EINVAL;
    }
    const uint64_t limit = core_.layout().limit();
    if (length > limit || address > limit - length) {
        return -ENOMEM;
    }
    const uint64_t end = address + round_up(length, kGuestPage);
    return or_no_memory([&]() -> SysResult {
        MemoryCore::Call call(core_);
        core_.learn_growth(address, end);
        const IntervalTree tree = call.tree();
        uint64_t stop = std::min(end, tree.first_hole(address, end));
        tree.visit(address, stop, [&](const Interval& i) {
            const bool foreign = i.attributes.kind == Kind::foreign;
            stop = foreign ? std::max(address, i.start) : stop;
            return !foreign;
        });
        if (stop == address) {
            return end == address ? 0 : -ENOMEM;
        }
        const int64_t failed = core_.host().resident(core_.host_address(address), stop - address, vector);
        return failed < 0 ? failed : static_cast<SysResult>((stop - address) / kGuestPage);
    });
}

SysResult Advice::set_locked(uint64_t start, uint64_t end, bool locked) {
    return or_no_memory([&]() -> SysResult {
        MemoryCore::Call call(core_);
        core_.learn_growth(start, end);
        call.restart();
        const IntervalTree tree = call.tree();
        const uint64_t hole = tree.first_hole(start, end);
        const std::vector<Interval> parts = call.edit().collect(start, end);
        const auto can_be = [hole](const Interval& part) {
            return part.start < hole && part.attributes.kind != Kind::foreign;
        };
        const auto count = static_cast<std::size_t>(std::ranges::find_if_not(parts, can_be) - parts.begin());
        // Before the host: here there may be no memory.
        for (std::size_t i = 0; i < count; ++i) {
            call.edit().update(parts[i].start, parts[i].end,
                               [locked](Attributes& attributes) { attributes.locked = locked; });
        }
        SysResult outcome = 0;
        if (count != 0) {
            // In one call, as the kernel compares all of it with RLIMIT_MEMLOCK before it locks anything.
            const uint64_t low = core_.down(parts.front().start);
            const uint64_t size = core_.up(parts[count - 1].end) - low;
            // Pages are locked as they come; they are brought in below, after the lock.
            outcome = locked ? core_.host().lock(core_.host_address(low), size, MLOCK_ONFAULT)
                             : core_.host().unlock(core_.host_address(low), size);
        }
        if (outcome < 0) {
            // Where the host had no room for one mapping more, some of it may be locked: munlockall() asks for all.
            return outcome;
        }
        call.commit();
        call.finish();
        return hole < end ? -ENOMEM : 0;
    });
}

// mm_populate(), with the errors of mlock(2): what cannot be accessed at all ends it.
SysResult Advice::populate(uint64_t start, uint64_t end) {
    return or_no_memory([&]() -> SysResult {
        std::vector<Interval> parts;
        {
            MemoryCore::Call call(core_);
            parts = call.edit().collect(start, end);
        }
        for (const Interval& part : parts) {
            if (part.attributes.kind == Kind::foreign) {
                continue;
            }
            if (part.attributes.protection == 0) {
                return -ENOMEM;
            }
            const uint64_t low = core_.down(part.start);
            const bool write = (part.attributes.protection & kWrite) != 0 && !part.attributes.shared;
            const SysResult failed = core_.host().advise(core_.host_address(low), core_.up(part.end) - low,
                                                         write ? kPopulateWrite : kPopulateRead);
            if (failed == -EFAULT || failed == -ENOMEM) {
                return failed == -EFAULT ? -ENOMEM : -EAGAIN;
            }
        }
        return 0;
    });
}

SysResult Advice::lock(uint64_t address, uint64_t length, unsigned flags) {
    if ((flags & ~unsigned{MLOCK_ONFAULT}) != 0) {
        return -EINVAL;
    }
    const uint64_t start = round_down(address, kGuestPage);
    const uint64_t size = round_up(length + (address - start), kGuestPage);
    if (start + size < start) {
        // Linux compares the size with the limit first: the host says what it is, and does nothing. With a base it might not wrap.
        return core_.host().lock(start, size, flags);
    }
    if (size == 0) {
        return 0;
    }
    const SysResult failed = set_locked(start, start + size, true);
    return failed < 0 || (flags & MLOCK_ONFAULT) != 0 ? failed : populate(start, start + size);
}

SysResult Advice::unlock(uint64_t address, uint64_t length) {
    const uint64_t start = round_down(address, kGuestPage);
    const uint64_t size = round_up(length + (address - start), kGuestPage);
    if (start + size < start) {
        return -EINVAL;
    }
    return size == 0 ? 0 : set_locked(start, start + size, false);
}

SysResult Advice::lock_all(unsigned flags) {
    const unsigned known = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT;
    if ((flags & ~known) != 0 || (flags & (MCL_CURRENT | MCL_FUTURE)) == 0) {
        return -EINVAL;
    }
    std::vector<Interval> parts;
    const SysResult outcome = or_no_memory([&]() -> SysResult {
        MemoryCore::Call call(core_);
        call.tree().visit(0, ~uint64_t{0}, [&](const Interval& interval) {
            if (interval.attributes.kind != Kind::foreign) {
                parts.push_back(interval);
            }
            return true;
        });
        return 0;
    });
    if (outcome < 0) {
        return outcome;
    }
    for (std::size_t i = 0; (flags & MCL_CURRENT) != 0 && i < parts.size(); ++i) {
        const auto [start, end] = std::pair(parts[i].start, parts[i].end);
        const SysResult failed = set_locked(start, end, true);
        // What another thread unmapped meanwhile needs no lock.
        if (failed == 0 || (failed == -ENOMEM && has_hole(start, end))) {
            continue;
        }
        // More than RLIMIT_MEMLOCK together: the kernel locks none then.
        for (std::size_t done = 0; done < i; ++done) {
            if (!parts[done].attributes.locked) {
                set_locked(parts[done].start, parts[done].end, false);
            }
        }
        return failed;
    }
    {
        MemoryCore::Call call(core_);
        core_.lock_future = (flags & MCL_FUTURE) != 0;
        core_.lock_future_on_fault = (flags & MCL_ONFAULT) != 0;
    }
    for (const Interval& part : parts) {
        if ((flags & MCL_CURRENT) != 0 && (flags & MCL_ONFAULT) == 0 && part.attributes.protection != 0) {
            static_cast<void>(populate(part.start, part.end));
        }
    }
    return 0;
}

bool Advice::has_hole(uint64_t start, uint64_t end) {
    MemoryCore::Call call(core_);
    return call.tree().first_hole(start, end) < end;
}

SysResult Advice::unlock_all() {
    std::vector<std::pair<uint64_t, uint64_t>> runs;
    const SysResult outcome = or_no_memory([&]() -> SysResult {
        MemoryCore::Call call(core_);
        core_.lock_future = false;
        call.tree().visit(0, ~uint64_t{0}, [&](const Interval& interval) {
            if (interval.attributes.kind != Kind::foreign) {
                runs.emplace_back(interval.start, interval.end);
            }
            return true;
        });
        return 0;
    });
    for (const auto& [start, end] : runs) {
        set_locked(start, end, false);
    }
    return outcome;
}

SysResult Advice::seal(uint64_t address, uint64_t length, uint64_t flags) {
    if (!core_.host().has_seals()) {
        return -ENOSYS;
    }
    if (flags != 0 || address % kGuestPage != 0) {
        return -EINVAL;
    }
    const uint64_t size = round_up(length, kGuestPage);
    if ((length != 0 && size == 0) || address + size < address) {
        return -EINVAL;
    }
    return size == 0 ? 0 : or_no_memory([&]() -> SysResult {
        MemoryCore::Call call(core_);
        core_.learn_growth(address, address + size);
        call.restart();
        if (call.tree().first_hole(address, address + size) < address + size) {
            return -ENOMEM;
        }
        call.edit().update(address, address + size, [](Attributes& attributes) { attributes.sealed = true; });
        call.commit();
        return 0;
    });
}

}  // namespace weft::user
