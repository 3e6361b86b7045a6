// Memory with a descriptor, so that it can be mapped more than once.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "base/host_calls.h"
#include "base/mapping.h"
#include "base/unique_fd.h"

namespace weft {

// Owns the descriptor; mappings made from it live on without it.
class Memfd {
  public:
    // `size` bytes that read as zero and cost nothing until touched. `name` shows in /proc/PID/maps. The
    // descriptor is closed on exec.
    static Result<Memfd> create(const char* name, std::uint64_t size,
                                const HostCalls& calls = HostCalls::real());

    int fd() const { return fd_.get(); }
    std::uint64_t size() const { return size_; }

    // All of it, shared: stores are seen through every other such mapping.
    Result<Mapping> map(int prot, std::size_t alignment = 0) const;

  private:
    Memfd(UniqueFd fd, std::uint64_t size, const HostCalls& calls)
        : fd_(std::move(fd)), size_(size), calls_(&calls) {}

    UniqueFd fd_;
    std::uint64_t size_;
    const HostCalls* calls_;
};

}  // namespace weft
