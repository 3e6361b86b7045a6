#include "emulator/linux-user/memory/move.h"

#include <algorithm>
#include <cerrno>
#include <new>

#include "emulator/linux-user/memory/mapper.h"

namespace weft::user {

namespace {

uint64_t address_of(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

// One attempt at one place, which is free in the map.
class Attempt {
  public:
    Attempt(MemoryCore& core, MemoryCore::Call& call, const Move& move, uint64_t target)
        : core_(core),
          call_(call),
          move_(move),
          target_(target),
          new_end_(target + move.new_size),
          before_(call.tree()) {}

    // -EEXIST: the host has something there.
    SysResult run();

  private:
    bool host_can_move(IntervalTree without) const;
    SysResult edit(std::vector<Interval> parts, bool by_host);
    SysResult by_host();
    SysResult by_copy();
    void read(const Interval& part, std::vector<uint8_t>& bytes);

    MemoryCore& core_;
    MemoryCore::Call& call_;
    const Move& move_;
    const uint64_t target_;
    const uint64_t new_end_;
    const IntervalTree before_;
    std::vector<Interval> parts_;
};

// Whether the host pages at both ends of both ranges are of this mapping alone. `without` is the map without what moves.
bool Attempt::host_can_move(IntervalTree without) const {
    const uint64_t page = core_.host_page();
    if (page == kGuestPage) {
        return true;
    }
    if (move_.start % page != target_ % page || !Split(core_, without, target_, new_end_).edges.empty()) {
        return false;
    }
    // A host page that holds an end of both cannot go to itself.
    if (core_.down(move_.start) < core_.up(new_end_) &&
        core_.down(target_) < core_.up(move_.start + move_.moved())) {
        return false;
    }
    if (move_.keeps_old()) {
        return move_.start % page == 0 && move_.end() % page == 0;
    }
    return Split(core_, without, move_.start, move_.start + move_.moved()).edges.empty();
}

// The next version of the map.
SysResult Attempt::edit(std::vector<Interval> parts, bool by_host) {
    const uint64_t end = move_.start + move_.moved();
    for (Interval& part : parts) {
        Interval moved{target_ + (part.start - move_.start), target_ + (part.end - move_.start),
                       std::move(part.attributes)};
        if (move_.size == 0 || part.end == end) {
            moved.end = new_end_;
        }
        if (moved.attributes.copied && move_.new_size > move_.size) {
            return -EINVAL;  // the bytes that it would grow by are nowhere yet
        }
        if (!by_host) {
            const bool file = moved.attributes.kind == Kind::file;
            if (moved.attributes.shared || moved.attributes.growing || move_.keeps_old() ||
                (file && move_.new_size > move_.size)) {
                return -EINVAL;
            }
            moved.attributes.copied = file;
        }
        call_.edit().insert(std::move(moved));
    }
    return 0;
}

SysResult Attempt::run() {
    const uint64_t end = std::max(move_.start + move_.moved(), move_.start + kGuestPage);
    parts_ = call_.edit().collect(move_.start, end);
    for (const Interval& part : parts_) {
        if (part.attributes.sealed || part.attributes.kind == Kind::foreign) {
            return part.attributes.sealed ? -EPERM : -ENOMEM;
        }
    }
    if (move_.size == 0 || (move_.flags & MREMAP_DONTUNMAP) != 0) {
        if (const SysResult limited = core_.check_limits(before_, move_.new_size, parts_.front().attributes);
            limited < 0) {
            return limited;
        }
    }
    if (move_.size != 0) {
        call_.gone(move_.start, end);
    }
    if (!move_.keeps_old()) {
        call_.edit().erase(move_.start, end);
    }
    const bool host = host_can_move(call_.edit().tree());
    if (const SysResult refused = edit(parts_, host); refused < 0) {
        return refused;
    }
    return host ? by_host() : by_copy();
}

SysResult Attempt::by_host() {
    const uint64_t end = move_.start + move_.moved();
    const uint64_t from = core_.down(move_.start);
    const uint64_t from_end = move_.size == 0 ? from : core_.up(end);
    const uint64_t to = core_.down(target_);
    const uint64_t to_end = core_.up(new_end_);
    const IntervalTree after = call_.edit().tree();
    if (const SysResult failed = core_.claim(before_, to, to_end); failed < 0) {
        return failed;
    }
    // Of the second view of a mapping, the host is asked for the very page.
    const uint64_t asked = move_.size == 0 ? move_.start : from;
    uint64_t host_size = to_end - to;
    // See grow_in_place: what is private grows by pages of its own.
    const Attributes& last_part = parts_.back().attributes;
    if (core_.host_page() > kGuestPage && move_.size != 0 && last_part.is_private_anonymous()) {
        host_size = from_end - from;
        if (const SysResult failed = core_.place_like(to + host_size, to_end, last_part); failed < 0) {
            core_.release(to, to_end);
            return failed;
        }
    }
    const int64_t moved = core_.host().remap(core_.host_address(asked), from_end - from, host_size,
                                             MREMAP_MAYMOVE | MREMAP_FIXED | (move_.flags & MREMAP_DONTUNMAP),
                                             core_.host_address(to));
    if (moved < 0) {
        // The kernel unmaps the new range before it fails: whatever is left there goes back.
        core_.release(to, to_end);
        return moved == -EEXIST ? -ENOMEM : moved;
    }
    // Holes between several mappings are holes again; the old range is reserved again.
    core_.unclaim(after, to, to_end);
    if (!move_.keeps_old()) {
        for (uint64_t at = from; at < from_end;) {
            const uint64_t until = core_.alike_until(at, from_end);
            if (core_.is_reserved(at)) {
                core_.release(at, until);
            }
            at = until;
        }
    }
    const uint64_t old_end = target_ + move_.moved();
    if (core_.host_page() > kGuestPage && move_.new_size > move_.size && move_.size != 0) {
        // The host's last page was as wide as all in it together, and so is what it grew by.
        const Interval* last = after.at(old_end);
        core_.protect_pages(core_.up(old_end), to_end,
                            MemoryCore::host_protection(last->attributes.protection));
        if (old_end % core_.host_page() != 0) {
            const uint64_t page = core_.down(old_end);
            core_.protect_pages(page, page + core_.host_page(), core_.page_protection(after, page));
            if (!last->attributes.shared) {
                discard_part(core_, after, last->part(old_end, std::min(new_end_, core_.up(old_end))));
            }
        }
    }
    call_.commit();
    return static_cast<SysResult>(target_);
}

// A part's bytes, which are made readable for that long, whatever the guest may do there.
void Attempt::read(const Interval& part, std::vector<uint8_t>& bytes) {
    const uint64_t unit = core_.host_page();
    const bool hidden = part.attributes.protection == 0;
    for (uint64_t page = core_.down(part.start); hidden && page < part.end; page += unit) {
        core_.protect_pages(page, page + unit, core_.page_protection(before_, page) | PROT_READ);
    }
    // Behind a file's end there is nothing to copy: zeros.
    for (uint64_t at = part.start; at < part.end; at += kGuestPage) {
        core_.host().copy(address_of(bytes.data()) + (at - move_.start), core_.host_address(at), kGuestPage);
    }
    for (uint64_t page = core_.down(part.start); hidden && page < part.end; page += unit) {
        core_.protect_pages(page, page + unit, core_.page_protection(before_, page));
    }
}

SysResult Attempt::by_copy() {
    const IntervalTree after = call_.edit().tree();
    std::vector<uint8_t> bytes(move_.new_size);
    for (const Interval& part : parts_) {
        read(part, bytes);
    }
    Split split(core_, before_, target_, new_end_);
    for (Edge& edge : split.edges) {
        if (const SysResult failed = can_share_page(core_, before_, edge); failed < 0) {
            return failed;
        }
        edge.bytes.assign(bytes.begin() + static_cast<std::ptrdiff_t>(edge.from - target_),
                          bytes.begin() + static_cast<std::ptrdiff_t>(edge.to - target_));
    }
    EdgeChange edges(core_, std::move(split.edges));
    if (const SysResult failed = edges.open(before_, after); failed < 0) {
        return failed;
    }
    SysResult failed = core_.claim(before_, split.start, split.end);
    if (failed == 0) {
        failed =
            core_.place(split.start, split.end, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (failed < 0) {
            core_.unclaim(before_, split.start, split.end);
        }
    }
    if (failed < 0) {
        edges.undo(before_);
        return failed;
    }
    if (split.start < split.end) {
        const uint64_t low = std::max(split.start, target_);
        const uint64_t high = std::min(split.end, new_end_);
        core_.host().copy(core_.host_address(low), address_of(bytes.data()) + (low - target_), high - low);
        for (uint64_t page = split.start; page < split.end; page += core_.host_page()) {
            core_.protect_pages(page, page + core_.host_page(), core_.page_protection(after, page));
        }
    }
    // Holes between several mappings are holes again.
    core_.unclaim(after, split.start, split.end);
    edges.close(after);
    // The map has both for a moment, under one lock: what is left to do is to unmap the old range.
    try {
        for (const Interval& part : parts_) {
            call_.edit().insert(part);
        }
    } catch (const std::bad_alloc&) {
        core_.release(split.start, split.end);
        edges.undo(before_);
        throw;
    }
    call_.commit();
    // Once the bytes are in their new place the move is done, as in Linux (unmap_source_vma): what the host does not give back of the
    // old range stays mapped. Taking the new range away instead could lose bytes, as a part of the old one may be gone.
    or_no_memory([&]() -> SysResult {
        call_.restart();
        return Mapper::remove(core_, call_, move_.start, move_.start + move_.moved());
    });
    return static_cast<SysResult>(target_);
}

// What MREMAP_FIXED names goes, and of a mapping that shrinks the tail.
SysResult make_room(MemoryCore& core, MemoryCore::Call& call, const Move& move) {
    const uint64_t end = move.new_address + move.new_size;
    SysResult refused = 0;
    call.tree().visit(move.new_address, end, [&](const Interval& interval) {
        refused = interval.attributes.kind == Kind::foreign ? -ENOMEM : refused;
        return refused == 0;
    });
    if (refused == 0) {
        refused = Mapper::remove(core, call, move.new_address, end);
        call.restart();
    }
    if (refused == 0 && move.size > move.new_size) {
        refused = Mapper::remove(core, call, move.start + move.new_size, move.end());
        call.restart();
    }
    return refused;
}

}  // namespace

SysResult move_mapping(MemoryCore& core, MemoryCore::Call& call, const Move& move) {
    if (move.fixed()) {
        if (const SysResult failed = make_room(core, call, move); failed < 0) {
            return failed;
        }
    }
    for (;;) {
        uint64_t target = move.new_address;
        if (!move.fixed()) {
            const auto chosen =
                core.layout().choose(call.tree(), {.size = move.new_size,
                                                   .hint = move.keeps_old() && move.size != 0 ? target : 0,
                                                   .offset = move.start % core.host_page()});
            if (!chosen) {
                return -ENOMEM;
            }
            target = *chosen;
        }
        const SysResult outcome = Attempt(core, call, move, target).run();
        if (outcome != -EEXIST) {
            return outcome;
        }
        const uint64_t low = core.down(target), high = core.up(target + move.new_size);
        if (!call.restart_knowing(low, high)) {
            return -ENOMEM;
        }
    }
}

}  // namespace weft::user
