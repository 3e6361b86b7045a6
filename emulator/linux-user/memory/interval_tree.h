// The guest's intervals in order of addresses, in versions: an immutable tree that readers search without a lock, and an edit
// that makes the next version beside it.
//
// The tree is a treap with copied paths. Why none of the usual containers: Boost.Icl and std::map have no versions for
// readers without a lock, and no tree of Boost's keeps the largest hole below each node, which the choice of an
// address needs (O(log n)). Versions also make each call all or nothing: everything is allocated in the edit, before
// the host is asked, and publishing cannot fail.
//
// Each node knows of its subtree the lowest start, the highest end and the largest hole between two intervals. A growing
// interval keeps kGuardGap below it free of choices, as Linux does (stack_guard_gap).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/function_ref.h"
#include "emulator/linux-user/memory/interval.h"

namespace weft::user {

inline constexpr uint64_t kGuardGap = 256 * kGuestPage;

struct IntervalNode {
    Interval interval;
    const IntervalNode* left = nullptr;
    const IntervalNode* right = nullptr;
    uint64_t lowest = 0;
    uint64_t highest = 0;
    uint64_t hole = 0;
    uint64_t mapped = 0;  // bytes of the guest's intervals; of those private and writable and not growing
    uint64_t data = 0;
    uint64_t writable_code = 0;     // bytes private, writable and executable at once
    uint64_t edit = 0;              // the edit that made it, and alone may change it
    IntervalNode* chain = nullptr;  // the edit's list of new nodes, then the list of dead ones
    bool dropped = false;
};

// A request for a hole: `size` bytes in [low, high) at an address that is `phase` modulo `alignment` (a power of
// two, at least the guest's page).
struct HoleRequest {
    uint64_t size = 0;
    uint64_t low = 0;
    uint64_t high = 0;
    uint64_t alignment = kGuestPage;
    uint64_t phase = 0;
    // Both ends of a hole count from whole units of this size on: no host page is shared with a neighbour.
    uint64_t unit = kGuestPage;
    bool top_down = true;
};

// One version. Reading needs whatever keeps its nodes alive: the map's lock or a read section.
class IntervalTree {
  public:
    IntervalTree() = default;
    explicit IntervalTree(const IntervalNode* root) : root_(root) {}

    const IntervalNode* root() const { return root_; }
    // The interval that holds `address`, or the first behind it (and null).
    const Interval* at(uint64_t address) const;
    const Interval* at_or_after(uint64_t address) const;
    // The last interval that starts below `address`.
    const Interval* before(uint64_t address) const;
    // In order, the intervals that overlap [start, end), whole. `visit` returns false to stop. Returns whether it never did.
    bool visit(uint64_t start, uint64_t end, FunctionRef<bool(const Interval&)> visit) const;
    // The first address in [start, end) that nothing is mapped at; `end` if there is none.
    uint64_t first_hole(uint64_t start, uint64_t end) const;
    bool empty(uint64_t start, uint64_t end) const;
    // What RLIMIT_AS and RLIMIT_DATA count, bytes.
    uint64_t mapped_bytes() const { return root_ != nullptr ? root_->mapped : 0; }
    uint64_t data_bytes() const { return root_ != nullptr ? root_->data : 0; }
    // Private, writable and executable at once, bytes.
    uint64_t writable_code_bytes() const { return root_ != nullptr ? root_->writable_code : 0; }
    // The highest (or lowest) place that fits. O(log n) but for holes that only just fit the size and not the alignment,
    // which are looked at one by one when there is no other.
    std::optional<uint64_t> find_hole(const HoleRequest& request) const;
    // Nodes looked at by find_hole and at_or_after when counting is wanted (tests of cost).
    static std::optional<uint64_t> find_hole_counted(const IntervalTree& tree, const HoleRequest& request,
                                                     std::size_t* steps);

  private:
    const IntervalNode* root_ = nullptr;
};

// The next version, under the map's lock. Throws std::bad_alloc; the edit is then to be given up.
class IntervalEdit {
  public:
    // `number` is unlike that of any edit before.
    IntervalEdit(IntervalTree tree, uint64_t number) : root_(tree.root()), number_(number) {}
    ~IntervalEdit();
    IntervalEdit(const IntervalEdit&) = delete;
    IntervalEdit& operator=(const IntervalEdit&) = delete;

    IntervalTree tree() const { return IntervalTree(root_); }
    bool changed() const { return first_new_ != nullptr || first_dead_ != nullptr; }

    void erase(uint64_t start, uint64_t end);
    // Where nothing is mapped; merges with neighbours that it goes on from.
    void insert(Interval interval);
    // Changes the attributes of each interval in [start, end), cut to the range; holes stay.
    void update(uint64_t start, uint64_t end, FunctionRef<void(Attributes&)> change);
    std::vector<Interval> collect(uint64_t start, uint64_t end) const;

    // Ends the edit: the caller owns the tree, and the nodes of the old version that are not in it, linked by `chain`.
    IntervalNode* finish() noexcept;
    static void free_chain(IntervalNode* node) noexcept;
    // The last version, when nobody reads it any more.
    static void free_tree(IntervalTree tree) noexcept;

  private:
    struct Pair {
        const IntervalNode* left;
        const IntervalNode* right;
    };

    IntervalNode* make(Interval interval);
    IntervalNode* own(const IntervalNode* node);
    void drop(const IntervalNode* node);
    void drop_all(const IntervalNode* node);
    Pair split(const IntervalNode* node, uint64_t at);
    const IntervalNode* join(const IntervalNode* left, const IntervalNode* right);
    void cut(uint64_t at);

    const IntervalNode* root_;
    const uint64_t number_;
    IntervalNode* first_new_ = nullptr;
    IntervalNode* first_dead_ = nullptr;
};

}  // namespace weft::user
