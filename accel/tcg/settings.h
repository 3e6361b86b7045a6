// The accelerator's properties: their table, and a machine's choice among them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "accel/tcg/time/insn_rate.h"
#include "base/error.h"
#include "base/qht.h"
#include "tcg/code/code_buffer.h"
#include "tcg/code/sizing.h"
#include "tcg/opt/optimizer.h"
#include "tcg/x86_64/backend.h"
#include "weft/accel.h"

namespace weft::accel {

enum class ThreadMode : uint8_t { single, multi };
enum class ClockKind : uint8_t { host, insn };
enum class BackendKind : uint8_t { native, interp };

struct Settings {
    ThreadMode thread = ThreadMode::multi;
    uint64_t tb_size_mib = 0;  // 0: chosen
    tcg::SplitWx split_wx = tcg::SplitWx::automatic;
    bool one_insn_per_tb = false;
    ClockKind clock = ClockKind::host;
    InsnRate insn_rate;  // with ClockKind::insn
    BackendKind backend = BackendKind::interp;
    tcg::EvictMode evict = tcg::EvictMode::region;
    size_t hash_buckets = Qht::kDefaultBuckets;  // of the TBs' hash table in the beginning: a power of two
    uint8_t translate_after = 0;                 // times that code is run without a translation first
    uint8_t translate_after_first = 0;           // the same of what a process runs first: Visits
    std::optional<uint32_t> translate_threads;   // that translate beside a machine's vCPUs; nothing: chosen
    std::string stats_file;                      // where the counters go at the end; empty: nowhere
    uint32_t max_threads = 0;                    // threads that run vCPUs; 0: as many as host processors
    bool profile = false;                        // TBs count their entries
    bool perf_map = false;                       // /tmp/perf-PID.map
    bool jitdump = false;                        // jit-PID.dump
    std::string cache_folder;                    // where translations are kept; empty: nowhere
    uint64_t cache_mib = 0;                      // most of them
    bool remember_insns = true;                  // KnownInsns; off for measuring
    bool grow_jump_cache = true;                 // where its entries put each other out; off for measuring
    bool contexts_apart = true;  // in a jump cache, what contexts have for the same pc; off for measuring
    bool link_pages = true;      // process mode: jumps to other pages are linked; off for measuring
    bool return_stack = true;    // native code keeps a stack of the guest's returns; off for measuring
    bool pages_ahead = true;     // memory beside the code is made some pages at a time; off for measuring
    bool small_first = true;     // the first code of a process lies in small pages; off for measuring
    bool inline_csrs = true;     // CSRs that are words of the state need no helper; off for measuring
    bool inner_branches = true;  // forward branches lead on within a unit; off for measuring
    bool carry_where_hot =
        true;  // accesses carry pages in loops and in code that runs most of the time; off: everywhere
    bool young_processes = true;  // a forked process begins with what its parent has; off for measuring
    bool stay_in_code = true;  // traps and what else changes the context pass by the loop; off for measuring
    tcg::NativeOptions native;
    tcg::OptimizeOptions optimize;
};

// For AccelDescriptor::properties.
std::span<const PropertyDesc> property_table();

// Reads `values`, which are in the order of the table. Errors: `disable` names an optimisation that there is not;
// `hash-buckets` is no power of two; values that do not go together.
Result<Settings> read_settings(const PropertyValue* values);

}  // namespace weft::accel
