// Threads that have a name, end with their owner and whose creation can fail.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "base/host_calls.h"

namespace weft {

// Owns a running thread; its destructor waits for the thread to return, so whoever owns it first makes it
// end. Not thread-safe, like any value.
class Thread {
  public:
    struct Options {
        std::size_t stack_size = 0;  // bytes; 0: the host's default. Rounded up to what the host asks for.
        const HostCalls* calls = &HostCalls::real();
    };

    Thread() = default;
    Thread(Thread&& other) noexcept
        : handle_(other.handle_), running_(std::exchange(other.running_, false)) {}
    Thread& operator=(Thread&& other) noexcept;
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;
    ~Thread() { join(); }

    // Runs body(context) on a new thread, which what the caller wrote before is visible to. `name` is what
    // debuggers and top show of it; the host keeps its first 15 bytes. No exception may leave `body`.
    static Result<Thread> start(const std::string& name, void (*body)(void* context), void* context,
                                const Options& options);
    static Result<Thread> start(const std::string& name, void (*body)(void* context), void* context) {
        return start(name, body, context, Options());
    }

    // The same for a callable, which the thread owns and destroys when it is done.
    template <class Body>
        requires std::is_invocable_v<std::decay_t<Body>&>
    static Result<Thread> start(const std::string& name, Body&& body, const Options& options);
    template <class Body>
        requires std::is_invocable_v<std::decay_t<Body>&>
    static Result<Thread> start(const std::string& name, Body&& body) {
        return start(name, std::forward<Body>(body), Options());
    }

    bool joinable() const { return running_; }

    // Waits for the thread to return; what it wrote is visible then. Does nothing without one. Not from the
    // thread itself.
    void join();

  private:
    explicit Thread(pthread_t handle) : handle_(handle), running_(true) {}

    pthread_t handle_{};
    bool running_ = false;
};

// Has the calling thread's waits end at their deadlines, as exactly as the host can. Otherwise Linux lets an ordinary
// thread sleep up to 50 microseconds longer, so that wake-ups fall together (PR_SET_TIMERSLACK, prctl(2)).
void wake_exactly();

template <class Body>
    requires std::is_invocable_v<std::decay_t<Body>&>
Result<Thread> Thread::start(const std::string& name, Body&& body, const Options& options) {
    using Owned = std::decay_t<Body>;
    auto owned = std::make_unique<Owned>(std::forward<Body>(body));
    auto thread = start(
        name,
        [](void* context) {
            const std::unique_ptr<Owned> callable(static_cast<Owned*>(context));
            (*callable)();
        },
        owned.get(), options);
    if (thread) {
        // The thread's now; static analysis does not see it through the system call.
        static_cast<void>(owned.release());
    }
    return thread;
}

}  // namespace weft
