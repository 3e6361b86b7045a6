// The guest's memory as the calls read and write it.
#pragma once

#include <expected>
#include <string>

#include "emulator/linux-user/syscall/guest_access.h"
#include "emulator/linux-user/syscall/host_call.h"
#include "weft/guest.h"

namespace weft::user {

class MemoryCore;

// Who knows why the host refused an access, as UserMemoryOps::fault does for the guest's own.
class AccessFaults {
  public:
    virtual ~AccessFaults() = default;
    // Of the byte at guest address `vaddr`, by weft in the guest's name; `host_code` is a HostFaultCode. True: it is to be made again.
    virtual bool access_again(uint64_t vaddr, Access access, uint32_t host_code) = 0;
};

// Copies by accesses that may fault (base/faulting_access.h), for which the process has its handlers (Sighand::start): what cannot be
// reached is a value. Any thread, with no lock held.
class GuestMemory final : public GuestAccess {
  public:
    // `core` outlives it.
    explicit GuestMemory(MemoryCore& core);

    const GuestRange& range() const { return range_; }
    // Null: an access that the host refuses is not made again. Before the guest runs.
    void connect(AccessFaults* faults) { faults_ = faults; }

    bool read(uint64_t address, void* to, size_t size) override;
    // A word of up to eight bytes is written whole or not at all, as the kernel's put_user() does.
    bool write(uint64_t address, const void* from, size_t size) override;
    void kernel_writes(uint64_t address, uint64_t size) override;

    // The text before a NUL, which is among its first `limit` bytes; -ENAMETOOLONG, -EFAULT.
    std::expected<std::string, int> string(uint64_t address, size_t limit);

  private:
    template <class Word>
    bool write_word(uint64_t address, const void* from);
    template <class Copy>
    bool copy(uint64_t address, size_t size, Copy copy);

    MemoryCore& core_;
    const GuestRange range_;
    AccessFaults* faults_ = nullptr;
};

}  // namespace weft::user
