// A virtio block device (virtio 1.2, section 5.2).
//
// Requests are served by up to kServers *servers*, on the machine's I/O threads. A server takes a request from the queues, in their turn,
// and does it: guest memory is touched under the device's lock, the disk without it, through the server's buffer. The driver gets one interrupt
// for several answers. A server that has to wait for the disk first wakes another one, if there is more to do; what the host has in its page
// cache it does alone. So one thread is awake where the host has the data, and as many as there are requests where it has to get them. A
// single request that can be done at once is done by the vCPU that notified, under the lock: waking a thread takes longer.
//
// A reset, or the end of a queue, takes effect at once: what was under way finds that its chain is nobody's. A write may still reach the disk;
// until it has, nothing of the next driver's is begun.
//
// Where the accelerator makes the time there is one server, and nothing is done by the vCPU that notified: when a request is done must not
// depend on what the host has in memory.
//
// A write is on the disk when it is answered where there is no write cache: the driver did not accept VIRTIO_BLK_F_FLUSH, or switched it off
// (5.2.6.2). A flush covers what was answered before it was asked for, since it begins after.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "emulator/backend/block/block_backend.h"
#include "emulator/hw/core/device_type.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/virtio/blk_config.h"
#include "emulator/hw/virtio/device.h"

namespace weft::hw {

class VirtioBlk final : public VirtioDevice {
  public:
    static constexpr uint32_t kId = 2;
    static constexpr uint64_t kSectorSize = 512;
    static constexpr size_t kSerialSize = 20;
    static constexpr unsigned kServers = 8;

    // The backend outlives the device; so do the I/O threads stop before the device goes.
    VirtioBlk(backend::BlockBackend& backend, MachineControl& control, const BlkSettings& settings);

    uint32_t id() const override { return kId; }
    uint64_t features() const override;
    unsigned queue_count() const override { return settings_.queues; }
    uint16_t queue_size() const override { return settings_.queue_size; }
    uint64_t config_read(uint64_t offset, unsigned size) override;
    void config_write(uint64_t offset, unsigned size, uint64_t value) override;
    void attach(VirtioTransport& transport) override { transport_ = &transport; }
    void reset() override;
    void notify(unsigned index) override;
    const char* why_not_saved() const override { return nullptr; }
    void visit_state(StateVisitor& visitor) override;

  private:
    enum RequestStatus : uint8_t { kOk = 0, kIoError = 1, kUnsupported = 2 };
    struct Request {
        unsigned queue = 0;
        VirtioChain chain;
        uint32_t type = 0;
        uint64_t sector = 0;
        uint64_t in_size = 0;   // writable bytes before the status byte
        uint64_t out_size = 0;  // readable bytes after the header
        uint64_t written = 0;   // of in_size
        RequestStatus status = kOk;
    };
    struct Server {
        VirtioBlk* disk = nullptr;
        bool busy =
            false;  // run() is queued or running; under the transport's lock, as all of it but the buffer's bytes
        std::optional<Request> request;  // from being taken to being answered
        std::vector<uint8_t> buffer;
    };
    // A range of a request to discard or to write zeros.
    struct Range {
        uint64_t offset, length;  // bytes
        bool unmap;
    };

    // All of these under the transport's lock, which clang cannot know by the function that gives it.
    unsigned server_count() { return std::min(kServers, control_.io_threads()); }
    Server* idle_server();
    void start(Server& server);
    void start_another();
    void run(Server& server);
    bool serve(MutexLock& lock, Server& server);
    bool serve_at_once(unsigned index);
    // Takes the next request; false: there is none, and the driver notifies of the next; or nothing may be begun now.
    bool take(Server& server);
    bool take_from(Server& server, unsigned index);
    bool anything_more();
    bool stale() const;
    // Whether the driver still waits for the request.
    bool wanted(const Request& request) const;
    void failure(const std::string& reason) { transport_->failure(reason); }

    bool parse(Request& request);
    bool answer(Server& server);
    // Interrupts for what was answered since.
    void signal();
    // A server is about to wait without the lock.
    void before_waiting();

    // These leave the request's status in it; false: its driver is gone, or broke the rules and was told.
    bool execute(MutexLock& lock, Server& server);
    bool read_disk(MutexLock& lock, Server& server);
    bool write_disk(MutexLock& lock, Server& server);
    bool flush_disk(MutexLock& lock, Server& server);
    bool clear_disk(MutexLock& lock, Server& server);
    bool give_id(Server& server);
    // A small read or write; true: it is done, and the server's lock was never given up.
    bool transfer_at_once(Server& server);
    // What clear_disk() is asked for; none: the request's status says why.
    std::optional<std::vector<Range>> ranges(Server& server);
    // An error of the disk's, once the lock is held again. False: as above.
    bool finished(Request& request, const Result<>& result);

    bool in_range(uint64_t sector, uint64_t size) const;
    bool write_cache() const;
    bool agreed(uint64_t feature) const { return (transport_->negotiated() & feature) != 0; }

    backend::BlockBackend& backend_;
    MachineControl& control_;
    const BlkSettings settings_;
    VirtioTransport* transport_ = nullptr;
    std::array<uint8_t, kSerialSize> serial_{};
    // The rest under the transport's lock.
    BlkConfig config_;
    std::array<Server, kServers> servers_;
    unsigned next_queue_ = 0;         // where the next request is looked for first
    std::vector<unsigned> answered_;  // queues with answers that the driver was not told of
    unsigned answers_ = 0;            // how many they are
};

// virtio-blk-device.
extern const DeviceType kVirtioBlkType;
// virtio-blk-pci.
extern const DeviceType kVirtioBlkPciType;

}  // namespace weft::hw
