#include "emulator/hw/virtio/balloon.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "emulator/hw/virtio/pci.h"

namespace weft::hw {

namespace {

// 5.5.2
constexpr unsigned kInflateQueue = 0;
// 5.5.4: both are le32, also of the legacy interface.
constexpr uint64_t kConfigPages = 0;
constexpr uint64_t kConfigActual = 4;
// What a driver may have the device do at once, in bytes: Linux sends 256 numbers.
constexpr uint64_t kMaxChain = 64 << 10;

}  // namespace

VirtioBalloon::VirtioBalloon(MachineControl& control) : control_(control) { control_.set_balloon(this); }

VirtioBalloon::~VirtioBalloon() {
    control_.set_timer(UINT64_MAX, nullptr, this);
    control_.set_balloon(nullptr);
}

void VirtioBalloon::attach(VirtioTransport& transport) { transport_ = &transport; }

uint64_t VirtioBalloon::config_read(uint64_t offset, unsigned size) {
    const uint64_t config = uint64_t{wanted_} << 8 * kConfigPages | uint64_t{pages()} << 8 * kConfigActual;
    if (offset >= 8) {
        return 0;
    }
    const uint64_t mask = size >= 8 ? UINT64_MAX : (uint64_t{1} << 8 * size) - 1;
    return config >> 8 * offset & mask;
}

void VirtioBalloon::config_write(uint64_t offset, unsigned size, uint64_t value) {
    if (offset != kConfigActual || size != 4) {
        control_.guest_error(
            fmt::format("virtio-balloon: write of {} bytes to the configuration at {:#x}", size, offset)
                .c_str());
        return;
    }
    actual_.store(static_cast<uint32_t>(value), std::memory_order_relaxed);
    control_.balloon_changed();
}

void VirtioBalloon::visit_state(StateVisitor& visitor) {
    visitor.number("wanted", wanted_);
    const uint32_t actual = visitor.value<uint32_t>("actual", pages());
    if (visitor.loads()) {
        actual_.store(actual, std::memory_order_relaxed);
    }
}

void VirtioBalloon::ask_for(uint32_t pages) {
    const MutexLock lock(transport_->mutex());
    if (wanted_ != pages) {
        wanted_ = pages;
        transport_->config_changed();
    }
}

void VirtioBalloon::notify(unsigned index) {
    Virtqueue& queue = transport_->queue(index);
    unsigned answered = 0;
    while (transport_->running() && queue.ready()) {
        // Other vCPUs may add to it meanwhile, and the one that notified has to come back to its loop.
        if (answered == kQueueSize) {
            go_on_later();
            break;
        }
        const auto chain = queue.pop(transport_->dma());
        if (!chain) {
            transport_->failure(chain.error().message());
            return;
        }
        if (!*chain) {
            const auto more = queue.wait_for_more(transport_->dma());
            if (!more) {
                transport_->failure(more.error().message());
                return;
            }
            if (*more) {
                continue;
            }
            break;
        }
        // Pages that the guest takes again need no work: they come when they are touched (5.5.6.3).
        if (index == kInflateQueue && !take(**chain)) {
            return;
        }
        if (const auto pushed = queue.push(transport_->dma(), **chain, 0); !pushed) {
            transport_->failure(pushed.error().message());
            return;
        }
        ++answered;
    }
    if (answered != 0) {
        transport_->used(queue);
    }
}

void VirtioBalloon::go_on_later() {
    if (goes_on_) {
        return;
    }
    goes_on_ = true;
    control_.set_timer(
        control_.now_ns() + kRetryNs,
        [](void* opaque) {
            auto* self = static_cast<VirtioBalloon*>(opaque);
            const MutexLock lock(self->transport_->mutex());
            self->goes_on_ = false;
            for (unsigned index = 0; index < self->queue_count(); ++index) {
                self->notify(index);
            }
        },
        this);
}

// 5.5.6: an array of le32, the numbers of pages.
bool VirtioBalloon::take(const VirtioChain& chain) {
    if (chain.readable_size > kMaxChain) {
        transport_->failure(fmt::format("{} bytes of numbers of pages at once", chain.readable_size));
        return false;
    }
    std::array<uint8_t, 1024> bytes;
    // What runs together is given back at once.
    uint64_t first = 0;
    uint64_t count = 0;
    const auto give_back = [&] {
        // A page that is no RAM is not: there is nothing to be had.
        if (count != 0 &&
            transport_->dma().discard(first * kPageSize, count * kPageSize) != DeviceStatus::ok) {
            control_.guest_error(
                fmt::format("virtio-balloon: page {:#x} cannot be given back", first * kPageSize).c_str());
        }
    };
    for (uint64_t done = 0; done + 4 <= chain.readable_size; done += bytes.size()) {
        const auto part =
            std::span(bytes).first(std::min<uint64_t>(bytes.size(), chain.readable_size - done));
        if (!chain.read(transport_->dma(), done, part)) {
            transport_->failure("numbers of pages outside RAM");
            return false;
        }
        for (size_t i = 0; i + 4 <= part.size(); i += 4) {
            const uint64_t page = part[i] | uint32_t{part[i + 1]} << 8 | uint32_t{part[i + 2]} << 16 |
                                  uint32_t{part[i + 3]} << 24;
            if (count == 0 || page != first + count) {
                give_back();
                first = page;
                count = 0;
            }
            ++count;
        }
    }
    give_back();
    return true;
}

constexpr DeviceType kVirtioBalloonType = {
    .name = "virtio-balloon-device",
    .bus = Bus::virtio,
    .help = "a balloon: RAM that the guest gives back for a while",
    .properties = {},
    .make_virtio = [](const DeviceConfig&, MachineControl& control) -> std::unique_ptr<VirtioDevice> {
        return std::make_unique<VirtioBalloon>(control);
    },
};

constexpr DeviceType kVirtioBalloonPciType = {
    .name = "virtio-balloon-pci",
    .bus = Bus::pci,
    .help = "a balloon on PCI: RAM that the guest gives back for a while",
    .properties = {},
    .make_virtio = kVirtioBalloonType.make_virtio,
    .make_pci = make_virtio_pci,
};

}  // namespace weft::hw
