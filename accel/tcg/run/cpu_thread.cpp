#include "accel/tcg/run/cpu_thread.h"

#include <algorithm>
#include <new>
#include <utility>

#include "accel/tcg/vcpu/out_of_memory.h"
#include "accel/tcg/vcpu/vcpu.h"
#include "base/assert.h"

namespace weft::accel {

namespace {

// How long a vCPU runs while others wait for their turn. Short, because a guest that waits for another hart (a TLB
// shootdown, a spin lock) burns its turn: with slices of 5 ms one boot in six took five times as long.
constexpr uint64_t kSliceNs = 1'000'000;
// The same with the instruction clock.
constexpr uint64_t kSliceInsns = 200'000;

// How often a thread that found no space for code waits for a region before it has everything emptied.
constexpr unsigned kMaxWaitsForRoom = 3;

}  // namespace

Result<std::unique_ptr<CpuThread>> CpuThread::create(std::string name, TranslationCache& cache,
                                                     ExclusiveGate& gate, TimerThread& timer,
                                                     const Clock& clock, InsnClock* insn_clock) {
    auto translator = Translator::create(cache);
    if (!translator) {
        return std::unexpected(translator.error());
    }
    return std::unique_ptr<CpuThread>(
        new CpuThread(std::move(name), cache, gate, timer, clock, insn_clock, std::move(*translator)));
}

CpuThread::CpuThread(std::string name, TranslationCache& cache, ExclusiveGate& gate, TimerThread& timer,
                     const Clock& clock, InsnClock* insn_clock, std::unique_ptr<Translator> translator)
    : name_(std::move(name)),
      cache_(cache),
      gate_(gate),
      clock_(clock),
      insn_clock_(insn_clock),
      translator_(std::move(translator)),
      loop_(cache, *translator_, *this, insn_clock),
      member_(
          gate, [](void* thread) { static_cast<CpuThread*>(thread)->ask_all(); }, this),
      slice_(
          timer,
          [](void* opaque) {
              auto* thread = static_cast<CpuThread*>(opaque);
              thread->end_turn();
          },
          this) {
    if (insn_clock_ != nullptr) {
        insn_clock_->attach([](void* self) { static_cast<CpuThread*>(self)->ask_from_outside(); }, this);
    }
}

CpuThread::~CpuThread() {
    WEFT_ASSERT(!thread_.joinable());
    if (insn_clock_ != nullptr) {
        insn_clock_->attach(nullptr, nullptr);
    }
}

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
        turn_ = nullptr;
        vcpu_count_.store(vcpus_.size(), std::memory_order_relaxed);
        last_ = 0;
    }
    Reader reader(cache_.epochs());
    reader.go_online();
    do_work(vcpu, reader);
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
    Reader reader(cache_.epochs());
    reader.go_online();
    for (Vcpu* vcpu : vcpus_) {
        do_work(*vcpu, reader);
    }
}

// ---- what others ask ----

void CpuThread::post(Vcpu& vcpu, WorkItem& item) {
    if (!do_at_once(vcpu, item)) {
        vcpu.work.push(item);
        tell_of_work(vcpu);
    }
}

void CpuThread::post_copy(Vcpu& vcpu, const WorkItem& item) {
    if (!do_at_once(vcpu, item)) {
        vcpu.work.push_copy(item);
        tell_of_work(vcpu);
    }
}

// In the place of a thread that was not started; false where it was.
bool CpuThread::do_at_once(Vcpu& vcpu, const WorkItem& item) {
    MutexLock lock(start_mutex_);
    if (started_) {
        return false;
    }
    Reader reader(cache_.epochs());
    reader.go_online();
    do_item(vcpu, item, reader);
    return true;
}

void CpuThread::tell_of_work(Vcpu& vcpu) {
    if (insn_clock_ != nullptr) {
        ask_current();
        wake_sleeper();
    } else {
        vcpu.kick();
    }
}

void CpuThread::ask_all() {
    if (insn_clock_ != nullptr) {
        ask_current();
        return;
    }
    MutexLock lock(mutex_);
    for (Vcpu* vcpu : vcpus_) {
        vcpu->header().exit_request.store(1, std::memory_order_seq_cst);
    }
}

void CpuThread::request_quiescence(EpochDomain::Reader& lagging, void* self) {
    auto* thread = static_cast<CpuThread*>(lagging.owner());
    if (thread != nullptr && static_cast<VcpuThread*>(thread) != self) {
        thread->ask_all();
    }
}

// Only the vCPU that runs is asked: an exit request of one that is halted means that it was woken, and who runs would
// give way to it.
void CpuThread::end_turn() {
    Vcpu* const current = current_.load(std::memory_order_seq_cst);
    if (current != nullptr) {
        turn_over_.store(true, std::memory_order_seq_cst);
        current->header().exit_request.store(1, std::memory_order_seq_cst);
    }
}

void CpuThread::ask_current() {
    if (Vcpu* const current = current_.load(std::memory_order_seq_cst); current != nullptr) {
        current->header().exit_request.store(1, std::memory_order_seq_cst);
    }
}

void CpuThread::ask_from_outside() {
    outside_.store(true, std::memory_order_seq_cst);
    ask_current();
    wake_sleeper();
}

void CpuThread::wake(Vcpu& vcpu) {
    if (insn_clock_ != nullptr) {
        if (insn_clock_->on_thread()) {
            insn_clock_->stop_soon();
        } else {
            ask_from_outside();
        }
        return;
    }
    if (vcpu_count_.load(std::memory_order_relaxed) > 1) {
        // The one that runs gives way, for it may be long until its turn is over.
        if (current_.load(std::memory_order_seq_cst) != &vcpu) {
            end_turn();
        }
    }
    wake_sleeper();
}

void CpuThread::deadline_set(uint64_t deadline_ns) {
    if (insn_clock_ == nullptr) {
        // A halted vCPU waits for its deadline by itself: it has to look again.
        wake_sleeper();
    } else if (insn_clock_->on_thread()) {
        insn_clock_->stop_by(deadline_ns);
    } else {
        ask_from_outside();
    }
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
    if (insn_clock_ != nullptr) {
        return !wants_nothing();
    }
    return command_.load(std::memory_order_seq_cst) != Command::run || vcpu.work.any() || gate_.requested() ||
           turn_over_.load(std::memory_order_seq_cst);
}

bool CpuThread::wants_nothing() const {
    return (command_.load(std::memory_order_seq_cst) == Command::run || on_the_way_to_hold()) &&
           !any_work() && !gate_.requested() && !outside_.load(std::memory_order_seq_cst);
}

// Held, but the segment goes on a little: whoever pauses the machine meanwhile waits for its end, which is the guest's.
bool CpuThread::on_the_way_to_hold() const {
    return insn_clock_->held() && turn_ != nullptr && !turn_->halted && !turn_->failed &&
           insn_clock_->left() != 0;
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
    id_.store(std::this_thread::get_id(), std::memory_order_seq_cst);
    wake_exactly();  // a halted vCPU sleeps until its own timer
    Reader reader(cache_.epochs(), this);
    reader.go_online();
    if (insn_clock_ != nullptr) {
        insn_clock_->adopt_thread();
    }
    while (true) {
        reader.quiescent();
        cache_.epochs().poll();
        for (Vcpu* vcpu : vcpus_) {
            do_work(*vcpu, reader);
        }
        switch (command_.load(std::memory_order_seq_cst)) {
            case Command::run:
                run_or_fail(reader);
                break;
            case Command::pause:
                if (insn_clock_ != nullptr && on_the_way_to_hold()) {
                    run_or_fail(reader);
                } else {
                    park(reader);
                }
                break;
            case Command::stop:
                if (insn_clock_ != nullptr) {
                    insn_clock_->leave_thread();
                }
                id_.store({}, std::memory_order_seq_cst);
                return;
        }
    }
}

// What vCPUs do is guarded one by one; what is left is the thread's own, and fails them all.
void CpuThread::run_or_fail(Reader& reader) {
    try {
        if (insn_clock_ != nullptr) {
            take_turns_by_insns(reader);
        } else {
            take_turns(reader);
        }
    } catch (const std::bad_alloc&) {
        current_.store(nullptr, std::memory_order_seq_cst);
        for (Vcpu* vcpu : vcpus_) {
            vcpu->out_of_memory();
        }
    }
}

void CpuThread::take_turns(Reader& reader) {
    turn_over_.store(false, std::memory_order_seq_cst);
    Vcpu* const vcpu = next_runnable();
    if (vcpu == nullptr) {
        sleep(reader);
        return;
    }
    const bool share = others_wait(*vcpu);
    current_.store(vcpu, std::memory_order_seq_cst);
    if (share) {
        // Not before it is known whose turn it is: an alarm that went off earlier would end nobody's.
        slice_.set(clock_.now_ns() + kSliceNs);
    }
    // A kick of another vCPU that did not see yet who runs; and what came after it was looked for, but before
    // next_runnable() took back the exit request of a halted vCPU that told of it.
    if (other_was_kicked(*vcpu) || any_work() || command_.load(std::memory_order_seq_cst) != Command::run) {
        turn_over_.store(true, std::memory_order_seq_cst);
        vcpu->header().exit_request.store(1, std::memory_order_seq_cst);
    }
    run_vcpu(*vcpu, reader);
    current_.store(nullptr, std::memory_order_seq_cst);
    if (share) {
        slice_.set(kNever);
    }
}

// Goes on with the segment that was interrupted, or begins another one.
void CpuThread::take_turns_by_insns(Reader& reader) {
    if (insn_clock_->held() && !on_the_way_to_hold()) {
        sleep_without_time(reader);
        return;
    }
    const bool outside = outside_.exchange(false, std::memory_order_seq_cst);
    const bool over = turn_ == nullptr || turn_->halted || turn_->failed || insn_clock_->left() == 0;
    if ((over || outside) && !plan_segment()) {
        return;
    }
    if (turn_ == nullptr) {
        sleep_without_time(reader);
        return;
    }
    current_.store(turn_, std::memory_order_seq_cst);
    // Who asked before saw that nobody runs.
    if (wants_nothing()) {
        run_vcpu(*turn_, reader);
    }
    current_.store(nullptr, std::memory_order_seq_cst);
}

// Does what is due, and chooses who runs up to which stop; turn_ is null where all are halted for ever. False: time was
// jumped over, and something is due again.
bool CpuThread::plan_segment() {
    insn_clock_->run_due_timers();
    const uint64_t now = insn_clock_->now_ns();
    if (!turn_goes_on()) {
        turn_ = next_runnable();
        if (turn_ != nullptr) {
            turn_end_ = others_wait(*turn_) ? now + kSliceInsns : kNever;
        } else if (const uint64_t next = next_stop(); next != kNever) {
            insn_clock_->jump_to(next);
            return false;
        } else {
            return true;
        }
    }
    turn_->alarm.take_if_due(now);
    turn_->look_at_interrupts = true;
    insn_clock_->start(std::min(turn_end_, next_stop()));
    return true;
}

// Whether the vCPU whose turn it is may run on, at a stop.
bool CpuThread::turn_goes_on() {
    if (turn_ == nullptr || turn_->halted || turn_->failed || insn_clock_->now_ns() >= turn_end_) {
        return false;
    }
    const uint64_t now = insn_clock_->now_ns();
    const bool other_is_due = std::ranges::any_of(vcpus_, [now](const Vcpu* vcpu) {
        return vcpu->halted && !vcpu->failed && vcpu->alarm.time_ns() <= now;
    });
    return !other_is_due && !other_was_kicked(*turn_);
}

// When something has to be looked at next: the timers, the vCPU whose turn it is, and those that are halted. One
// that waits for its turn looks when it comes.
uint64_t CpuThread::next_stop() const {
    uint64_t next = insn_clock_->next_timer_ns();
    for (const Vcpu* vcpu : vcpus_) {
        if (!vcpu->failed && (vcpu == turn_ || vcpu->halted)) {
            next = std::min(next, vcpu->alarm.time_ns());
        }
    }
    return next;
}

void CpuThread::run_vcpu(Vcpu& vcpu, Reader& reader) {
    LoopExit reason{};
    {
        const InsideGate inside(member_, reader);
        do {
            // Alone, it may go on.
            reason = or_fail(vcpu, LoopExit::failed, [&] { return loop_.run(vcpu, reader); });
        } while (reason == LoopExit::yielded && vcpus_.size() == 1);
    }
    if (reason == LoopExit::yielded) {
        turn_ = nullptr;
    }
    if (reason == LoopExit::full) {
        make_room(vcpu, reader);
    } else if (reason == LoopExit::halted) {
        // So that it is looked at once before the thread sleeps.
        vcpu.header().exit_request.store(1, std::memory_order_seq_cst);
    }
}

void CpuThread::make_room(const Vcpu& vcpu, Reader& reader) {
    const uint64_t translated = vcpu.counters.translations.get();
    full_in_a_row_ = translated == translated_when_full_ ? full_in_a_row_ : 0;
    translated_when_full_ = translated;
    // Whoever waits in vain is outrun by other translators.
    if (++full_in_a_row_ <= kMaxWaitsForRoom && cache_.make_room(reader)) {
        return;
    }
    full_in_a_row_ = 0;
    const ExclusiveSection alone(gate_, &reader);
    cache_.flush(translator_->full_at());
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

bool CpuThread::others_wait(const Vcpu& vcpu) const {
    return std::ranges::any_of(
        vcpus_, [&vcpu](const Vcpu* other) { return other != &vcpu && !other->failed && !other->halted; });
}

bool CpuThread::other_was_kicked(const Vcpu& vcpu) const {
    return std::ranges::any_of(vcpus_, [&vcpu](const Vcpu* other) {
        return other != &vcpu && other->halted && !other->failed &&
               other->header().exit_request.load(std::memory_order_seq_cst) != 0;
    });
}

// ---- work ----

void CpuThread::do_work(Vcpu& vcpu, Reader& reader) {
    WorkItem item{};
    while (vcpu.work.pop(&item)) {
        do_item(vcpu, item, reader);
    }
}

void CpuThread::do_item(Vcpu& vcpu, const WorkItem& item, Reader& reader) {
    if (item.kind == VcpuWork::exclusive) {
        const ExclusiveSection alone(gate_, &reader);
        or_fail(vcpu, [&] { item.run(item.opaque, vcpu.state()); });
    } else {
        or_fail(vcpu, [&] { item.run(item.opaque, vcpu.state()); });
    }
}

// ---- waiting ----

void CpuThread::sleep(Reader& reader) {
    const EpochDomain::Offline offline(reader);
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

// All vCPUs are halted and no deadline is set, or they are held: until another thread wants something.
void CpuThread::sleep_without_time(Reader& reader) {
    const EpochDomain::Offline offline(reader);
    waiting_.store(true, std::memory_order_seq_cst);
    {
        MutexLock lock(mutex_);
        // The gate's requesters do not wait for who sleeps.
        while (command_.load(std::memory_order_seq_cst) == Command::run && !any_work() &&
               (insn_clock_->held() || (!outside_.load(std::memory_order_seq_cst) && !any_kicked()))) {
            wake_.wait(mutex_);
        }
    }
    waiting_.store(false, std::memory_order_seq_cst);
}

void CpuThread::park(Reader& reader) {
    const EpochDomain::Offline offline(reader);
    waiting_.store(true, std::memory_order_seq_cst);
    {
        MutexLock lock(mutex_);
#ifdef WEFT_PLANT_LOCK_ORDER
        // A fault that tests/tsan plants: the gate's mutex is taken under the thread's, which is a leaf.
        const ExclusiveGate::Member planted(gate_, nullptr, nullptr);
#endif
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
