// What a machine's debugger stops at: breakpoints and watchpoints, at virtual addresses.
//
// One an accelerator. Written while all its vCPUs are paused, read by their threads without a lock: pausing and resuming order
// the two. A page with a breakpoint is interpreted up to the next one, or its instructions are translated one by one (ExecLoop),
// so that what was translated of it before stays; pages with a watchpoint have tcg::kTlbWatched in their TLB entries, so that each
// access of theirs is a call.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "weft/accel.h"

namespace weft::accel {

struct WatchHit {
    DebugPoint::Kind point;
    uint64_t address;
};

class DebugPoints {
  public:
    // Throws std::bad_alloc, and then there are none.
    void set(std::span<const DebugPoint> points);

    bool any_breakpoint() const { return !breakpoints_.empty(); }
    bool breakpoint_at(uint64_t pc) const;
    // Whether there is one in the 4 KiB page of `pc`.
    bool breakpoint_in_page(uint64_t pc) const;

    // Where code that runs from `pc` on has to be looked at again: the next breakpoint behind it, or the end of its page.
    uint64_t next_stop(uint64_t pc) const;

    bool any() const { return any_breakpoint() || any_watchpoint(); }
    bool any_watchpoint() const { return !watchpoints_.empty(); }
    bool watched_page(uint64_t vaddr) const;
    // Whether an access of `size` bytes is to be stopped before. `loads`, `stores`: what it does.
    std::optional<WatchHit> watch_hit(uint64_t vaddr, unsigned size, bool loads, bool stores) const;

  private:
    std::vector<uint64_t> breakpoints_;  // ascending
    std::vector<DebugPoint> watchpoints_;
};

}  // namespace weft::accel
