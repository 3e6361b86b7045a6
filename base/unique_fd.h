// Ownership of a file descriptor.
#pragma once

#include <utility>

namespace weft {

// Closes its descriptor when it goes; -1 is "none". Not thread-safe, like any value.
class UniqueFd {
  public:
    UniqueFd() = default;
    explicit UniqueFd(int fd) : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other) {
            reset(std::exchange(other.fd_, -1));
        }
        return *this;
    }
    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;
    ~UniqueFd() { reset(); }

    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

    // Gives the descriptor to the caller.
    int release() { return std::exchange(fd_, -1); }

    // Closes the present descriptor and takes `fd`. errno is kept, so that error paths can still report
    // theirs.
    void reset(int fd = -1);

  private:
    int fd_ = -1;
};

}  // namespace weft
