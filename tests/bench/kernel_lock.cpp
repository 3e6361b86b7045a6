// As many threads as there are processors duplicate and close a descriptor: each call takes the spin lock of the process's
// table of files. SIZE: hundreds of descriptors, of all threads together.

#include <fcntl.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>

#include "crowd.h"

namespace {

class KernelLock final : public bench::Work {
  public:
    explicit KernelLock(long size) : size_(size), file_(open("/dev/null", O_RDONLY)) {
        if (file_ < 0) {
            std::perror("/dev/null");
            std::exit(1);
        }
    }
    ~KernelLock() override { close(file_); }

    std::uint64_t run() override {
        return bench::crowd(size_, [this](long) {
            std::uint64_t made = 0;
            for (int i = 0; i < 100; i++) {
                const int copy = dup(file_);
                made += copy >= 0;
                close(copy);
            }
            return made;
        });
    }

  private:
    long size_;
    int file_;
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<KernelLock>(size); }
