#include "emulator/hw/virtio/9p.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>

#include "base/messages.h"
#include "emulator/hw/virtio/pci.h"

namespace weft::hw {

namespace {

constexpr unsigned kTurn = 64;  // messages that are answered before other folders have the worker

// Files that the guest may have open: what the host's limit leaves when a quarter is kept for disks, lines and the rest.
size_t max_open_files() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return 256;
    }
    return static_cast<size_t>(std::min<rlim_t>(limit.rlim_cur, 1 << 20) / 4 * 3);
}

void warn_of_other_device() {
    print_warning(
        "a shared folder has files of several file systems, whose inodes may have equal numbers "
        "(multidevs=remap tells them apart)");
}

}  // namespace

Virtio9p::Virtio9p(backend::FsBackend& files, MachineControl& control, const std::string& tag)
    : control_(control),
      config_{static_cast<uint8_t>(tag.size()), 0},
      server_(files, p9::QidMap(files.other_devices(), warn_of_other_device), max_open_files()),
      message_(p9::Server::kMaxSize),
      answer_(p9::Server::kMaxSize) {
    config_.insert(config_.end(), tag.begin(), tag.end());
}

uint64_t Virtio9p::config_read(uint64_t offset, unsigned size) {
    uint64_t value = 0;
    for (unsigned i = 0; i < size; ++i) {
        const uint64_t at = offset + i;
        value |= uint64_t{at < config_.size() ? config_[at] : uint8_t{0}} << 8 * i;
    }
    return value;
}

void Virtio9p::config_write(uint64_t offset, unsigned, uint64_t) {
    control_.guest_error(
        fmt::format("virtio-9p: write to the configuration at {:#x}, which is read-only", offset).c_str());
}

// Files that were open are closed soon, on the worker.
void Virtio9p::reset() {
    forget_client_ = true;
    schedule();
}

void Virtio9p::notify(unsigned) { schedule(); }

void Virtio9p::visit_state(StateVisitor& visitor) {
    if (visitor.loads()) {
        reset();
    }
}

void Virtio9p::schedule() {
    if (!scheduled_) {
        scheduled_ = true;
        control_.run_file_io([](void* opaque) { static_cast<Virtio9p*>(opaque)->run(); }, this);
    }
}

void Virtio9p::run() {
    MutexLock lock(transport_->mutex());
    const bool again = drain(lock);
    scheduled_ = false;
    if (again) {
        schedule();
    }
}

bool Virtio9p::drain(MutexLock& lock) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    Virtqueue& queue = transport_->queue(0);
    for (unsigned count = 0;; ++count) {
        if (forget_client_) {
            forget_client_ = false;
            lock.unlock();
            server_.reset();
            lock.lock();
            mounted_ = false;
            continue;  // there may have been another reset
        }
        if (!transport_->running()) {
            return false;
        }
        if (count >= kTurn) {
            return true;
        }
        const auto chain = queue.pop(transport_->dma());
        if (!chain) {
            transport_->failure(chain.error().message());
            return false;
        }
        if (chain->has_value()) {
            if (!process(lock, **chain)) {
                return forget_client_;
            }
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
}

// Clang cannot follow the lock through the parameter, nor its gap.
bool Virtio9p::process(MutexLock& lock, const VirtioChain& chain) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    if (chain.readable_size < p9::kHeaderSize || chain.writable_size < p9::Server::kErrorSize) {
        transport_->failure(fmt::format("9P message of {} bytes with room for {} bytes of an answer",
                                        chain.readable_size, chain.writable_size));
        return false;
    }
    const auto message = std::span(message_).first(std::min<uint64_t>(chain.readable_size, message_.size()));
    const auto room = std::span(answer_).first(std::min<uint64_t>(chain.writable_size, answer_.size()));
    if (!chain.read(transport_->dma(), 0, message)) {
        transport_->failure("9P message outside RAM");
        return false;
    }
    lock.unlock();
    const size_t size = server_.answer(message, room);
    const bool mounted = server_.has_fids();
    lock.lock();
    mounted_ = mounted;
    Virtqueue& queue = transport_->queue(0);
    if (!queue.owns(chain)) {
        return true;  // the driver that asked is gone; the next one's messages may be there already
    }
    if (!chain.write(transport_->dma(), 0, room.first(size))) {
        transport_->failure("room for a 9P answer outside RAM");
        return false;
    }
    if (const auto pushed = queue.push(transport_->dma(), chain, static_cast<uint32_t>(size)); !pushed) {
        transport_->failure(pushed.error().message());
        return false;
    }
    transport_->used(queue);
    return true;
}

namespace {

constexpr DeviceProperty kProperties[] = {
    {"fsdev", PropertyKind::fsdev, nullptr, 0, 0, "the folder that is shared"},
    {"mount_tag", PropertyKind::text, nullptr, 0, Virtio9p::kTagSize, "what the guest mounts it by"},
};

}  // namespace

constexpr DeviceType kVirtio9pType = {
    .name = "virtio-9p-device",
    .bus = Bus::virtio,
    .help = "a shared folder",
    .properties = kProperties,
    .make_virtio = [](const DeviceConfig& config, MachineControl& control) -> std::unique_ptr<VirtioDevice> {
        return std::make_unique<Virtio9p>(config.fsdev(), control, config.text("mount_tag"));
    },
};

constexpr DeviceType kVirtio9pPciType = {
    .name = "virtio-9p-pci",
    .bus = Bus::pci,
    .help = "a shared folder on PCI",
    .properties = kProperties,
    .make_virtio = kVirtio9pType.make_virtio,
    .make_pci = make_virtio_pci,
};

}  // namespace weft::hw
