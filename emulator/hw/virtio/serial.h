// A virtio console device with several ports (virtio 1.2, section 5.3), each on a character backend: consoles of the guest, and lines that its
// programs open by their names.
//
// Characters go to backends on the vCPU's thread that notifies the device, as a serial port's do. Where a backend cannot keep what it
// is given, the rest waits in the queue until a timer asks again. Input is taken by the main loop's thread, as much as the driver has
// room for.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "emulator/backend/char/char_backend.h"
#include "emulator/hw/core/device_type.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/virtio/device.h"

namespace weft::hw {

// What a port is made of.
struct SerialPortConfig {
    unsigned number = 0;
    bool console = false;  // for the guest's console: open to it whoever is at the other end
    std::string name;      // what the guest's programs find it by; empty: none
    backend::CharBackend* backend = nullptr;  // null: nothing is connected
};

class VirtioSerial final : public VirtioDevice {
  public:
    static constexpr uint32_t kId = 3;
    static constexpr uint16_t kQueueSize = 128;
    static constexpr unsigned kMaxPorts = 511;  // what the places of PCI's notifications suffice for
    static constexpr uint64_t kFeatureMultiport = 1 << 1;
    static constexpr uint64_t kFeatureEmergencyWrite = 1 << 2;
    // Messages that wait until the driver has room for them; more are dropped.
    static constexpr size_t kMaxWaiting = 4096;
    // How long a backend that could not keep more is left alone.
    static constexpr uint64_t kRetryNs = 1'000'000;

    // Numbers of ports are distinct and below `max_ports`. Backends outlive the device, whose timer has ended before it goes.
    VirtioSerial(const std::vector<SerialPortConfig>& ports, unsigned max_ports, bool emergency_write,
                 MachineControl& control);
    ~VirtioSerial() override;

    uint32_t id() const override { return kId; }
    uint64_t features() const override;
    // Two for each port, and two for control behind those of port 0 (5.3.2).
    unsigned queue_count() const override { return 2 * (max_ports_ + 1); }
    uint16_t queue_size() const override { return kQueueSize; }
    uint64_t config_read(uint64_t offset, unsigned size) override;
    void config_write(uint64_t offset, unsigned size, uint64_t value) override;
    void attach(VirtioTransport& transport) override;
    void reset() override;
    void notify(unsigned index) override;
    const char* why_not_saved() const override { return nullptr; }
    // Whether somebody is at the other end of a port is the loading machine's to say: a driver that was told otherwise is told anew.
    void visit_state(StateVisitor& visitor) override;

  private:
    class Port;
    // struct virtio_console_control: 5.3.6.2.
    struct Message {
        uint32_t port;
        uint16_t event, value;
        std::string text;  // behind it
    };

    bool multiport() const;
    Port* port(uint32_t number);
    void send(Message message);
    void send_waiting();
    void take_control();
    void handle(const Message& message);
    // Writes what is in the port's queue, as far as the backend takes it.
    void transmit(Port& port);
    void retry_later();
    void retry();

    MachineControl& control_;
    const unsigned max_ports_;
    const bool emergency_write_;
    VirtioTransport* transport_ = nullptr;
    std::vector<std::unique_ptr<Port>> ports_;
    // Under the transport's lock.
    std::deque<Message> waiting_;
    bool retrying_ = false;  // the timer is set
};

// virtio-serial-device, and what is plugged into its bus: virtconsole, virtserialport.
extern const DeviceType kVirtioSerialType;
extern const DeviceType kVirtioSerialPciType;
extern const DeviceType kVirtConsoleType;
extern const DeviceType kVirtSerialPortType;

}  // namespace weft::hw
