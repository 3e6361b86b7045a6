// remap_file_pages: other pages of the same file in a part of a shared mapping. The kernel has made a mapping of its own of that part
// since Linux 4.0; the host's does the same, as it alone has the file.
#include <sys/mman.h>

#include <cerrno>
#include <optional>

#include "emulator/linux-user/memory/mapper.h"

namespace weft::user {

namespace {

// Mappings of one file that are alike but for the offset, without a hole (the kernel compares vm_file and vm_flags).
bool are_alike(const Attributes& a, const Attributes& b) {
    return a.kind == b.kind && a.shared == b.shared && a.protection == b.protection && a.locked == b.locked &&
           a.dont_fork == b.dont_fork && a.sealed == b.sealed && a.huge_shift == b.huge_shift &&
           a.backing != nullptr && b.backing != nullptr && *a.backing == *b.backing;
}

// What [start, end) is, if it is one shared mapping or several that are alike.
std::optional<Attributes> shared_mapping(IntervalTree tree, uint64_t start, uint64_t end) {
    std::optional<Attributes> found;
    uint64_t reached = start;
    const bool all = tree.visit(start, end, [&](const Interval& interval) {
        const Attributes& attributes = interval.attributes;
        if (interval.start > reached || !attributes.shared || attributes.kind == Kind::foreign ||
            (found && !are_alike(*found, attributes))) {
            return false;
        }
        found = found ? found : attributes;
        reached = interval.end;
        return true;
    });
    return all && reached >= end ? found : std::nullopt;
}

}  // namespace

SysResult Mapper::remap_file_pages(uint64_t address, uint64_t length, uint64_t protection, uint64_t page,
                                   uint64_t flags) {
    const uint64_t start = round_down(address, kGuestPage);
    const uint64_t size = round_down(length, kGuestPage);
    if (protection != 0 || start + size <= start || page + size / kGuestPage < page) {
        return -EINVAL;
    }
    const uint64_t end = start + size;
    if (end > core_.layout().limit()) {
        return -EINVAL;
    }
    return or_no_memory([&]() -> SysResult {
        MemoryCore::Call call(core_);
        const std::optional<Attributes> found = shared_mapping(call.tree(), start, end);
        if (!found) {
            return -EINVAL;
        }
        if (found->sealed) {
            return -EPERM;
        }
        const uint64_t offset = page * kGuestPage;
        if (offset / kGuestPage != page || offset + size < offset) {
            return -EOVERFLOW;
        }
        // What is no mapping of the host's, or no whole pages of it.
        const uint64_t host_page = core_.host_page();
        if (found->copied || start % host_page != 0 || end % host_page != 0 || offset % host_page != 0) {
            return -EINVAL;
        }
        call.gone(start, end);
        Attributes moved = *found;
        moved.offset = offset;
        call.edit().erase(start, end);
        call.edit().insert({start, end, moved});
        const int64_t failed = core_.host().remap_file(core_.host_address(start), size, offset / host_page,
                                                       static_cast<int>(flags & MAP_NONBLOCK));
        if (failed < 0) {
            return failed;
        }
        call.commit();
        return 0;
    });
}

}  // namespace weft::user
