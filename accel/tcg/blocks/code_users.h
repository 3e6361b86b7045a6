// The vCPUs as this room knows them: who runs translated code, and stores to the pages that it was made of.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "accel/tcg/blocks/jump_cache.h"
#include "accel/tcg/counters.h"

namespace weft::accel {

// Implemented by Vcpu. Members belong to the thread that runs the vCPU, unless said otherwise.
class CodeUser {
  public:
    const uint32_t index;
    VcpuCounters counters;  // read by any thread
    JumpCache jump_cache;   // drops are requested by any thread

    // Whether one thread runs both, and no other ever will. Any thread.
    virtual bool same_thread(const CodeUser& other) const = 0;
    // Takes the direct way to stores to the page at `ram_offset` away: its TLB entries for stores get tcg::kTlbNotDirty. The
    // thread that runs it.
    virtual void write_protect(uint64_t ram_offset) = 0;
    // Has it call PageMap::write_protect_for() on its own thread. Any thread; allocates nothing.
    virtual void ask_to_write_protect() = 0;

  protected:
    explicit CodeUser(uint32_t number) : index(number) {}
    ~CodeUser() = default;
    CodeUser(const CodeUser&) = delete;
    CodeUser& operator=(const CodeUser&) = delete;
};

// Those of a machine, by index.
//
// A place is written by the machine's control calls and read by anybody who is an online reader of the accelerator's
// epochs, or a control call: a vCPU that was taken out is destroyed a grace period later. Sequentially consistent: who
// ends TBs and then asks all vCPUs to drop them either finds a new vCPU here, or that one finds the TBs ended.
class CodeUsers {
  public:
    explicit CodeUsers(uint32_t capacity)
        : places_(std::make_unique<std::atomic<CodeUser*>[]>(capacity)), capacity_(capacity) {}

    uint32_t capacity() const { return capacity_; }
    CodeUser* at(uint32_t index) const {
        return index < capacity_ ? places_[index].load(std::memory_order_seq_cst) : nullptr;
    }
    void set(uint32_t index, CodeUser* user) { places_[index].store(user, std::memory_order_seq_cst); }

    template <class Fn>
    void for_each(Fn&& fn) const {
        for (uint32_t i = 0; i < capacity_; ++i) {
            if (CodeUser* user = at(i)) {
                fn(*user);
            }
        }
    }

  private:
    const std::unique_ptr<std::atomic<CodeUser*>[]> places_;
    const uint32_t capacity_;
};

}  // namespace weft::accel
