#include "emulator/hw/virtio/blk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "emulator/hw/virtio/pci.h"

namespace weft::hw {

namespace {

// 5.2.3
constexpr uint64_t kFeatureSegMax = 1 << 2;
constexpr uint64_t kFeatureReadOnly = 1 << 5;
constexpr uint64_t kFeatureBlkSize = 1 << 6;
constexpr uint64_t kFeatureFlush = 1 << 9;

// 5.2.4
constexpr size_t kConfigCapacity = 0;
constexpr size_t kConfigSegMax = 12;
constexpr size_t kConfigBlkSize = 20;

// 5.2.6
constexpr uint32_t kTypeIn = 0;
constexpr uint32_t kTypeOut = 1;
constexpr uint32_t kTypeFlush = 4;
constexpr uint32_t kTypeGetId = 8;
constexpr size_t kHeaderSize = 16;
enum RequestStatus : uint8_t { kOk = 0, kIoError = 1, kUnsupported = 2 };

// Large requests go through the buffer in pieces.
constexpr size_t kBufferSize = 256 << 10;
// Requests in one turn on the I/O worker, which devices share.
constexpr unsigned kTurn = 64;

}  // namespace

struct VirtioBlk::Request {
    const VirtioChain& chain;
    uint32_t type = 0;
    uint64_t sector = 0;
    uint64_t in_size = 0;   // writable bytes before the status byte
    uint64_t out_size = 0;  // readable bytes after the header
    uint64_t written = 0;   // of in_size
    RequestStatus status = kOk;
};

VirtioBlk::VirtioBlk(backend::BlockBackend& backend, MachineControl& control, const std::string& serial)
    : backend_(backend), control_(control), buffer_(kBufferSize) {
    std::memcpy(serial_.data(), serial.data(), std::min(serial.size(), serial_.size()));
    const uint64_t capacity = backend.size() / kSectorSize;
    const uint32_t seg_max = kQueueSize - 2;  // the header and the status take one each
    const auto blk_size = static_cast<uint32_t>(kSectorSize);
    std::memcpy(config_.data() + kConfigCapacity, &capacity, 8);
    std::memcpy(config_.data() + kConfigSegMax, &seg_max, 4);
    std::memcpy(config_.data() + kConfigBlkSize, &blk_size, 4);
}

uint64_t VirtioBlk::features() const {
    return kFeatureSegMax | kFeatureBlkSize | kFeatureFlush | (backend_.read_only() ? kFeatureReadOnly : 0);
}

uint64_t VirtioBlk::config_read(uint64_t offset, unsigned size) {
    uint64_t value = 0;
    for (unsigned i = 0; i < size && offset + i < config_.size(); ++i) {
        value |= uint64_t{config_[offset + i]} << 8 * i;
    }
    return value;
}

void VirtioBlk::config_write(uint64_t offset, unsigned, uint64_t) {
    control_.guest_error(
        fmt::format("virtio-blk: write to the configuration at {:#x}, which is read-only", offset).c_str());
}

void VirtioBlk::notify(unsigned) { schedule(); }

void VirtioBlk::schedule() {
    if (!scheduled_) {
        scheduled_ = true;
        control_.run_io([](void* opaque) { static_cast<VirtioBlk*>(opaque)->run(); }, this);
    }
}

// All requests that were made are done, but where the driver is stopped half-way: then it has a reset to come.
void VirtioBlk::visit_state(StateVisitor& visitor) {
    const uint64_t size = visitor.value("size", backend_.size());
    visitor.require(size == backend_.size(), "the disk has another size here");
    if (visitor.loads()) {
        schedule();
    }
}

void VirtioBlk::run() {
    MutexLock lock(transport_->mutex());
    const bool again = drain(lock);
    scheduled_ = false;
    if (again) {
        schedule();
    }
}

bool VirtioBlk::drain(MutexLock& lock) {
    Virtqueue& queue = transport_->queue(0);
    for (unsigned count = 0; transport_->running(); ++count) {
        if (count == kTurn) {
            return true;
        }
        auto chain = queue.pop(transport_->dma());
        if (!chain) {
            transport_->failure(chain.error().message());
            return false;
        }
        if (chain->has_value()) {
            process(lock, **chain);
            continue;
        }
        if (!queue.ready()) {
            return false;
        }
        const auto more = queue.wait_for_more(transport_->dma());
        if (!more) {
            transport_->failure(more.error().message());
            return false;
        }
        if (!*more) {
            return false;
        }
    }
    return false;
}

void VirtioBlk::process(MutexLock& lock, const VirtioChain& chain) {
    std::array<uint8_t, kHeaderSize> header;
    if (chain.readable_size < kHeaderSize || chain.writable_size == 0) {
        transport_->failure(
            fmt::format("block request of {} and {} bytes", chain.readable_size, chain.writable_size));
        return;
    }
    if (!chain.read(transport_->dma(), 0, header)) {
        transport_->failure("block request outside RAM");
        return;
    }
    Request request{
        .chain = chain, .in_size = chain.writable_size - 1, .out_size = chain.readable_size - kHeaderSize};
    std::memcpy(&request.type, header.data(), 4);
    std::memcpy(&request.sector, header.data() + 8, 8);
    if (!execute(lock, request)) {
        return;
    }
    const uint8_t status = request.status;
    if (!chain.write(transport_->dma(), chain.writable_size - 1, std::span(&status, 1))) {
        transport_->failure("block request's status outside RAM");
        return;
    }
    Virtqueue& queue = transport_->queue(0);
    // The length counts from the first writable byte: the status is in it only if all data before it was written.
    const uint64_t written = request.written == request.in_size ? request.written + 1 : request.written;
    const auto pushed =
        queue.push(transport_->dma(), chain, static_cast<uint32_t>(std::min<uint64_t>(written, UINT32_MAX)));
    if (!pushed) {
        transport_->failure(pushed.error().message());
        return;
    }
    transport_->used(queue);
}

bool VirtioBlk::execute(MutexLock& lock, Request& request) {
    switch (request.type) {
        case kTypeIn:
            return read_disk(lock, request);
        case kTypeOut:
            return write_disk(lock, request);
        case kTypeFlush:
            return flush_disk(lock, request);
        case kTypeGetId: {
            const size_t size = std::min<uint64_t>(request.in_size, serial_.size());
            if (!request.chain.write(transport_->dma(), 0, std::span(serial_).first(size))) {
                transport_->failure("block request's data outside RAM");
                return false;
            }
            request.written = size;
            return true;
        }
        default:
            request.status = kUnsupported;
            return true;
    }
}

bool VirtioBlk::wanted(const Request& request) const { return transport_->queue(0).owns(request.chain); }

bool VirtioBlk::in_range(const Request& request, uint64_t size) const {
    const uint64_t sectors = backend_.size() / kSectorSize;
    return size % kSectorSize == 0 && request.sector <= sectors &&
           size / kSectorSize <= sectors - request.sector;
}

void VirtioBlk::disk_error(const Error& error) {
    control_.guest_error(fmt::format("virtio-blk: {}", error.message()).c_str());
}

// Clang cannot follow the lock through the parameter, nor its gaps.
bool VirtioBlk::read_disk(MutexLock& lock, Request& request) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    if (!in_range(request, request.in_size)) {
        request.status = kIoError;
        return true;
    }
    const uint64_t start = request.sector * kSectorSize;
    while (request.written != request.in_size) {
        const auto piece =
            std::span(buffer_).first(std::min<uint64_t>(buffer_.size(), request.in_size - request.written));
        lock.unlock();
        const auto result = backend_.read(start + request.written, piece);
        lock.lock();
        if (!wanted(request)) {
            return false;
        }
        if (!result) {
            disk_error(result.error());
            request.status = kIoError;
            return true;
        }
        if (!request.chain.write(transport_->dma(), request.written, piece)) {
            transport_->failure("block request's data outside RAM");
            return false;
        }
        request.written += piece.size();
    }
    return true;
}

bool VirtioBlk::write_disk(MutexLock& lock, Request& request) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    if (!in_range(request, request.out_size) || backend_.read_only()) {
        request.status = kIoError;
        return true;
    }
    const uint64_t start = request.sector * kSectorSize;
    for (uint64_t done = 0; done != request.out_size;) {
        const auto piece =
            std::span(buffer_).first(std::min<uint64_t>(buffer_.size(), request.out_size - done));
        if (!request.chain.read(transport_->dma(), kHeaderSize + done, piece)) {
            transport_->failure("block request's data outside RAM");
            return false;
        }
        lock.unlock();
        const auto result = backend_.write(start + done, piece);
        lock.lock();
        if (!wanted(request)) {
            return false;
        }
        if (!result) {
            disk_error(result.error());
            request.status = kIoError;
            return true;
        }
        done += piece.size();
    }
    return (transport_->negotiated() & kFeatureFlush) != 0 || flush_disk(lock, request);
}

bool VirtioBlk::flush_disk(MutexLock& lock, Request& request) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    lock.unlock();
    const auto result = backend_.flush();
    lock.lock();
    if (!wanted(request)) {
        return false;
    }
    if (!result) {
        disk_error(result.error());
        request.status = kIoError;
    }
    return true;
}

namespace {

constexpr DeviceProperty kProperties[] = {
    {"drive", PropertyKind::drive, nullptr, 0, 0, "the disk's image"},
    {"serial", PropertyKind::text, "", 0, VirtioBlk::kSerialSize,
     "the serial number that the guest is told (5.2.6)"},
};

}  // namespace

constexpr DeviceType kVirtioBlkType = {
    .name = "virtio-blk-device",
    .bus = Bus::virtio,
    .help = "a disk",
    .properties = kProperties,
    .make_virtio = [](const DeviceConfig& config, MachineControl& control) -> std::unique_ptr<VirtioDevice> {
        return std::make_unique<VirtioBlk>(config.drive(), control, config.text("serial"));
    },
};

constexpr DeviceType kVirtioBlkPciType = {
    .name = "virtio-blk-pci",
    .bus = Bus::pci,
    .help = "a disk on PCI",
    .properties = kProperties,
    .make_virtio = kVirtioBlkType.make_virtio,
    .make_pci = make_virtio_pci,
};

}  // namespace weft::hw
