// A virtio block device (virtio 1.2, section 5.2).
//
// Requests run on the machine's I/O worker, one at a time and in order. The disk is accessed without the device's lock, through
// a buffer; guest memory under it. A reset, or the end of the queue, thus takes effect at once: what was under way
// finds that its chain is nobody's and is dropped (a write may still reach the disk, before anything the next driver asks for).
//
// A driver that did not accept VIRTIO_BLK_F_FLUSH knows of no cache: its writes are on the disk when they are answered (5.2.6.2).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "emulator/backend/block/block_backend.h"
#include "emulator/hw/core/device_type.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/virtio/device.h"

namespace weft::hw {

class VirtioBlk final : public VirtioDevice {
  public:
    static constexpr uint32_t kId = 2;
    static constexpr uint64_t kSectorSize = 512;
    static constexpr uint16_t kQueueSize = 256;
    static constexpr size_t kSerialSize = 20;

    // `serial` is told to the guest, up to kSerialSize bytes of it. The backend outlives the device; so does the I/O worker stop
    // before the device goes.
    VirtioBlk(backend::BlockBackend& backend, MachineControl& control, const std::string& serial);

    uint32_t id() const override { return kId; }
    uint64_t features() const override;
    unsigned queue_count() const override { return 1; }
    uint16_t queue_size() const override { return kQueueSize; }
    uint64_t config_read(uint64_t offset, unsigned size) override;
    void config_write(uint64_t offset, unsigned size, uint64_t value) override;
    void attach(VirtioTransport& transport) override { transport_ = &transport; }
    void notify(unsigned index) override;
    bool can_be_saved() const override { return true; }
    void visit_state(StateVisitor& visitor) override;

  private:
    struct Request;
    void schedule();
    void run();
    // Processes what is available; true: there is more, for another turn.
    bool drain(MutexLock& lock);
    // Whether the driver still waits for the request.
    bool wanted(const Request& request) const;
    void process(MutexLock& lock, const VirtioChain& chain);
    // These leave the request's status in it; false: its driver is gone, or broke the rules and was told.
    bool execute(MutexLock& lock, Request& request);
    bool read_disk(MutexLock& lock, Request& request);
    bool write_disk(MutexLock& lock, Request& request);
    bool flush_disk(MutexLock& lock, Request& request);
    bool in_range(const Request& request, uint64_t size) const;
    void disk_error(const Error& error);

    backend::BlockBackend& backend_;
    MachineControl& control_;
    VirtioTransport* transport_ = nullptr;
    std::array<uint8_t, kSerialSize> serial_{};
    std::array<uint8_t, 36> config_{};  // struct virtio_blk_config as far as it is used
    bool scheduled_ = false;            // run() is queued or running; under the transport's lock
    std::vector<uint8_t> buffer_;       // the I/O worker's
};

// virtio-blk-device.
extern const DeviceType kVirtioBlkType;
// virtio-blk-pci.
extern const DeviceType kVirtioBlkPciType;

}  // namespace weft::hw
