#include "emulator/linux-user/memory/checked_code.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace weft::user {

namespace {

// Calls `found` with the host pages of [start, end) that hold private code and may be written to, in ranges, until it returns
// false. Where the host's page is larger, one guest page of it may be code and another writable.
template <class Found>
void each_writable_code(const MemoryCore& core, IntervalTree tree, uint64_t start, uint64_t end,
                        Found found) {
    const uint64_t unit = core.host_page();
    const auto writable = [&](uint64_t page) {
        return !tree.visit(page, page + unit,
                           [](const Interval& i) { return (i.attributes.protection & kWrite) == 0; });
    };
    tree.visit(start, end, [&](const Interval& interval) {
        if (!interval.attributes.is_private_code()) {
            return true;
        }
        const uint64_t from = std::max(start, core.down(interval.start));
        const uint64_t to = std::min(end, core.up(interval.end));
        if ((interval.attributes.protection & kWrite) != 0) {
            return found(from, to);
        }
        // Others are in its first and its last host page alone.
        if (unit == kGuestPage) {
            return true;
        }
        const uint64_t last = to - unit;
        return (!writable(from) || found(from, from + unit)) &&
               (last == from || !writable(last) || found(last, to));
    });
}

void add(IntervalEdit& checked, uint64_t start, uint64_t end) {
    checked.erase(start, end);
    checked.insert({start, end, {}});
}

}  // namespace

bool make_checked(MemoryCore& core, uint64_t start, uint64_t size) {
    AddressSpace& space = core.space();
    const uint64_t limit = core.layout().limit();
    // A host page that is larger may have code and data side by side.
    if ((core.host_page() == kGuestPage && !space.has_writable_code()) || size == 0 || start >= limit) {
        return false;
    }
    const uint64_t end = core.up(start + std::min(size, limit - start));
    start = core.down(start);
    {
        ReaderPool::Loan reader(space.readers());
        const AddressSpace::Reading reading(space, *reader);
        bool unchecked = false;
        each_writable_code(core, reading.tree(), start, end, [&](uint64_t from, uint64_t to) {
            unchecked = reading.checked().first_hole(from, to) < to;
            return !unchecked;
        });
        if (!unchecked) {
            return false;
        }
    }
    MutexLock lock(space.mutex());
    bool changed = false;
    std::vector<std::pair<uint64_t, uint64_t>> ranges;
    try {
        const IntervalTree checked = space.checked();
        each_writable_code(core, space.tree(), start, end, [&](uint64_t from, uint64_t to) {
            if (checked.first_hole(from, to) < to) {
                ranges.emplace_back(from, to);
            }
            return true;
        });
        AddressSpace::Change change(space);
        for (const auto& [from, to] : ranges) {
            add(change.checked(), from, to);
        }
        change.commit();
        changed = !ranges.empty();
    } catch (const std::bad_alloc&) {
        // The pages can be written to at least now.
    }
    for (const auto& [from, to] : ranges) {
        core.unprotect_code(from, to, MemoryCore::CodeEnd::written);
    }
    return changed;
}

void make_hot(MemoryCore& core, uint64_t page) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    try {
        AddressSpace::Change change(core.space());
        add(change.checked(), core.down(page), core.down(page) + core.host_page());
        change.commit();
    } catch (const std::bad_alloc&) {
        // It stays as it is: the next fault counts again.
    }
}

}  // namespace weft::user
