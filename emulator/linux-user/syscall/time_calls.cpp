// The calls that the host answers without entering its kernel: its C library asks the host's vDSO, where that can tell. A program asks for the
// time millions of times; a call of the host's kernel takes ten times as long as all else that is done for it.
#include <sched.h>
#include <sys/time.h>
#include <time.h>

#include <cerrno>

#include "emulator/linux-user/syscall/calls.h"

namespace weft::user::calls {

// clock_gettime(2). A clock that there is not counts before an address that may not be written to.
SyscallOutcome clock_gettime(CallContext& call) {
    timespec now{};
    if (::clock_gettime(call.number(0), &now) != 0) {
        return -errno;
    }
    return call.write(call.arg(1), now);
}

// gettimeofday(2). The C library knows nothing of time zones.
SyscallOutcome gettimeofday(CallContext& call) {
    if (call.arg(0) == 0 || call.arg(1) != 0) {
        return call.pass();
    }
    timeval now{};
    if (::gettimeofday(&now, nullptr) != 0) {
        return -errno;
    }
    return call.write(call.arg(0), now);
}

// getcpu(2): one is told also where the other cannot be. The third argument has no meaning since Linux 2.6.24.
SyscallOutcome getcpu(CallContext& call) {
    unsigned cpu = 0;
    unsigned node = 0;
    if (::getcpu(&cpu, &node) != 0) {
        return -errno;
    }
    const int64_t of_cpu = call.arg(0) != 0 ? call.write(call.arg(0), cpu) : 0;
    const int64_t of_node = call.arg(1) != 0 ? call.write(call.arg(1), node) : 0;
    return of_cpu != 0 ? of_cpu : of_node;
}

}  // namespace weft::user::calls
