#include "emulator/backend/net/threaded_net.h"

#include <new>

namespace weft::backend {

Result<> ThreadedNet::prepare() {
    Result<EventFd> event = EventFd::create();
    if (!event) {
        return std::unexpected(event.error());
    }
    event_ = std::make_unique<EventFd>(std::move(*event));
    return {};
}

Result<> ThreadedNet::start() {
    Result<Thread> thread =
        Thread::start("weft-net", [](void* self) { static_cast<ThreadedNet*>(self)->serve(); }, this);
    if (!thread) {
        return std::unexpected(thread.error());
    }
    thread_ = std::move(*thread);
    return {};
}

void ThreadedNet::stop() {
    leaving_ = true;
    if (event_ != nullptr) {
        event_->signal();
    }
    thread_.join();
}

void ThreadedNet::serve() {
    while (!leaving_) {
        try {
            serve_once();
        } catch (const std::bad_alloc&) {
            // A network may lose frames.
            to_guest_.clear();
            from_guest_.clear();
        }
    }
}

void ThreadedNet::set_client(NetClient* client) {
    const MutexLock lock(client_mutex_);
    client_ = client;
    wake();
}

void ThreadedNet::set_running(bool running) {
    const MutexLock lock(client_mutex_);
    running_ = running;
    wake();
}

void ThreadedNet::wake() {
    if (!woken_.exchange(true)) {
        event_->signal();
    }
}

void ThreadedNet::woken() {
    event_->clear();
    woken_.exchange(false);
}

bool ThreadedNet::take_from_card() {
    const MutexLock lock(client_mutex_);
    if (client_ == nullptr) {
        to_guest_.clear();
        return false;
    }
    if (!running_) {
        return false;
    }
    if (client_->restarted()) {
        to_guest_.clear();
    }
    return client_->transmit(from_guest_);
}

void ThreadedNet::give_to_card() {
    const MutexLock lock(client_mutex_);
    if (client_ != nullptr && running_ && !to_guest_.empty()) {
        client_->receive(to_guest_);
    }
}

}  // namespace weft::backend
