// What an accelerator asks of the guest's memory: UserMemoryOps over the map.
//
// Answers come from the map alone. What the host has is the same but for moments: while another thread changes it, a host page
// that holds code has no W, and the host grows stacks by itself. fault() tells these from what the guest may not do. Rules T, X and
// Y of docs/user-memory.md.
//
// fetch() reads a version of the map without a lock. protect() and fault() take the map's lock, whose holder waits for no
// accelerator: CodeListener's functions under it mark and return.
//
// Private pages of files count as private: a write to the file by others may change them until the guest's first write, which
// mmap(2) leaves open, and is not found out.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "emulator/linux-user/memory/host_fault_code.h"
#include "emulator/linux-user/memory/memory_core.h"
#include "weft/guest.h"
#include "weft/user_memory.h"

namespace weft::user {

class UserOps {
  public:
    struct Settings {
        bool bounds = false;                      // UserMemoryOps::bounds
        std::function<uint64_t()> now = nullptr;  // nanoseconds; null: the host's steady clock
        // UserMemoryOps::overlay; null: none.
        std::function<void(uint64_t start, uint8_t* bytes, uint32_t size)> overlay = nullptr;
        const ErrorSink* errors = nullptr;  // told of what the host refuses for good; null: nobody
    };

    // `core` and what the settings point to outlive this, which outlives its users.
    UserOps(MemoryCore& core, Settings settings);
    UserOps(const UserOps&) = delete;
    UserOps& operator=(const UserOps&) = delete;

    const UserMemoryOps& ops() const { return ops_; }

    // As include/weft/user_memory.h says of the functions of these names. fault()'s code is a HostFaultCode.
    CodePageInfo fetch(uint64_t page);
    bool protect(uint64_t page);
    bool fault(const void* state, uint64_t vaddr, Access access, uint32_t host_code, MemoryFault* kind);

  private:
    // Accesses that the map allows and the host refused, of threads that try again. As long as MemoryCore::steps() says that nobody
    // has done anything meanwhile.
    struct Retry {
        const void* state;
        uint64_t vaddr;
        unsigned count;
    };
    // The first two may have met another thread between two steps; what it did is complete once the lock was had.
    static constexpr unsigned kMostTries = 3;

    bool written(uint64_t page, MemoryFault* kind);
    bool try_again(const void* state, uint64_t vaddr, Access access, uint32_t host_code, MemoryFault* kind);

    // What the guest's signal does not say of itself: an ErrorSink's line, from a function that makes it.
    template <class Message>
    void tell(Message message) const;

    MemoryCore& core_;
    const Settings settings_;
    UserMemoryOps ops_;
    // Under the map's lock.
    WriteFaults write_faults_;
    std::vector<Retry> retries_;
    uint64_t retries_steps_ = 0;
};

}  // namespace weft::user
