#include "emulator/hw/virtio/net.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "emulator/hw/virtio/net_checksum.h"
#include "emulator/hw/virtio/pci.h"

namespace weft::hw {

namespace {

// 5.1.3
constexpr uint64_t kFeatureChecksum = 1 << 0;
constexpr uint64_t kFeatureGuestChecksum = 1 << 1;
constexpr uint64_t kFeatureMac = 1 << 5;
constexpr uint64_t kFeatureHostTso4 = 1 << 11;
constexpr uint64_t kFeatureMergeBuffers = 1 << 15;
constexpr uint64_t kFeatureStatus = 1 << 16;

// 5.1.4
constexpr size_t kMacSize = 6;
constexpr size_t kConfigStatus = 6;
constexpr uint16_t kLinkUp = 1;

// 5.1.6
constexpr uint8_t kNeedsChecksum = 1;
constexpr uint8_t kDataValid = 2;
constexpr uint8_t kGsoNone = 0;
constexpr uint8_t kGsoTcp4 = 1;
constexpr size_t kHeaderSize = 12;
constexpr size_t kLegacyHeaderSize = 10;  // without num_buffers (5.1.6.1)

constexpr size_t kEthernetHeader = 14;
// What a driver may send that leaves nothing to the device: with a VLAN tag.
constexpr size_t kPlainFrame = 1518;
// Frames under one hold of the lock.
constexpr unsigned kTurn = 64;

}  // namespace

struct VirtioNet::Header {
    uint8_t flags;
    uint8_t gso_type;
    uint16_t header_length;
    uint16_t gso_size;
    uint16_t checksum_start;
    uint16_t checksum_offset;
    uint16_t buffers;
};

VirtioNet::VirtioNet(backend::NetBackend* backend, MachineControl& control, MacAddress mac,
                     const NetSettings& settings)
    : backend_(backend), control_(control), settings_(settings), mac_(mac) {
    const uint16_t status = backend != nullptr ? kLinkUp : 0;
    std::ranges::copy(mac, config_.begin());
    std::memcpy(config_.data() + kConfigStatus, &status, 2);
}

VirtioNet::~VirtioNet() {
    if (backend_ != nullptr && transport_ != nullptr) {
        backend_->set_client(nullptr);
    }
}

uint64_t VirtioNet::features() const {
    uint64_t features = kFeatureMac;
    features |= settings_.status ? kFeatureStatus : 0;
    features |= settings_.merge_buffers ? kFeatureMergeBuffers : 0;
    features |= settings_.checksum ? kFeatureChecksum : 0;
    if (settings_.guest_checksum && backend_ != nullptr && backend_->checksums_hold()) {
        features |= kFeatureGuestChecksum;
    }
    // 5.1.3.1: segmenting needs checksums.
    if (settings_.host_tso4 && settings_.checksum && backend_ != nullptr && backend_->large_tcp()) {
        features |= kFeatureHostTso4;
    }
    return features;
}

uint64_t VirtioNet::config_read(uint64_t offset, unsigned size) {
    uint64_t value = 0;
    for (unsigned i = 0; i < size && offset + i < config_.size(); ++i) {
        value |= uint64_t{config_[offset + i]} << 8 * i;
    }
    return value;
}

void VirtioNet::config_write(uint64_t offset, unsigned size, uint64_t value) {
    // 5.1.4.3: a legacy driver sets its address by writing it.
    if (agreed(kVirtioVersion1) || offset >= kMacSize || size > kMacSize - offset) {
        control_.guest_error(
            fmt::format("virtio-net: write to the configuration at {:#x}, which is read-only", offset)
                .c_str());
        return;
    }
    for (unsigned i = 0; i < size; ++i) {
        config_[offset + i] = static_cast<uint8_t>(value >> 8 * i);
    }
}

void VirtioNet::attach(VirtioTransport& transport) {
    transport_ = &transport;
    if (backend_ != nullptr) {
        backend_->set_client(this);
    }
}

void VirtioNet::reset() {
    std::ranges::copy(mac_, config_.begin());
    room_.clear();
    restarted_ = true;
    if (backend_ != nullptr) {
        backend_->wake();
    }
}

void VirtioNet::visit_state(StateVisitor& visitor) {
    visitor.bytes("configuration", config_);
    visitor.list("room", room_, kQueueSize, [&](VirtioChain& chain) {
        chain.visit_state(visitor);
        visitor.require(chain.readable_size == 0 && chain.writable_size >= kLegacyHeaderSize,
                        "room for a frame that there is none in");
    });
    if (visitor.loads()) {
        // What the network has for the driver of before is nobody's.
        restarted_ = true;
        if (backend_ != nullptr) {
            backend_->wake();
        } else if (!discarding_) {
            discarding_ = true;
            discard_later();
        }
    }
}

bool VirtioNet::restarted() WEFT_NO_THREAD_SAFETY_ANALYSIS {
    const MutexLock lock(transport_->mutex());
    return std::exchange(restarted_, false);
}

void VirtioNet::notify(unsigned index) {
    if (backend_ != nullptr) {
        backend_->wake();
    } else if (index == kTransmit && !discarding_) {
        discarding_ = true;
        discard_later();
    }
}

// By the I/O worker and in turns, as disks are served: a driver may add frames as fast as they go.
void VirtioNet::discard_later() {
    control_.run_io(
        [](void* opaque) {
            auto* self = static_cast<VirtioNet*>(opaque);
            const MutexLock lock(self->transport_->mutex());
            self->discard();
        },
        this);
}

void VirtioNet::discard() {
    Virtqueue& queue = transport_->queue(kTransmit);
    for (unsigned count = 0; count < kTurn; ++count) {
        const auto chain = next_chain(queue);
        if (!chain || !queue.stage(transport_->dma(), *chain, 0)) {
            discarding_ = false;
            finish(queue);
            return;
        }
    }
    finish(queue);
    discard_later();
}

void VirtioNet::failure(const std::string& reason) {
    transport_->failure(fmt::format("network: {}", reason));
}

void VirtioNet::dropped(const char* reason) {
    control_.guest_error(fmt::format("virtio-net: a frame is dropped: {}", reason).c_str());
}

size_t VirtioNet::header_size() const {
    return agreed(kVirtioVersion1 | kFeatureMergeBuffers) ? kHeaderSize : kLegacyHeaderSize;
}

size_t VirtioNet::max_frame() const {
    return agreed(kFeatureHostTso4) ? backend_->max_frame() : std::min(kPlainFrame, backend_->max_frame());
}

// None: there is none, and the driver notifies of the next; or it broke the rules.
std::optional<VirtioChain> VirtioNet::next_chain(Virtqueue& queue) {
    while (transport_->running()) {
        auto chain = queue.pop(transport_->dma());
        if (!chain) {
            transport_->failure(chain.error().message());
            break;
        }
        if (chain->has_value() || !queue.ready()) {
            return std::move(*chain);
        }
        const auto more = queue.wait_for_more(transport_->dma());
        if (!more) {
            transport_->failure(more.error().message());
            break;
        }
        if (!*more) {
            break;
        }
    }
    return std::nullopt;
}

// What was staged is the driver's.
bool VirtioNet::finish(Virtqueue& queue) {
    if (!transport_->running() || !queue.ready()) {
        return false;
    }
    if (const auto published = queue.publish(transport_->dma()); !published) {
        transport_->failure(published.error().message());
        return false;
    }
    transport_->used(queue);
    return true;
}

// The backend's thread, without a lock: clang cannot know the transport's lock by the function that gives it.
bool VirtioNet::transmit(backend::FrameQueue& frames) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    const MutexLock lock(transport_->mutex());
    Virtqueue& queue = transport_->queue(kTransmit);
    unsigned count = 0;
    bool more = true;
    while (more && count < kTurn && frames.has_room(max_frame())) {
        const auto chain = next_chain(queue);
        if (!chain) {
            more = false;
        } else if (!take_frame(*chain, frames)) {
            return false;
        } else if (const auto staged = queue.stage(transport_->dma(), *chain, 0); !staged) {
            transport_->failure(staged.error().message());
            return false;
        } else {
            ++count;
        }
    }
    return (count == 0 || finish(queue)) && more;
}

// One frame of the guest's. Those that cannot be sent are dropped, as on a wire.
bool VirtioNet::take_frame(const VirtioChain& chain, backend::FrameQueue& frames) {
    const size_t header_bytes = header_size();
    Header header{};
    if (chain.writable_size != 0 || chain.readable_size < header_bytes) {
        failure(
            fmt::format("a frame of {} bytes, and {} to write to", chain.readable_size, chain.writable_size));
        return false;
    }
    std::array<uint8_t, kHeaderSize> bytes{};
    if (!chain.read(transport_->dma(), 0, std::span(bytes).first(header_bytes))) {
        failure("a frame outside RAM");
        return false;
    }
    std::memcpy(&header, bytes.data(), sizeof header);
    const uint64_t size = chain.readable_size - header_bytes;
    if (size < kEthernetHeader || size > max_frame()) {
        dropped("its size");
        return true;
    }
    const std::span<uint8_t> frame = frames.add(size);
    if (!chain.read(transport_->dma(), header_bytes, frame)) {
        frames.drop_last();
        failure("a frame outside RAM");
        return false;
    }
    if (!prepare(header, frame)) {
        frames.drop_last();
    }
    return true;
}

// Does what the driver left to the device. False: it left what was not agreed on, or what cannot be done.
bool VirtioNet::prepare(const Header& header, std::span<uint8_t> frame) {
    const bool checksum = (header.flags & kNeedsChecksum) != 0;
    if (header.gso_type != kGsoNone &&
        (header.gso_type != kGsoTcp4 || !agreed(kFeatureHostTso4) || !checksum)) {
        dropped("it is to be segmented in a way that was not agreed on");
        return false;
    }
    if (header.gso_type == kGsoNone && frame.size() > kPlainFrame) {
        dropped("its size");
        return false;
    }
    if (!checksum) {
        return true;
    }
    if (!agreed(kFeatureChecksum) ||
        !complete_checksum(frame, header.checksum_start, header.checksum_offset)) {
        dropped("its checksum");
        return false;
    }
    return true;
}

void VirtioNet::receive(backend::FrameQueue& frames) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    const MutexLock lock(transport_->mutex());
    Virtqueue& queue = transport_->queue(kReceive);
    unsigned count = 0;
    for (; transport_->running() && queue.ready() && !frames.empty(); frames.drop_first()) {
        const std::span<const uint8_t> frame = frames.first();
        const Room room = find_room(queue, header_size() + frame.size());
        if (room == Room::none_now) {
            break;
        }
        if (room == Room::too_little) {
            dropped("the driver's buffers are too small");
        } else if (put_frame(queue, frame)) {
            ++count;
        }
    }
    if (!transport_->running() || !queue.ready()) {
        frames.clear();  // nobody is there
    } else if (count != 0) {
        finish(queue);
    }
}

// Takes chains that hold `wanted` bytes together: one, unless it was agreed on that several are merged. Where that is too little,
// they are kept for a smaller frame: a driver takes a buffer without even a header for an error (5.1.6.4).
VirtioNet::Room VirtioNet::find_room(Virtqueue& queue, uint64_t wanted) {
    if (!room_.empty() && !queue.owns(room_.front())) {
        room_.clear();
    }
    // More than the queue holds the driver cannot give.
    const size_t most = agreed(kFeatureMergeBuffers) ? queue.size() : 1;
    uint64_t size = 0;
    for (const VirtioChain& chain : room_) {
        size += chain.writable_size;
    }
    while (size < wanted) {
        if (room_.size() >= most) {
            return Room::too_little;
        }
        auto chain = next_chain(queue);
        if (!chain) {
            return Room::none_now;
        }
        if (chain->readable_size != 0 || chain->writable_size < header_size()) {
            failure(fmt::format("room for a frame of {} bytes, and {} to read", chain->writable_size,
                                chain->readable_size));
            return Room::none_now;
        }
        size += chain->writable_size;
        room_.push_back(std::move(*chain));
    }
    return Room::enough;
}

bool VirtioNet::put_frame(Virtqueue& queue, std::span<const uint8_t> frame) {
    const size_t header_bytes = header_size();
    Header header{};
    header.flags = agreed(kFeatureGuestChecksum) ? kDataValid : 0;
    // There may be more room, of a larger frame that did not fit.
    ptrdiff_t needed = 0;
    for (uint64_t size = 0; size < header_bytes + frame.size(); ++needed) {
        size += room_[static_cast<size_t>(needed)].writable_size;
    }
    const std::vector<VirtioChain> chains(room_.begin(), room_.begin() + needed);
    room_.erase(room_.begin(), room_.begin() + needed);
    header.buffers = static_cast<uint16_t>(needed);
    std::array<uint8_t, kHeaderSize> bytes{};
    std::memcpy(bytes.data(), &header, sizeof header);

    size_t before = header_bytes;  // what of the first chain the header takes
    size_t done = 0;
    bool stored = chains.front().write(transport_->dma(), 0, std::span(bytes).first(header_bytes));
    for (const VirtioChain& chain : chains) {
        const size_t part = std::min<uint64_t>(chain.writable_size - before, frame.size() - done);
        stored = stored && chain.write(transport_->dma(), before, frame.subspan(done, part));
        if (!stored) {
            failure("room for a frame outside RAM");
            return false;
        }
        if (const auto staged = queue.stage(transport_->dma(), chain, static_cast<uint32_t>(before + part));
            !staged) {
            transport_->failure(staged.error().message());
            return false;
        }
        done += part;
        before = 0;
    }
    return true;
}

namespace {

constexpr DeviceProperty kProperties[] = {
    {"netdev", PropertyKind::netdev, "", 0, 0, "the network it is plugged into; none: it is not plugged in"},
    {"mac", PropertyKind::mac, "", 0, 0, "its address; none: 52:54:00:12:34:56, or the next that is free"},
    {"csum", PropertyKind::on_off, "on", 0, 0, "whether checksums may be left to it"},
    {"guest_csum", PropertyKind::on_off, "on", 0, 0, "whether it says that the checksums of what comes hold"},
    {"host_tso4", PropertyKind::on_off, "on", 0, 0, "whether large TCP packets may be left to it"},
    {"mrg_rxbuf", PropertyKind::on_off, "on", 0, 0, "whether a frame may take several buffers"},
    {"status", PropertyKind::on_off, "on", 0, 0, "whether it tells if it is plugged in"},
    // Of features that it has not, and of QEMU's ways to serve queues.
    {"gso", PropertyKind::accepted, "on|off", 0, 0, "accepted"},
    {"guest_tso4", PropertyKind::accepted, "on|off", 0, 0, "accepted"},
    {"guest_tso6", PropertyKind::accepted, "on|off", 0, 0, "accepted"},
    {"guest_ecn", PropertyKind::accepted, "on|off", 0, 0, "accepted"},
    {"guest_ufo", PropertyKind::accepted, "on|off", 0, 0, "accepted"},
    {"guest_uso4", PropertyKind::accepted, "on|off", 0, 0, "accepted"},
    {"guest_uso6", PropertyKind::accepted, "on|off", 0, 0, "accepted"},
    {"guest_announce", PropertyKind::accepted, "on|off", 0, 0, "accepted"},
    {"host_tso6", PropertyKind::accepted, "on|off", 0, 0, "accepted"},
    {"host_ecn", PropertyKind::accepted, "on|off", 0, 0, "accepted"},
    {"host_ufo", PropertyKind::accepted, "on|off", 0, 0, "accepted"},
    {"host_uso", PropertyKind::accepted, "on|off", 0, 0, "accepted"},
    {"ctrl_vq", PropertyKind::accepted, "on|off", 0, 0, "accepted"},
    {"ctrl_rx", PropertyKind::accepted, "on|off", 0, 0, "accepted"},
    {"ctrl_vlan", PropertyKind::accepted, "on|off", 0, 0, "accepted"},
    {"ctrl_rx_extra", PropertyKind::accepted, "on|off", 0, 0, "accepted"},
    {"ctrl_mac_addr", PropertyKind::accepted, "on|off", 0, 0, "accepted"},
    {"ctrl_guest_offloads", PropertyKind::accepted, "on|off", 0, 0, "accepted"},
    {"mq", PropertyKind::accepted, "on|off", 0, 0, "accepted: there is one pair of queues"},
    {"rss", PropertyKind::accepted, "off", 0, 0, "accepted"},
    {"hash", PropertyKind::accepted, "off", 0, 0, "accepted"},
    {"tx", PropertyKind::accepted, "bh|timer", 0, 0, "accepted"},
    {"rx_queue_size", PropertyKind::accepted, "256|512|1024", 0, 0, "accepted: a queue holds 256 buffers"},
    {"tx_queue_size", PropertyKind::accepted, "256|512|1024", 0, 0, "accepted: a queue holds 256 frames"},
};

NetSettings settings_of(const DeviceConfig& config) {
    return {.checksum = config.on("csum"),
            .guest_checksum = config.on("guest_csum"),
            .host_tso4 = config.on("host_tso4"),
            .merge_buffers = config.on("mrg_rxbuf"),
            .status = config.on("status")};
}

}  // namespace

constexpr DeviceType kVirtioNetType = {
    .name = "virtio-net-device",
    .bus = Bus::virtio,
    .help = "a network card",
    .properties = kProperties,
    .make_virtio = [](const DeviceConfig& config, MachineControl& control) -> std::unique_ptr<VirtioDevice> {
        return std::make_unique<VirtioNet>(config.netdev(), control, config.mac().value_or(kFirstMac),
                                           settings_of(config));
    },
};

constexpr DeviceType kVirtioNetPciType = {
    .name = "virtio-net-pci",
    .bus = Bus::pci,
    .help = "a network card on PCI",
    .properties = kProperties,
    .make_virtio = kVirtioNetType.make_virtio,
    .make_pci = make_virtio_pci,
};

}  // namespace weft::hw
