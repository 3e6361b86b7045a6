#include "accel/tcg/run/giving_way.h"

#include <sched.h>

#include <optional>
#include <utility>

#include "accel/tcg/run/runnable_threads.h"
#include "accel/tcg/vcpu/vcpu.h"

namespace weft::accel {

namespace {

// Of the vCPU thread that this host thread is, to know who it is that kicks. Written as that thread begins and ends.
thread_local GivingWay* current_thread = nullptr;

}  // namespace

uint32_t RunnableThreads::host_processors() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
        return kAnyNumber;  // more than the set has room for (EINVAL)
    }
    return static_cast<uint32_t>(CPU_COUNT(&allowed));
}

void GivingWay::thread_begins() {
    current_thread = this;
    queue_.set_counted(true);
}

void GivingWay::thread_ends() {
    queue_.set_counted(false);
    current_thread = nullptr;
}

// Inside the gate: a thread that yields is one that the host took the processor from.
void GivingWay::paused(Vcpu& vcpu) {
    if (waits_.paused(queue_.threads().crowded(), [this] { return clock_.now_ns(); })) {
        vcpu.rest_due = true;
        vcpu.counters.pause_yields.add();
        sched_yield();
    }
}

void GivingWay::ran(Vcpu& vcpu, LoopExit reason, EpochDomain::Reader& reader) {
    if (kicked_) {
        await_kicked(vcpu, reader);
    }
    if (reason == LoopExit::may_rest) {
        vcpu.rest_due = false;
        rest(vcpu, reader);
    } else if (reason == LoopExit::halted) {
        vcpu.rest_due = false;
        waits_.halted();
    }
}

// The vCPU runs a user program.
void GivingWay::rest(Vcpu& vcpu, EpochDomain::Reader& reader) {
    if (waits_.rests(queue_.threads().crowded())) {
        vcpu.counters.rests.add();
        nap(vcpu, WaitPolicy::kRestNs, reader);
    }
}

// The guest often waits for what follows without a word: firmware that has other harts flush their TLBs, for one.
void GivingWay::kicked(Vcpu& vcpu) {
    GivingWay* const sender = current_thread;
    // Not from a work item: it is for the end of the sender's run, before anyone can remove the vCPU that was kicked.
    if (sender != nullptr && sender != this && &sender->users_ == &users_ && queue_.threads().crowded() &&
        sender->queue_.current() != nullptr) {
        sender->kicked_ = vcpu.index;
        sender->queue_.ask_current();
    }
}

// Leaves the processor to the vCPU that was kicked, until that one has seen it: it takes back its exit request then.
void GivingWay::await_kicked(Vcpu& vcpu, EpochDomain::Reader& reader) {
    const uint32_t index = *std::exchange(kicked_, std::nullopt);
    for (unsigned i = 0; i < WaitPolicy::kKickSleeps; ++i) {
        // Online, what is found stays; while this thread sleeps, the vCPU may be taken out of the machine.
        CodeUser* const kicked = users_.at(index);
        if (kicked == nullptr ||
            vcpu_of(*kicked).header().exit_request.load(std::memory_order_seq_cst) == 0 ||
            !queue_.threads().crowded() || !nap(vcpu, WaitPolicy::kKickSleepNs, reader)) {
            return;
        }
        vcpu.counters.kick_sleeps.add();
    }
}

// Sleeps so long, but not longer than until something is wanted of the thread or its vCPU is kicked: then false.
bool GivingWay::nap(Vcpu& vcpu, uint64_t ns, EpochDomain::Reader& reader) {
    const uint64_t end = clock_.now_ns() + ns;
    bool over = false;
    queue_.sleep(reader, clock_, [&]() -> std::optional<uint64_t> {
        if (queue_.command() != RunQueue::Command::run || queue_.any_work() ||
            vcpu.header().exit_request.load(std::memory_order_seq_cst) != 0) {
            return std::nullopt;
        }
        over = clock_.now_ns() >= end;
        return over ? std::nullopt : std::optional(end);
    });
    return over;
}

}  // namespace weft::accel
