// One system call under way: its arguments, the guest's memory, and the host's calls on its behalf.
//
// Each call that weft implements is a function of one CallContext; calls.h lists them. Rules for such a function: guest memory is
// reached by the context alone, and every address of the guest's is checked there; a call of the host that may sleep is made by
// host(), and if that gives kRestart, the function returns it, having changed nothing.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>

#include "emulator/linux-user/process.h"
#include "emulator/linux-user/syscall/host_call.h"
#include "emulator/linux-user/syscall/safe_call.h"
#include "emulator/linux-user/syscall/table.h"
#include "emulator/linux-user/thread.h"

namespace weft::user {

// How a call ends. Functions return a number, a negated errno or kRestart where they can.
struct SyscallOutcome {
    enum class Kind : uint8_t {
        value,          // `value` goes to a0
        restart,        // nothing was done: deal with signals, then call again with the same arguments
        registers_set,  // rt_sigreturn: all registers are what they shall be, a0 and pc as well
        thread_ends,    // exit: of this thread, with the status `value`
        process_ends,   // exit_group: of all threads
    };
    Kind kind = Kind::value;
    int64_t value = 0;

    constexpr SyscallOutcome(Kind how, int64_t status) : kind(how), value(status) {}
    constexpr SyscallOutcome(int64_t result)  // NOLINT: a result is an outcome
        : kind(result == kRestart ? Kind::restart : Kind::value), value(result) {}

    bool operator==(const SyscallOutcome&) const = default;
};

class CallContext {
  public:
    CallContext(Thread& calling, const Syscall& row, const std::array<uint64_t, 6>& args)
        : thread(calling), process(calling.process), row_(row), args_(args) {}

    Thread& thread;
    Process& process;

    const std::array<uint64_t, 6>& args() const { return args_; }
    uint64_t arg(unsigned index) const { return args_[index]; }
    // Arguments of C's type int: the kernel looks at the lower half of the register.
    int32_t number(unsigned index) const { return static_cast<int32_t>(args_[index]); }
    uint32_t bits(unsigned index) const { return static_cast<uint32_t>(args_[index]); }

    template <class T>
    std::optional<T> read(uint64_t address) {
        T value;
        return process.memory().read(address, &value, sizeof(value)) ? std::optional(value) : std::nullopt;
    }
    bool read(uint64_t address, void* to, size_t size) { return process.memory().read(address, to, size); }
    // 0 or -EFAULT.
    template <class T>
    int64_t write(uint64_t address, const T& value) {
        return write(address, &value, sizeof(value));
    }
    int64_t write(uint64_t address, const void* from, size_t size);

    // What the host's kernel is given for a guest address (host_pointer()).
    uint64_t pointer(uint64_t address, uint64_t size) const;

    // The host's call by its number on the host; pointers are weft's.
    template <class... Args>
    int64_t host(long host_number, Args... host_args) {
        static_assert(sizeof...(host_args) <= 6);
        return safe_call(thread.asked, host_number, {word(host_args)...});
    }
    // The host's call of the same name with the guest's arguments, by their kinds (host_call.h). Arguments of the kind `lookup`
    // are names, which are looked up first (paths.h).
    int64_t pass();
    // The same with other arguments, guest addresses as well.
    int64_t pass(const std::array<uint64_t, 6>& guest_args);
    // The same where an operation says of what kinds the arguments are.
    int64_t pass_as(const std::array<Arg, 6>& kinds) { return pass_as(kinds, args_); }
    int64_t pass_as(const std::array<Arg, 6>& kinds, const std::array<uint64_t, 6>& guest_args);

    // What the host's kernel is given for a range that it shall say or do something about, and not read or write: an address
    // that no program has, at the same place in its page, if not all of it is the guest's. 0 is an address as any other.
    uint64_t place(uint64_t address, uint64_t size) const;

  private:
    int64_t pass_row(const Syscall& row, const std::array<uint64_t, 6>& guest_args);
    int64_t look_up_and_call(const Syscall& row, const std::array<uint64_t, 6>& guest_args,
                             std::array<uint64_t, 6> host_args);
    template <class T>
    static uint64_t word(T value) {
        if constexpr (std::integral<T>) {
            return static_cast<uint64_t>(static_cast<int64_t>(value));
        } else {
            return reinterpret_cast<uint64_t>(value);
        }
    }

    const Syscall& row_;
    const std::array<uint64_t, 6> args_;
};

}  // namespace weft::user
