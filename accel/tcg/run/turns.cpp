#include "accel/tcg/run/turns.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "accel/tcg/vcpu/vcpu.h"

namespace weft::accel {

namespace {

// How long a vCPU runs while others wait for their turn. Short, because a guest that waits for another hart (a TLB
// shootdown, a spin lock) burns its turn: with slices of 5 ms one boot in six took five times as long.
constexpr uint64_t kSliceNs = 1'000'000;
// So many pauses in a row are a wait; a round of a loop that only waits takes a tenth of a microsecond.
constexpr unsigned kPauses = 32;
// How often code is entered in the short turn of who was kicked (taking an interrupt and coming back from it: 20 to 40 times),
// and of who had to wait or whose turn ends.
constexpr uint32_t kKickedEntries = 128;
constexpr uint32_t kWaitedEntries = 4096;
// So many vCPUs run out of turn after each other, at most.
constexpr unsigned kMostKicksInARow = 64;

}  // namespace

Turns::Turns(RunQueue& queue, const ExclusiveGate& gate, TimerThread& timer, const Clock& clock,
             SharedVcpus* shared)
    : Scheduler(queue, gate),
      clock_(clock),
      shared_(shared),
      slice_(timer, [](void* self) { static_cast<Turns*>(self)->end_turn(kSliceEnded); }, this) {}

// ---- the thread ----

Vcpu* Turns::next(EpochDomain::Reader& reader) {
    if ((over_.exchange(0, std::memory_order_seq_cst) & kSliceEnded) != 0) {
        again_ = false;
    }
    if (std::exchange(pauses_, 0) >= kPauses && take_one()) {
        return nullptr;
    }
    Vcpu* const vcpu = choose();
    if (vcpu == nullptr) {
        if (!take_one()) {
            sleep(reader);
        }
        return nullptr;
    }
    shares_ = queue_.turn_begins(*vcpu);
    // Kicks that come faster than turns end do not put the end off again and again.
    in_grace_ = in_grace_ && again_;
    if (!shares_) {
        vcpu->short_turn = 0;
    } else if (out_of_turn_) {
        vcpu->short_turn = kKickedEntries;
    }
    if (shares_) {
        const uint64_t now = clock_.now_ns();
        if (!again_) {
            slice_end_ns_ = now + kSliceNs;
        }
        // Not before it is known whose turn it is: an alarm that went off earlier would end nobody's.
        slice_.set(std::max(slice_end_ns_, now));
    }
    if (!out_of_turn_) {
        again_ = false;
    }
    // A kick of another vCPU that did not see yet who runs; and what came after it was looked for, but before a halted
    // vCPU's exit request that told of it was taken back.
    if (queue_.wanted_meanwhile()) {
        end_turn(kKicked);
    }
    return vcpu;
}

// Who was kicked goes first, but does not keep the others from their turns for ever.
Vcpu* Turns::choose() {
    if (kicks_in_a_row_ < kMostKicksInARow) {
        if (Vcpu* const kicked = queue_.next_kicked(); kicked != nullptr) {
            ++kicks_in_a_row_;
            out_of_turn_ = true;
            return kicked;
        }
    }
    kicks_in_a_row_ = 0;
    out_of_turn_ = false;
    return queue_.next_runnable(again_);
}

// In short, for guests wait in this way for a lock that is handed from one vCPU to the next: the turn with its end and the
// offer of the others stay, only who runs is another one.
Vcpu* Turns::after_pause(Vcpu& vcpu) {
    // A loop that only waits enters code once a pause.
    const uint64_t entries = vcpu.counters.loop_entries.get() + vcpu.counters.went_on.get();
    if (entries != entries_at_pause_ + 1) {
        pauses_ = 0;
    }
    entries_at_pause_ = entries;
    const bool waits = ++pauses_ >= kPauses;
    if (!shares_) {
        // Who it waits for may wait for its turn elsewhere.
        return waits && shared_ != nullptr && shared_->any_offer() ? nullptr : &vcpu;
    }
    if (!waits && shared_ != nullptr) {
        return &vcpu;
    }
    pauses_ = 0;
    vcpu.short_turn = kWaitedEntries;
    Vcpu* const next = queue_.pass_turn(vcpu);
    // In this order: see end_turn().
    return over_.load(std::memory_order_seq_cst) != 0 ? nullptr : next;
}

void Turns::ran(LoopExit reason) {
    queue_.turn_ends();
    if (shares_) {
        slice_.set(kNever);
    }
    if (!out_of_turn_) {
        again_ = reason == LoopExit::attention;
    }
}

// Its work is looked at before it runs.
bool Turns::take_one() {
    Vcpu* const taken = shared_ != nullptr ? shared_->take(queue_) : nullptr;
    if (taken == nullptr) {
        return false;
    }
    queue_.adopt(*taken);
    taken->counters.moves.add();
    return true;
}

bool Turns::wanted(Vcpu& vcpu) {
    // Where it may hold a lock of its kernel or firmware, it has as long again to come to where it holds none.
    if (!in_grace_ && shares_ && over_.load(std::memory_order_seq_cst) == kSliceEnded) {
        in_grace_ = true;
        over_.fetch_and(static_cast<uint8_t>(~kSliceEnded), std::memory_order_seq_cst);
        vcpu.short_turn = kWaitedEntries;
        slice_end_ns_ = clock_.now_ns() + kSliceNs;
        slice_.set(slice_end_ns_);
    }
    return queue_.command() != RunQueue::Command::run || vcpu.work.any() || gate_.requested() ||
           over_.load(std::memory_order_seq_cst) != 0;
}

void Turns::sleep(EpochDomain::Reader& reader) {
    for (Vcpu* vcpu : queue_.vcpus()) {
        vcpu->alarm.set_own(true);
    }
    queue_.sleep(reader, clock_, [this]() -> std::optional<uint64_t> {
        if (shared_ != nullptr) {
            shared_->set_idle(queue_, true);
            if (shared_->any_offer()) {
                return std::nullopt;
            }
        }
        uint64_t earliest = kNever;
        for (const Vcpu* vcpu : queue_.vcpus()) {
            earliest = vcpu->out_of_turns() ? earliest : std::min(earliest, vcpu->alarm.time_ns());
        }
        if (queue_.command() != RunQueue::Command::run || queue_.any_work() || queue_.any_kicked() ||
            earliest <= clock_.now_ns()) {
            return std::nullopt;
        }
        return earliest;
    });
    if (shared_ != nullptr) {
        shared_->set_idle(queue_, false);
    }
    for (Vcpu* vcpu : queue_.vcpus()) {
        vcpu->alarm.set_own(false);
    }
}

// ---- any thread ----

// Has the vCPU that runs give way to the others. Only it is asked: an exit request of one that is halted means that it was
// woken, and who runs would give way to it. Stored before it is looked who runs: after_pause() stores who runs, and then looks
// whether the turn is over.
void Turns::end_turn(Over why) {
    over_.fetch_or(why, std::memory_order_seq_cst);
    queue_.ask_current();
}

void Turns::tell_of_work(Vcpu& vcpu) { vcpu.kick(); }

void Turns::wake(Vcpu& vcpu) {
    // The one that runs gives way, for it may be long until its turn is over.
    if (queue_.shared() && queue_.current() != &vcpu) {
        end_turn(kKicked);
    }
    queue_.wake_sleeper();
}

// A halted vCPU waits for its deadline by itself: it has to look again.
void Turns::deadline_set(uint64_t) { queue_.wake_sleeper(); }

}  // namespace weft::accel
