// The vCPUs as this room knows them: who runs translated code, and stores to the pages that it was made of.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

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
    CodeUser(uint32_t number, JumpCache::Entries entries) : index(number), jump_cache(std::move(entries)) {}
    ~CodeUser() = default;
    CodeUser(const CodeUser&) = delete;
    CodeUser& operator=(const CodeUser&) = delete;
};

// Those of a machine or a process, by index.
//
// A place is written by the machine's control calls and read by anybody who is an online reader of the accelerator's
// epochs, or a control call: a vCPU that was taken out is destroyed a grace period later. Sequentially consistent: who
// ends TBs and then asks all vCPUs to drop them either finds a new vCPU here, or that one finds the TBs ended.
class CodeUsers {
  public:
    explicit CodeUsers(uint32_t capacity)
        : chunks_(std::make_unique<std::unique_ptr<Chunk>[]>((capacity + kChunk - 1) / kChunk)),
          capacity_(capacity) {}

    uint32_t capacity() const { return capacity_; }
    // Whether there has never been more than one, as far as this thread knows. Any thread.
    bool alone() const { return used_.load(std::memory_order_relaxed) <= 1; }
    CodeUser* at(uint32_t index) const {
        return index < used_.load(std::memory_order_seq_cst) ? place(index).load(std::memory_order_seq_cst)
                                                             : nullptr;
    }
    // Below capacity(); one caller at a time. Throws std::bad_alloc for an index that is the first of its kind.
    void set(uint32_t index, CodeUser* user) {
        for (uint32_t used = used_.load(std::memory_order_relaxed); used <= index; ++used) {
            if (std::unique_ptr<Chunk>& chunk = chunks_[used / kChunk]; chunk == nullptr) {
                chunk = std::make_unique<Chunk>();
            }
            used_.store(used + 1, std::memory_order_seq_cst);
        }
        place(index).store(user, std::memory_order_seq_cst);
    }

    template <class Fn>
    void for_each(Fn&& fn) const {
        const uint32_t used = used_.load(std::memory_order_seq_cst);
        for (uint32_t i = 0; i < used; ++i) {
            if (CodeUser* user = place(i).load(std::memory_order_seq_cst)) {
                fn(*user);
            }
        }
    }

  private:
    static constexpr uint32_t kChunk = 64;
    using Chunk = std::array<std::atomic<CodeUser*>, kChunk>;

    std::atomic<CodeUser*>& place(uint32_t index) const { return (*chunks_[index / kChunk])[index % kChunk]; }

    // Chunks are made by set() before `used_` tells of them, and stay.
    const std::unique_ptr<std::unique_ptr<Chunk>[]> chunks_;
    std::atomic<uint32_t> used_{0};  // one more than the highest index that was ever set
    const uint32_t capacity_;
};

}  // namespace weft::accel
