#include "mappers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "base/assert.h"
#include "base/bits.h"

namespace weft::user {

namespace {

std::string text(Range range) { return fmt::format("{:x}-{:x}", range.start, range.end()); }

// No page is executable for the host.
int host_prot(unsigned prot) {
    return ((prot & (kMayRead | kMayExec)) != 0 ? PROT_READ : 0) |
           ((prot & kMayWrite) != 0 ? PROT_READ | PROT_WRITE : 0);
}

}  // namespace

std::string protection_text(unsigned prot) {
    return {(prot & kMayRead) != 0 ? 'r' : '-', (prot & kMayWrite) != 0 ? 'w' : '-',
            (prot & kMayExec) != 0 ? 'x' : '-'};
}

bool RecordingMapper::note(std::string call) {
    calls.push_back(std::move(call));
    return fail_at == static_cast<int>(calls.size()) - 1;
}

bool RecordingMapper::is_free(Range range) const {
    const auto next = taken.lower_bound(range.end());
    return next == taken.begin() || std::prev(next)->second <= range.start;
}

bool RecordingMapper::is_taken(Range range) const {
    uint64_t at = range.start;
    for (const auto& [start, end] : taken) {
        at = start <= at && at < end ? end : at;
    }
    return at >= range.end();
}

int RecordingMapper::reserve(Range range) {
    WEFT_ASSERT(range.size != 0 && range.start % kGuestPageSize == 0 && range.size % kGuestPageSize == 0);
    if (note("reserve " + text(range))) {
        return ENOMEM;
    }
    if (range.end() > top || range.end() < range.start) {
        return ENOMEM;
    }
    if (!is_free(range)) {
        return EEXIST;
    }
    taken[range.start] = range.end();
    return 0;
}

std::expected<uint64_t, int> RecordingMapper::reserve_anywhere(uint64_t size, uint64_t alignment,
                                                               uint64_t remainder) {
    WEFT_ASSERT(size != 0 && size % kGuestPageSize == 0 && is_power_of_two(alignment) &&
                remainder < alignment);
    const bool fails = note(fmt::format("anywhere {:x} at {:x} modulo {:x}", size, remainder, alignment));
    if (fails || size > top || alignment > top) {
        return std::unexpected(ENOMEM);
    }
    for (uint64_t at = align_down(top - size, alignment) + remainder; at >= alignment; at -= alignment) {
        if (at + size <= top && is_free({at, size})) {
            taken[at] = at + size;
            return at;
        }
    }
    return std::unexpected(ENOMEM);
}

int RecordingMapper::map_file(Range range, uint64_t offset, unsigned prot) {
    WEFT_ASSERT(is_taken(range) && offset % kGuestPageSize == 0);
    return note(fmt::format("file {} @{:x} {}", text(range), offset, protection_text(prot))) ? ENOMEM : 0;
}

int RecordingMapper::map_anonymous(Range range, unsigned prot) {
    WEFT_ASSERT(is_taken(range));
    return note(fmt::format("anonymous {} {}", text(range), protection_text(prot))) ? ENOMEM : 0;
}

int RecordingMapper::protect(Range range, unsigned prot) {
    WEFT_ASSERT(is_taken(range));
    return note(fmt::format("protect {} {}", text(range), protection_text(prot))) ? ENOMEM : 0;
}

int RecordingMapper::zero(Range range) {
    WEFT_ASSERT(is_taken(range));
    return note("zero " + text(range)) ? ENOMEM : 0;
}

void RecordingMapper::release(Range range) {
    WEFT_ASSERT(range.size != 0 && is_taken(range));
    calls.push_back("release " + text(range));
    // What was taken in one piece may be given back in several.
    std::map<uint64_t, uint64_t> left;
    for (const auto& [start, end] : taken) {
        if (start < range.start) {
            left[start] = std::min(end, range.start);
        }
        if (end > range.end()) {
            left[std::max(start, range.end())] = end;
        }
    }
    taken = left;
}

HostMapper::HostMapper(const std::string& file)
    : base_(static_cast<char*>(
          mmap(nullptr, kSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))),
      file_(open(file.c_str(), O_RDONLY | O_CLOEXEC)),
      zeros_(open("/dev/zero", O_RDONLY | O_CLOEXEC)) {
    WEFT_ASSERT(base_ != MAP_FAILED && file_ && zeros_);
    top = kSize;
}

HostMapper::~HostMapper() { munmap(base_, kSize); }

int HostMapper::map_file(Range range, uint64_t offset, unsigned prot) {
    if (const int error = RecordingMapper::map_file(range, offset, prot)) {
        return error;
    }
    const void* got = mmap(base_ + range.start, range.size, host_prot(prot), MAP_PRIVATE | MAP_FIXED,
                           file_.get(), static_cast<off_t>(offset));
    return got == MAP_FAILED ? errno : 0;
}

int HostMapper::map_anonymous(Range range, unsigned prot) {
    if (const int error = RecordingMapper::map_anonymous(range, prot)) {
        return error;
    }
    const void* got = mmap(base_ + range.start, range.size, host_prot(prot),
                           MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
    return got == MAP_FAILED ? errno : 0;
}

int HostMapper::protect(Range range, unsigned prot) {
    if (const int error = RecordingMapper::protect(range, prot)) {
        return error;
    }
    return mprotect(base_ + range.start, range.size, host_prot(prot)) != 0 ? errno : 0;
}

int HostMapper::zero(Range range) {
    if (const int error = RecordingMapper::zero(range)) {
        return error;
    }
    // By the kernel: it returns EFAULT where a store would be SIGBUS.
    return read(zeros_.get(), base_ + range.start, range.size) != static_cast<ssize_t>(range.size) ? EFAULT
                                                                                                   : 0;
}

void HostMapper::release(Range range) {
    RecordingMapper::release(range);
    const void* got = mmap(base_ + range.start, range.size, PROT_NONE,
                           MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    WEFT_ASSERT(got != MAP_FAILED);
}

std::string HostMapper::host_protection(uint64_t address) const {
    const auto host = reinterpret_cast<uintptr_t>(at(address));
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        size_t dash = 0;
        const uintptr_t start = std::stoull(line, &dash, 16);
        size_t end_of_address = 0;
        const uintptr_t end = std::stoull(line.substr(dash + 1), &end_of_address, 16);
        if (host >= start && host < end) {
            return line.substr(dash + 1 + end_of_address + 1, 3);
        }
    }
    return "";
}

}  // namespace weft::user
