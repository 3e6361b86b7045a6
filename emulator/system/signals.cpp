#include "emulator/system/signals.h"

#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

namespace weft::sys {

struct Signals::Saved {
    sigset_t mask;
};

Result<std::unique_ptr<Signals>> Signals::create() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCONT}) {
        sigaddset(&set, signal);
    }
    auto saved = std::make_unique<Saved>();
    if (const int error = pthread_sigmask(SIG_BLOCK, &set, &saved->mask); error != 0) {
        return fail_errno("cannot block signals", error);
    }
    UniqueFd fd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!fd) {
        auto error = fail_errno("cannot wait for signals");
        pthread_sigmask(SIG_SETMASK, &saved->mask, nullptr);
        return error;
    }
    return std::unique_ptr<Signals>(new Signals(std::move(fd), std::move(saved)));
}

Signals::Signals(UniqueFd fd, std::unique_ptr<Saved> saved) : fd_(std::move(fd)), saved_(std::move(saved)) {}

Signals::~Signals() { pthread_sigmask(SIG_SETMASK, &saved_->mask, nullptr); }

Signals::Event Signals::take() {
    signalfd_siginfo info{};
    if (::read(fd_.get(), &info, sizeof info) != sizeof info) {
        return Event::none;
    }
    return info.ssi_signo == SIGCONT ? Event::continued : Event::terminate;
}

}  // namespace weft::sys
