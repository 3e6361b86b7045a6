// The guest's memory as the calls read and write it.
#pragma once

#include <expected>
#include <string>

#include "emulator/linux-user/memory/host_memory.h"
#include "emulator/linux-user/syscall/guest_access.h"
#include "emulator/linux-user/syscall/host_call.h"

namespace weft::user {

// The kernel copies, and so answers where a load of weft's would fault: what cannot be reached is a value. Stateless: any thread.
class GuestMemory final : public GuestAccess {
  public:
    GuestMemory(const HostMemory& host, const GuestRange& range) : host_(host), range_(range) {}

    const GuestRange& range() const { return range_; }

    bool read(uint64_t address, void* to, size_t size) override;
    bool write(uint64_t address, const void* from, size_t size) override;

    // The text before a NUL, which is among its first `limit` bytes; -ENAMETOOLONG, -EFAULT.
    std::expected<std::string, int> string(uint64_t address, size_t limit);

  private:
    const HostMemory& host_;
    const GuestRange range_;
};

}  // namespace weft::user
