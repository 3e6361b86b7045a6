// What a network card is plugged into, as the card and the machine see it. Implemented by what lies beside it.
//
// A backend has a thread, and only that carries frames: it asks the card for those that the guest sends, and offers it those that
// come. It does so without a lock that a card's function could want, and under none but the one that set_client() and
// set_running() wait for. A card may therefore hold its own lock while it calls wake(), and takes it in the functions of NetClient.
#pragma once

#include <cstddef>

#include "emulator/backend/net/frame_queue.h"

namespace weft::backend {

// A card. Called by the backend's thread, while the machine runs.
class NetClient {
  public:
    virtual ~NetClient() = default;

    // Whether it was reset since the last call: frames that wait for it are not for its next driver. Asked before transmit().
    virtual bool restarted() = 0;
    // Appends what the guest sends, whole frames without a trailing checksum, as far as there is room. True: there is more.
    virtual bool transmit(FrameQueue& frames) = 0;
    // Takes frames from the beginning. What it leaves there (the guest has no buffers) is offered again after a wake().
    virtual void receive(FrameQueue& frames) = 0;
};

class NetBackend {
  public:
    virtual ~NetBackend() = default;

    // The card; nullptr unplugs it, and waits until it is called no more. At most one at a time. The main loop's thread; not with a
    // lock that the card's functions take.
    virtual void set_client(NetClient* client) = 0;
    // Whether the machine runs. It does not at first; while it does not, its memory is left alone: this waits for the card's
    // functions to return. The main loop's thread, as above.
    virtual void set_running(bool running) = 0;

    // There is something to transmit, or room to receive again. Any thread, also with the card's lock held; returns at once.
    virtual void wake() = 0;

    // The largest frame that it takes from a card. If large_tcp() that is one whose TCP segment is larger than any packet on a wire.
    virtual size_t max_frame() const = 0;
    // Whether it takes TCP over IPv4 in packets as large as max_frame() allows, for cutting up or as they are.
    virtual bool large_tcp() const = 0;
    // Whether the checksums of the frames that it gives are right for certain, so that nobody needs to look.
    virtual bool checksums_hold() const = 0;
};

}  // namespace weft::backend
