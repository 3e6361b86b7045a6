#include "emulator/linux-user/signal/fatal.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <csignal>
#include <cstring>
#include <string>

#include "base/raw_syscall.h"
#include "emulator/linux-user/signal/host_signals.h"

namespace weft::user {

namespace {

std::string name_of(int signal) {
    const char* text = ::sigdescr_np(signal);
    return text != nullptr ? text : fmt::format("real-time signal {}", signal - 32);
}

}  // namespace

void die_by_signal(const Siginfo& info) {
    const int signal = info.signal();
    // What comes from here on does not matter any more.
    set_host_mask(kAllSignals);
    const std::string line = fmt::format("weft-riscv64: killed by signal {} ({})\n", signal, name_of(signal));
    raw_syscall(SYS_write, 2, line.data(), line.size());
    end_by_signal(info);
}

void end_by_signal(const Siginfo& info) {
    const int signal = info.signal();
    set_host_mask(kAllSignals);
    raw_syscall(SYS_prctl, PR_SET_DUMPABLE, 0);
    const abi::HostSigaction by_default{};
    host_sigaction(signal, &by_default, nullptr);
    if (send_to_self(info) < 0) {
        raw_syscall(SYS_tgkill, raw_syscall(SYS_getpid), raw_syscall(SYS_gettid), signal);
    }
    set_host_mask(kAllSignals & ~signal_bit(signal));
    // Still here: the first process of a PID namespace is not killed by its own signals (pid_namespaces(7)).
    for (;;) {
        raw_syscall(SYS_exit_group, 128 + signal);
    }
}

void wait_for_end() {
    set_host_mask(kAllSignals);
    for (;;) {
        raw_syscall(SYS_ppoll, nullptr, 0, nullptr, nullptr, 0);
    }
}

}  // namespace weft::user
