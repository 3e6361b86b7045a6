// Places and choices: rules A1 to A7 of docs/user-memory.md, with the numbers of RISC-V Linux (Sv39).
#include "emulator/linux-user/memory/layout.h"

#include <catch2/catch.hpp>

#include "emulator/linux-user/memory/address_space.h"

using namespace weft;
using namespace weft::user;

namespace {

constexpr uint64_t kMiB = 1024 * 1024;
constexpr uint64_t kGiB = 1024 * kMiB;
constexpr uint64_t kLimit = uint64_t{1} << 46;

// A tree to choose in.
class Filled {
  public:
    void add(uint64_t start, uint64_t end, bool growing = false) {
        MutexLock lock(space_.mutex());
        AddressSpace::Change change(space_);
        Attributes attributes;
        attributes.growing = growing;
        change->insert({start, end, attributes});
        change.commit();
    }
    IntervalTree tree() {
        MutexLock lock(space_.mutex());
        return space_.tree();
    }

  private:
    AddressSpace space_;
};

}  // namespace

TEST_CASE("the window is an Sv39 machine's", "[user][A3][A4][A6]") {
    const Layout layout(65536, kLimit, 8 * kMiB, 4096);
    CHECK(layout.window_top() == uint64_t{1} << 38);
    CHECK(layout.mmap_base() == (uint64_t{1} << 38) - 129 * kMiB);
    // To the page: ThreadSanitizer's map of a program on Sv39 begins there.
    CHECK(layout.program_base() == 0x2aaaaaa000);
    // A large stack limit moves the base down, to at most 5/6 of the window.
    CHECK(Layout(65536, kLimit, kGiB, 4096).mmap_base() == 256 * kGiB - kGiB - kMiB);
    CHECK(Layout(65536, kLimit, ~uint64_t{0}, 4096).mmap_base() == round_down(256 * kGiB / 6, 4096) - kMiB);
    // A reserved space may be smaller than the window.
    CHECK(Layout(65536, kGiB, 8 * kMiB, 4096).mmap_base() == kGiB - 129 * kMiB);
}

TEST_CASE("what the space contains", "[user][A1]") {
    const Layout layout(65536, kLimit, 8 * kMiB, 4096);
    CHECK(layout.contains(65536, 4096));
    CHECK_FALSE(layout.contains(65536 - 4096, 4096));
    CHECK(layout.contains(kLimit - 4096, 4096));
    CHECK_FALSE(layout.contains(kLimit - 4096, 8192));
    CHECK_FALSE(layout.contains(~uint64_t{0} - 4095, 8192));
    CHECK_FALSE(layout.contains(4096, ~uint64_t{0}));
}

TEST_CASE("choices go down from the base, then up from the bottom, then above the window", "[user][A3][A4]") {
    const Layout layout(65536, kLimit, 8 * kMiB, 4096);
    const uint64_t base = layout.mmap_base();
    Filled space;
    CHECK(layout.choose(space.tree(), {.size = 8192}) == base - 8192);
    space.add(base - 4096, base);
    CHECK(layout.choose(space.tree(), {.size = 8192}) == base - 3 * 4096);
    space.add(65536, base - 4096);
    CHECK(layout.choose(space.tree(), {.size = 8192}) == base);
    CHECK(layout.choose(space.tree(), {.size = kGiB}) == uint64_t{1} << 38);
    space.add(base, kLimit - 4096);
    CHECK_FALSE(layout.choose(space.tree(), {.size = 8192}));
    CHECK(layout.choose(space.tree(), {.size = 4096}) == kLimit - 4096);
}

TEST_CASE("below 64 KiB nothing is chosen, though a hint or a fixed mapping may be there", "[user][A4]") {
    const Layout layout(4096, kLimit, 8 * kMiB, 4096);
    Filled space;
    space.add(65536, kLimit);
    CHECK_FALSE(layout.choose(space.tree(), {.size = 4096}));
    CHECK(layout.choose(space.tree(), {.size = 4096, .hint = 8192}) == 8192);
}

TEST_CASE("a hint is rounded down, used if it is free, and never a failure", "[user][A5]") {
    const Layout layout(65536, kLimit, 8 * kMiB, 4096);
    Filled space;
    space.add(kGiB, kGiB + 4096);
    const uint64_t other = layout.mmap_base() - 4096;
    CHECK(layout.choose(space.tree(), {.size = 4096, .hint = 2 * kGiB + 4095}) == 2 * kGiB);
    CHECK(layout.choose(space.tree(), {.size = 4096, .hint = kGiB}) == other);
    CHECK(layout.choose(space.tree(), {.size = 8192, .hint = kGiB - 4096}) == other - 4096);
    CHECK(layout.choose(space.tree(), {.size = 4096, .hint = 4096}) == other);
    CHECK(layout.choose(space.tree(), {.size = 4096, .hint = kLimit}) == other);
    CHECK(layout.choose(space.tree(), {.size = 4096, .hint = ~uint64_t{0}}) == other);
    // Above the window only for who asks.
    CHECK(layout.choose(space.tree(), {.size = 4096, .hint = kLimit - 4096}) == kLimit - 4096);
}

TEST_CASE("alignment is kept, wishes where there is room", "[user][A7]") {
    const Layout layout(65536, kLimit, 8 * kMiB, 65536);
    Filled space;
    const auto plain = layout.choose(space.tree(), {.size = 4096});
    REQUIRE(plain);
    CHECK(*plain % 65536 == 0);
    const auto congruent = layout.choose(space.tree(), {.size = 4096, .offset = 3 * 4096 + 65536});
    REQUIRE(congruent);
    CHECK(*congruent % 65536 == 3 * 4096);
    const auto wished = layout.choose(space.tree(), {.size = 2 * kMiB, .wish = 2 * kMiB});
    REQUIRE(wished);
    CHECK(*wished % (2 * kMiB) == 0);
    // A hint within a host page that is someone's is not used.
    space.add(kGiB, kGiB + 4096);
    CHECK(layout.choose(space.tree(), {.size = 4096, .hint = kGiB + 4096}) != kGiB + 4096);
    // Only the demand counts where the wish cannot be met.
    Filled full;
    full.add(65536, kGiB + 65536);
    full.add(kGiB + 3 * kMiB, kLimit);
    CHECK(layout.choose(full.tree(), {.size = 2 * kMiB, .wish = 2 * kMiB}) == kGiB + kMiB);
    CHECK_FALSE(layout.choose(full.tree(), {.size = 2 * kMiB, .alignment = 2 * kMiB}));
}

TEST_CASE("the gap below a growing mapping stays free of choices", "[user][A4][S2]") {
    const Layout layout(65536, kLimit, 8 * kMiB, 4096);
    Filled space;
    space.add(layout.mmap_base() - 4096, layout.mmap_base(), true);
    CHECK(layout.choose(space.tree(), {.size = 4096}) == layout.mmap_base() - 4096 - kGuardGap - 4096);
    CHECK(layout.choose(space.tree(), {.size = 4096, .hint = layout.mmap_base() - 8192}) !=
          layout.mmap_base() - 8192);
}
