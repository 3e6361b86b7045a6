// The smallest system call. SIZE: calls.

#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

namespace {

class SystemCalls final : public bench::Work {
  public:
    explicit SystemCalls(long size) : size_(size) {}

    std::uint64_t run() override {
        const long parent = getppid();
        std::uint64_t same = 0;
        // Past the C library, which might remember the answer.
        for (long i = 0; i < size_; i++)
            same += syscall(SYS_getppid) == parent;
        return same;
    }

  private:
    long size_;
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<SystemCalls>(size); }
