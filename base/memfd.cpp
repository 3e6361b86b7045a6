#include "base/memfd.h"

#include <fmt/format.h>

namespace weft {

Result<Memfd> Memfd::create(const char* name, std::uint64_t size, const HostCalls& calls) {
    UniqueFd fd(calls.create_memfd(name, MFD_CLOEXEC));
    if (!fd) {
        return fail_errno(fmt::format("cannot create the memory file {}", name));
    }
    if (calls.truncate(fd.get(), static_cast<off_t>(size)) != 0) {
        return fail_errno(fmt::format("cannot give the memory file {} its {} bytes", name, size));
    }
    return Memfd(std::move(fd), size, calls);
}

Result<Mapping> Memfd::map(int prot, std::size_t alignment) const {
    return Mapping::of_fd(fd(), 0, static_cast<std::size_t>(size_), prot, true, alignment, *calls_);
}

}  // namespace weft
