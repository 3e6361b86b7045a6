#include "emulator/hw/virtio/serial.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "emulator/hw/virtio/pci.h"
#include "emulator/hw/virtio/serial_port.h"

namespace weft::hw {

namespace {

// struct virtio_console_config (5.3.4).
constexpr uint64_t kConfigPorts = 4;
constexpr uint64_t kConfigEmergencyWrite = 8;
constexpr size_t kConfigSize = 12;

// 5.3.6.2.
enum Event : uint16_t {
    kDeviceReady = 0,
    kDeviceAdd = 1,
    kPortReady = 3,
    kConsolePort = 4,
    kPortOpen = 6,
    kPortName = 7,
};
constexpr size_t kMessageSize = 8;
constexpr unsigned kControlToDriver = 2, kControlFromDriver = 3;  // queues

constexpr size_t kPiece = 4096;  // of output that a backend is given at a time

}  // namespace

VirtioSerial::VirtioSerial(const std::vector<SerialPortConfig>& ports, unsigned max_ports,
                           bool emergency_write, MachineControl& control)
    : control_(control), max_ports_(max_ports), emergency_write_(emergency_write) {
    for (const SerialPortConfig& config : ports) {
        ports_.push_back(std::make_unique<Port>(*this, config));
    }
}

VirtioSerial::~VirtioSerial() { control_.set_timer(UINT64_MAX, nullptr, this); }

uint64_t VirtioSerial::features() const {
    return (max_ports_ > 1 ? kFeatureMultiport : 0) | (emergency_write_ ? kFeatureEmergencyWrite : 0);
}

uint64_t VirtioSerial::config_read(uint64_t offset, unsigned size) {
    // Columns and rows, which are unknown; the number of ports; where a character may be written at any time.
    std::array<uint8_t, kConfigSize> config{};
    for (unsigned i = 0; i < 4; ++i) {
        config[kConfigPorts + i] = static_cast<uint8_t>(max_ports_ >> 8 * i);
    }
    uint64_t value = 0;
    for (unsigned i = 0; i < size; ++i) {
        const uint64_t at = offset + i;
        value |= uint64_t{at < config.size() ? config[at] : uint8_t{0}} << 8 * i;
    }
    return value;
}

// 5.3.4: a character of the first port, also before the driver has set anything up.
void VirtioSerial::config_write(uint64_t offset, unsigned, uint64_t value) {
    if (offset != kConfigEmergencyWrite || !emergency_write_) {
        control_.guest_error(
            fmt::format("virtio-serial: write to the configuration at {:#x}, which is read-only", offset)
                .c_str());
        return;
    }
    const Port* const first = port(0);
    if (first != nullptr && first->backend() != nullptr) {
        const auto character = static_cast<uint8_t>(value);
        first->backend()->write({&character, 1});
    }
}

void VirtioSerial::attach(VirtioTransport& transport) {
    transport_ = &transport;
    for (const auto& port : ports_) {
        port->connect();
    }
}

void VirtioSerial::reset() {
    waiting_.clear();
    for (const auto& port : ports_) {
        port->reset();
    }
}

bool VirtioSerial::multiport() const WEFT_NO_THREAD_SAFETY_ANALYSIS {
    return (transport_->negotiated() & kFeatureMultiport) != 0;
}

VirtioSerial::Port* VirtioSerial::port(uint32_t number) {
    const auto found =
        std::ranges::find_if(ports_, [number](const auto& one) { return one->number() == number; });
    return found != ports_.end() ? found->get() : nullptr;
}

void VirtioSerial::notify(unsigned index) {
    if (index == kControlFromDriver) {
        take_control();
        return;
    }
    if (index == kControlToDriver) {
        send_waiting();
        return;
    }
    const unsigned number = index < 2 ? 0 : index / 2 - 1;
    Port* const found = port(number);
    if (found == nullptr) {
        return;  // a device that begins is told of all queues, of ports that there are not too
    }
    if (index == Port::transmit_queue(number)) {
        transmit(*found);
    } else {
        found->accept_input();
    }
}

void VirtioSerial::send(Message message) {
    if (waiting_.size() >= kMaxWaiting) {
        control_.guest_error("virtio-serial: the driver takes no control messages; one is lost");
        return;
    }
    waiting_.push_back(std::move(message));
    send_waiting();
}

void VirtioSerial::send_waiting() WEFT_NO_THREAD_SAFETY_ANALYSIS {
    Virtqueue& queue = transport_->queue(kControlToDriver);
    while (!waiting_.empty() && transport_->running() && queue.ready()) {
        const auto chain = queue.pop(transport_->dma());
        if (!chain) {
            transport_->failure(chain.error().message());
            return;
        }
        if (!*chain) {
            const auto more = queue.wait_for_more(transport_->dma());
            if (!more) {
                transport_->failure(more.error().message());
            }
            if (!more || !*more) {
                return;
            }
            continue;
        }
        const Message& message = waiting_.front();
        std::vector<uint8_t> bytes;
        for (const auto& [value, size] :
             {std::pair(message.port, 4u), {message.event, 2u}, {message.value, 2u}}) {
            for (unsigned i = 0; i < size; ++i) {
                bytes.push_back(static_cast<uint8_t>(value >> 8 * i));
            }
        }
        bytes.insert(bytes.end(), message.text.begin(), message.text.end());
        // A name that does not fit is cut, as a driver expects of what is longer than its buffers.
        bytes.resize(std::min<uint64_t>(bytes.size(), (*chain)->writable_size));
        if (bytes.size() < kMessageSize || !(*chain)->write(transport_->dma(), 0, bytes)) {
            transport_->failure("no room in RAM for a control message");
            return;
        }
        waiting_.pop_front();
        if (const auto pushed = queue.push(transport_->dma(), **chain, static_cast<uint32_t>(bytes.size()));
            !pushed) {
            transport_->failure(pushed.error().message());
            return;
        }
        transport_->used(queue);
    }
}

void VirtioSerial::take_control() WEFT_NO_THREAD_SAFETY_ANALYSIS {
    Virtqueue& queue = transport_->queue(kControlFromDriver);
    for (unsigned count = 0; transport_->running() && queue.ready(); ++count) {
        // Other vCPUs may add to it meanwhile: that is for another notification of theirs, or for the timer.
        if (count == kQueueSize) {
            retry_later();
            return;
        }
        const auto chain = queue.pop(transport_->dma());
        if (!chain) {
            transport_->failure(chain.error().message());
            return;
        }
        if (!*chain) {
            const auto more = queue.wait_for_more(transport_->dma());
            if (!more) {
                transport_->failure(more.error().message());
            }
            if (!more || !*more) {
                return;
            }
            continue;
        }
        std::array<uint8_t, kMessageSize> bytes{};
        if ((*chain)->readable_size < bytes.size() || !(*chain)->read(transport_->dma(), 0, bytes)) {
            transport_->failure(
                fmt::format("control message of {} bytes, or outside RAM", (*chain)->readable_size));
            return;
        }
        const auto number = [&](size_t at, size_t size) {
            uint32_t value = 0;
            for (size_t i = 0; i < size; ++i) {
                value |= uint32_t{bytes[at + i]} << 8 * i;
            }
            return value;
        };
        const Message message{
            number(0, 4), static_cast<uint16_t>(number(4, 2)), static_cast<uint16_t>(number(6, 2)), {}};
        if (const auto pushed = queue.push(transport_->dma(), **chain, 0); !pushed) {
            transport_->failure(pushed.error().message());
            return;
        }
        transport_->used(queue);
        handle(message);
    }
}

// 5.3.6.2. A driver that was not offered ports, or did not want them, has none to speak of.
void VirtioSerial::handle(const Message& message) {
    if (!multiport()) {
        control_.guest_error("virtio-serial: a control message without VIRTIO_CONSOLE_F_MULTIPORT");
        return;
    }
    if (message.event == kDeviceReady) {
        for (const auto& port : ports_) {
            if (message.value == 1) {
                send({port->number(), kDeviceAdd, 1, {}});
            }
        }
        return;
    }
    Port* const found = port(message.port);
    if (found == nullptr) {
        control_.guest_error(
            fmt::format("virtio-serial: a control message of port {}, which there is not", message.port)
                .c_str());
        return;
    }
    if (message.event == kPortOpen) {
        found->set_guest_open(message.value != 0);
    } else if (message.event == kPortReady && message.value == 1) {
        if (found->console()) {
            send({found->number(), kConsolePort, 1, {}});
        }
        if (!found->name().empty()) {
            send({found->number(), kPortName, 1, found->name()});
        }
        if (found->host_open()) {
            send({found->number(), kPortOpen, 1, {}});
        }
    } else if (message.event != kPortReady) {
        control_.guest_error(
            fmt::format("virtio-serial: control message {}, which is none of a driver's", message.event)
                .c_str());
    }
}

void VirtioSerial::transmit(Port& port) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    Virtqueue& queue = transport_->queue(Port::transmit_queue(port.number()));
    std::array<uint8_t, kPiece> piece;
    for (unsigned count = 0; transport_->running() && queue.ready();) {
        if (count == kQueueSize) {
            retry_later();
            return;
        }
        if (port.sending && !queue.owns(*port.sending)) {
            port.sending.reset();
        }
        if (!port.sending) {
            auto chain = queue.pop(transport_->dma());
            if (!chain) {
                transport_->failure(chain.error().message());
                return;
            }
            if (!*chain) {
                const auto more = queue.wait_for_more(transport_->dma());
                if (!more) {
                    transport_->failure(more.error().message());
                }
                if (!more || !*more) {
                    return;
                }
                continue;
            }
            port.sending = std::move(*chain);
            port.sent = 0;
            ++count;
        }
        // What nobody is there to read is lost, as on a line without a terminal.
        const bool wanted = port.backend() != nullptr && port.host_open();
        uint64_t taken = 0;  // in this turn: a chain may be very long
        while (wanted && port.sent < port.sending->readable_size) {
            const auto part =
                std::span(piece).first(std::min<uint64_t>(kPiece, port.sending->readable_size - port.sent));
            if (!port.sending->read(transport_->dma(), port.sent, part)) {
                transport_->failure("a console's output outside RAM");
                return;
            }
            if (taken > (1 << 20) || !port.backend()->write_whole(part)) {
                retry_later();
                return;
            }
            port.sent += part.size();
            taken += part.size();
        }
        const VirtioChain chain = *port.sending;
        port.sending.reset();
        if (const auto pushed = queue.push(transport_->dma(), chain, 0); !pushed) {
            transport_->failure(pushed.error().message());
            return;
        }
        transport_->used(queue);
    }
}

void VirtioSerial::visit_state(StateVisitor& visitor) {
    // Of what only this device could say, its own events and ports.
    std::vector<Message> waiting(waiting_.begin(), waiting_.end());
    visitor.list("waiting", waiting, kMaxWaiting, [&](Message& message) {
        const uint32_t number = visitor.number("port", message.port);
        visitor.require(port(number) != nullptr, "'port' of a message is none of the device's");
        const uint16_t event = visitor.number("event", message.event);
        visitor.require(
            event == kDeviceAdd || event == kConsolePort || event == kPortOpen || event == kPortName,
            "'event' is none of a device's");
        visitor.number("value", message.value, uint16_t{1});
        if (event == kPortName && port(number) != nullptr) {
            message.text = port(number)->name();
        }
    });
    for (const auto& port : ports_) {
        visitor.require(visitor.value<uint32_t>("number", port->number()) == port->number(),
                        "'number' of a port is another's");
        if (port->visit_state(visitor) && waiting.size() < kMaxWaiting) {
            waiting.push_back({port->number(), kPortOpen, port->host_open(), {}});
        }
    }
    if (visitor.loads()) {
        waiting_.assign(waiting.begin(), waiting.end());
        // Memory is loaded later: what waits is sent by the timer.
        control_.set_timer(UINT64_MAX, nullptr, this);
        retrying_ = false;
        retry_later();
    }
}

void VirtioSerial::retry_later() {
    if (!retrying_) {
        retrying_ = true;
        control_.set_timer(
            control_.now_ns() + kRetryNs, [](void* self) { static_cast<VirtioSerial*>(self)->retry(); },
            this);
    }
}

void VirtioSerial::retry() {
    const MutexLock lock(transport_->mutex());
    retrying_ = false;
    send_waiting();
    take_control();
    for (const auto& port : ports_) {
        transmit(*port);
    }
}

}  // namespace weft::hw
