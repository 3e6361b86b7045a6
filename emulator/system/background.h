// The program as a process among others: its number in a file, and its life in the background.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"

namespace weft::sys {

// -pidfile. Locked while it lives, so that two machines do not share one; removed when it goes.
class PidFile {
  public:
    // Without a path, a file that is none.
    static Result<std::unique_ptr<PidFile>> create(const std::optional<std::string>& path);
    ~PidFile();
    PidFile(const PidFile&) = delete;
    PidFile& operator=(const PidFile&) = delete;

  private:
    PidFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

    const std::string path_;  // empty: none
    const UniqueFd fd_;
};

// -daemonize: two processes. The first waits until the second is ready, so that its exit code tells whether the machine was
// made, and messages up to then are seen.
class Background {
  public:
    // Forks. While there is one thread.
    static Result<std::unique_ptr<Background>> enter();

    // In the first process, what it is to exit with, after waiting; nothing in the second.
    std::optional<int> parents_status();

    // In the second: leaves the terminal to others and the first process to its end. The working folder stays.
    void ready();

  private:
    Background(UniqueFd pipe, pid_t child) : pipe_(std::move(pipe)), child_(child) {}

    UniqueFd pipe_;
    const pid_t child_;  // 0 in the second process
};

}  // namespace weft::sys
