#include "accel/tcg/run/run_queue.h"

#include <algorithm>

#include "accel/tcg/run/exec_loop.h"
#include "accel/tcg/vcpu/vcpu.h"

namespace weft::accel {

namespace {

bool kicked(const Vcpu& vcpu) { return vcpu.header().exit_request.load(std::memory_order_seq_cst) != 0; }

bool runnable(Vcpu& vcpu) {
    if (vcpu.failed) {
        return false;
    }
    if (!vcpu.halted) {
        return true;
    }
    const bool due = vcpu.alarm.take_if_due(vcpu.now_ns());
    // Cleared before the reasons are looked at.
    if (vcpu.header().exit_request.exchange(0, std::memory_order_seq_cst) == 0 && !due) {
        return false;
    }
    if (ExecLoop::take_interrupt(vcpu) || vcpu.guest.has_work(vcpu.state())) {
        vcpu.halted = false;
    }
    return !vcpu.halted;
}

}  // namespace

// ---- control ----

void RunQueue::add(Vcpu& vcpu) {
    MutexLock lock(mutex_);
    while (threaded_ && !parked_) {
        parked_changed_.wait(mutex_);
    }
    vcpus_.push_back(&vcpu);
    count_.store(vcpus_.size(), std::memory_order_relaxed);
}

void RunQueue::remove(Vcpu& vcpu) {
    MutexLock lock(mutex_);
    while (threaded_ && !parked_) {
        parked_changed_.wait(mutex_);
    }
    std::erase(vcpus_, &vcpu);
    count_.store(vcpus_.size(), std::memory_order_relaxed);
    last_ = 0;
}

void RunQueue::set_threaded(bool threaded) {
    MutexLock lock(mutex_);
    threaded_ = threaded;
}

void RunQueue::wait_until_parked() {
    MutexLock lock(mutex_);
    while (threaded_ && !parked_) {
        parked_changed_.wait(mutex_);
    }
}

void RunQueue::wake_always() {
    {
        MutexLock lock(mutex_);
        ++signals_;
        if (waiting_.load(std::memory_order_seq_cst)) {
            count(true);
        }
    }
    wake_.notify_one();
}

// ---- what others ask ----

void RunQueue::ask_current() {
    if (Vcpu* const running = current(); running != nullptr) {
        running->header().exit_request.store(1, std::memory_order_seq_cst);
    }
}

void RunQueue::ask_each() {
    MutexLock lock(mutex_);
    for (Vcpu* vcpu : vcpus_) {
        vcpu->header().exit_request.store(1, std::memory_order_seq_cst);
    }
}

void RunQueue::wake_sleeper() {
    if (waiting_.load(std::memory_order_seq_cst)) {
        wake_always();
    }
}

// ---- the thread ----

Vcpu* RunQueue::next_runnable() {
    for (size_t i = 1; i <= vcpus_.size(); ++i) {
        const size_t candidate = (last_ + i) % vcpus_.size();
        if (runnable(*vcpus_[candidate])) {
            last_ = candidate;
            return vcpus_[candidate];
        }
    }
    return nullptr;
}

bool RunQueue::others_wait(const Vcpu& vcpu) const {
    return std::ranges::any_of(
        vcpus_, [&vcpu](const Vcpu* other) { return other != &vcpu && !other->failed && !other->halted; });
}

bool RunQueue::other_was_kicked(const Vcpu& vcpu) const {
    return std::ranges::any_of(vcpus_, [&vcpu](const Vcpu* other) {
        return other != &vcpu && other->halted && !other->failed && kicked(*other);
    });
}

bool RunQueue::any_kicked() const {
    return std::ranges::any_of(vcpus_, [](const Vcpu* vcpu) { return kicked(*vcpu) && !vcpu->failed; });
}

bool RunQueue::any_work() const {
    return std::ranges::any_of(vcpus_, [](const Vcpu* vcpu) { return vcpu->work.any(); });
}

// ---- waiting ----

void RunQueue::set_counted(bool counted) {
    MutexLock lock(mutex_);
    count(counted);
}

void RunQueue::count(bool wants_processor) {
    if (counted_ == wants_processor) {
        return;
    }
    counted_ = wants_processor;
    if (wants_processor) {
        threads_.add();
    } else {
        threads_.remove();
    }
}

void RunQueue::wait_for_signal(uint64_t seen, uint64_t until, const Clock& clock) {
    while (signals_ == seen) {
        if (until == kNever) {
            wake_.wait(mutex_);
        } else if (!wake_.wait_until(mutex_, clock.host_time(until))) {
            break;
        }
    }
}

}  // namespace weft::accel
