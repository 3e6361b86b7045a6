#include "emulator/linux-user/memory/mapper.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "emulator/linux-user/memory/map_request.h"

namespace weft::user {

namespace {

constexpr int kProtSem = 8;

// The host's pages of [start, end) in runs of what is mapped: between them may be what the map does not know. Each is released by one
// call of the host's, which is done or not: so it lies within the reservation or outside.
std::vector<std::pair<uint64_t, uint64_t>> host_runs(const MemoryCore& core, IntervalTree tree,
                                                     uint64_t start, uint64_t end) {
    std::vector<std::pair<uint64_t, uint64_t>> runs;
    tree.visit(start, end, [&](const Interval& interval) {
        if (interval.attributes.kind != Kind::foreign) {
            const uint64_t from = std::max(start, core.down(interval.start));
            const uint64_t to = std::min(end, core.up(interval.end));
            if (!runs.empty() && from <= runs.back().second) {
                runs.back().second = std::max(to, runs.back().second);
            } else {
                runs.emplace_back(from, to);
            }
            for (uint64_t until = core.alike_until(runs.back().first, runs.back().second);
                 until < runs.back().second; until = core.alike_until(until, runs.back().second)) {
                const uint64_t rest = std::exchange(runs.back().second, until);
                runs.emplace_back(until, rest);
            }
        }
        return true;
    });
    return runs;
}

// Where the first interval of [start, end) keeps a protection from being given, and why. A hole ends a call, too.
struct Stop {
    uint64_t at;
    SysResult error;
};

Stop find_stop(IntervalTree tree, uint64_t start, uint64_t end, uint8_t protection) {
    Stop stop{start, 0};
    tree.visit(start, end, [&](const Interval& interval) {
        const Attributes& attributes = interval.attributes;
        if (interval.start > stop.at) {
            return false;
        }
        if (attributes.kind == Kind::foreign) {
            stop.error = -ENOMEM;
        } else if (attributes.backing != nullptr) {
            const bool write = (protection & kWrite) != 0 && !attributes.backing->may_write;
            const bool execute = (protection & kExecute) != 0 && !attributes.backing->may_execute;
            stop.error = write || execute ? -EACCES : 0;
        }
        if (attributes.huge_shift != 0) {
            const uint64_t unit = uint64_t{1} << attributes.huge_shift;
            if (std::max(start, interval.start) % unit != 0 || std::min(end, interval.end) % unit != 0) {
                stop.error = -EINVAL;
            }
        }
        if (stop.error == 0) {
            stop.at = std::min(end, interval.end);
        }
        return stop.error == 0;
    });
    if (stop.error == 0 && stop.at < end) {
        stop.error = -ENOMEM;
    }
    return stop;
}

}  // namespace

SysResult Mapper::map(uint64_t address, uint64_t length, uint64_t protection, uint64_t flags, int fd,
                      uint64_t offset) {
    if (offset % kGuestPage != 0) {
        return -EINVAL;
    }
    return or_no_memory([&]() -> SysResult {
        MapRequest request(core_, address, length, protection, flags, fd, offset);
        if (const SysResult failed = request.check_arguments(); failed < 0) {
            return failed;
        }
        MemoryCore::Call call(core_);
        const SysResult outcome = request.run(call);
        call.finish();
        if (outcome >= 0) {
            request.populate(static_cast<uint64_t>(outcome));
        }
        return outcome;
    });
}

SysResult Mapper::remove(MemoryCore& core, MemoryCore::Call& call, uint64_t start, uint64_t end) {
    const IntervalTree before = call.tree();
    SysResult refused = 0;
    std::vector<Interval> kept;
    before.visit(start, end, [&](const Interval& interval) {
        const Attributes& attributes = interval.attributes;
        if (attributes.sealed) {
            refused = -EPERM;
        }
        if (attributes.huge_shift != 0) {
            const uint64_t unit = uint64_t{1} << attributes.huge_shift;
            if (std::max(start, interval.start) % unit != 0 || std::min(end, interval.end) % unit != 0) {
                refused = -EINVAL;
            }
        }
        if (attributes.kind == Kind::foreign) {
            kept.push_back(interval.part(std::max(start, interval.start), std::min(end, interval.end)));
        }
        return refused == 0;
    });
    if (refused < 0) {
        return refused;
    }
    call.gone(start, end);
    call.edit().erase(start, end);
    for (Interval& foreign : kept) {
        call.edit().insert(std::move(foreign));
    }
    const IntervalTree after = call.edit().tree();
    Split split(core, after, start, end);
    for (Edge& edge : split.edges) {
        // What goes is zeroed, but not what others see through a shared mapping.
        bool mapped = false, shared = false;
        before.visit(edge.from, edge.to, [&](const Interval& interval) {
            mapped = true;
            shared |= interval.attributes.shared && !interval.attributes.copied;
            return true;
        });
        if (mapped && !shared) {
            edge.bytes.resize(edge.to - edge.from);
        }
    }
    const auto runs = host_runs(core, before, split.start, split.end);
    EdgeChange edges(core, std::move(split.edges));
    if (const SysResult failed = edges.open(before, after); failed < 0) {
        return failed;
    }
    for (std::size_t i = 0; i < runs.size(); i++) {
        const SysResult failed = core.release(runs[i].first, runs[i].second);
        if (failed == 0) {
            continue;
        }
        edges.undo(before);
        if (i != 0) {
            // The runs before it are gone: the map says so.
            call.restart();
            call.gone(start, runs[i - 1].second);
            for (std::size_t done = 0; done < i; done++) {
                call.edit().erase(std::max(start, runs[done].first), std::min(end, runs[done].second));
            }
            call.commit();
        }
        return failed;
    }
    edges.close(after);
    call.commit();
    return 0;
}

SysResult Mapper::unmap(uint64_t address, uint64_t length) {
    const uint64_t limit = core_.layout().limit();
    if (address % kGuestPage != 0 || length == 0 || length > limit || address > limit - length) {
        return -EINVAL;
    }
    const uint64_t end = address + round_up(length, kGuestPage);
    return or_no_memory([&]() -> SysResult {
        MemoryCore::Call call(core_);
        core_.learn_growth(address, end);
        call.restart();
        return remove(core_, call, address, end);
    });
}

SysResult Mapper::protect(uint64_t address, uint64_t length, uint64_t protection) {
    constexpr uint64_t kGrows = PROT_GROWSDOWN | PROT_GROWSUP;
    const uint64_t grows = protection & kGrows;
    protection &= ~kGrows;
    if (grows == kGrows || address % kGuestPage != 0) {
        return -EINVAL;
    }
    if (length == 0) {
        return 0;
    }
    const uint64_t size = round_up(length, kGuestPage);
    if (size == 0 || address + size <= address) {
        return -ENOMEM;
    }
    if ((protection & ~uint64_t{kAllAccess | kProtSem}) != 0) {
        return -EINVAL;
    }
    const auto wanted = static_cast<uint8_t>(protection & kAllAccess);
    const uint64_t end = address + size;
    return or_no_memory([&]() -> SysResult {
        MemoryCore::Call call(core_);
        core_.learn_growth(address, end);
        call.restart();
        const IntervalTree before = call.tree();
        uint64_t start = address;
        const Interval* first = before.at_or_after(address);
        if (first == nullptr || first->start >= end) {
            return -ENOMEM;
        }
        if (grows == PROT_GROWSDOWN) {
            if (!first->attributes.growing) {
                return -EINVAL;
            }
            start = first->start;
        } else if (first->start > address) {
            return -ENOMEM;
        } else if (grows == PROT_GROWSUP) {
            return -EINVAL;
        }
        // Sealed intervals keep the whole call from changing anything.
        const bool open = before.visit(start, end, [](const Interval& i) { return !i.attributes.sealed; });
        if (!open) {
            return -EPERM;
        }
        const Stop stop = find_stop(before, start, std::min(end, core_.layout().limit()), wanted);
        if (stop.at == start) {
            return stop.error;
        }
        if ((wanted & kExecute) == 0) {
            call.gone(start, stop.at);
        }
        call.edit().update(start, stop.at, [&](Attributes& attributes) { attributes.protection = wanted; });
        const IntervalTree after = call.edit().tree();
        if (after.data_bytes() > before.data_bytes() && after.data_bytes() > core_.limits().data) {
            return -ENOMEM;
        }
        const Split split(core_, after, start, stop.at);
        // A host page at the end of the range may have guest pages of nobody: it is whole.
        EdgeChange edges(core_, split.edges);
        if (const SysResult failed = edges.open(before, after); failed < 0) {
            return failed;
        }
        const SysResult failed =
            core_.protect_pages(split.start, split.end, MemoryCore::host_protection(wanted));
        if (failed < 0) {
            // The host may have changed what lies before the place where it had to stop.
            before.visit(split.start, split.end, [&](const Interval& interval) {
                core_.protect_pages(std::max(split.start, core_.down(interval.start)),
                                    std::min(split.end, core_.up(interval.end)),
                                    MemoryCore::host_protection(interval.attributes.protection));
                return true;
            });
            edges.undo(before);
            return failed;
        }
        edges.close(after);
        call.commit();
        return stop.error != 0 ? stop.error : (end > core_.layout().limit() ? -ENOMEM : 0);
    });
}

SysResult Mapper::protect_with_key(uint64_t address, uint64_t length, uint64_t protection, int key) {
    return key == -1 ? protect(address, length, protection) : -EINVAL;
}

SysResult Mapper::allocate_key() const { return -ENOSPC; }

}  // namespace weft::user
