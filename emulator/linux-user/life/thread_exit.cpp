#include "emulator/linux-user/life/thread_exit.h"

#include <linux/futex.h>
#include <sys/syscall.h>

#include <atomic>
#include <optional>

#include "base/faulting_access.h"
#include "base/raw_syscall.h"
#include "emulator/linux-user/process.h"

namespace weft::user {

namespace {

// Linux' ROBUST_LIST_LIMIT.
constexpr unsigned kMostEntries = 2048;
constexpr uint64_t kPiBit = 1;

// struct robust_list_head of linux/futex.h, as the guest has it.
struct ListHead {
    uint64_t first;
    int64_t futex_offset;
    uint64_t pending;
};

std::optional<uint64_t> load(GuestMemory& memory, uint64_t address) {
    uint64_t value = 0;
    return memory.read(address, &value, sizeof(value)) ? std::optional(value) : std::nullopt;
}

void wake(Process& process, uint64_t address) {
    const MemoryConfig& config = process.core().config();
    raw_syscall(SYS_futex, config.base + address, FUTEX_WAKE, 1, 0, 0, 0);
}

// Linux' handle_futex_death. False: the list goes no further.
bool mark(Thread& thread, uint64_t address, bool is_pi, bool is_pending) {
    const MemoryConfig& config = thread.process.core().config();
    if ((address & 3) != 0 || address >= config.limit - 4) {
        return false;
    }
    faulting::Fault fault;
    uint32_t word = 0;
    if (!faulting::load<uint32_t>(config.base + address, &word, &fault)) {
        return false;
    }
    const auto tid = static_cast<uint32_t>(thread.tid);
    while ((word & FUTEX_TID_MASK) == tid) {
        const uint32_t marked = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
        uint32_t before = 0;
        if (!faulting::compare_exchange<uint32_t>(config.base + address, word, marked, &before, &fault)) {
            return false;
        }
        if (before == word) {
            // The kernel wakes who waits for a futex with priority inheritance by itself.
            if (!is_pi && (word & FUTEX_WAITERS) != 0) {
                wake(thread.process, address);
            }
            return true;
        }
        word = before;
    }
    // It was being unlocked, and nobody was woken yet.
    if (is_pending && !is_pi && word == 0) {
        wake(thread.process, address);
    }
    return true;
}

}  // namespace

void leave_robust_list(Thread& thread) {
    const uint64_t list = thread.robust_list;
    if (list == 0) {
        return;
    }
    thread.robust_list = 0;
    raw_syscall(SYS_set_robust_list, 0, sizeof(ListHead));
    GuestMemory& memory = thread.process.memory();
    ListHead head{};
    if (!memory.read(list, &head, sizeof(head))) {
        return;
    }
    const auto futex_of = [&head](uint64_t entry) {
        return entry + static_cast<uint64_t>(head.futex_offset);
    };
    uint64_t entry = head.first;
    for (unsigned count = 0; (entry & ~kPiBit) != list && count < kMostEntries; ++count) {
        const uint64_t place = entry & ~kPiBit;
        // Before it is marked: whoever takes it may use it at once.
        const std::optional<uint64_t> next = load(memory, place);
        if (place != (head.pending & ~kPiBit) &&
            !mark(thread, futex_of(place), (entry & kPiBit) != 0, false)) {
            return;
        }
        if (!next) {
            return;
        }
        entry = *next;
    }
    if ((head.pending & ~kPiBit) != 0) {
        mark(thread, futex_of(head.pending & ~kPiBit), (head.pending & kPiBit) != 0, true);
    }
}

TidWord::TidWord(const Thread& thread) : process_(thread.process), address_(thread.clear_child_tid) {}

void TidWord::clear() const {
    const uint32_t zero = 0;
    if (address_ != 0 && process_.memory().write(address_, &zero, sizeof(zero))) {
        wake(process_, address_);
    }
}

}  // namespace weft::user
