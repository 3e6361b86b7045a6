#include "emulator/linux-user/debug/stop_control.h"

#include <algorithm>

#include "emulator/linux-user/signal/host_signals.h"

namespace weft::user {

using Kind = control::gdb::ThreadAction::Kind;

// ---- within the lock ----

bool StopControl::is_quiet() const {
    return !members_.empty() && std::ranges::none_of(members_, [](const Member* member) {
        return member->state_ == State::running;
    });
}

void StopControl::look_quiet() {
    if (event_ && (ending_ || is_quiet())) {
        wake_();
    }
}

StopControl::Member* StopControl::find(uint64_t thread) {
    const auto found = std::ranges::find(members_, thread, &Member::id_);
    return found != members_.end() ? *found : nullptr;
}

void StopControl::stop_all(const Stop& stop) {
    event_ = stop;
    stopping_ = true;
    for (const Member* member : members_) {
        if (member->state_ == State::running) {
            // seq_cst: behind stopping_, which is under the lock that the thread asks by.
            member->thread_.asked.store(1, std::memory_order_seq_cst);
        }
    }
    look_quiet();
}

// ---- the debugger's thread ----

std::optional<StopControl::Stop> StopControl::take_stop() {
    MutexLock lock(mutex_);
    if (!event_ || !(ending_ || is_quiet())) {
        return std::nullopt;
    }
    std::optional<Stop> stop = std::exchange(event_, std::nullopt);
    // Whom the client interrupted may have ended before it came to a stop; and of the first stop nobody is the cause.
    if (stop->kind == Stop::Kind::signal && find(stop->thread) == nullptr) {
        stop->thread = members_.front()->id_;
    }
    return stop;
}

void StopControl::end_told() {
    MutexLock lock(mutex_);
    end_told_ = true;
    changed_.notify_all();
}

void StopControl::resume(std::span<const Action> actions) {
    MutexLock lock(mutex_);
    for (Member* member : members_) {
        if (!member->listed_) {
            continue;
        }
        const auto action = std::ranges::find(actions, member->id_, &Action::thread);
        const Kind kind = action != actions.end() ? action->kind : Kind::stay;
        member->goes_ = kind != Kind::stay;
        member->step_ = kind == Kind::step;
        member->signal_ = action != actions.end() ? action->signal : 0;
    }
    stopping_ = false;
    changed_.notify_all();
}

void StopControl::interrupt() {
    MutexLock lock(mutex_);
    if (stopping_ || ending_ || members_.empty()) {
        return;
    }
    // The first that runs, for what is stopped was not meant.
    const auto runs = std::ranges::find_if(members_, [](const Member* member) { return member->goes_; });
    const Member& member = runs != members_.end() ? **runs : *members_.front();
    stop_all({.thread = member.id_, .signal = control::gdb::kSigint});
}

void StopControl::detach(const std::function<void()>& last) {
    MutexLock lock(mutex_);
    last();
    attached_ = false;
    stopping_ = false;
    ending_ = false;
    for (Member* member : members_) {
        member->goes_ = true;
        member->step_ = false;
        member->signal_ = 0;
    }
    changed_.notify_all();
}

bool StopControl::attached() {
    MutexLock lock(mutex_);
    return attached_;
}

void StopControl::pass_signals(uint64_t mask) {
    MutexLock lock(mutex_);
    passed_ = mask;
}

void StopControl::undivided(const std::function<void()>& body) {
    MutexLock lock(mutex_);
    body();
}

std::vector<uint64_t> StopControl::threads() {
    MutexLock lock(mutex_);
    std::vector<uint64_t> ids;
    for (Member* member : members_) {
        member->listed_ = true;
        ids.push_back(member->id_);
    }
    std::ranges::sort(ids);
    return ids;
}

std::optional<FrameRegisters> StopControl::registers(uint64_t thread) {
    MutexLock lock(mutex_);
    const Member* member = find(thread);
    return member != nullptr ? std::optional(member->registers_) : std::nullopt;
}

bool StopControl::set_registers(uint64_t thread, const FrameRegisters& registers) {
    MutexLock lock(mutex_);
    Member* member = find(thread);
    if (member == nullptr || member->state_ == State::running) {
        return false;
    }
    member->registers_ = registers;
    if (!std::exchange(member->written_, true) && member->state_ == State::calling) {
        // Nobody waits for it: it is stopped in any case.
        ask_to_leave_call(member->thread_);
    }
    return true;
}

std::optional<Siginfo> StopControl::siginfo(uint64_t thread) {
    MutexLock lock(mutex_);
    const Member* member = find(thread);
    return member != nullptr ? member->info_ : std::nullopt;
}

// ---- threads of the guest ----

void StopControl::end(const Stop& stop, const Thread* running) {
    MutexLock lock(mutex_);
    // A thread that is running is waited for by those that stop: its end comes before their event. One that is none any more is not, and
    // what they stop for is told first, if there are any.
    while (attached_ && stopping_ && running == nullptr && !members_.empty()) {
        changed_.wait(mutex_);
    }
    if (!attached_) {
        return;
    }
    event_ = stop;
    ending_ = true;
    wake_();
    while (!end_told_ && attached_) {
        changed_.wait(mutex_);
    }
}

void StopControl::fork_child(const Thread& survivor) {
    std::erase_if(members_, [&](const Member* member) { return &member->thread_ != &survivor; });
    attached_ = false;
    stopping_ = false;
    ending_ = false;
    event_.reset();
    for (Member* member : members_) {
        member->goes_ = true;
        member->step_ = false;
        member->signal_ = 0;
        // What the debugger set while fork was on its way is the parent's.
        member->written_ = false;
    }
    changed_.forget_waiters();
    mutex_.unlock();
}

StopControl::Member::Member(StopControl& owner, Thread& thread)
    : owner_(owner), thread_(thread), id_(static_cast<uint64_t>(thread.tid)) {
    MutexLock lock(owner_.mutex_);
    owner_.members_.push_back(this);
    leave_registers(State::stopped);
}

StopControl::Member::~Member() {
    MutexLock lock(owner_.mutex_);
    std::erase(owner_.members_, this);
    const auto& others = owner_.members_;
    const bool nobody_goes = std::ranges::none_of(others, [](const Member* member) { return member->goes_; });
    if (owner_.attached_ && !owner_.stopping_ && !owner_.ending_ && !process_ends_ && !others.empty() &&
        nobody_goes) {
        owner_.stop_all({.kind = Stop::Kind::no_resumed});
    } else {
        owner_.look_quiet();
    }
    if (others.empty()) {
        owner_.changed_.notify_all();  // end()
    }
}

bool StopControl::Member::may_run() const WEFT_NO_THREAD_SAFETY_ANALYSIS {
    return !owner_.stopping_ && !owner_.ending_ && goes_;
}

void StopControl::Member::leave_registers(State state) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    registers_ = thread_.signals.registers->get();
    written_ = false;
    state_ = state;
    owner_.look_quiet();
}

bool StopControl::Member::take_registers() {
    state_ = State::running;
    if (!std::exchange(written_, false)) {
        return false;
    }
    thread_.signals.registers->set(registers_);
    return true;
}

StopControl::Member::Go StopControl::Member::wait() {
    MutexLock lock(owner_.mutex_);
    if (state_ != State::stopped && !may_run()) {
        leave_registers(State::stopped);
    }
    if (state_ == State::stopped) {
        while (!may_run()) {
            owner_.changed_.wait(owner_.mutex_);
        }
        take_registers();
        info_.reset();
    }
    return {.step = step_, .signal = std::exchange(signal_, 0)};
}

bool StopControl::Member::call_begins() {
    MutexLock lock(owner_.mutex_);
    if (!may_run()) {
        return false;
    }
    leave_registers(State::calling);
    return true;
}

StopControl::Member::CallGo StopControl::Member::call_ends() {
    MutexLock lock(owner_.mutex_);
    while (!may_run()) {
        owner_.changed_.wait(owner_.mutex_);
    }
    return {.registers_set = take_registers(), .step = step_};
}

void StopControl::Member::process_ends() {
    MutexLock lock(owner_.mutex_);
    process_ends_ = true;
}

bool StopControl::Member::event(const Stop& stop, const std::optional<Siginfo>& info) {
    MutexLock lock(owner_.mutex_);
    if (!owner_.attached_ || owner_.stopping_ || owner_.ending_) {
        return false;
    }
    info_ = info;
    owner_.stop_all(stop);
    return true;
}

bool StopControl::Member::wants(int signal) {
    MutexLock lock(owner_.mutex_);
    return owner_.attached_ && (owner_.passed_ & signal_bit(signal)) == 0;
}

bool StopControl::Member::attached() {
    MutexLock lock(owner_.mutex_);
    return owner_.attached_;
}

}  // namespace weft::user
