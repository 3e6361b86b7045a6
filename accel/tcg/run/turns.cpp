#include "accel/tcg/run/turns.h"

#include <algorithm>
#include <optional>

#include "accel/tcg/vcpu/vcpu.h"

namespace weft::accel {

namespace {

// How long a vCPU runs while others wait for their turn. Short, because a guest that waits for another hart (a TLB
// shootdown, a spin lock) burns its turn: with slices of 5 ms one boot in six took five times as long.
constexpr uint64_t kSliceNs = 1'000'000;

}  // namespace

Turns::Turns(RunQueue& queue, const ExclusiveGate& gate, TimerThread& timer, const Clock& clock,
             const CodeUsers& users)
    : Scheduler(queue, gate),
      clock_(clock),
      giving_way_(queue, clock, users),
      slice_(timer, [](void* self) { static_cast<Turns*>(self)->end_turn(); }, this) {}

// ---- the thread ----

Vcpu* Turns::next(EpochDomain::Reader& reader) {
    turn_over_.store(false, std::memory_order_seq_cst);
    Vcpu* const vcpu = queue_.next_runnable();
    if (vcpu == nullptr) {
        sleep(reader);
        return nullptr;
    }
    shares_ = queue_.others_wait(*vcpu);
    queue_.set_current(vcpu);
    if (shares_) {
        // Not before it is known whose turn it is: an alarm that went off earlier would end nobody's.
        slice_.set(clock_.now_ns() + kSliceNs);
    }
    // A kick of another vCPU that did not see yet who runs; and what came after it was looked for, but before
    // next_runnable() took back the exit request of a halted vCPU that told of it.
    if (queue_.other_was_kicked(*vcpu) || queue_.any_work() || queue_.command() != RunQueue::Command::run) {
        turn_over_.store(true, std::memory_order_seq_cst);
        vcpu->header().exit_request.store(1, std::memory_order_seq_cst);
    }
    return vcpu;
}

void Turns::ran(Vcpu& vcpu, LoopExit reason, EpochDomain::Reader& reader) {
    giving_way_.ran(vcpu, reason, reader);
    queue_.set_current(nullptr);
    if (shares_) {
        slice_.set(kNever);
    }
}

bool Turns::wanted(Vcpu& vcpu) {
    return queue_.command() != RunQueue::Command::run || vcpu.work.any() || gate_.requested() ||
           turn_over_.load(std::memory_order_seq_cst) || giving_way_.has_kicked();
}

void Turns::sleep(EpochDomain::Reader& reader) {
    for (Vcpu* vcpu : queue_.vcpus()) {
        vcpu->alarm.set_own(true);
    }
    queue_.sleep(reader, clock_, [this]() -> std::optional<uint64_t> {
        uint64_t earliest = kNever;
        for (const Vcpu* vcpu : queue_.vcpus()) {
            earliest = vcpu->failed ? earliest : std::min(earliest, vcpu->alarm.time_ns());
        }
        if (queue_.command() != RunQueue::Command::run || queue_.any_work() || queue_.any_kicked() ||
            earliest <= clock_.now_ns()) {
            return std::nullopt;
        }
        return earliest;
    });
    for (Vcpu* vcpu : queue_.vcpus()) {
        vcpu->alarm.set_own(false);
    }
}

// ---- any thread ----

// Has the vCPU that runs give way to the others. Only it is asked: an exit request of one that is halted means that it was
// woken, and who runs would give way to it.
void Turns::end_turn() {
    if (Vcpu* const current = queue_.current(); current != nullptr) {
        turn_over_.store(true, std::memory_order_seq_cst);
        current->header().exit_request.store(1, std::memory_order_seq_cst);
    }
}

void Turns::tell_of_work(Vcpu& vcpu) { vcpu.kick(); }

void Turns::wake(Vcpu& vcpu) {
    // The one that runs gives way, for it may be long until its turn is over.
    if (queue_.shared() && queue_.current() != &vcpu) {
        end_turn();
    }
    queue_.wake_sleeper();
    giving_way_.kicked(vcpu);
}

// A halted vCPU waits for its deadline by itself: it has to look again.
void Turns::deadline_set(uint64_t) { queue_.wake_sleeper(); }

}  // namespace weft::accel
