// A descriptor of a forked child (CLONE_PIDFD), where the C library makes the child and the kernel cannot be asked for it at once.
//
// As the kernel's copy_process does it: the number is taken and written before there is a child, so that a bad address and too many
// descriptors are the call's errors. A child may end before it has a descriptor, and nothing be left of it where its parent ignores
// SIGCHLD: it waits.
#pragma once

#include <cstdint>

#include "base/unique_fd.h"
#include "emulator/linux-user/syscall/guest_memory.h"

namespace weft::user {

class ChildDescriptor {
  public:
    // Takes a number and writes it to `address` of the guest's. 0, -EFAULT, or what the kernel says for want of descriptors.
    int64_t reserve(GuestMemory& memory, uint64_t address);
    // By the parent, once, with the child's process number.
    void open(GuestMemory& memory, uint64_t address, int32_t child);
    // By the child: comes back when its parent has called open(), or has ended.
    void wait();

  private:
    UniqueFd own_;     // its number is the descriptor's
    UniqueFd childs_;  // the other end
    UniqueFd room_;    // for the descriptor while own_ is still needed
};

}  // namespace weft::user
