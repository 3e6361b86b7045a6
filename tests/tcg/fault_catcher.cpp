#include "fault_catcher.h"

#include <csignal>

#include "base/host_context.h"

namespace weft::tcg::test {

namespace {

struct Running {
    const Backend* backend;
    void* state;
};
// What this thread runs, for its handler; null where nothing.
thread_local Running running{};

void on_fault(int number, siginfo_t* info, void* ucontext) {
    HostContext context(ucontext);
    const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
    if (running.backend == nullptr || !running.backend->redirect(context, address, 1, running.state)) {
        std::signal(number, SIG_DFL);  // it faults again
    }
}

}  // namespace

void FaultCatcher::install() {
    struct sigaction action{};
    action.sa_sigaction = &on_fault;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, nullptr);
    sigaction(SIGBUS, &action, nullptr);
}

FaultCatcher::FaultCatcher(const Backend& backend, void* state) { running = {&backend, state}; }
FaultCatcher::~FaultCatcher() { running = {}; }

}  // namespace weft::tcg::test
