// What a vCPU counts for reports.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <utility>

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
    Counter insns;         // executed; with the instruction clock only
    Counter loop_entries;  // into generated code from the execution loop
    Counter went_on;       // ... from the hook that stands in for it, RuntimeHooks::go_on
    Counter jump_cache_growths;
    Counter lookup_jump_cache;     // TBs found in the jump cache by the loop
    Counter lookup_table;          // ... in the hash table, by the loop or for generated code
    Counter lookup_generated;      // ... of lookup_table: for generated code
    Counter lookup_miss;           // ... nowhere: interpreted, or translated
    Counter cold_runs;             // code that was run without a translation, up to a jump
    Counter cold_insns;            // ... in instructions
    Counter links;                 // jumps patched
    Counter translations;          // TBs made
    Counter translations_lost;     // TBs made and thrown away: another vCPU was first
    Counter translations_stale;    // TBs made and thrown away: their bytes changed meanwhile
    Counter translations_stored;   // ... of translations: found in the store
    Counter translations_beside;   // ... of translations: by a translation worker
    Counter translations_retried;  // code that did not fit: smaller, or in the next region
    Counter translate_ns;
    Counter guest_bytes;  // translated
    Counter guest_insns;
    Counter host_bytes;  // emitted
    Counter host_insns;
    Counter exceptions;  // delivered
    Counter interrupts;  // taken
    Counter halts;
    Counter moves;             // to another thread
    Counter tlb_fills;         // entries made
    Counter tlb_fills_load;    // ... by loads and atomics
    Counter tlb_fills_store;   // ... by stores
    Counter fetch_walks;       // page walks to fetch instructions
    Counter walk_faults;       // page walks that ended with an exception
    Counter tlb_flushes;       // of everything
    Counter tlb_asid_flushes;  // of one address space
    Counter tlb_page_flushes;  // of one address
    Counter tlb_victim_hits;
    Counter tlb_resizes;
    Counter
        places_uncarried;  // places in code that do not compare with carried pages any more: they missed too often
    Counter
        units_carrying;  // TBs translated anew because interrupts met them often: their accesses carry pages
    Counter groups_disabled;  // TBs thrown away because their shared TLB probes straddled pages too often
    Counter code_writes;      // stores to pages that hold code
    // Filled in when the vCPU goes, from what generated code counted in ExecState::profile.
    Counter block_entries;
    Counter probe_hits;
    Counter probe_misses;

    // Adds what another vCPU counted, which runs no more.
    void add(const VcpuCounters& other);
};

// The counters by their names in reports.
using CounterField = std::pair<const char*, Counter VcpuCounters::*>;

inline constexpr std::array<CounterField, 43> kVcpuCounters = {{
    {"insns", &VcpuCounters::insns},
    {"loop_entries", &VcpuCounters::loop_entries},
    {"went_on", &VcpuCounters::went_on},
    {"jump_cache_growths", &VcpuCounters::jump_cache_growths},
    {"lookup_jump_cache", &VcpuCounters::lookup_jump_cache},
    {"lookup_table", &VcpuCounters::lookup_table},
    {"lookup_generated", &VcpuCounters::lookup_generated},
    {"lookup_miss", &VcpuCounters::lookup_miss},
    {"cold_runs", &VcpuCounters::cold_runs},
    {"cold_insns", &VcpuCounters::cold_insns},
    {"links", &VcpuCounters::links},
    {"translations", &VcpuCounters::translations},
    {"translations_lost", &VcpuCounters::translations_lost},
    {"translations_stale", &VcpuCounters::translations_stale},
    {"translations_stored", &VcpuCounters::translations_stored},
    {"translations_beside", &VcpuCounters::translations_beside},
    {"translations_retried", &VcpuCounters::translations_retried},
    {"translate_ns", &VcpuCounters::translate_ns},
    {"guest_bytes", &VcpuCounters::guest_bytes},
    {"guest_insns", &VcpuCounters::guest_insns},
    {"host_bytes", &VcpuCounters::host_bytes},
    {"host_insns", &VcpuCounters::host_insns},
    {"exceptions", &VcpuCounters::exceptions},
    {"interrupts", &VcpuCounters::interrupts},
    {"halts", &VcpuCounters::halts},
    {"moves", &VcpuCounters::moves},
    {"tlb_fills", &VcpuCounters::tlb_fills},
    {"tlb_fills_load", &VcpuCounters::tlb_fills_load},
    {"tlb_fills_store", &VcpuCounters::tlb_fills_store},
    {"fetch_walks", &VcpuCounters::fetch_walks},
    {"walk_faults", &VcpuCounters::walk_faults},
    {"tlb_flushes", &VcpuCounters::tlb_flushes},
    {"tlb_asid_flushes", &VcpuCounters::tlb_asid_flushes},
    {"tlb_page_flushes", &VcpuCounters::tlb_page_flushes},
    {"tlb_victim_hits", &VcpuCounters::tlb_victim_hits},
    {"tlb_resizes", &VcpuCounters::tlb_resizes},
    {"places_uncarried", &VcpuCounters::places_uncarried},
    {"units_carrying", &VcpuCounters::units_carrying},
    {"groups_disabled", &VcpuCounters::groups_disabled},
    {"code_writes", &VcpuCounters::code_writes},
    {"block_entries", &VcpuCounters::block_entries},
    {"probe_hits", &VcpuCounters::probe_hits},
    {"probe_misses", &VcpuCounters::probe_misses},
}};

inline void VcpuCounters::add(const VcpuCounters& other) {
    for (const auto& [name, field] : kVcpuCounters) {
        (this->*field).add((other.*field).get());
    }
}

}  // namespace weft::accel
