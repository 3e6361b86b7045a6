#include "emulator/linux-user/memory/interval_tree.h"

#include <algorithm>
#include <utility>

namespace weft::user {

bool Attributes::continues(const Attributes& next, uint64_t distance) const {
    const bool alike = protection == next.protection && kind == next.kind && shared == next.shared &&
                       growing == next.growing && locked == next.locked && dont_fork == next.dont_fork &&
                       wipe_on_fork == next.wipe_on_fork && sealed == next.sealed && copied == next.copied &&
                       huge_shift == next.huge_shift;
    if (!alike || (backing == nullptr) != (next.backing == nullptr)) {
        return false;
    }
    if (backing == nullptr) {
        return true;
    }
    return offset + distance == next.offset && (backing == next.backing || *backing == *next.backing);
}

Interval Interval::part(uint64_t from, uint64_t to) const {
    Interval result{from, to, attributes};
    if (attributes.backing != nullptr) {
        result.attributes.offset += from - start;
    }
    return result;
}

namespace {

// A node's rank in the heap order: a mixture of its start (splitmix64), so that equal maps have equal trees and no guest's
// order of calls makes a deep one by accident.
uint64_t rank(const IntervalNode* node) {
    uint64_t z = (node->interval.start ^ 0x6a09e667f3bcc909u) + 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t kept_start(const Interval& interval) {
    return interval.attributes.growing && interval.start > kGuardGap ? interval.start - kGuardGap
                                                                     : interval.start;
}

void summarise(IntervalNode* node) {
    const uint64_t start = kept_start(node->interval);
    node->lowest = start;
    node->highest = node->interval.end;
    node->hole = 0;
    const Attributes& attributes = node->interval.attributes;
    node->mapped = attributes.kind != Kind::foreign ? node->interval.size() : 0;
    node->data = attributes.counts_as_data() ? node->interval.size() : 0;
    const bool writable_code = attributes.is_private_code() && (attributes.protection & kWrite) != 0;
    node->writable_code = writable_code ? node->interval.size() : 0;
    for (const IntervalNode* child : {node->left, node->right}) {
        node->writable_code += child != nullptr ? child->writable_code : 0;
        node->mapped += child != nullptr ? child->mapped : 0;
        node->data += child != nullptr ? child->data : 0;
    }
    if (node->left != nullptr) {
        node->lowest = std::min(node->left->lowest, start);
        const uint64_t before = start > node->left->highest ? start - node->left->highest : 0;
        node->hole = std::max(node->left->hole, before);
    }
    if (node->right != nullptr) {
        node->highest = node->right->highest;
        const uint64_t low = node->right->lowest;
        const uint64_t after = low > node->interval.end ? low - node->interval.end : 0;
        node->hole = std::max({node->hole, node->right->hole, after});
    }
}

// Finds the place within one hole, or nothing.
std::optional<uint64_t> place(const HoleRequest& request, uint64_t low, uint64_t high) {
    low = std::max(low, request.low);
    high = std::min(high, request.high);
    if (low >= high) {
        return std::nullopt;
    }
    low = round_up(low, request.unit);
    high = round_down(high, request.unit);
    // What is taken of the last unit is taken whole.
    const uint64_t size = round_up(request.size + request.phase % request.unit, request.unit);
    const uint64_t phase = request.phase - request.phase % request.unit;
    if (low >= high || high - low < size) {
        return std::nullopt;
    }
    uint64_t start;
    if (request.top_down) {
        const uint64_t last = high - size;
        if (last < phase) {
            return std::nullopt;
        }
        start = round_down(last - phase, request.alignment) + phase;
        if (start < low) {
            return std::nullopt;
        }
    } else {
        start = round_down(low, request.alignment) + phase;
        if (start < low) {
            start += request.alignment;
        }
        if (start > high || high - start < size) {
            return std::nullopt;
        }
    }
    return start + request.phase % request.unit;
}

// The search within a subtree that lies between the addresses `low` and `high`. Holes smaller than `wanted` are not looked at.
std::optional<uint64_t> search(const IntervalNode* node, const HoleRequest& request, uint64_t wanted,
                               uint64_t low, uint64_t high, std::size_t* steps) {
    ++*steps;
    if (low >= high || high - low < wanted || low >= request.high || high <= request.low) {
        return std::nullopt;
    }
    if (node == nullptr) {
        return place(request, low, high);
    }
    const uint64_t first = node->lowest > low ? node->lowest - low : 0;
    const uint64_t last = high > node->highest ? high - node->highest : 0;
    if (std::max({node->hole, first, last}) < wanted) {
        return std::nullopt;
    }
    for (const bool right : {request.top_down, !request.top_down}) {
        const auto found = right
                               ? search(node->right, request, wanted, node->interval.end, high, steps)
                               : search(node->left, request, wanted, low, kept_start(node->interval), steps);
        if (found) {
            return found;
        }
    }
    return std::nullopt;
}

bool visit_nodes(const IntervalNode* node, uint64_t start, uint64_t end,
                 FunctionRef<bool(const Interval&)> visit) {
    if (node == nullptr) {
        return true;
    }
    if (start < node->interval.start && !visit_nodes(node->left, start, end, visit)) {
        return false;
    }
    if (node->interval.start < end && start < node->interval.end && !visit(node->interval)) {
        return false;
    }
    return node->interval.end >= end || visit_nodes(node->right, start, end, visit);
}

}  // namespace

const Interval* IntervalTree::at_or_after(uint64_t address) const {
    const Interval* found = nullptr;
    for (const IntervalNode* node = root_; node != nullptr;) {
        if (address < node->interval.end) {
            found = &node->interval;
            node = address < node->interval.start ? node->left : nullptr;
        } else {
            node = node->right;
        }
    }
    return found;
}

const Interval* IntervalTree::at(uint64_t address) const {
    const Interval* found = at_or_after(address);
    return found != nullptr && found->start <= address ? found : nullptr;
}

const Interval* IntervalTree::before(uint64_t address) const {
    const Interval* found = nullptr;
    for (const IntervalNode* node = root_; node != nullptr;) {
        if (node->interval.start < address) {
            found = &node->interval;
            node = node->right;
        } else {
            node = node->left;
        }
    }
    return found;
}

bool IntervalTree::visit(uint64_t start, uint64_t end, FunctionRef<bool(const Interval&)> visit) const {
    return start >= end || visit_nodes(root_, start, end, visit);
}

uint64_t IntervalTree::first_hole(uint64_t start, uint64_t end) const {
    uint64_t at = start;
    visit(start, end, [&](const Interval& interval) {
        if (interval.start > at) {
            return false;
        }
        at = interval.end;
        return true;
    });
    return std::min(at, end);
}

bool IntervalTree::empty(uint64_t start, uint64_t end) const {
    const Interval* next = start < end ? at_or_after(start) : nullptr;
    return next == nullptr || next->start >= end;
}

std::optional<uint64_t> IntervalTree::find_hole(const HoleRequest& request) const {
    std::size_t steps = 0;
    return find_hole_counted(*this, request, &steps);
}

std::optional<uint64_t> IntervalTree::find_hole_counted(const IntervalTree& tree, const HoleRequest& request,
                                                        std::size_t* steps) {
    if (request.size == 0 || request.low >= request.high || request.size > request.high - request.low) {
        return std::nullopt;
    }
    // A hole with this much room fits wherever it lies, so the first one that the summaries promise is the answer. But one
    // that fits by luck may lie nearer to where the search begins: without an alignment both are the same.
    const uint64_t room = request.size + request.alignment - kGuestPage + 2 * (request.unit - kGuestPage);
    if (const auto found = search(tree.root_, request, room, 0, ~uint64_t{0}, steps)) {
        return found;
    }
    return room == request.size ? std::nullopt
                                : search(tree.root_, request, request.size, 0, ~uint64_t{0}, steps);
}

IntervalEdit::~IntervalEdit() {
    free_chain(first_new_);
    // The old version stays: its nodes are nobody's list.
    for (IntervalNode* node = first_dead_; node != nullptr;) {
        node = std::exchange(node->chain, nullptr);
    }
}

void IntervalEdit::free_chain(IntervalNode* node) noexcept {
    while (node != nullptr) {
        delete std::exchange(node, node->chain);
    }
}

void IntervalEdit::free_tree(IntervalTree tree) noexcept {
    if (tree.root() != nullptr) {
        free_tree(IntervalTree(tree.root()->left));
        free_tree(IntervalTree(tree.root()->right));
        delete tree.root();
    }
}

IntervalNode* IntervalEdit::finish() noexcept {
    for (IntervalNode* node = std::exchange(first_new_, nullptr); node != nullptr;) {
        IntervalNode* const done = std::exchange(node, node->chain);
        done->chain = nullptr;
        if (done->dropped) {
            delete done;
        }
    }
    return std::exchange(first_dead_, nullptr);
}

IntervalNode* IntervalEdit::make(Interval interval) {
    auto* node = new IntervalNode{.interval = std::move(interval), .edit = number_, .chain = first_new_};
    first_new_ = node;
    summarise(node);
    return node;
}

// Nodes are made as IntervalNode, never as const objects: what this edit made it may change, and of older ones only
// `chain`, which no reader reads.
IntervalNode* IntervalEdit::own(const IntervalNode* node) {
    if (node->edit == number_) {
        return const_cast<IntervalNode*>(node);
    }
    IntervalNode* copy = make(node->interval);
    copy->left = node->left;
    copy->right = node->right;
    drop(node);
    return copy;
}

void IntervalEdit::drop(const IntervalNode* node) {
    auto* mine = const_cast<IntervalNode*>(node);
    if (node->edit == number_) {
        mine->dropped = true;
    } else {
        mine->chain = first_dead_;
        first_dead_ = mine;
    }
}

void IntervalEdit::drop_all(const IntervalNode* node) {
    if (node != nullptr) {
        drop_all(node->left);
        drop_all(node->right);
        drop(node);
    }
}

// By starts: those below `at` to the left.
IntervalEdit::Pair IntervalEdit::split(const IntervalNode* node, uint64_t at) {
    if (node == nullptr) {
        return {nullptr, nullptr};
    }
    IntervalNode* mine = own(node);
    Pair result;
    if (mine->interval.start < at) {
        const Pair parts = split(mine->right, at);
        mine->right = parts.left;
        result = {mine, parts.right};
    } else {
        const Pair parts = split(mine->left, at);
        mine->left = parts.right;
        result = {parts.left, mine};
    }
    summarise(mine);
    return result;
}

const IntervalNode* IntervalEdit::join(const IntervalNode* left, const IntervalNode* right) {
    if (left == nullptr || right == nullptr) {
        return left == nullptr ? right : left;
    }
    IntervalNode* top;
    if (rank(left) > rank(right)) {
        top = own(left);
        top->right = join(top->right, right);
    } else {
        top = own(right);
        top->left = join(left, top->left);
    }
    summarise(top);
    return top;
}

// No interval reaches over `at` afterwards.
void IntervalEdit::cut(uint64_t at) {
    const Interval* found = tree().at(at);
    if (found == nullptr || found->start == at) {
        return;
    }
    const Interval whole = *found;
    const Pair low = split(root_, whole.start);
    const Pair high = split(low.right, at);
    IntervalNode* first = own(high.left);
    first->interval = whole.part(whole.start, at);
    summarise(first);
    root_ = join(join(low.left, first), join(make(whole.part(at, whole.end)), high.right));
}

void IntervalEdit::erase(uint64_t start, uint64_t end) {
    if (start >= end || tree().empty(start, end)) {
        return;
    }
    cut(start);
    cut(end);
    const Pair low = split(root_, start);
    const Pair high = split(low.right, end);
    drop_all(high.left);
    root_ = join(low.left, high.right);
}

void IntervalEdit::insert(Interval interval) {
    // Merged neighbours are taken out and come back as part of the new one.
    if (const Interval* previous = tree().before(interval.start);
        previous != nullptr && previous->end == interval.start &&
        previous->attributes.continues(interval.attributes, previous->size())) {
        const Interval merged{previous->start, interval.end, previous->attributes};
        erase(previous->start, interval.start);
        interval = merged;
    }
    if (const Interval* next = tree().at(interval.end);
        next != nullptr && next->start == interval.end &&
        interval.attributes.continues(next->attributes, interval.size())) {
        const uint64_t end = next->end;
        erase(interval.end, end);
        interval.end = end;
    }
    const Pair parts = split(root_, interval.start);
    root_ = join(join(parts.left, make(std::move(interval))), parts.right);
}

std::vector<Interval> IntervalEdit::collect(uint64_t start, uint64_t end) const {
    std::vector<Interval> found;
    tree().visit(start, end, [&](const Interval& interval) {
        found.push_back(interval.part(std::max(start, interval.start), std::min(end, interval.end)));
        return true;
    });
    return found;
}

void IntervalEdit::update(uint64_t start, uint64_t end, FunctionRef<void(Attributes&)> change) {
    std::vector<Interval> parts = collect(start, end);
    erase(start, end);
    for (Interval& part : parts) {
        change(part.attributes);
        insert(std::move(part));
    }
}

}  // namespace weft::user
