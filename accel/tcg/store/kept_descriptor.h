// A descriptor that a process keeps while its guest goes on: out of the guest's way.
#pragma once

#include <atomic>

#include "base/unique_fd.h"

namespace weft::accel {

class KeptDescriptor {
  public:
    // Takes it to a number that programs are least likely to meet: high, but below what makes the host's table of descriptors large.
    // Where that cannot be, it stays.
    explicit KeptDescriptor(UniqueFd fd);
    ~KeptDescriptor();
    KeptDescriptor(const KeptDescriptor&) = delete;
    KeptDescriptor& operator=(const KeptDescriptor&) = delete;

    // Any thread. Who reads by a number that is no longer the descriptor's reads another file: nothing may depend on what is read.
    int get() const { return number_.load(std::memory_order_relaxed); }
    // Goes to another number; the old one is free then. False, with nothing done: there is none. Any thread.
    bool move();

  private:
    std::atomic<int> number_;
};

}  // namespace weft::accel
