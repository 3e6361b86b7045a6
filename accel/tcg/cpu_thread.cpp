#include "accel/tcg/cpu_thread.h"

#include <algorithm>
#include <utility>

#include "accel/tcg/vcpu.h"
#include "base/assert.h"

namespace weft::accel {

namespace {

// How long a vCPU runs while others wait for their turn. Short, because a guest that waits for another hart (a TLB
// shootdown, a spin lock) burns its turn: with slices of 5 ms one boot in six took five times as long.
constexpr uint64_t kSliceNs = 1'000'000;

}  // namespace

Result<std::unique_ptr<CpuThread>> CpuThread::create(std::string name, CodeCache& cache, ExclusiveGate& gate,
                                                     TimerThread& timer, const Clock& clock) {
    auto translator = Translator::create(cache);
    if (!translator) {
        return std::unexpected(translator.error());
    }
    return std::unique_ptr<CpuThread>(
        new CpuThread(std::move(name), cache, gate, timer, clock, std::move(*translator)));
}

CpuThread::CpuThread(std::string name, CodeCache& cache, ExclusiveGate& gate, TimerThread& timer, const Clock& clock,
                     std::unique_ptr<Translator> translator)
    : name_(std::move(name)),
      cache_(cache),
      gate_(gate),
      clock_(clock),
      translator_(std::move(translator)),
      loop_(cache, *translator_, *this),
      member_(gate, [](void* thread) { static_cast<CpuThread*>(thread)->ask_all(); }, this),
      slice_(
          timer,
          [](void* opaque) {
              auto* thread = static_cast<CpuThread*>(opaque);
              thread->end_turn();
          },
          this) {}

CpuThread::~CpuThread() { WEFT_ASSERT(!thread_.joinable()); }

// ---- control ----

void CpuThread::add(Vcpu& vcpu) {
    MutexLock lock(mutex_);
    while (thread_.joinable() && !parked_) {
        parked_changed_.wait(mutex_);
    }
    vcpus_.push_back(&vcpu);
    vcpu_count_.store(vcpus_.size(), std::memory_order_relaxed);
}

void CpuThread::remove(Vcpu& vcpu) {
    {
        MutexLock lock(mutex_);
        while (thread_.joinable() && !parked_) {
            parked_changed_.wait(mutex_);
        }
        std::erase(vcpus_, &vcpu);
        vcpu_count_.store(vcpus_.size(), std::memory_order_relaxed);
        last_ = 0;
    }
    Participant participant(cache_.epochs());
    participant.go_online();
    do_work(vcpu, participant);
}

Result<> CpuThread::start() {
    MutexLock lock(start_mutex_);
    if (started_) {
        return {};
    }
    auto thread = Thread::start(name_, [this] { run(); });
    if (!thread) {
        return std::unexpected(thread.error());
    }
    thread_ = std::move(*thread);
    started_ = true;
    return {};
}

void CpuThread::command(Command command) {
    command_.store(command, std::memory_order_seq_cst);
    ask_all();
    {
        MutexLock lock(mutex_);
        ++signals_;
    }
    wake_.notify_one();
}

void CpuThread::wait_until_parked() {
    if (!thread_.joinable()) {
        return;
    }
    MutexLock lock(mutex_);
    while (!parked_) {
        parked_changed_.wait(mutex_);
    }
}

void CpuThread::stop() {
    if (thread_.joinable()) {
        command(Command::stop);
        thread_.join();
    }
    Participant participant(cache_.epochs());
    participant.go_online();
    for (Vcpu* vcpu : vcpus_) {
        do_work(*vcpu, participant);
    }
}

// ---- what others ask ----

void CpuThread::post(Vcpu& vcpu, const WorkItem& item) {
    {
        MutexLock lock(start_mutex_);
        if (!started_) {
            Participant participant(cache_.epochs());
            participant.go_online();
            do_item(vcpu, item, participant);
            return;
        }
    }
    vcpu.work.push(item);
    vcpu.kick();
}

void CpuThread::ask_all() {
    MutexLock lock(mutex_);
    for (Vcpu* vcpu : vcpus_) {
        vcpu->header().exit_request.store(1, std::memory_order_seq_cst);
    }
}

// Only the vCPU that runs is asked: an exit request of one that is halted means that somebody woke it, and who runs would
// give way to it.
void CpuThread::end_turn() {
    Vcpu* const current = current_.load(std::memory_order_seq_cst);
    if (current != nullptr) {
        turn_over_.store(true, std::memory_order_seq_cst);
        current->header().exit_request.store(1, std::memory_order_seq_cst);
    }
}

void CpuThread::wake(Vcpu& vcpu) {
    if (vcpu_count_.load(std::memory_order_relaxed) > 1) {
        // The one that runs gives way, for it may be long until its turn is over.
        if (current_.load(std::memory_order_seq_cst) != &vcpu) {
            end_turn();
        }
    }
    wake_sleeper();
}

void CpuThread::wake_sleeper() {
    if (!waiting_.load(std::memory_order_seq_cst)) {
        return;
    }
    {
        MutexLock lock(mutex_);
        ++signals_;
    }
    wake_.notify_one();
}

bool CpuThread::wanted(Vcpu& vcpu) {
    return command_.load(std::memory_order_seq_cst) != Command::run || vcpu.work.any() || gate_.requested() ||
           turn_over_.load(std::memory_order_seq_cst);
}

bool CpuThread::any_work() const {
    return std::ranges::any_of(vcpus_, [](const Vcpu* vcpu) { return vcpu->work.any(); });
}

bool CpuThread::any_kicked() const {
    return std::ranges::any_of(vcpus_, [](const Vcpu* vcpu) {
        return vcpu->header().exit_request.load(std::memory_order_seq_cst) != 0 && !vcpu->failed;
    });
}

// ---- the thread ----

void CpuThread::run() {
    Participant participant(cache_.epochs(), this);
    participant.go_online();
    while (true) {
        participant.quiescent();
        cache_.epochs().poll();
        for (Vcpu* vcpu : vcpus_) {
            do_work(*vcpu, participant);
        }
        switch (command_.load(std::memory_order_seq_cst)) {
            case Command::run:
                take_turns(participant);
                break;
            case Command::pause:
                park(participant);
                break;
            case Command::stop:
                return;
        }
    }
}

void CpuThread::take_turns(Participant& participant) {
    turn_over_.store(false, std::memory_order_seq_cst);
    Vcpu* const vcpu = next_runnable();
    if (vcpu == nullptr) {
        sleep(participant);
        return;
    }
    const bool share = others_wait(*vcpu);
    // First who runs, then the alarm: it would find nobody whose turn is over, and not come again.
    current_.store(vcpu, std::memory_order_seq_cst);
    if (share) {
        slice_.set(clock_.now_ns() + kSliceNs);
    }
    if (other_was_kicked(*vcpu)) {
        // Whoever kicked it did not see yet who runs.
        turn_over_.store(true, std::memory_order_seq_cst);
        vcpu->header().exit_request.store(1, std::memory_order_seq_cst);
    }
    run_vcpu(*vcpu, participant);
    current_.store(nullptr, std::memory_order_seq_cst);
    if (share) {
        slice_.set(kNever);
    }
}

void CpuThread::run_vcpu(Vcpu& vcpu, Participant& participant) {
    member_.enter(participant);
    LoopExit reason{};
    do {
        // Alone, it may go on.
        reason = loop_.run(vcpu, participant);
    } while (reason == LoopExit::yielded && vcpus_.size() == 1);
    member_.leave();
    if (reason == LoopExit::full) {
        empty_cache(participant);
    } else if (reason == LoopExit::halted) {
        // So that it is looked at once before the thread sleeps.
        vcpu.header().exit_request.store(1, std::memory_order_seq_cst);
    }
}

void CpuThread::empty_cache(Participant& participant) {
    gate_.begin(&participant);
    cache_.flush(translator_->full_at());
    gate_.end();
}

Vcpu* CpuThread::next_runnable() {
    for (size_t i = 1; i <= vcpus_.size(); ++i) {
        const size_t candidate = (last_ + i) % vcpus_.size();
        if (runnable(*vcpus_[candidate])) {
            last_ = candidate;
            return vcpus_[candidate];
        }
    }
    return nullptr;
}

bool CpuThread::runnable(Vcpu& vcpu) {
    if (vcpu.failed) {
        return false;
    }
    if (!vcpu.halted) {
        return true;
    }
    const bool due = vcpu.alarm.take_if_due(clock_.now_ns());
    // Cleared before the reasons are looked at.
    if (vcpu.header().exit_request.exchange(0, std::memory_order_seq_cst) == 0 && !due) {
        return false;
    }
    if (ExecLoop::take_interrupt(vcpu) || vcpu.guest.has_work(vcpu.state())) {
        vcpu.halted = false;
    }
    return !vcpu.halted;
}

bool CpuThread::others_wait(const Vcpu& vcpu) const {
    return std::ranges::any_of(vcpus_, [&vcpu](const Vcpu* other) {
        return other != &vcpu && !other->failed && !other->halted;
    });
}

bool CpuThread::other_was_kicked(const Vcpu& vcpu) const {
    return std::ranges::any_of(vcpus_, [&vcpu](const Vcpu* other) {
        return other != &vcpu && other->halted && !other->failed &&
               other->header().exit_request.load(std::memory_order_seq_cst) != 0;
    });
}

// ---- work ----

void CpuThread::do_work(Vcpu& vcpu, Participant& participant) {
    WorkItem item{};
    while (vcpu.work.pop(&item)) {
        do_item(vcpu, item, participant);
    }
}

void CpuThread::do_item(Vcpu& vcpu, const WorkItem& item, Participant& participant) {
    if (item.kind == VcpuWork::exclusive) {
        gate_.begin(&participant);
        item.run(item.opaque, vcpu.state());
        gate_.end();
    } else {
        item.run(item.opaque, vcpu.state());
    }
}

// ---- waiting ----

void CpuThread::sleep(Participant& participant) {
    const EpochDomain::Offline offline(participant);
    for (Vcpu* vcpu : vcpus_) {
        vcpu->alarm.set_own(true);
    }
    waiting_.store(true, std::memory_order_seq_cst);
    {
        MutexLock lock(mutex_);
        while (true) {
            const uint64_t seen = signals_;
            uint64_t earliest = kNever;
            for (const Vcpu* vcpu : vcpus_) {
                earliest = vcpu->failed ? earliest : std::min(earliest, vcpu->alarm.time_ns());
            }
            if (command_.load(std::memory_order_seq_cst) != Command::run || any_work() || any_kicked() ||
                earliest <= clock_.now_ns()) {
                break;
            }
            while (signals_ == seen) {
                if (earliest == kNever) {
                    wake_.wait(mutex_);
                } else if (!wake_.wait_until(mutex_, clock_.host_time(earliest))) {
                    break;
                }
            }
        }
    }
    waiting_.store(false, std::memory_order_seq_cst);
    for (Vcpu* vcpu : vcpus_) {
        vcpu->alarm.set_own(false);
    }
}

void CpuThread::park(Participant& participant) {
    const EpochDomain::Offline offline(participant);
    waiting_.store(true, std::memory_order_seq_cst);
    {
        MutexLock lock(mutex_);
        parked_ = true;
        parked_changed_.notify_all();
        while (command_.load(std::memory_order_seq_cst) == Command::pause && !any_work()) {
            wake_.wait(mutex_);
        }
        parked_ = false;
    }
    waiting_.store(false, std::memory_order_seq_cst);
}

}  // namespace weft::accel
