// A virtio entropy device (virtio 1.2, section 5.4).
//
// Bytes are fetched on the machine's I/O worker, without the device's lock, a chain at a time and in order. A reset, or the end of
// the queue, takes effect at once: bytes that were under way find that their chain is nobody's, and are dropped.
//
// Where runs are to be equal (MachineControl::random_seed) the bytes come from the seed, and the backend is not asked.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "emulator/backend/rng/rng_backend.h"
#include "emulator/hw/core/device_type.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/virtio/device.h"

namespace weft::hw {

class VirtioRng final : public VirtioDevice {
  public:
    static constexpr uint32_t kId = 4;
    static constexpr uint16_t kQueueSize = 8;
    // A chain gets no more: the driver has to do with fewer bytes than it has room for (5.4.6).
    static constexpr size_t kMaxBytes = 4096;
    // How long a backend that has none now is left alone.
    static constexpr uint64_t kRetryNs = 20'000'000;

    // `backend` may be null: the host kernel's random numbers. The others outlive the device, whose timer and I/O requests have
    // ended before it goes.
    VirtioRng(backend::RngBackend* backend, MachineControl& control);
    ~VirtioRng() override;

    uint32_t id() const override { return kId; }
    uint64_t features() const override { return 0; }
    unsigned queue_count() const override { return 1; }
    uint16_t queue_size() const override { return kQueueSize; }
    uint64_t config_read(uint64_t, unsigned) override { return 0; }
    void config_write(uint64_t offset, unsigned size, uint64_t value) override;
    void attach(VirtioTransport& transport) override { transport_ = &transport; }
    void notify(unsigned index) override;
    const char* why_not_saved() const override { return nullptr; }
    void visit_state(StateVisitor& visitor) override;

  private:
    enum class Outcome { done, again, retry, give_up };
    void schedule();
    void run();
    Outcome drain(MutexLock& lock);
    Outcome process(MutexLock& lock, const VirtioChain& chain);
    Result<size_t> fetch(std::span<uint8_t> data);

    backend::RngBackend* const backend_;
    MachineControl& control_;
    VirtioTransport* transport_ = nullptr;
    // Under the transport's lock.
    bool scheduled_ = false;              // run() is queued or running, or will be by the timer
    std::optional<VirtioChain> waiting_;  // taken from the queue, and still without bytes
    // The I/O worker's.
    std::optional<uint64_t> random_state_;  // what is left of the seed
    std::array<uint8_t, kMaxBytes> buffer_{};
};

// virtio-rng-device.
extern const DeviceType kVirtioRngType;
// virtio-rng-pci.
extern const DeviceType kVirtioRngPciType;

}  // namespace weft::hw
