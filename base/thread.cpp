#include "base/thread.h"

#include <limits.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "base/assert.h"
#include "base/bits.h"
#include "base/host_info.h"

namespace weft {

namespace {

// pthread_setname_np(3): 16 bytes with the terminating null.
constexpr std::size_t kNameBytes = 15;

struct Start {
    std::string name;
    void (*body)(void* context);
    void* context;
};

void* run(void* argument) noexcept {
    const std::unique_ptr<Start> start(static_cast<Start*>(argument));
    // By the thread itself, so that it never runs a line of the body under its creator's name.
    ::pthread_setname_np(::pthread_self(), start->name.c_str());
    start->body(start->context);
    return nullptr;
}

class Attributes {
  public:
    Attributes() { ::pthread_attr_init(&attributes_); }
    ~Attributes() { ::pthread_attr_destroy(&attributes_); }
    Attributes(const Attributes&) = delete;
    Attributes& operator=(const Attributes&) = delete;

    pthread_attr_t* get() { return &attributes_; }

  private:
    pthread_attr_t attributes_;
};

}  // namespace

void wake_exactly() {
    // A host that refuses only makes timers later.
    static_cast<void>(::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL));
}

Thread& Thread::operator=(Thread&& other) noexcept {
    if (this != &other) {
        join();
        handle_ = other.handle_;
        running_ = std::exchange(other.running_, false);
    }
    return *this;
}

Result<Thread> Thread::start(const std::string& name, void (*body)(void* context), void* context,
                             const Options& options) {
    Attributes attributes;
    int error = 0;
    if (options.stack_size != 0) {
        // sysconf: the smallest stack grows with the host's vector registers.
        const long smallest = ::sysconf(_SC_THREAD_STACK_MIN);
        const std::size_t least = smallest > 0 ? static_cast<std::size_t>(smallest) : PTHREAD_STACK_MIN;
        error = ::pthread_attr_setstacksize(attributes.get(),
                                            align_up(std::max(options.stack_size, least), host_page_size()));
    }
    auto start = std::make_unique<Start>(Start{name.substr(0, kNameBytes), body, context});
    pthread_t handle{};
    if (error == 0) {
        error = options.calls->create_thread(&handle, attributes.get(), run, start.get());
    }
    if (error != 0) {
        return fail_errno("cannot start the thread " + name, error);
    }
    // The thread's now; static analysis does not see it through the system call.
    static_cast<void>(start.release());
    return Thread(handle);
}

void Thread::join() {
    if (std::exchange(running_, false)) {
        WEFT_ASSERT(!::pthread_equal(handle_, ::pthread_self()));
        const int error = ::pthread_join(handle_, nullptr);
        WEFT_ASSERT(error == 0);
    }
}

}  // namespace weft
