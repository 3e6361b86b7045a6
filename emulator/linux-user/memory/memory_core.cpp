#include "emulator/linux-user/memory/memory_core.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "base/assert.h"
#include "base/host_info.h"

namespace weft::user {

namespace {

constexpr int kNoAccess = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

}  // namespace

MemoryCore::MemoryCore(const MemoryConfig& config, const HostMemory& host, CodeListener* listener)
    : config_(config),
      host_(host),
      listener_(listener),
      layout_(config.minimum, config.limit, config.stack_limit, config.host_page),
      protected_(config.host_page) {}

Result<std::unique_ptr<MemoryCore>> MemoryCore::create(const MemoryConfig& config, const HostMemory& host,
                                                       CodeListener* listener) {
    const uint64_t page = config.host_page;
    if (!std::has_single_bit(page) || page < kGuestPage || page < host_page_size()) {
        return fail(fmt::format("guest memory: pages of {} bytes cannot be kept on this host", page));
    }
    if (config.base % page != 0) {
        return fail(
            fmt::format("guest base {:#x} is no multiple of the host's page of {} bytes", config.base, page));
    }
    if (config.limit % page != 0 || config.limit < 16 * page || config.base > ~uint64_t{0} - config.limit) {
        return fail(fmt::format(
            "a guest space of {:#x} bytes is no multiple of the host's page of {} bytes, or has no room",
            config.limit, page));
    }
    std::unique_ptr<MemoryCore> core(new MemoryCore(config, host, listener));
    if (config.reserve) {
        const uint64_t start = core->up(core->layout_.minimum());
        // The stack grows into what is above.
        const uint64_t end = core->layout_.mmap_base();
        const int64_t got = host.map(core->host_address(start), end - start, PROT_NONE,
                                     kNoAccess | MAP_FIXED_NOREPLACE, -1, 0);
        if (got != static_cast<int64_t>(core->host_address(start))) {
            if (got >= 0) {
                host.unmap(static_cast<uint64_t>(got), end - start);
            }
            return fail_errno(fmt::format("cannot reserve {:#x} bytes of guest space", config.limit),
                              got < 0 ? static_cast<int>(-got) : EEXIST);
        }
        core->reserved_start_ = start;
        core->reserved_end_ = end;
    }
    return core;
}

MemoryCore::~MemoryCore() {
    MutexLock lock(space_.mutex());
    space_.tree().visit(0, ~uint64_t{0}, [&](const Interval& interval) {
        if (interval.attributes.kind != Kind::foreign) {
            const uint64_t start = down(interval.start);
            host_.unmap(host_address(start), up(interval.end) - start);
        }
        return true;
    });
    if (reserved_end_ > reserved_start_) {
        host_.unmap(host_address(reserved_start_), reserved_end_ - reserved_start_);
    }
}

void MemoryCore::set_limits(const MemoryLimits& limits) {
    space_limit_.store(limits.space, std::memory_order_relaxed);
    data_limit_.store(limits.data, std::memory_order_relaxed);
}

MemoryLimits MemoryCore::limits() const {
    return {space_limit_.load(std::memory_order_relaxed), data_limit_.load(std::memory_order_relaxed)};
}

SysResult MemoryCore::check_limits(IntervalTree tree, uint64_t added, const Attributes& attributes) const {
    const auto passes = [added](uint64_t used, uint64_t limit) {
        return used > limit || added > limit - used;
    };
    const MemoryLimits now = limits();
    if (passes(tree.mapped_bytes(), now.space) ||
        (attributes.counts_as_data() && passes(tree.data_bytes(), now.data))) {
        return -ENOMEM;
    }
    return 0;
}

int MemoryCore::host_protection(uint8_t protection) {
    if ((protection & kWrite) != 0) {
        return PROT_READ | PROT_WRITE;
    }
    return protection != 0 ? PROT_READ : PROT_NONE;
}

int MemoryCore::page_protection(IntervalTree tree, uint64_t page) const {
    uint8_t together = 0;
    tree.visit(page, page + host_page(), [&](const Interval& interval) {
        together |= interval.attributes.protection;
        return true;
    });
    return host_protection(together);
}

bool MemoryCore::protect_code(uint64_t page) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    page = down(page);
    if (protected_.contains(page)) {
        return true;
    }
    try {
        protected_.insert(page);
    } catch (const std::bad_alloc&) {
        return false;
    }
    const int asked = page_protection(space_.tree(), page);
    if ((asked & PROT_WRITE) != 0 &&
        host_.protect(host_address(page), host_page(), asked & ~PROT_WRITE) < 0) {
        protected_.erase(page, page + host_page());
        return false;
    }
    steps_++;
    return true;
}

// Of pages that the set still has. In runs of equal protection.
SysResult MemoryCore::give_back_write(uint64_t start, uint64_t end) {
    while (start < end) {
        const int asked = page_protection(space_.tree(), start);
        uint64_t until = start + host_page();
        while (until < end && page_protection(space_.tree(), until) == asked) {
            until += host_page();
        }
        if ((asked & PROT_WRITE) != 0) {
            if (const SysResult failed = host_.protect(host_address(start), until - start, asked);
                failed < 0) {
                return failed;
            }
        }
        start = until;
    }
    return 0;
}

void MemoryCore::tell_of_code(uint64_t start, uint64_t end, CodeEnd how) {
    if (listener_ != nullptr && how == CodeEnd::gone) {
        listener_->code_gone(start, end);
    } else if (listener_ != nullptr) {
        listener_->code_written(start, end);
    }
}

SysResult MemoryCore::unprotect_code(uint64_t start, uint64_t end, CodeEnd how) {
    for (uint64_t page = protected_.next(start, end); page < end;) {
        uint64_t until = protected_.run_end(page, end);
        tell_of_code(page, until, how);
        SysResult failed = give_back_write(page, until);
        if (failed < 0 && how == CodeEnd::written) {
            // A part of a mapping would be one mapping more, all of it is not.
            page = protected_.run_start(page);
            until = protected_.run_end(page, ~uint64_t{0});
            tell_of_code(page, until, how);
            if (failed = give_back_write(page, until); failed < 0) {
                return failed;
            }
        }
        protected_.erase(page, until);
        steps_++;
        page = protected_.next(until, end);
    }
    return 0;
}

uint64_t MemoryCore::alike_until(uint64_t start, uint64_t end) const {
    if (start < reserved_start_) {
        return std::min(end, reserved_start_);
    }
    return start < reserved_end_ ? std::min(end, reserved_end_) : end;
}

// Calls `function` with each run of host pages in which nothing is mapped and that is not reserved, until it fails.
template <class Function>
SysResult MemoryCore::each_free(IntervalTree tree, uint64_t start, uint64_t end, Function function) {
    for (uint64_t at = start; at < end;) {
        const Interval* next = tree.at_or_after(at);
        const uint64_t free_end = next != nullptr ? std::min(down(std::max(next->start, at)), end) : end;
        while (at < free_end) {
            const uint64_t until = alike_until(at, free_end);
            if (!is_reserved(at)) {
                if (const SysResult failed = function(at, until); failed < 0) {
                    return failed;
                }
            }
            at = until;
        }
        if (next != nullptr) {
            at = std::max(at, up(next->end));
        }
    }
    return 0;
}

SysResult MemoryCore::claim(IntervalTree tree, uint64_t start, uint64_t end) {
    uint64_t done = start;
    const SysResult outcome = each_free(tree, start, end, [&](uint64_t from, uint64_t to) -> SysResult {
        const uint64_t wanted = host_address(from);
        const int64_t got = host_.map(wanted, to - from, PROT_NONE, kNoAccess | MAP_FIXED_NOREPLACE, -1, 0);
        if (got < 0) {
            return got;
        }
        if (got != static_cast<int64_t>(wanted)) {
            // A kernel before 4.17 takes the address for a hint (rule A8).
            host_.unmap(static_cast<uint64_t>(got), to - from);
            return -EEXIST;
        }
        done = to;
        return 0;
    });
    if (outcome < 0) {
        unclaim(tree, start, done);
    }
    return outcome;
}

void MemoryCore::unclaim(IntervalTree tree, uint64_t start, uint64_t end) {
    each_free(tree, start, end, [&](uint64_t from, uint64_t to) -> SysResult {
        host_.unmap(host_address(from), to - from);
        return 0;
    });
}

SysResult MemoryCore::place(uint64_t start, uint64_t end, int protection, int flags, int fd,
                            uint64_t offset) {
    if (start >= end) {
        return 0;
    }
    WEFT_DEBUG_ASSERT(protected_.next(start, end) == end);
    const int64_t got =
        host_.map(host_address(start), end - start, protection, flags | MAP_FIXED, fd, offset);
    return got < 0 ? got : 0;
}

SysResult MemoryCore::release(uint64_t start, uint64_t end) {
    WEFT_DEBUG_ASSERT(start >= end || protected_.next(start, end) == end);
    while (start < end) {
        const uint64_t until = alike_until(start, end);
        const SysResult outcome = is_reserved(start) ? place(start, until, PROT_NONE, kNoAccess, -1, 0)
                                                     : host_.unmap(host_address(start), until - start);
        if (outcome < 0) {
            return outcome;
        }
        start = until;
    }
    return 0;
}

SysResult MemoryCore::protect_pages(uint64_t start, uint64_t end, int protection) {
    if (start >= end) {
        return 0;
    }
    if ((protection & PROT_WRITE) == 0) {
        return host_.protect(host_address(start), end - start, protection);
    }
    SysResult outcome = 0;
    const auto set = [&](uint64_t from, uint64_t to, int wanted) {
        if (outcome == 0 && from < to) {
            outcome = host_.protect(host_address(from), to - from, wanted);
        }
    };
    while (start < end && outcome == 0) {
        const uint64_t page = protected_.next(start, end);
        const uint64_t until = page < end ? protected_.run_end(page, end) : end;
        set(start, page, protection);
        set(page, until, protection & ~PROT_WRITE);
        start = until;
    }
    return outcome;
}

bool MemoryCore::learn_foreign(uint64_t start, uint64_t end) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    AddressSpace::Change change(space_);
    // As far as nothing is known on either side: else a large one is found once for each place that is tried in it.
    if (const Interval* below = change->tree().before(start); below == nullptr || below->end <= start) {
        const uint64_t low = below != nullptr ? up(below->end) : layout_.minimum();
        start = std::min(start, std::max(low, reserved_end_));  // the reservation is nobody's
    }
    if (const Interval* above = change->tree().at_or_after(end); above == nullptr || above->start >= end) {
        end = above != nullptr ? down(above->start) : layout_.limit();
    }
    bool found = false;
    host_.mappings(host_address(start), host_address(end), [&](uint64_t from, uint64_t to) {
        from = std::max(down(from - std::min(from, config_.base)), start);
        to = std::min(up(to - config_.base), end);
        each_free(change->tree(), from, to, [&](uint64_t free, uint64_t until) -> SysResult {
            Attributes attributes;
            attributes.kind = Kind::foreign;
            change->insert({free, until, attributes});
            found = true;
            return 0;
        });
    });
    change.commit();
    return found;
}

void MemoryCore::learn_growth(uint64_t start, uint64_t end) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    std::vector<Interval> growing;
    space_.tree().visit(start, ~uint64_t{0}, [&](const Interval& interval) {
        if (interval.attributes.growing && interval.start > start) {
            growing.push_back(interval);
        }
        return interval.end < end;
    });
    for (const Interval& interval : growing) {
        const Interval* below = space_.tree().before(interval.start);
        uint64_t bottom = layout_.minimum();
        if (below != nullptr) {
            bottom = std::max(bottom, up(below->end));
        }
        if (interval.start >= reserved_end_) {
            bottom = std::max(bottom, reserved_end_);  // the reservation is no growth
        }
        const auto grown = [&](uint64_t address) {
            unsigned char resident[1];
            return host_.resident(host_address(address), 1, resident) == 0;
        };
        uint64_t low = down(interval.start);
        if (low <= bottom || !grown(low - kGuestPage)) {
            continue;
        }
        // Everything from some page up to `low` is there: the host grows in one piece.
        uint64_t absent = bottom - kGuestPage;
        low -= kGuestPage;
        while (low - absent > kGuestPage) {
            const uint64_t middle = absent + round_down((low - absent) / 2, kGuestPage);
            (grown(middle) ? low : absent) = middle;
        }
        if (const uint64_t whole = down(low); whole < low) {
            // Where the host's page is smaller than the one weft works with.
            host_.map(host_address(whole), low - whole, host_protection(interval.attributes.protection),
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
            low = whole;
        }
        AddressSpace::Change change(space_);
        change->insert({low, interval.start, interval.attributes});
        change.commit();
    }
}

SysResult MemoryCore::place_like(uint64_t start, uint64_t end, const Attributes& attributes) {
    if (start >= end) {
        return 0;
    }
    const SysResult failed =
        place(start, end, host_protection(attributes.protection), MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (failed < 0) {
        return failed;
    }
    const uint64_t at = host_address(start);
    if (attributes.locked) {
        host_.lock(at, end - start, MLOCK_ONFAULT);
    }
    if (attributes.dont_fork) {
        host_.advise(at, end - start, MADV_DONTFORK);
    }
    if (attributes.wipe_on_fork) {
        host_.advise(at, end - start, MADV_WIPEONFORK);
    }
    return 0;
}

MemoryCore::Call::Call(MemoryCore& core) : core_(core) {
    core_.space_.mutex().lock();
    core_.steps_++;
    try {
        change_ = std::make_unique<AddressSpace::Change>(core_.space_);
        gone_.reserve(4);
    } catch (...) {
        change_ = nullptr;  // under the lock, as whoever takes it next looks for an open one
        core_.space_.mutex().unlock();
        throw;
    }
}

MemoryCore::Call::~Call() { finish(); }

void MemoryCore::Call::restart() WEFT_NO_THREAD_SAFETY_ANALYSIS {
    change_ = nullptr;
    change_ = std::make_unique<AddressSpace::Change>(core_.space_);
    gone_.clear();
}

bool MemoryCore::Call::restart_knowing(uint64_t start, uint64_t end) {
    restart();
    core_.learn_growth(start, end);
    const bool found = core_.learn_foreign(start, end);
    restart();
    return found;
}

void MemoryCore::Call::gone(uint64_t start, uint64_t end) {
    const uint64_t low = core_.down(start), high = core_.up(end);
    if (core_.protected_.next(low, high) != high) {
        settle_ |= core_.listener_ != nullptr;
        core_.unprotect_code(low, high, CodeEnd::gone);
    }
    if (core_.up(start) < core_.down(end)) {
        change_->checked().erase(core_.up(start), core_.down(end));
    }
    if (core_.listener_ == nullptr) {
        return;
    }
    tree().visit(start, end, [&](const Interval& interval) {
        if ((interval.attributes.protection & kExecute) != 0) {
            gone_.emplace_back(std::max(start, interval.start), std::min(end, interval.end));
        }
        return true;
    });
}

void MemoryCore::Call::commit() noexcept {
    change_->commit();
    // The map first: who translates from now on finds that the code is gone, who began before is told by the mark.
    for (const auto& [start, end] : gone_) {
        core_.listener_->code_gone(start, end);
        settle_ = true;
    }
    gone_.clear();
}

void MemoryCore::Call::finish() noexcept {
    if (!locked_) {
        return;
    }
    change_ = nullptr;
    locked_ = false;
    core_.space_.mutex().unlock();
    if (settle_) {
        core_.listener_->code_settle();
    }
}

}  // namespace weft::user
