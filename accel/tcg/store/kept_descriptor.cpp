#include "accel/tcg/store/kept_descriptor.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

namespace weft::accel {

namespace {

// Below 1024, which is the usual limit, and from where on select(2) knows none.
int high_number() {
    constexpr rlim_t kHigh = 1000;
    constexpr rlim_t kRoom = 24;
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < 2 * kRoom) {
        return 3;
    }
    return static_cast<int>(std::min(kHigh, limit.rlim_cur - kRoom));
}

int copy_of(int fd) { return ::fcntl(fd, F_DUPFD_CLOEXEC, high_number()); }

}  // namespace

KeptDescriptor::KeptDescriptor(UniqueFd fd) : number_(copy_of(fd.get())) {
    if (get() < 0) {
        number_.store(fd.release(), std::memory_order_relaxed);
    }
}

KeptDescriptor::~KeptDescriptor() { ::close(get()); }

bool KeptDescriptor::move() {
    int before = get();
    const int now = copy_of(before);
    if (now < 0) {
        return false;
    }
    // Where another thread was first, the copy may be of whatever has the number now.
    ::close(number_.compare_exchange_strong(before, now, std::memory_order_relaxed) ? before : now);
    return true;
}

}  // namespace weft::accel
