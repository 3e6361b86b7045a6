#include "emulator/linux-user/signal/sighand.h"

#include <cerrno>
#include <csignal>
#include <utility>

#include "emulator/linux-user/process.h"
#include "emulator/linux-user/signal/host_signals.h"

namespace weft::user {

namespace {

// Those that the kernel knows on riscv64; a program finds out by asking what of its own was kept (sigaction(2),
// "Dynamically probing for flag bit support").
constexpr uint64_t kKnownFlags = kSaNocldstop | kSaNocldwait | kSaSiginfo | kSaExposeTagbits | kSaOnstack |
                                 kSaRestart | kSaNodefer | kSaResethand;
constexpr uint64_t kForChildren = kSaNocldstop | kSaNocldwait;

constexpr bool is_valid(int signal) { return signal >= 1 && signal <= static_cast<int>(abi::kSignals); }
constexpr bool is_the_kernels(int signal) { return signal == SIGKILL || signal == SIGSTOP; }
constexpr bool is_wefts(int signal) { return signal == SIGSEGV || signal == SIGBUS; }
constexpr bool has_handler(const abi::Sigaction& action) { return action.handler > kHandlerIgnore; }
constexpr size_t place(int signal) { return static_cast<size_t>(signal) - 1; }

abi::HostSigaction host_action(int signal, const abi::Sigaction& guest, bool intercepts) {
    if (is_wefts(signal)) {
        // One that is dropped must not end a call that the kernel can begin again.
        return host_handler(has_handler(guest) ? guest.flags & kSaRestart : kSaRestart);
    }
    if (has_handler(guest)) {
        return host_handler(guest.flags & (kSaRestart | kForChildren));
    }
    const bool ends = guest.handler == kHandlerDefault && !is_ignored_by_default(signal) &&
                      !stops_by_default(signal) && !is_the_kernels(signal);
    if (intercepts && ends) {
        return host_handler(SA_RESTART);
    }
    return {.handler = guest.handler, .flags = guest.flags & kForChildren, .restorer = 0, .mask = 0};
}

}  // namespace

Sighand::Sighand(const Sighand& other) {
    MutexLock theirs(other.mutex_);
    MutexLock own(mutex_);
    actions_ = other.actions_;
    intercepts_ = other.intercepts_;
}

void Sighand::start() {
    MutexLock lock(mutex_);
    if (std::exchange(started_, true)) {
        return;
    }
    for (int signal = 1; is_valid(signal); ++signal) {
        abi::HostSigaction host{};
        if (host_sigaction(signal, nullptr, &host) == 0) {
            const bool ignored = host.handler == kHandlerIgnore;
            actions_[place(signal)] = {
                .handler = ignored ? kHandlerIgnore : kHandlerDefault, .flags = 0, .mask = 0};
        }
        if (is_wefts(signal)) {
            show_host(signal);
        }
    }
}

int64_t Sighand::show_host(int signal) {
    const abi::HostSigaction host = host_action(signal, actions_[place(signal)], intercepts_);
    return host_sigaction(signal, &host, nullptr);
}

int64_t Sighand::set(int signal, const abi::Sigaction* action, abi::Sigaction* old) {
    if (!is_valid(signal) || (action != nullptr && is_the_kernels(signal))) {
        return -EINVAL;
    }
    MutexLock lock(mutex_);
    abi::Sigaction& kept = actions_[place(signal)];
    if (old != nullptr) {
        *old = kept;
    }
    if (action == nullptr) {
        return 0;
    }
    kept = {.handler = action->handler,
            .flags = action->flags & kKnownFlags,
            .mask = action->mask & ~kNeverBlocked};
    return show_host(signal);
}

abi::Sigaction Sighand::get(int signal) {
    MutexLock lock(mutex_);
    return actions_[place(signal)];
}

void Sighand::intercept(bool on) {
    MutexLock lock(mutex_);
    intercepts_ = on;
    for (int signal = 1; is_valid(signal); ++signal) {
        if (!is_the_kernels(signal)) {
            show_host(signal);
        }
    }
}

bool Sighand::intercepts() {
    MutexLock lock(mutex_);
    return intercepts_;
}

void Sighand::clear_handlers() {
    MutexLock lock(mutex_);
    for (int signal = 1; is_valid(signal); ++signal) {
        abi::Sigaction& kept = actions_[place(signal)];
        kept = {.handler = kept.handler == kHandlerIgnore ? kHandlerIgnore : kHandlerDefault,
                .flags = 0,
                .mask = 0};
        if (!is_the_kernels(signal)) {
            show_host(signal);
        }
    }
}

void Sighand::reset(int signal, uint64_t handler) {
    MutexLock lock(mutex_);
    if (actions_[place(signal)].handler == handler) {
        actions_[place(signal)].handler = kHandlerDefault;
        show_host(signal);
    }
}

Sighand& sighand_of(Thread& thread) {
    return thread.signals.own_actions != nullptr ? *thread.signals.own_actions : thread.process.sighand();
}

}  // namespace weft::user
