// Signals that ask the program to end, as something a main loop can wait for.
#pragma once

#include <memory>

#include "base/error.h"
#include "base/unique_fd.h"

namespace weft::sys {

// While it lives, SIGINT, SIGTERM, SIGHUP and SIGCONT are blocked and readable from a descriptor instead. Made before
// any thread, so that all inherit the mask.
class Signals {
  public:
    static Result<std::unique_ptr<Signals>> create();
    // Gives the signals their former meaning back.
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    int fd() const { return fd_.get(); }

    enum class Event { none, terminate, continued };
    // The next one that arrived.
    Event take();

  private:
    struct Saved;
    Signals(UniqueFd fd, std::unique_ptr<Saved> saved);

    const UniqueFd fd_;
    const std::unique_ptr<Saved> saved_;
};

}  // namespace weft::sys
