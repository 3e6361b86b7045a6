// What a vCPU counts for reports.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/cache_line.h"

namespace weft::accel {

// Written by one thread (the one that runs the vCPU), read by any; relaxed: nothing is ordered by it.
class Counter {
  public:
    void add(uint64_t n = 1) { value_.store(get() + n, std::memory_order_relaxed); }
    uint64_t get() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<uint64_t> value_{0};
};

// On lines of its own: reports read it while the vCPU runs.
struct alignas(kCacheLine) VcpuCounters {
    Counter loop_entries;        // into generated code from the execution loop
    Counter lookup_jump_cache;   // TBs found in the jump cache by the loop
    Counter lookup_table;        // ... in the hash table, by the loop or for generated code
    Counter lookup_miss;         // ... nowhere: translated
    Counter links;               // jumps patched
    Counter translations;        // TBs made
    Counter translations_lost;   // TBs made and thrown away: another vCPU was first
    Counter translations_stale;  // TBs made and thrown away: their bytes changed meanwhile
    Counter translations_retried;  // code that did not fit: smaller, or in the next region
    Counter translate_ns;
    Counter guest_bytes;  // translated
    Counter guest_insns;
    Counter host_bytes;  // emitted
    Counter host_insns;
    Counter exceptions;  // delivered
    Counter interrupts;  // taken
    Counter halts;
    Counter tlb_fills;
    Counter tlb_flushes;       // of everything
    Counter tlb_page_flushes;  // of one address
    Counter tlb_victim_hits;
    Counter tlb_resizes;
    Counter code_writes;  // stores to pages that hold code
};

}  // namespace weft::accel
