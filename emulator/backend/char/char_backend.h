// Where a serial device's characters go and come from. Implemented by what lies beside it; devices know this
// interface alone.
#pragma once

#include <cstdint>
#include <span>

namespace weft::backend {

class CharBackend {
  public:
    virtual ~CharBackend() = default;

    // Sends characters, in order. Any thread. Takes them all (the backend buffers what its sink does not take at once).
    virtual void write(std::span<const uint8_t> data) = 0;

    // Who is given incoming characters, on the main loop's thread. `can_receive` says how many it takes now; after it
    // had no room, the device calls accept_input() when it has some again (any thread).
    struct Receiver {
        virtual ~Receiver() = default;
        virtual unsigned can_receive() = 0;
        virtual void receive(std::span<const uint8_t> data) = 0;
        // The other side has come, or is gone; of lines on which it comes and goes (sockets).
        virtual void line_opened() {}
        virtual void line_closed() {}
    };
    // Before the machine runs; nullptr detaches.
    virtual void set_receiver(Receiver* receiver) = 0;
    virtual void accept_input() = 0;
};

}  // namespace weft::backend
