// A wake-up that poll() and main loops can wait for.
#pragma once

#include "base/error.h"
#include "base/host_calls.h"
#include "base/unique_fd.h"

namespace weft {

// eventfd(2), never blocking. signal() from any thread, clear() from the one that waits; the kernel orders
// them: what was written before signal() is seen after the clear() that took it.
class EventFd {
  public:
    static Result<EventFd> create(const HostCalls& calls = HostCalls::real());

    // Readable while signalled.
    int fd() const { return fd_.get(); }

    // Signals that meet before clear() count as one.
    void signal() const;

    // True where there was a signal.
    bool clear() const;

  private:
    explicit EventFd(UniqueFd fd) : fd_(std::move(fd)) {}

    UniqueFd fd_;
};

}  // namespace weft
