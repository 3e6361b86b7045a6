#include "emulator/linux-user/start/image_mapper.h"

#include <sys/mman.h>

#include <cerrno>
#include <vector>

#include "base/bits.h"

namespace weft::user {

namespace {

static_assert(kMayRead == PROT_READ && kMayWrite == PROT_WRITE && kMayExec == PROT_EXEC);

constexpr int kPlaceholder = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

int error_of(SysResult result) { return result < 0 ? static_cast<int>(-result) : 0; }

}  // namespace

int ProcessImageMapper::reserve(Range range) {
    return error_of(
        mapper_.map(range.start, range.size, PROT_NONE, kPlaceholder | MAP_FIXED_NOREPLACE, -1, 0));
}

std::expected<uint64_t, int> ProcessImageMapper::reserve_anywhere(uint64_t size, uint64_t alignment,
                                                                  uint64_t remainder) {
    // One page is aligned anyhow; more are found within a range that holds an aligned one wherever it lies.
    const uint64_t slack = alignment - kGuestPage;
    if (size > ~uint64_t{0} - slack) {
        return std::unexpected(ENOMEM);
    }
    const SysResult got = mapper_.map(0, size + slack, PROT_NONE, kPlaceholder, -1, 0);
    if (got < 0) {
        return std::unexpected(error_of(got));
    }
    const uint64_t first = static_cast<uint64_t>(got);
    // The highest: near to what was mapped before.
    const uint64_t start = align_down(first + slack - remainder, alignment) + remainder;
    if (start != first) {
        release({first, start - first});
    }
    if (const uint64_t end = first + size + slack; end != start + size) {
        release({start + size, end - (start + size)});
    }
    return start;
}

int ProcessImageMapper::map_file(Range range, uint64_t offset, unsigned prot) {
    return error_of(
        mapper_.map(range.start, range.size, static_cast<int>(prot), MAP_PRIVATE | MAP_FIXED, fd_, offset));
}

int ProcessImageMapper::map_anonymous(Range range, unsigned prot) {
    return error_of(mapper_.map(range.start, range.size, static_cast<int>(prot),
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
}

int ProcessImageMapper::protect(Range range, unsigned prot) {
    return error_of(mapper_.protect(range.start, range.size, static_cast<int>(prot)));
}

int ProcessImageMapper::zero(Range range) {
    // At most the rest of a page.
    const std::vector<char> zeros(range.size);
    return memory_.write(range.start, zeros.data(), zeros.size()) ? 0 : EFAULT;
}

// It was taken, and no call of a guest has sealed it.
void ProcessImageMapper::release(Range range) { mapper_.unmap(range.start, range.size); }

}  // namespace weft::user
