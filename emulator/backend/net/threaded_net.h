// What networks with a thread of their own have in common: the card, whether the machine runs, and being woken (see net_backend.h).
#pragma once

#include <atomic>
#include <memory>

#include "base/error.h"
#include "base/event_fd.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "emulator/backend/net/net_backend.h"

namespace weft::backend {

class ThreadedNet : public NetBackend {
  public:
    ThreadedNet(const ThreadedNet&) = delete;
    ThreadedNet& operator=(const ThreadedNet&) = delete;

    // NetBackend
    void set_client(NetClient* client) override WEFT_EXCLUDES(client_mutex_);
    void set_running(bool running) override WEFT_EXCLUDES(client_mutex_);
    void wake() override;

  protected:
    // Bytes of frames that may wait on their way from the card and to it.
    ThreadedNet(size_t from_guest, size_t to_guest) : from_guest_(from_guest), to_guest_(to_guest) {}
    ~ThreadedNet() override = default;

    // Once, before start() and whatever may call wake().
    Result<> prepare();
    // Has a thread call serve_once() until stop(). Where memory is short there, frames are lost and it goes on.
    Result<> start();
    // Returns when the thread has. For the destructors of those that serve_once() uses something of.
    void stop();

    // Carries frames, and waits for what is next: for event_fd() among it. Calls woken() after waiting and before it looks for more.
    virtual void serve_once() = 0;
    int event_fd() const { return event_->fd(); }
    void woken();

    // What the card sends goes to from_guest_. True: it has more.
    bool take_from_card() WEFT_EXCLUDES(client_mutex_);
    // What waits in to_guest_ goes to the card, as far as the guest has buffers.
    void give_to_card() WEFT_EXCLUDES(client_mutex_);

    // The thread's.
    FrameQueue from_guest_, to_guest_;

  private:
    void serve();

    std::unique_ptr<EventFd> event_;
    // Set by whoever wakes the thread; cleared by it, before it looks. seq_cst: who finds it set knows that the thread will look.
    std::atomic<bool> woken_ = false;
    std::atomic<bool> leaving_ = false;  // seq_cst, before the thread is signalled

    // Held while the client's functions run; their locks are taken within.
    Mutex client_mutex_;
    NetClient* client_ WEFT_GUARDED_BY(client_mutex_) = nullptr;
    bool running_ WEFT_GUARDED_BY(client_mutex_) = false;

    Thread thread_;
};

}  // namespace weft::backend
