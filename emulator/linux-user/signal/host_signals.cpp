#include "emulator/linux-user/signal/host_signals.h"

#include <sys/syscall.h>

#include <atomic>
#include <csignal>
#include <cstddef>

#include "base/faulting_access.h"
#include "base/host_context.h"
#include "base/raw_syscall.h"
#include "base/signal_safe.h"
#include "emulator/linux-user/memory/host_fault_code.h"
#include "emulator/linux-user/syscall/safe_call.h"

extern "C" const char weft_user_signal_return[];

namespace weft::user {

namespace {

[[gnu::tls_model("initial-exec")]] constinit thread_local Thread* current = nullptr;

// Text of a fixed size, for a handler.
class Line {
  public:
    WEFT_SIGNAL_SAFE void text(const char* words) {
        while (*words != '\0' && size_ < sizeof(bytes_)) {
            bytes_[size_++] = *words++;
        }
    }
    WEFT_SIGNAL_SAFE void decimal(uint64_t value) { digits(value, 10); }
    WEFT_SIGNAL_SAFE void hex(uint64_t value) {
        text("0x");
        digits(value, 16);
    }
    WEFT_SIGNAL_SAFE void write() const {
        raw_syscall_words(SYS_write, 2, reinterpret_cast<uint64_t>(bytes_), size_);
    }

  private:
    WEFT_SIGNAL_SAFE void digits(uint64_t value, unsigned base) {
        char reversed[20];
        unsigned count = 0;
        do {
            reversed[count++] = "0123456789abcdef"[value % base];
            value /= base;
        } while (value != 0);
        while (count != 0 && size_ < sizeof(bytes_)) {
            bytes_[size_++] = reversed[--count];
        }
    }
    char bytes_[160];
    size_t size_ = 0;
};

constexpr bool is_fault_signal(int signal) { return signal == SIGSEGV || signal == SIGBUS; }

// Whether the processor raised it for the instruction at `pc`. Not if it was sent: a program may send itself any si_code, but only
// by a call, behind which it comes. An error of the memory that nobody has used yet (BUS_MCEERR_AO) concerns no instruction.
WEFT_SIGNAL_SAFE bool is_fault(int signal, int code, uint64_t pc) {
    constexpr int kMemoryErrorFound = 5;  // BUS_MCEERR_AO
    return code > 0 && !(signal == SIGBUS && code == kMemoryErrorFound) && !is_safe_call_result(pc);
}

// Word by word: the C library's memcpy belongs to sanitizers.
WEFT_SIGNAL_SAFE void fill(SignalPlace& place, const void* info) {
    if (__atomic_load_n(reinterpret_cast<const uint32_t*>(&place.full), __ATOMIC_ACQUIRE) != 0) {
        return;
    }
    const auto* from = static_cast<const uint64_t*>(info);
    for (size_t i = 0; i < abi::kSiginfoSize / sizeof(uint64_t); ++i) {
        __atomic_store_n(reinterpret_cast<uint64_t*>(&place.words) + i, from[i], __ATOMIC_RELAXED);
    }
    __atomic_store_n(reinterpret_cast<uint32_t*>(&place.full), 1U, __ATOMIC_RELEASE);
}

// The default action, when the handler has returned: in a core file the pc is that of the fault.
WEFT_SIGNAL_SAFE void report_own_fault(int signal, int code, uint64_t address, HostContext& host) {
    Line line;
    line.text("weft-riscv64: signal ");
    line.decimal(static_cast<uint64_t>(signal));
    line.text(" of its own, code ");
    line.decimal(static_cast<uint64_t>(code));
    line.text(", at pc ");
    line.hex(host.pc());
    line.text(", address ");
    line.hex(address);
    line.text("; this is an error in weft\n");
    line.write();
    const abi::HostSigaction action{};
    raw_syscall_words(SYS_rt_sigaction, static_cast<uint64_t>(signal), reinterpret_cast<uint64_t>(&action), 0,
                      sizeof(uint64_t));
    const auto pid = static_cast<uint64_t>(raw_syscall_words(SYS_getpid));
    const auto tid = static_cast<uint64_t>(raw_syscall_words(SYS_gettid));
    raw_syscall_words(SYS_tgkill, pid, tid, static_cast<uint64_t>(signal));
    host.set_signal_mask(host.signal_mask() & ~(uint64_t{1} << (signal - 1)));
}

// si_code -1 to -60 are what a process may give, 0 (kill) and those of the kernel only to itself, which this is.
WEFT_SIGNAL_SAFE void send_to_process(int signal, const void* info) {
    const auto pid = static_cast<uint64_t>(raw_syscall_words(SYS_getpid));
    raw_syscall_words(SYS_rt_sigqueueinfo, pid, static_cast<uint64_t>(signal),
                      reinterpret_cast<uint64_t>(info));
}

// The si_code of ask_to_leave_call: none of the kernel's. It comes by SIGSEGV, which is weft's always and never blocked; with it comes whom
// it is for, as the guest can send itself any code.
constexpr int kLeaveCall = -0x57454654;

WEFT_SIGNAL_SAFE void on_signal(int signal, siginfo_t* info, void* ucontext) {
    Thread* const thread = current;
    HostContext host(ucontext);
    const bool fault_signal = is_fault_signal(signal);
    if (fault_signal && is_fault(signal, info->si_code, host.pc())) {
        const auto address = reinterpret_cast<uint64_t>(info->si_addr);
        const uint32_t code = host_fault_code(signal, info->si_code);
        if (redirect_faulting_access(host, address, code)) {
            return;
        }
        if (thread != nullptr && thread->signals.hook.ask != nullptr &&
            thread->signals.hook.ask(thread->signals.hook.argument, ucontext, address, code)) {
            return;
        }
        report_own_fault(signal, info->si_code, address, host);
        return;
    }
    if (thread == nullptr) {
        host.set_signal_mask(kAllSignals);
        send_to_process(signal, info);
        return;
    }
    const bool leaves_call =
        signal == SIGSEGV && info->si_code == kLeaveCall && info->si_value.sival_ptr == thread;
    if (leaves_call) {
        // Thread::asked, below, is all.
    } else if (fault_signal) {
        fill(signal == SIGSEGV ? thread->signals.sent_segv : thread->signals.sent_bus, info);
    } else {
        fill(thread->signals.slot, info);
        host.set_signal_mask(host_signal_mask(kAllSignals));
    }
    __atomic_store_n(reinterpret_cast<uint32_t*>(&thread->asked), 1U, __ATOMIC_SEQ_CST);
    host.set_pc(rewound_from_safe_call(host.pc()));
}

}  // namespace

void set_current_thread(Thread* thread) { current = thread; }
Thread* current_thread() { return current; }

int64_t host_sigaction(int signal, const abi::HostSigaction* action, abi::HostSigaction* old) {
    return raw_syscall(SYS_rt_sigaction, signal, action, old, sizeof(uint64_t));
}

abi::HostSigaction host_handler(uint64_t flags) {
    return {.handler = reinterpret_cast<uint64_t>(&on_signal),
            .flags = flags | SA_SIGINFO | abi::kHostSaRestorer,
            .restorer = reinterpret_cast<uint64_t>(weft_user_signal_return),
            .mask = kAllSignals};
}

void set_host_mask(uint64_t mask) {
    raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, nullptr, sizeof(mask));
}

uint64_t host_mask() {
    uint64_t mask = 0;
    raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, nullptr, &mask, sizeof(mask));
    return mask;
}

int64_t send_to_self(const Siginfo& info) {
    return raw_syscall(SYS_rt_tgsigqueueinfo, raw_syscall(SYS_getpid), raw_syscall(SYS_gettid), info.signal(),
                       info.words.data());
}

void ask_to_leave_call(Thread& thread) {
    siginfo_t info{};
    info.si_signo = SIGSEGV;
    info.si_code = kLeaveCall;
    info.si_value.sival_ptr = &thread;
    raw_syscall(SYS_rt_tgsigqueueinfo, raw_syscall(SYS_getpid), thread.tid, SIGSEGV, &info);
}

}  // namespace weft::user
