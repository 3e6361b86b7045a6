// Input that waits until its receiver has room, without a lock.
#pragma once

#include <atomic>

#include "emulator/backend/char/char_backend.h"

namespace weft::backend {

class InputGate {
  public:
    // How much the receiver takes now. 0: input waits from here on, and who makes room will find so. The loop's thread.
    unsigned room(CharBackend::Receiver& receiver) {
        unsigned room = receiver.can_receive();
        if (room == 0) {
            waits_.store(true, std::memory_order_seq_cst);
            // Perhaps it was made before anybody could see that.
            room = receiver.can_receive();
            if (room != 0) {
                resume();
            }
        }
        return room;
    }
    // Input goes on. The loop's thread.
    void resume() { waits_.store(false, std::memory_order_seq_cst); }
    // After room was made: whether input waits for it. Any thread.
    bool waits() const { return waits_.load(std::memory_order_seq_cst); }

  private:
    // The loop's thread sets it, then asks the receiver again; accept_input() reads it after room was made: sequentially
    // consistent, so one of the two sees the other.
    std::atomic<bool> waits_{false};
};

}  // namespace weft::backend
