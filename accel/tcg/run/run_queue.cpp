#include "accel/tcg/run/run_queue.h"

#include <algorithm>

#include "accel/tcg/run/exec_loop.h"
#include "accel/tcg/vcpu/vcpu.h"

namespace weft::accel {

namespace {

bool kicked(const Vcpu& vcpu) { return vcpu.header().exit_request.load(std::memory_order_seq_cst) != 0; }

// Whether it is another vCPU than that one, and not halted.
bool waits_beside(const Vcpu& one, const Vcpu& other) {
    return &other != &one && !other.out_of_turns() && !other.halted;
}

bool runnable(Vcpu& vcpu) {
    if (vcpu.out_of_turns()) {
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

RunQueue::RunQueue(VcpuThread& owner, size_t capacity, SharedVcpus* shared) : owner_(owner), shared_(shared) {
    vcpus_.reserve(capacity);
    if (shared_ != nullptr) {
        shared_->join(*this);
    }
}

RunQueue::~RunQueue() {
    if (shared_ != nullptr) {
        shared_->leave(*this);
    }
}

// ---- control ----

void RunQueue::add(Vcpu& vcpu) {
    MutexLock lock(mutex_);
    while (threaded_ && !parked_) {
        parked_changed_.wait(mutex_);
    }
    vcpus_.push_back(&vcpu);
    count_.store(vcpus_.size(), std::memory_order_seq_cst);
}

void RunQueue::remove(Vcpu& vcpu) {
    MutexLock lock(mutex_);
    while (threaded_ && !parked_) {
        parked_changed_.wait(mutex_);
    }
    std::erase(vcpus_, &vcpu);
    count_.store(vcpus_.size(), std::memory_order_seq_cst);
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

Vcpu* RunQueue::next_runnable(bool again) {
    for (size_t i = again ? 0 : 1; i < vcpus_.size() + (again ? 0 : 1); ++i) {
        const size_t candidate = (last_ + i) % vcpus_.size();
        if (runnable(*vcpus_[candidate])) {
            last_ = candidate;
            return vcpus_[candidate];
        }
    }
    return nullptr;
}

Vcpu* RunQueue::next_kicked() {
    for (size_t i = 1; i <= vcpus_.size(); ++i) {
        Vcpu& candidate = *vcpus_[(last_ + i) % vcpus_.size()];
        if (kicked(candidate) && runnable(candidate)) {
            return &candidate;
        }
    }
    return nullptr;
}

bool RunQueue::others_wait(const Vcpu& vcpu) const {
    return std::ranges::any_of(vcpus_, [&vcpu](const Vcpu* other) { return waits_beside(vcpu, *other); });
}

bool RunQueue::other_was_kicked(const Vcpu& vcpu) const {
    return std::ranges::any_of(vcpus_, [&vcpu](const Vcpu* other) {
        return other != &vcpu && other->halted && !other->out_of_turns() && kicked(*other);
    });
}

bool RunQueue::any_kicked() const {
    return std::ranges::any_of(vcpus_,
                               [](const Vcpu* vcpu) { return kicked(*vcpu) && !vcpu->out_of_turns(); });
}

bool RunQueue::any_work() const {
    return std::ranges::any_of(vcpus_, [](const Vcpu* vcpu) { return vcpu->work.any(); });
}

bool RunQueue::turn_begins(Vcpu& vcpu) {
    bool offers = false;
    bool others = false;
    {
        MutexLock lock(mutex_);
        current_.store(&vcpu, std::memory_order_seq_cst);
        others = others_wait(vcpu);
        offers = others && shared_ != nullptr;
        if (offers) {
            offers_ = true;
            shared_->offer_begins();
        }
    }
    if (offers) {
        shared_->wake_idle();
    }
    return others;
}

void RunQueue::turn_ends() {
    MutexLock lock(mutex_);
    current_.store(nullptr, std::memory_order_seq_cst);
    if (offers_) {
        offers_ = false;
        shared_->offer_ends();
    }
}

Vcpu* RunQueue::pass_turn(const Vcpu& vcpu) {
    MutexLock lock(mutex_);
    const size_t place = next_waiting(vcpu);
    if (place == vcpus_.size()) {
        return nullptr;
    }
    last_ = place;
    current_.store(vcpus_[place], std::memory_order_seq_cst);
    return vcpus_[place];
}

// The place of the next in turn that waits beside `vcpu`; else how many there are.
size_t RunQueue::next_waiting(const Vcpu& vcpu) const {
    size_t place = last_;
    // All of them: who runs may be another one than whose turn it was last.
    for (size_t i = 0; i < vcpus_.size(); ++i) {
        place = place + 1 == vcpus_.size() ? 0 : place + 1;
        if (waits_beside(vcpu, *vcpus_[place])) {
            return place;
        }
    }
    return vcpus_.size();
}

bool RunQueue::wanted_meanwhile() {
    MutexLock lock(mutex_);
    const Vcpu* const running = current();
    return command() != Command::run || any_work() || (running != nullptr && other_was_kicked(*running));
}

Vcpu* RunQueue::give() {
    MutexLock lock(mutex_);
    if (!offers_) {
        return nullptr;
    }
    const Vcpu& running = *current();
    // Whose turn would be next.
    const size_t place = next_waiting(running);
    if (place == vcpus_.size()) {
        return nullptr;  // it has failed meanwhile
    }
    Vcpu* const given = vcpus_[place];
    vcpus_.erase(vcpus_.begin() + static_cast<ptrdiff_t>(place));
    // Who comes next is not changed by it; `last_` is a place still.
    last_ -= place <= last_ && last_ != 0 ? 1 : 0;
    count_.store(vcpus_.size(), std::memory_order_seq_cst);
    if (!others_wait(running)) {
        offers_ = false;
        shared_->offer_ends();
    }
    return given;
}

void RunQueue::adopt(Vcpu& vcpu) {
    MutexLock lock(mutex_);
    vcpus_.push_back(&vcpu);
    count_.store(vcpus_.size(), std::memory_order_seq_cst);
    vcpu.set_thread(owner_);
}

// ---- waiting ----

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
