#include "emulator/hw/virtio/serial_port.h"

#include <algorithm>

namespace weft::hw {

namespace {

constexpr uint16_t kPortOpen = 6;  // VIRTIO_CONSOLE_PORT_OPEN

}  // namespace

void VirtioSerial::Port::connect() {
    if (config_.backend != nullptr) {
        config_.backend->set_receiver(this);
    }
}

void VirtioSerial::Port::disconnect() {
    if (config_.backend != nullptr) {
        config_.backend->set_receiver(nullptr);
    }
}

Virtqueue& VirtioSerial::Port::queue() WEFT_NO_THREAD_SAFETY_ANALYSIS {
    return device_.transport_->queue(receive_queue(number()));
}

void VirtioSerial::Port::set_guest_open(bool open) {
    guest_open_ = open;
    accept_input();
}

void VirtioSerial::Port::reset() {
    guest_open_ = false;
    room_.reset();
    sending.reset();
    sent = 0;
}

bool VirtioSerial::Port::visit_state(StateVisitor& visitor) {
    visitor.flag("guest open", guest_open_);
    const bool told_open = visitor.value<uint8_t>("host open", host_open_ ? 1 : 0, 1) != 0;
    visitor.maybe("room", room_, [&](VirtioChain& chain) {
        chain.visit_state(visitor);
        visitor.require(chain.writable_size != 0, "'room' for input that there is none in");
    });
    uint64_t size = 0;
    visitor.maybe("sending", sending, [&](VirtioChain& chain) {
        chain.visit_state(visitor);
        size = chain.readable_size;
    });
    const uint64_t done = visitor.value("sent", sending ? sent : 0);
    visitor.require(done <= size, "'sent' is more than there is");
    if (!visitor.loads()) {
        return false;
    }
    sent = done;
    return !config_.console && device_.multiport() && told_open != host_open_;
}

void VirtioSerial::Port::accept_input() {
    if (config_.backend != nullptr) {
        config_.backend->accept_input();
    }
}

void VirtioSerial::Port::set_host_open(bool open) {
    const MutexLock lock(device_.transport_->mutex());
    if (host_open_ == open) {
        return;
    }
    host_open_ = open;
    if (!config_.console && device_.multiport()) {
        device_.send({number(), kPortOpen, open, {}});
    }
}

bool VirtioSerial::Port::find_room() WEFT_NO_THREAD_SAFETY_ANALYSIS {
    VirtioTransport& transport = *device_.transport_;
    if (!transport.running() || (device_.multiport() && !guest_open_)) {
        return false;
    }
    if (room_ && queue().owns(*room_)) {
        return true;
    }
    room_.reset();
    for (;;) {
        auto chain = queue().pop(transport.dma());
        if (!chain) {
            transport.failure(chain.error().message());
            return false;
        }
        if (*chain && (*chain)->writable_size == 0) {
            transport.failure("a console's buffer for input without room");
            return false;
        }
        if (*chain) {
            room_ = std::move(*chain);
            return true;
        }
        if (!queue().ready()) {
            return false;
        }
        const auto more = queue().wait_for_more(transport.dma());
        if (!more) {
            transport.failure(more.error().message());
        }
        if (!more || !*more) {
            return false;
        }
    }
}

unsigned VirtioSerial::Port::can_receive() {
    const MutexLock lock(device_.transport_->mutex());
    return find_room() ? static_cast<unsigned>(std::min<uint64_t>(room_->writable_size, 4096)) : 0;
}

void VirtioSerial::Port::receive(std::span<const uint8_t> data) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    const MutexLock lock(device_.transport_->mutex());
    VirtioTransport& transport = *device_.transport_;
    // A driver that was reset since can_receive() loses what came for it.
    while (!data.empty() && find_room()) {
        const VirtioChain chain = *room_;
        room_.reset();
        const auto piece = data.first(std::min<uint64_t>(data.size(), chain.writable_size));
        data = data.subspan(piece.size());
        if (!chain.write(transport.dma(), 0, piece)) {
            transport.failure("a console's buffer for input outside RAM");
            return;
        }
        if (const auto pushed = queue().push(transport.dma(), chain, static_cast<uint32_t>(piece.size()));
            !pushed) {
            transport.failure(pushed.error().message());
            return;
        }
        transport.used(queue());
    }
}

}  // namespace weft::hw
