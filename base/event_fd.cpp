#include "base/event_fd.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "base/assert.h"

namespace weft {

Result<EventFd> EventFd::create(const HostCalls& calls) {
    UniqueFd fd(calls.create_eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd) {
        return fail_errno("cannot create an event descriptor");
    }
    return EventFd(std::move(fd));
}

void EventFd::signal() const {
    const std::uint64_t one = 1;
    ssize_t written = 0;
    do {
        written = ::write(fd_.get(), &one, sizeof one);
    } while (written < 0 && errno == EINTR);
    // EAGAIN: the count is at its maximum, and so signalled.
    WEFT_ASSERT(written == sizeof one || errno == EAGAIN);
}

bool EventFd::clear() const {
    std::uint64_t count = 0;
    ssize_t got = 0;
    do {
        got = ::read(fd_.get(), &count, sizeof count);
    } while (got < 0 && errno == EINTR);
    WEFT_ASSERT(got == sizeof count || errno == EAGAIN);
    return got == sizeof count;
}

}  // namespace weft
