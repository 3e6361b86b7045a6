// Programs about signals, which run twice: with the host's kernel, and with weft's calls and deliveries on top of it.
//
// A program is a function of a Sys. It is run in a child process, once for each, and what it logs and how it ends is compared: the
// kernel is the oracle. Weft's side has no vCPU: "the guest" is the program itself, whose handlers have addresses that stand for
// them, and which looks at the exit request between its calls.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "emulator/linux-user/process.h"
#include "emulator/linux-user/riscv/frame.h"
#include "emulator/linux-user/syscall/call_context.h"
#include "emulator/linux-user/thread.h"

namespace weft::user::test {

using Args = std::array<uint64_t, 6>;

// Memory of the program's, at the same addresses for both.
inline constexpr uint64_t kArena = 0x10000000;  // one page, shared with the test's process
inline constexpr uint64_t kStack = 0x10100000;
inline constexpr uint64_t kAltStack = 0x10200000;
inline constexpr uint64_t kStackSize = 0x10000;
inline constexpr uint64_t kNothing = 0x10300000;  // not mapped

struct Event {
    int signal;
    Siginfo info;
    uint64_t saved_mask;
    bool on_alt_stack;
};

class Sys;
using Body = std::function<void(Sys&, const Event&)>;

class Sys {
  public:
    virtual ~Sys() = default;
    // By the guest's name; a result or a negated errno.
    virtual int64_t call(std::string_view name, const Args& args) = 0;
    virtual int64_t action(int signal, const abi::Sigaction* action, abi::Sigaction* old) = 0;
    // What to use as Sigaction::handler.
    virtual uint64_t handler(Body body) = 0;
    // One load of the guest's.
    virtual void load(uint64_t address) = 0;

    int64_t handle(int signal, uint64_t flags, uint64_t mask, Body body) {
        const abi::Sigaction wanted{.handler = handler(std::move(body)), .flags = flags, .mask = mask};
        return action(signal, &wanted, nullptr);
    }
    int64_t set_handler(int signal, uint64_t which) {
        const abi::Sigaction wanted{.handler = which, .flags = 0, .mask = 0};
        return action(signal, &wanted, nullptr);
    }
    uint64_t mask();  // of the thread
    int64_t set_mask(int how, uint64_t mask);
    int64_t raise(int signal);
    int64_t queue(int signal, int code, uint64_t value);  // to the thread itself
    void log(int64_t value);
    void log(std::initializer_list<int64_t> values) {
        for (const int64_t value : values) {
            log(value);
        }
    }

    int log_fd = -1;
};

template <class T>
T& at(uint64_t offset) {
    return *reinterpret_cast<T*>(kArena + offset);
}

// The process and one thread of weft's side. A thread that runs it calls start() or start_thread().
class WeftSys final : public Sys, private Registers {
  public:
    WeftSys(Process& process, uint64_t stack_top);
    void start();  // the process's first thread
    void start_thread();

    int64_t call(std::string_view name, const Args& args) override;
    int64_t action(int signal, const abi::Sigaction* action, abi::Sigaction* old) override;
    uint64_t handler(Body body) override;
    void load(uint64_t address) override;

    // What a vCPU does at its next boundary: looks at the exit request, and goes through the handlers that are to run.
    void settle();

    FrameRegisters registers;
    std::atomic<uint32_t> asked{0};
    std::unique_ptr<Thread> thread;

  private:
    FrameRegisters get() override { return registers; }
    void set(const FrameRegisters& wanted) override { registers = wanted; }
    void run_handlers();
    SyscallOutcome dispatch_call(std::string_view name, const Args& args);

    std::map<uint64_t, Body> bodies_;
};

// With the arena mapped.
std::unique_ptr<Process> make_process();

struct Ending {
    std::vector<int64_t> log;
    int status = 0;  // of wait(), without the bit of a core file
    bool operator==(const Ending&) const = default;
};

enum class Side { kernel, weft };
using GuestProgram = std::function<void(Sys&)>;

// A program under way.
class Child {
  public:
    Child(Side side, const GuestProgram& program);
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    pid_t pid() const { return pid_; }
    int64_t next();         // what it logs; waits for it
    bool has_more() const;  // it has logged more, or has ended
    // Waits until it sleeps in the host's call of that name.
    void wait_for_call(std::string_view name) const;
    Ending end();  // what it logged beside

  private:
    std::unique_ptr<Process> process_;
    pid_t pid_ = 0;
    int log_ = -1;
};

// Both sides, whose endings are compared.
Ending same(const GuestProgram& program);

}  // namespace weft::user::test
