// Reading and writing guest memory that may not be there.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::user {

class GuestAccess {
  public:
    virtual ~GuestAccess() = default;

    // Copies all of it or says that it cannot be done; a failed write may have written a part. Addresses are the guest's.
    virtual bool read(uint64_t address, void* to, size_t size) = 0;
    virtual bool write(uint64_t address, const void* from, size_t size) = 0;
    // The kernel is about to write to what it is given the address of: what keeps it from that, and not the guest, is taken away.
    virtual void kernel_writes(uint64_t address, uint64_t size) {
        (void)address;
        (void)size;
    }
};

}  // namespace weft::user
