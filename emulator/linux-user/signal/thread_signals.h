// What a thread of the guest keeps of its signals.
//
// All of it is the thread's own. Its signal handler, which runs on the thread itself, writes into the places below and nowhere else;
// so what orders them is the program's order, and the flags are atomics for the compiler's sake.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "emulator/linux-user/riscv/frame.h"
#include "emulator/linux-user/signal/siginfo.h"

namespace weft::user {

class Sighand;

// Room for one signal that came. The handler fills it if it is empty; the thread empties it.
struct SignalPlace {
    std::atomic<uint32_t> full{0};  // release; pairs with the acquire of the other side
    std::array<uint64_t, abi::kSiginfoSize / sizeof(uint64_t)> words{};

    bool is_full() const { return full.load(std::memory_order_acquire) != 0; }
    std::optional<Siginfo> look() const { return is_full() ? std::optional(Siginfo{words}) : std::nullopt; }
    // By the thread, with the signal closed or none expected.
    void put(const std::optional<Siginfo>& info) {
        words = info.value_or(Siginfo{}).words;
        full.store(info ? 1 : 0, std::memory_order_release);
    }
    void clear() { full.store(0, std::memory_order_release); }
};

// Who is asked about a fault of the host that is no access of base/faulting_access.h: the accelerator (ProcessOps::host_fault).
// Called in the handler: async-signal-safe. True: *ucontext was changed, and the thread goes on.
struct FaultHook {
    bool (*ask)(void* argument, void* ucontext, uint64_t address, uint32_t code) = nullptr;
    void* argument = nullptr;
};

// The guest's registers, as who runs its vCPU gives and takes them. By the thread itself, outside the vCPU.
class Registers {
  public:
    virtual ~Registers() = default;
    virtual FrameRegisters get() = 0;
    virtual void set(const FrameRegisters& registers) = 0;
};

struct ThreadSignals {
    // A signal that the kernel delivered. While it is full the host's mask is full too, but for SIGSEGV and SIGBUS: what comes
    // later waits in the kernel, with its order, merging and limits.
    SignalPlace slot;
    // SIGSEGV and SIGBUS that were sent, which the host never blocks: they wait here while the guest blocks them. One of each, as
    // standard signals merge.
    SignalPlace sent_segv;
    SignalPlace sent_bus;

    FaultHook hook;                    // set before the vCPU runs
    Registers* registers = nullptr;    // set before the guest runs
    Sighand* own_actions = nullptr;    // of a vfork child; null: the process's
    std::optional<Siginfo> exception;  // of the guest's instruction at pc, of which nothing was done
    // The mask of a call that swaps masks (ppoll, rt_sigsuspend, ...), until what interrupted the call is dealt with.
    std::optional<uint64_t> swapped;
    // The host's mask is full, as while `slot` is; set by the thread itself.
    bool closed = false;

    // Those of the guest's that wait in weft, as a mask.
    uint64_t sent() const {
        return (sent_segv.is_full() ? signal_bit(11) : 0) | (sent_bus.is_full() ? signal_bit(7) : 0);
    }
    SignalPlace& place(int signal) { return signal == 11 ? sent_segv : sent_bus; }
};

}  // namespace weft::user
