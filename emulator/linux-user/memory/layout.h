// Where things go in the guest's space: the window of choices, hints, and the places of program, stack and heap.
#pragma once

#include <cstdint>
#include <optional>

#include "emulator/linux-user/memory/interval_tree.h"

namespace weft::user {

// End of the space that choices are made in first: the user half of an Sv39 machine, so that addresses look as on boards.
inline constexpr uint64_t kWindowTop = uint64_t{1} << 38;
// The lowest address ever chosen, where the host's mmap_min_addr is not higher.
inline constexpr uint64_t kLowestChoice = 64 * 1024;
inline constexpr uint64_t kHugePage = 2 * 1024 * 1024;

class Layout {
  public:
    // `minimum`: the host's mmap_min_addr; `limit`: end of the space, exclusive; `stack_limit`: RLIMIT_STACK at the start
    // (RLIM_INFINITY is allowed); `host_page`: what chosen mappings are whole units of.
    Layout(uint64_t minimum, uint64_t limit, uint64_t stack_limit, uint64_t host_page);

    uint64_t minimum() const { return minimum_; }
    uint64_t limit() const { return limit_; }
    uint64_t window_top() const { return window_top_; }
    // Choices begin below it: mmap_base() of Linux's arch_pick_mmap_layout.
    uint64_t mmap_base() const { return mmap_base_; }
    // Where position-independent programs go (ELF_ET_DYN_BASE): two thirds of the window, to the page as in Linux, since
    // ThreadSanitizer has programs nowhere below.
    uint64_t program_base() const;

    // Whether [start, start + size) is in the space and not below the minimum.
    bool contains(uint64_t start, uint64_t size) const;

    // A place for `size` bytes, whole guest pages. `offset` is the file's: the address is congruent to it modulo the host's page.
    // `alignment` is a demand, `wish` a preference.
    struct Request {
        uint64_t size = 0;
        uint64_t hint = 0;
        uint64_t offset = 0;
        uint64_t alignment = kGuestPage;
        uint64_t wish = kGuestPage;
    };
    std::optional<uint64_t> choose(IntervalTree tree, const Request& request) const;

  private:
    std::optional<uint64_t> search(IntervalTree tree, const Request& request, uint64_t alignment) const;
    bool hint_fits(IntervalTree tree, const Request& request, uint64_t address) const;

    uint64_t minimum_;
    uint64_t limit_;
    uint64_t window_top_;
    uint64_t mmap_base_;
    uint64_t host_page_;
};

}  // namespace weft::user
