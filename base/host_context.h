// What a signal handler was given of the thread it interrupted: the one place that knows the host's ucontext_t.
//
// Async-signal-safe: it reads and writes the context where the kernel put it, and has no state of its own. What was set is
// what the thread goes on with when the handler returns. For x86-64 hosts.
#pragma once

#include <cstdint>

#include "base/signal_safe.h"

namespace weft {

class HostContext {
  public:
    // The third argument of a handler that was installed with SA_SIGINFO; valid until that handler returns.
    WEFT_SIGNAL_SAFE explicit HostContext(void* ucontext) : context_(ucontext) {}

    uint64_t pc() const;
    void set_pc(uint64_t pc);
    uint64_t stack_pointer() const;

    // By the encoding of x86-64 instructions: 0 rax, 1 rcx, 2 rdx, 3 rbx, 4 rsp, 5 rbp, 6 rsi, 7 rdi, 8 to 15 r8 to r15.
    // `number` is below 16.
    uint64_t reg(unsigned number) const;
    void set_reg(unsigned number, uint64_t value);

    // The mask that the thread goes on with; bit n - 1: signal n.
    uint64_t signal_mask() const;
    void set_signal_mask(uint64_t mask);

    enum class Access : uint8_t { load, store, fetch };

    // What the thread did to memory, by bits 1 and 4 of the page fault's error code (Intel SDM volume 3, "Page-Fault
    // Exception"): load where it was no page fault. An instruction that reads and writes (cmpxchg, xadd) is a store.
    Access access() const;

    // Whether an access to memory that is not there or not allowed was interrupted (exception 14, also where the signal is
    // SIGBUS). A non-canonical address raises a general-protection fault instead (13; 12 by way of the stack pointer), for
    // which siginfo has no address. Meaningful in handlers of signals the processor caused: in others it is what the thread's
    // last such signal left.
    bool page_fault() const;

  private:
    void* context_;
};

}  // namespace weft
