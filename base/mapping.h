// Ownership of a range of mapped memory.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "base/host_calls.h"

namespace weft {

// Unmaps its range when it goes. Moving and reset() belong to the owner; the const functions may be called by
// any thread at once (the kernel orders them), each on whole host pages inside the range.
class Mapping {
  public:
    Mapping() = default;
    Mapping(Mapping&& other) noexcept;
    Mapping& operator=(Mapping&& other) noexcept;
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping() { reset(); }

    // Private memory that reads as zero. `prot` is PROT_*, `flags` adds MAP_* such as MAP_NORESERVE. The
    // address is a multiple of `alignment` (a power of two; 0: the page size). Fails for size 0.
    static Result<Mapping> anonymous(std::size_t size, int prot, int flags = 0, std::size_t alignment = 0,
                                     const HostCalls& calls = HostCalls::real());

    // Addresses only: no access, no memory reserved. protect() opens parts of it.
    static Result<Mapping> reserve(std::size_t size, std::size_t alignment = 0,
                                   const HostCalls& calls = HostCalls::real());

    // `size` bytes of a file from `offset` (a multiple of the page size). `shared`: stores reach the file and
    // other mappings of it; otherwise they stay here. The descriptor may be closed afterwards.
    static Result<Mapping> of_fd(int fd, std::uint64_t offset, std::size_t size, int prot, bool shared,
                                 std::size_t alignment = 0, const HostCalls& calls = HostCalls::real());

    std::byte* data() const { return static_cast<std::byte*>(address_); }
    std::size_t size() const { return size_; }
    explicit operator bool() const { return address_ != nullptr; }

    bool contains(const void* pointer) const {
        const auto at = reinterpret_cast<std::uintptr_t>(pointer);
        const auto start = reinterpret_cast<std::uintptr_t>(address_);
        return at - start < size_;
    }

    // `offset` and `size` are multiples of the page size (`size` may also end with the mapping). Access that
    // is refused, or splitting that passes the host's number of mappings, is an error.
    Result<> protect(std::size_t offset, std::size_t size, int prot) const;

    // madvise(). Advice such as MADV_HUGEPAGE may be refused by the host's configuration: the caller decides
    // whether that matters.
    Result<> advise(std::size_t offset, std::size_t size, int advice) const;

    // Gives the pages back to the host (MADV_DONTNEED). Anonymous memory reads as zero afterwards; a shared
    // mapping of a file keeps its contents.
    Result<> discard(std::size_t offset, std::size_t size) const;

    // Unmaps now.
    void reset();

    // Gives the range to the caller, who unmaps it.
    void* release();

  private:
    Mapping(void* address, std::size_t size, const HostCalls& calls)
        : address_(address), size_(size), calls_(&calls) {}

    static Result<Mapping> create(std::size_t size, int prot, int flags, int fd, std::uint64_t offset,
                                  std::size_t alignment, const HostCalls& calls);
    static Result<Mapping> reserve_aligned(std::size_t size, std::size_t alignment, const HostCalls& calls);
    void check_range(std::size_t offset, std::size_t size) const;

    void* address_ = nullptr;
    std::size_t size_ = 0;
    const HostCalls* calls_ = nullptr;
};

}  // namespace weft
