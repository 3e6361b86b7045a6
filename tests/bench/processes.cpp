// Many short processes, as many at a time as there are processors: fork, exec of this program with nothing to do, wait.
// SIZE: processes.

#include <spawn.h>
#include <sys/wait.h>
#include <cstdio>
#include <cstdlib>

#include "crowd.h"

namespace {

class Processes final : public bench::Work {
  public:
    explicit Processes(long size) : size_(size) {}

    std::uint64_t run() override {
        return bench::crowd(size_, [](long) {
            char name[] = "processes";
            char nothing[] = "nothing";
            char* const arguments[] = {name, nothing, nullptr};
            char* const environment[] = {nullptr};
            pid_t child = 0;
            int status = 0;
            if (posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, arguments, environment) != 0 ||
                waitpid(child, &status, 0) != child) {
                std::perror("processes");
                std::exit(1);
            }
            return std::uint64_t{WIFEXITED(status) && WEXITSTATUS(status) == 0};
        });
    }

  private:
    long size_;
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<Processes>(size); }
