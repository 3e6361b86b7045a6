// A virtio network device (virtio 1.2, section 5.1), without a control queue.
//
// Frames are copied between the queues and the backend by the backend's thread (emulator/backend/net/net_backend.h), many under one
// hold of the device's lock, with one interrupt. The guest's notifications only wake that thread. So the order of locks is: what
// the backend holds around its client's functions, then the device's lock; the device calls nothing of the backend but wake().
// A reset takes effect at once: what the driver offered is nobody's, and frames that come before the next driver starts are dropped.
//
// Checksums and large TCP packets are left to this side where the backend can do with them: then a guest has far less to do for a
// byte that it sends or receives.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "emulator/backend/net/net_backend.h"
#include "emulator/hw/core/device_type.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/virtio/device.h"

namespace weft::hw {

// Features that the user may turn off.
struct NetSettings {
    bool checksum = true;
    bool guest_checksum = true;
    bool host_tso4 = true;
    bool merge_buffers = true;
    bool status = true;
};

class VirtioNet final : public VirtioDevice, private backend::NetClient {
  public:
    static constexpr uint32_t kId = 1;
    static constexpr uint16_t kQueueSize = 256;

    // `backend` may be null: a card that is not plugged in. It outlives the device, and is not running when the device goes.
    VirtioNet(backend::NetBackend* backend, MachineControl& control, MacAddress mac,
              const NetSettings& settings = {});
    ~VirtioNet() override;

    uint32_t id() const override { return kId; }
    uint64_t features() const override;
    unsigned queue_count() const override { return 2; }
    uint16_t queue_size() const override { return kQueueSize; }
    uint64_t config_read(uint64_t offset, unsigned size) override;
    void config_write(uint64_t offset, unsigned size, uint64_t value) override;
    void attach(VirtioTransport& transport) override;
    void reset() override;
    void notify(unsigned index) override;
    const char* why_not_saved() const override { return nullptr; }
    // The network behind it is not part of it: its connections end.
    void visit_state(StateVisitor& visitor) override;

  private:
    struct Header;
    enum Queue : unsigned { kReceive = 0, kTransmit = 1 };
    enum class Room { enough, none_now, too_little };

    // NetClient
    bool restarted() override;
    bool transmit(backend::FrameQueue& frames) override;
    void receive(backend::FrameQueue& frames) override;

    // The rest under the transport's lock. False: the driver broke the rules, and was told.
    std::optional<VirtioChain> next_chain(Virtqueue& queue);
    bool take_frame(const VirtioChain& chain, backend::FrameQueue& frames);
    bool prepare(const Header& header, std::span<uint8_t> frame);
    Room find_room(Virtqueue& queue, uint64_t wanted);
    bool put_frame(Virtqueue& queue, std::span<const uint8_t> frame);
    bool finish(Virtqueue& queue);
    // Without a network: what goes nowhere is sent.
    void discard_later();
    void discard();
    void failure(const std::string& reason);
    void dropped(const char* reason);
    size_t header_size() const;
    bool agreed(uint64_t feature) const { return (transport_->negotiated() & feature) != 0; }
    size_t max_frame() const;

    backend::NetBackend* const backend_;
    MachineControl& control_;
    const NetSettings settings_;
    const MacAddress mac_;  // before a driver wrote another
    VirtioTransport* transport_ = nullptr;
    std::array<uint8_t, 8> config_{};  // struct virtio_net_config as far as it is used
    bool restarted_ = false;           // since the backend asked
    bool discarding_ = false;          // a discard() is on its way
    std::vector<VirtioChain> room_;    // taken from the receive queue for the next frame
};

// virtio-net-device.
extern const DeviceType kVirtioNetType;
// virtio-net-pci.
extern const DeviceType kVirtioNetPciType;

}  // namespace weft::hw
