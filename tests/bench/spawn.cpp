// Process start: fork, exec of this program with nothing to do, wait. SIZE: processes, one after the other.

#include <sys/wait.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>

#include "bench.h"

namespace {

class Spawn final : public bench::Work {
  public:
    explicit Spawn(long size) : size_(size) {}

    std::uint64_t run() override {
        std::uint64_t ended = 0;
        for (long i = 0; i < size_; i++) {
            const pid_t child = fork();
            if (child == 0) {
                execl("/proc/self/exe", "spawn", "nothing", static_cast<char*>(nullptr));
                _exit(127);
            }
            int status = 0;
            if (child < 0 || waitpid(child, &status, 0) != child) {
                std::perror("spawn");
                std::exit(1);
            }
            ended += WIFEXITED(status) && WEXITSTATUS(status) == 0;
        }
        return ended;
    }

  private:
    long size_;
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<Spawn>(size); }
