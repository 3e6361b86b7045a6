// The debugger's software breakpoints: an ebreak that is executed and never lies in memory.
//
// The guest's bytes stay as they are, so that its loads, its checksums and its forked children see nothing of a breakpoint. What differs is
// what the accelerator reads as code (UserMemoryOps::overlay); whoever changes the table ends the translations of the place afterwards.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <vector>

#include "base/spin_lock.h"
#include "emulator/linux-user/process.h"

namespace weft::user {

class Breakpoints final : public CodeOverlay {
  public:
    // `size`: of the ebreak, 2 (c.ebreak) or 4 bytes; false: neither, or `address` is odd. Inserting one anew changes its size.
    bool insert(uint64_t address, uint64_t size);
    // False: there was none.
    bool remove(uint64_t address);
    // The addresses that were in it.
    std::vector<uint64_t> clear();
    bool contains(uint64_t address) const;

    // What is executed instead of `size` bytes that were read at `start`. Any thread; takes one lock, a leaf, and waits for nobody.
    void overlay(uint64_t start, uint8_t* bytes, uint32_t size) const override;

  private:
    using Table = std::map<uint64_t, uint32_t>;  // sizes by address

    mutable SpinLock lock_;
    Table all_ WEFT_GUARDED_BY(lock_);
    // Whether there is one, so that readers take no lock where there is none. Written under lock_; relaxed: translations of before a change
    // are ended behind it.
    std::atomic<bool> any_{false};
};

}  // namespace weft::user
