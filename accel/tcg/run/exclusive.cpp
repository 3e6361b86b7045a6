#include "accel/tcg/run/exclusive.h"

#include <optional>

namespace weft::accel {

namespace {

uint64_t nanoseconds(std::chrono::steady_clock::duration time) {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(time).count());
}

}  // namespace

ExclusiveGate::Member::Member(ExclusiveGate& gate, void (*ask)(void* context), void* context)
    : gate_(gate), ask_(ask), context_(context) {
    MutexLock lock(gate_.mutex_);
    next_ = gate_.members_;
    gate_.members_ = this;
}

ExclusiveGate::Member::~Member() {
    MutexLock lock(gate_.mutex_);
    Member** place = &gate_.members_;
    while (*place != this) {
        place = &(*place)->next_;
    }
    *place = next_;
}

void ExclusiveGate::Member::enter(EpochDomain::Reader& reader) {
    running_.store(true, std::memory_order_seq_cst);
    if (!gate_.requested()) [[likely]] {
        return;
    }
    EpochDomain::Offline offline(reader);
    MutexLock lock(gate_.mutex_);
    running_.store(false, std::memory_order_seq_cst);
    gate_.changed_.notify_all();
    while (gate_.requested()) {
        gate_.changed_.wait(gate_.mutex_);
    }
    running_.store(true, std::memory_order_seq_cst);
}

void ExclusiveGate::Member::leave() {
    running_.store(false, std::memory_order_seq_cst);
    if (gate_.requested()) [[unlikely]] {
        gate_.wake_all();
    }
}

void ExclusiveGate::wake_all() {
    {
        MutexLock lock(mutex_);
    }
    changed_.notify_all();
}

bool ExclusiveGate::anyone_running() {
    for (const Member* member = members_; member != nullptr; member = member->next_) {
        if (member->running_.load(std::memory_order_seq_cst)) {
            return true;
        }
    }
    return false;
}

void ExclusiveGate::begin(EpochDomain::Reader* self) {
    std::optional<EpochDomain::Offline> offline;
    if (self != nullptr) {
        offline.emplace(*self);
    }
    const auto asked = std::chrono::steady_clock::now();
    MutexLock lock(mutex_);
    requests_.fetch_add(1, std::memory_order_seq_cst);
    while (held_) {
        changed_.wait(mutex_);
    }
    held_ = true;
    for (const Member* member = members_; member != nullptr; member = member->next_) {
        if (member->running_.load(std::memory_order_seq_cst)) {
            member->ask_(member->context_);
        }
    }
    while (anyone_running()) {
        changed_.wait(mutex_);
    }
    held_since_ = std::chrono::steady_clock::now();
    counts_.sections.add();
    counts_.wait_ns.add(nanoseconds(held_since_ - asked));
}

void ExclusiveGate::end() {
    {
        MutexLock lock(mutex_);
        counts_.held_ns.add(nanoseconds(std::chrono::steady_clock::now() - held_since_));
        held_ = false;
        requests_.fetch_sub(1, std::memory_order_seq_cst);
    }
    changed_.notify_all();
}

}  // namespace weft::accel
