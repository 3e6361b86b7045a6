// Where a serial device's characters go and come from. Implemented by what lies beside it; devices know this
// interface alone.
#pragma once

#include <cstdint>
#include <span>

#include "base/unique_fd.h"

namespace weft::backend {

class CharBackend {
  public:
    virtual ~CharBackend() = default;

    // Sends characters, in order. Any thread. Takes them all (the backend buffers what its sink does not take at once).
    virtual void write(std::span<const uint8_t> data) = 0;
    // Sends all of them, or none where so many cannot be kept now: false.
    virtual bool write_whole(std::span<const uint8_t> data) {
        write(data);
        return true;
    }
    // Ends the connection soon; false: the line is not one that others come to and go from. Any thread.
    virtual bool hang_up() { return false; }

    // A descriptor that came with what was received last, where the line is one that they come by. On the main loop's thread.
    virtual UniqueFd take_descriptor() { return {}; }

    // Who is given incoming characters, on the main loop's thread. `can_receive` says how many it takes now; after it
    // had no room, the device calls accept_input() when it has some again (any thread).
    struct Receiver {
        virtual ~Receiver() = default;
        virtual unsigned can_receive() = 0;
        virtual void receive(std::span<const uint8_t> data) = 0;
        // Somebody is at the other end from here on, or is no more, where the line can tell. Of one who was there before
        // the receiver, set_receiver() tells.
        virtual void opened() {}
        virtual void closed() {}
    };
    // Before the machine runs; nullptr detaches.
    virtual void set_receiver(Receiver* receiver) = 0;
    virtual void accept_input() = 0;
};

}  // namespace weft::backend
