// What a virtio device and its transport are to each other.
//
// hw/virtio holds transports, queues and the devices behind them. Boards make transports, the list of device types makes
// devices; it knows memory, hw/core and the backends' interfaces.
#pragma once

#include <cstdint>
#include <string>

#include "base/mutex.h"
#include "base/state_visitor.h"
#include "emulator/hw/virtio/virtqueue.h"

namespace weft::hw {

// The transport's services. All under mutex().
class VirtioTransport {
  public:
    virtual ~VirtioTransport() = default;

    // The lock of the device and its transport.
    virtual Mutex& mutex() = 0;
    virtual mem::Reader& dma() = 0;
    virtual Virtqueue& queue(unsigned index) = 0;
    // Whether the driver has the device running: between DRIVER_OK and a reset or failure().
    virtual bool running() const = 0;
    // What the driver and the device agreed on: bits of VirtioDevice::features() and of those of all devices.
    virtual uint64_t negotiated() const = 0;
    // Chains were pushed: interrupts if the driver wants it.
    virtual void used(Virtqueue& queue) = 0;
    // The driver broke the rules: notes why and asks for a reset (2.1.2, DEVICE_NEEDS_RESET). Nothing is processed until then.
    virtual void failure(const std::string& reason) = 0;
    // The configuration space shows something else than before: tells a driver that is running (2.3, 4.2.2.1).
    virtual void config_changed() = 0;
};

// All functions are called under the transport's lock.
class VirtioDevice {
  public:
    virtual ~VirtioDevice() = default;

    virtual uint32_t id() const = 0;        // virtio 1.2, section 5
    virtual uint64_t features() const = 0;  // besides those of all devices
    virtual unsigned queue_count() const = 0;
    virtual uint16_t queue_size() const = 0;  // the largest
    // `size` bytes of the configuration space at `offset`; zero where there is none.
    virtual uint64_t config_read(uint64_t offset, unsigned size) = 0;
    virtual void config_write(uint64_t offset, unsigned size, uint64_t value) = 0;
    // Once, before anything else.
    virtual void attach(VirtioTransport& transport) = 0;
    // The driver, or the machine, was reset: nothing of what the driver did counts.
    virtual void reset() {}
    // The driver put chains into queue `index`.
    virtual void notify(unsigned index) = 0;
    // Null: visit_state() visits all that the device has besides what its transport knows of it. Else the reason, and machines that have
    // the device are not saved.
    virtual const char* why_not_saved() const { return "there is no form for it"; }
    // As SavedPart::visit. Queues have been loaded before; what the device does later, it asks for anew where it loads.
    virtual void visit_state(StateVisitor&) {}
};

}  // namespace weft::hw
