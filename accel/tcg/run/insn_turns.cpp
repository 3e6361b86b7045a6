#include "accel/tcg/run/insn_turns.h"

#include <algorithm>
#include <optional>

#include "accel/tcg/vcpu/vcpu.h"

namespace weft::accel {

namespace {

// How long a vCPU runs while others wait for their turn.
constexpr uint64_t kSliceInsns = 200'000;

}  // namespace

InsnTurns::InsnTurns(RunQueue& queue, const ExclusiveGate& gate, InsnClock& insns, const Clock& clock)
    : Scheduler(queue, gate), insns_(insns), clock_(clock) {
    insns_.attach([](void* self) { static_cast<InsnTurns*>(self)->ask_from_outside(); }, this);
}

InsnTurns::~InsnTurns() { insns_.attach(nullptr, nullptr); }

// ---- the thread ----

Vcpu* InsnTurns::next(EpochDomain::Reader& reader) {
    if (insns_.held() && !on_the_way_to_hold()) {
        sleep(reader);
        return nullptr;
    }
    const bool outside = outside_.exchange(false, std::memory_order_seq_cst);
    const bool over = !turn_lasts() || insns_.left() == 0;
    if ((over || outside) && !plan_segment(reader)) {
        return nullptr;
    }
    if (turn_ == nullptr) {
        sleep(reader);
        return nullptr;
    }
    queue_.set_current(turn_);
    // Who asked before saw that nobody runs.
    if (!wants_nothing()) {
        queue_.set_current(nullptr);
        return nullptr;
    }
    return turn_;
}

void InsnTurns::ran(LoopExit reason) {
    queue_.set_current(nullptr);
    if (reason == LoopExit::yielded) {
        turn_ = nullptr;
    }
}

bool InsnTurns::turn_lasts() const { return turn_ != nullptr && !turn_->halted && !turn_->out_of_turns(); }

bool InsnTurns::on_the_way_to_hold() const { return insns_.held() && turn_lasts() && insns_.left() != 0; }

bool InsnTurns::wants_nothing() const {
    return (queue_.command() == RunQueue::Command::run || on_the_way_to_hold()) && !queue_.any_work() &&
           !gate_.requested() && !outside_.load(std::memory_order_seq_cst);
}

// Does what is due, and chooses who runs up to which stop; turn_ is null where all are halted for ever. False: time was
// passed over, and something is due again.
bool InsnTurns::plan_segment(EpochDomain::Reader& reader) {
    insns_.run_due_timers();
    if (insns_.rate().check_at_ns() <= insns_.now_ns()) {
        insns_.rate().adjust(insns_.now_ns(), clock_.now_ns());
    }
    const uint64_t now = insns_.now_ns();
    if (!turn_goes_on()) {
        turn_ = queue_.next_runnable();
        if (turn_ != nullptr) {
            turn_end_ = queue_.others_wait(*turn_) ? now + insns_.time_of(kSliceInsns) : kNever;
        } else if (insns_.rate().sleeps()) {
            idle(reader, next_stop());
            return false;
        } else if (const uint64_t next = next_stop(); next != kNever) {
            insns_.jump_to(next);
            return false;
        } else {
            return true;
        }
    }
    turn_->alarm.take_if_due(now);
    turn_->look_at_interrupts = true;
    insns_.start(std::min({turn_end_, next_stop(), insns_.rate().check_at_ns()}));
    return true;
}

// Whether the vCPU whose turn it is may run on, at a stop.
bool InsnTurns::turn_goes_on() const {
    const uint64_t now = insns_.now_ns();
    if (!turn_lasts() || now >= turn_end_) {
        return false;
    }
    const bool other_is_due = std::ranges::any_of(queue_.vcpus(), [now](const Vcpu* vcpu) {
        return vcpu->halted && !vcpu->out_of_turns() && vcpu->alarm.time_ns() <= now;
    });
    return !other_is_due && !queue_.other_was_kicked(*turn_);
}

// When something has to be looked at next: the timers, the vCPU whose turn it is, and those that are halted. One
// that waits for its turn looks when it comes.
uint64_t InsnTurns::next_stop() const {
    uint64_t next = insns_.next_timer_ns();
    for (const Vcpu* vcpu : queue_.vcpus()) {
        if (!vcpu->out_of_turns() && (vcpu == turn_ || vcpu->halted)) {
            next = std::min(next, vcpu->alarm.time_ns());
        }
    }
    return next;
}

// All vCPUs are halted and no deadline is set, or they are held: until another thread wants something.
void InsnTurns::sleep(EpochDomain::Reader& reader) {
    queue_.sleep(reader, clock_, [this]() -> std::optional<uint64_t> {
        // The gate's requesters do not wait for who sleeps.
        const bool wanted =
            queue_.command() != RunQueue::Command::run || queue_.any_work() ||
            (!insns_.held() && (outside_.load(std::memory_order_seq_cst) || queue_.any_kicked()));
        return wanted ? std::nullopt : std::optional(kNever);
    });
}

// All vCPUs are halted, and time goes on as the host's does: until the deadline `next`, which it comes to exactly, so that runs
// stay equal where nothing comes from outside; or until another thread wants something.
void InsnTurns::idle(EpochDomain::Reader& reader, uint64_t next) {
    const uint64_t now = insns_.now_ns();
    const uint64_t began = clock_.now_ns();
    const uint64_t length = next - now;
    const uint64_t end = length < kNever - began ? began + length : kNever;
    queue_.sleep(reader, clock_, [this, end]() -> std::optional<uint64_t> {
        const bool wanted = queue_.command() != RunQueue::Command::run || queue_.any_work() ||
                            insns_.held() || outside_.load(std::memory_order_seq_cst) || queue_.any_kicked();
        return wanted || clock_.now_ns() >= end ? std::nullopt : std::optional(end);
    });
    insns_.jump_to(now + std::min(length, clock_.now_ns() - began));
}

// ---- any thread ----

void InsnTurns::ask_from_outside() {
    outside_.store(true, std::memory_order_seq_cst);
    queue_.ask_current();
    queue_.wake_sleeper();
}

void InsnTurns::tell_of_work(Vcpu&) {
    queue_.ask_current();
    queue_.wake_sleeper();
}

void InsnTurns::wake(Vcpu&) {
    if (insns_.on_thread()) {
        insns_.stop_soon();
    } else {
        ask_from_outside();
    }
}

void InsnTurns::deadline_set(uint64_t deadline_ns) {
    if (insns_.on_thread()) {
        insns_.stop_by(deadline_ns);
    } else {
        ask_from_outside();
    }
}

}  // namespace weft::accel
