#include "base/mapping.h"

#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "base/bits.h"
#include "base/host_info.h"

namespace weft {

namespace {

std::string describe_access(int prot) {
    if (prot == PROT_NONE) {
        return "without access";
    }
    std::string text = "for ";
    const char* separator = "";
    for (const auto& [bit, name] :
         {std::pair{PROT_READ, "read"}, {PROT_WRITE, "write"}, {PROT_EXEC, "execute"}}) {
        if ((prot & bit) != 0) {
            text += separator;
            text += name;
            separator = "/";
        }
    }
    return text;
}

std::string describe_map(std::size_t size, int prot, int fd) {
    return fmt::format("cannot map {} bytes of {} {}", size, fd >= 0 ? "a file" : "memory",
                       describe_access(prot));
}

}  // namespace

Mapping::Mapping(Mapping&& other) noexcept
    : address_(std::exchange(other.address_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      calls_(other.calls_) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
    if (this != &other) {
        reset();
        address_ = std::exchange(other.address_, nullptr);
        size_ = std::exchange(other.size_, 0);
        calls_ = other.calls_;
    }
    return *this;
}

Result<Mapping> Mapping::anonymous(std::size_t size, int prot, int flags, std::size_t alignment,
                                   const HostCalls& calls) {
    return create(size, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0, alignment, calls);
}

Result<Mapping> Mapping::reserve(std::size_t size, std::size_t alignment, const HostCalls& calls) {
    return anonymous(size, PROT_NONE, MAP_NORESERVE, alignment, calls);
}

Result<Mapping> Mapping::of_fd(int fd, std::uint64_t offset, std::size_t size, int prot, bool shared,
                               std::size_t alignment, const HostCalls& calls) {
    return create(size, prot, shared ? MAP_SHARED : MAP_PRIVATE, fd, offset, alignment, calls);
}

Result<Mapping> Mapping::create(std::size_t size, int prot, int flags, int fd, std::uint64_t offset,
                                std::size_t alignment, const HostCalls& calls) {
    if (alignment <= host_page_size()) {
        void* address = calls.map(nullptr, size, prot, flags, fd, static_cast<off_t>(offset));
        if (address == MAP_FAILED) {
            return fail_errno(describe_map(size, prot, fd));
        }
        return Mapping(address, size, calls);
    }
    auto reserved = reserve_aligned(size, alignment, calls);
    if (!reserved) {
        return reserved;
    }
    // The range is ours, so that MAP_FIXED replaces nothing of anybody else's. On failure the reservation
    // goes with its owner.
    void* address =
        calls.map(reserved->address_, size, prot, flags | MAP_FIXED, fd, static_cast<off_t>(offset));
    if (address == MAP_FAILED) {
        return fail_errno(describe_map(size, prot, fd));
    }
    return reserved;
}

Result<Mapping> Mapping::reserve_aligned(std::size_t size, std::size_t alignment, const HostCalls& calls) {
    WEFT_ASSERT(is_power_of_two(alignment));
    const std::size_t page = host_page_size();
    // More than any address space has: refused as the kernel would, before the sums below can wrap.
    constexpr std::size_t kLimit = std::size_t{1} << 62;
    if (size == 0 || size > kLimit || alignment > kLimit) {
        return fail_errno(describe_map(size, PROT_NONE, -1), size == 0 ? EINVAL : ENOMEM);
    }
    const std::size_t kept = align_up(size, page);
    const std::size_t whole = kept + alignment - page;
    void* start = calls.map(nullptr, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) {
        return fail_errno(describe_map(size, PROT_NONE, -1));
    }
    const auto first = reinterpret_cast<std::uintptr_t>(start);
    const std::uintptr_t aligned = align_up(first, alignment);
    const std::size_t head = aligned - first;
    const std::size_t tail = whole - head - kept;
    auto* bytes = static_cast<std::byte*>(start);
    if ((head != 0 && calls.unmap(bytes, head) != 0) ||
        (tail != 0 && calls.unmap(bytes + head + kept, tail) != 0)) {
        const int error_number = errno;
        // Holes in the range do not disturb munmap().
        calls.unmap(start, whole);
        return fail_errno(fmt::format("cannot align {} bytes of memory to {}", size, alignment),
                          error_number);
    }
    return Mapping(bytes + head, size, calls);
}

void Mapping::check_range(std::size_t offset, std::size_t size) const {
    const std::size_t page = host_page_size();
    WEFT_ASSERT(offset <= size_ && size <= size_ - offset);
    WEFT_ASSERT(is_aligned(offset, page) && (is_aligned(size, page) || offset + size == size_));
}

Result<> Mapping::protect(std::size_t offset, std::size_t size, int prot) const {
    check_range(offset, size);
    if (calls_->protect(data() + offset, size, prot) != 0) {
        return fail_errno(fmt::format("cannot open {} bytes of memory {}", size, describe_access(prot)));
    }
    return {};
}

Result<> Mapping::advise(std::size_t offset, std::size_t size, int advice) const {
    check_range(offset, size);
    if (calls_->advise(data() + offset, size, advice) != 0) {
        return fail_errno(
            fmt::format("cannot advise the host on {} bytes of memory (advice {})", size, advice));
    }
    return {};
}

Result<> Mapping::discard(std::size_t offset, std::size_t size) const {
    check_range(offset, size);
    if (calls_->advise(data() + offset, size, MADV_DONTNEED) != 0) {
        return fail_errno(fmt::format("cannot give {} bytes of memory back to the host", size));
    }
    return {};
}

void Mapping::reset() {
    if (address_ != nullptr) {
        const int saved_errno = errno;
        // A range that cannot be unmapped stays behind: there is no better place for it than the address
        // space.
        calls_->unmap(address_, size_);
        errno = saved_errno;
        address_ = nullptr;
        size_ = 0;
    }
}

void* Mapping::release() {
    size_ = 0;
    return std::exchange(address_, nullptr);
}

}  // namespace weft
