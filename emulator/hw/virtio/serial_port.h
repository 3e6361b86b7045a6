// One port of a virtio console device: its state towards the driver, and the input of its backend.
#pragma once

#include <optional>

#include "emulator/hw/virtio/serial.h"

namespace weft::hw {

class VirtioSerial::Port final : private backend::CharBackend::Receiver {
  public:
    Port(VirtioSerial& device, const SerialPortConfig& config) : device_(device), config_(config) {}
    ~Port() override { disconnect(); }

    unsigned number() const { return config_.number; }
    bool console() const { return config_.console; }
    const std::string& name() const { return config_.name; }
    backend::CharBackend* backend() const { return config_.backend; }

    // 5.3.2: the two of port 0, then those for control, then those of the others.
    static unsigned receive_queue(unsigned number) { return number == 0 ? 0 : 2 * number + 2; }
    static unsigned transmit_queue(unsigned number) { return receive_queue(number) + 1; }

    // Between attach() and the device's end, holding no lock.
    void connect();
    void disconnect();

    // What follows is under the transport's lock.
    // Somebody is at the other end, as far as the guest is concerned.
    bool host_open() const { return config_.console || host_open_; }
    void set_guest_open(bool open);
    void reset();
    // The driver has room for input that waits, perhaps.
    void accept_input();
    // Where it loads: whether the driver has been told otherwise of the other end than it is here.
    bool visit_state(StateVisitor& visitor);

    std::optional<VirtioChain> sending;  // taken from the transmit queue
    uint64_t sent = 0;                   // bytes of it

  private:
    // backend::CharBackend::Receiver. The main loop's thread.
    unsigned can_receive() override;
    void receive(std::span<const uint8_t> data) override;
    void opened() override { set_host_open(true); }
    void closed() override { set_host_open(false); }
    void set_host_open(bool open);

    Virtqueue& queue();
    // Takes a chain from the receive queue, unless there is one; false: there is no room now.
    bool find_room();

    VirtioSerial& device_;
    const SerialPortConfig config_;
    bool host_open_ = false;
    bool guest_open_ = false;
    std::optional<VirtioChain> room_;  // taken from the receive queue, and still empty
};

}  // namespace weft::hw
