// Writes to pages with code that are being made, and of which nobody has been told yet.
//
// Such a write is made first and announced afterwards (see page_map.h). In between, another hart may read what was written,
// execute its FENCE.I, and would still run the code that was there before. So a writer says beforehand where it will write,
// and a FENCE.I does itself, for each write that is under way, what its writer will do after it: TBs of those bytes are
// invalidated, and the write is counted, so that a translation under way compares. Nobody waits for anybody.
//
// Why that suffices, for a hart that has read new bytes and then comes to its FENCE.I:
//   1. The write was registered before it was made, so the FENCE.I finds it, unless it is over.
//   2. If it is over it was announced before that: TBs of these bytes are invalid, and vCPUs were asked to drop them. The
//      FENCE.I looks at the drops after it has looked here.
// Where the FENCE.I finds no code in the page, who makes some afterwards reads the bytes later than this hart did.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/cache_line.h"
#include "base/spin_lock.h"
#include "weft/memory.h"

namespace weft::accel {

class WritesUnderWay {
  public:
    // `vcpus`: how many there can be.
    explicit WritesUnderWay(uint32_t vcpus);
    WritesUnderWay(const WritesUnderWay&) = delete;
    WritesUnderWay& operator=(const WritesUnderWay&) = delete;

    // A store of a vCPU, of 1 to 8 bytes in one page, while the object lives: made before the store, and destroyed after it
    // was announced. The vCPU's thread, one at a time.
    class Store {
      public:
        Store(WritesUnderWay& writes, uint32_t vcpu_index, uint64_t ram_offset, unsigned size)
            : place_(writes.stores_[vcpu_index].bytes) {
            // A read-modify-write: neither the compiler nor the processor makes the store before it.
            place_.exchange(ram_offset << kSizeBits | size, std::memory_order_seq_cst);
        }
        // Release; pairs with the load in for_each(): who reads 0 sees what the announcement has done.
        ~Store() { place_.store(0, std::memory_order_release); }
        Store(const Store&) = delete;
        Store& operator=(const Store&) = delete;

      private:
        std::atomic<uint64_t>& place_;
    };

    // Writes of others, of any size: before the first byte is written, and after the write was announced. Any thread.
    void begin(RamWrite& write) WEFT_EXCLUDES(lock_);
    void end(RamWrite& write) WEFT_EXCLUDES(lock_);

    // Calls fn(ram_offset, size) for each write that is under way: for all that began before something the caller has
    // read. Any thread.
    template <class Fn>
    void for_each(Fn&& fn) const {
        for (uint32_t i = 0; i < vcpus_; ++i) {
            if (const uint64_t store = stores_[i].bytes.load(std::memory_order_seq_cst); store != 0) {
                fn(store >> kSizeBits, store & ((uint64_t{1} << kSizeBits) - 1));
            }
        }
        if (count_.load(std::memory_order_seq_cst) != 0) {
            // In parts, for it is called without the lock, and a write may end meanwhile.
            std::array<Bytes, kPart> part;
            uint64_t before = kNewest;
            while (const size_t count = part_of_list(&before, part)) {
                for (size_t i = 0; i < count; ++i) {
                    fn(part[i].ram_offset, part[i].size);
                }
            }
        }
    }

  private:
    static constexpr unsigned kSizeBits = 4;

    struct Bytes {
        uint64_t ram_offset;
        uint64_t size;
    };
    // ram_offset << kSizeBits | size, or 0. Written by the vCPU's thread.
    struct alignas(kCacheLine) Place {
        std::atomic<uint64_t> bytes{0};
    };

    static constexpr size_t kPart = 16;
    static constexpr uint64_t kNewest = ~uint64_t{0};

    // The newest writes in the list with numbers below *before, which becomes the last one's; how many these are.
    size_t part_of_list(uint64_t* before, std::array<Bytes, kPart>& part) const WEFT_EXCLUDES(lock_);

    const uint32_t vcpus_;
    const std::unique_ptr<Place[]> stores_;
    // Writes in the list; written under the lock, read by anybody; sequentially consistent.
    alignas(kCacheLine) std::atomic<uint32_t> count_{0};
    mutable SpinLock lock_;                              // a leaf
    RamWrite* writes_ WEFT_GUARDED_BY(lock_) = nullptr;  // the newest first
    uint64_t last_number_ WEFT_GUARDED_BY(lock_) = 0;
};

}  // namespace weft::accel
