// A virtio 9P transport (Linux' include/uapi/linux/virtio_9p.h; device 9 of virtio 1.2, section 5): a folder of the host's that the
// guest mounts by its tag.
//
// Messages are answered on the machine's worker for files, one at a time and in order, through buffers and without the device's lock; guest
// memory is accessed under it. A reset, or the end of the queue, takes effect at once: the answer that was under way finds that its
// chain is nobody's and is dropped (what was asked for may have been done to the folder), and the next driver finds no fid.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "emulator/backend/fs/fs_backend.h"
#include "emulator/hw/core/device_type.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/virtio/9p/server.h"
#include "emulator/hw/virtio/device.h"

namespace weft::hw {

class Virtio9p final : public VirtioDevice {
  public:
    static constexpr uint32_t kId = 9;
    static constexpr uint16_t kQueueSize = 128;
    static constexpr size_t kTagSize = 32;
    static constexpr uint64_t kFeatureTag = 1;  // VIRTIO_9P_MOUNT_TAG

    // `tag`: what the guest mounts it by, 1 to kTagSize bytes. The others outlive the device, whose I/O requests have ended before it
    // goes.
    Virtio9p(backend::FsBackend& files, MachineControl& control, const std::string& tag);

    uint32_t id() const override { return kId; }
    uint64_t features() const override { return kFeatureTag; }
    unsigned queue_count() const override { return 1; }
    uint16_t queue_size() const override { return kQueueSize; }
    // struct virtio_9p_config: the tag's length, and the tag.
    uint64_t config_read(uint64_t offset, unsigned size) override;
    void config_write(uint64_t offset, unsigned size, uint64_t value) override;
    void attach(VirtioTransport& transport) override { transport_ = &transport; }
    void reset() override;
    void notify(unsigned index) override;
    // What the guest's fids stand for are the host's files, and cannot be saved.
    const char* why_not_saved() const override {
        return mounted_ ? "the guest has mounted its folder" : nullptr;
    }
    // There is no client.
    void visit_state(StateVisitor& visitor) override;

  private:
    void schedule();
    void run();
    // Answers what is there; true: there is more, for another turn.
    bool drain(MutexLock& lock);
    // False: the driver broke the rules, and was told.
    bool process(MutexLock& lock, const VirtioChain& chain);

    MachineControl& control_;
    std::vector<uint8_t> config_;
    VirtioTransport* transport_ = nullptr;
    // Under the transport's lock.
    bool scheduled_ = false;      // run() is queued or running
    bool forget_client_ = false;  // there was a reset, of which the server does not know yet
    bool mounted_ = false;        // the client has fids
    // The worker's.
    p9::Server server_;
    std::vector<uint8_t> message_, answer_;
};

// virtio-9p-device.
extern const DeviceType kVirtio9pType;
// virtio-9p-pci.
extern const DeviceType kVirtio9pPciType;

}  // namespace weft::hw
