#include "emulator/hw/virtio/rng.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <utility>

#include "emulator/hw/core/random.h"
#include "emulator/hw/virtio/pci.h"

namespace weft::hw {

namespace {

constexpr unsigned kTurn = 64;  // requests that are answered before others have the worker

}  // namespace

VirtioRng::VirtioRng(backend::RngBackend* backend, MachineControl& control)
    : backend_(backend), control_(control) {}

VirtioRng::~VirtioRng() { control_.set_timer(UINT64_MAX, nullptr, this); }

void VirtioRng::config_write(uint64_t offset, unsigned, uint64_t) {
    control_.guest_error(
        fmt::format("virtio-rng: write to the configuration at {:#x}, which does not exist", offset).c_str());
}

void VirtioRng::notify(unsigned) {
    if (!scheduled_) {
        schedule();
    }
}

void VirtioRng::schedule() {
    scheduled_ = true;
    control_.run_io([](void* opaque) { static_cast<VirtioRng*>(opaque)->run(); }, this);
}

// A request may wait for a backend that has no bytes now.
void VirtioRng::visit_state(StateVisitor& visitor) {
    visitor.maybe("waiting", waiting_, [&](VirtioChain& chain) { chain.visit_state(visitor); });
    visitor.maybe("seed", random_state_, [&](uint64_t& state) { visitor.number("state", state); });
    if (visitor.loads()) {
        control_.set_timer(UINT64_MAX, nullptr, this);
        schedule();
    }
}

void VirtioRng::run() {
    MutexLock lock(transport_->mutex());
    const Outcome outcome = drain(lock);
    if (outcome == Outcome::again) {
        schedule();
        return;
    }
    if (outcome == Outcome::retry) {
        // By the timer's thread the worker is asked again; meanwhile `scheduled_` stands.
        control_.set_timer(
            control_.now_ns() + kRetryNs,
            [](void* opaque) {
                auto* self = static_cast<VirtioRng*>(opaque);
                const MutexLock timer_lock(self->transport_->mutex());
                self->schedule();
            },
            this);
        return;
    }
    scheduled_ = false;
}

VirtioRng::Outcome VirtioRng::drain(MutexLock& lock) {
    Virtqueue& queue = transport_->queue(0);
    // The worker is the disks' as well.
    for (unsigned count = 0; transport_->running(); ++count) {
        if (count == kTurn) {
            return Outcome::again;
        }
        if (waiting_ && !queue.owns(*waiting_)) {
            waiting_.reset();
        }
        if (!waiting_) {
            auto chain = queue.pop(transport_->dma());
            if (!chain) {
                transport_->failure(chain.error().message());
                return Outcome::give_up;
            }
            waiting_ = std::move(*chain);
        }
        if (waiting_) {
            const VirtioChain chain = *waiting_;
            if (const Outcome outcome = process(lock, chain); outcome != Outcome::done) {
                return outcome;
            }
            continue;
        }
        if (!queue.ready()) {
            return Outcome::done;
        }
        const auto more = queue.wait_for_more(transport_->dma());
        if (!more) {
            transport_->failure(more.error().message());
            return Outcome::give_up;
        }
        if (!*more) {
            return Outcome::done;
        }
    }
    return Outcome::done;
}

// Clang cannot follow the lock through the parameter, nor its gap.
VirtioRng::Outcome VirtioRng::process(MutexLock& lock,
                                      const VirtioChain& chain) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    // 5.4.6.1: nothing for the device to read. A chain without room could be answered by no byte at all.
    if (chain.readable_size != 0 || chain.writable_size == 0) {
        waiting_.reset();
        transport_->failure(
            fmt::format("request for entropy of {} and {} bytes", chain.readable_size, chain.writable_size));
        return Outcome::give_up;
    }
    const auto wanted = std::span(buffer_).first(std::min<uint64_t>(chain.writable_size, buffer_.size()));
    lock.unlock();
    const Result<size_t> got = fetch(wanted);
    lock.lock();
    Virtqueue& queue = transport_->queue(0);
    if (!queue.owns(chain)) {
        return Outcome::done;  // the driver that asked is gone; the next one's chains may be there already
    }
    if (!got) {
        // The chain stays unanswered: there is no answer that says so.
        control_.guest_error(fmt::format("virtio-rng: {}", got.error().message()).c_str());
        return Outcome::give_up;
    }
    if (*got == 0) {
        return Outcome::retry;
    }
    waiting_.reset();
    if (!chain.write(transport_->dma(), 0, wanted.first(*got))) {
        transport_->failure("room for entropy outside RAM");
        return Outcome::give_up;
    }
    if (const auto pushed = queue.push(transport_->dma(), chain, static_cast<uint32_t>(*got)); !pushed) {
        transport_->failure(pushed.error().message());
        return Outcome::give_up;
    }
    transport_->used(queue);
    return Outcome::done;
}

Result<size_t> VirtioRng::fetch(std::span<uint8_t> data) {
    if (!random_state_) {
        random_state_ = control_.random_seed();
    }
    if (random_state_) {
        for (uint8_t& byte : data) {
            byte = splitmix64_byte(*random_state_);
        }
        return data.size();
    }
    if (backend_ != nullptr) {
        return backend_->fill(data);
    }
    const ssize_t got = getrandom(data.data(), data.size(), 0);
    // A signal may interrupt it; it has no other way to fail.
    return got > 0 ? static_cast<size_t>(got) : 0;
}

namespace {

constexpr DeviceProperty kProperties[] = {
    {"rng", PropertyKind::rng, "", 0, 0, "where the bytes come from; none: the host kernel"},
};

}  // namespace

constexpr DeviceType kVirtioRngType = {
    .name = "virtio-rng-device",
    .bus = Bus::virtio,
    .help = "a source of random numbers",
    .properties = kProperties,
    .make_virtio = [](const DeviceConfig& config, MachineControl& control) -> std::unique_ptr<VirtioDevice> {
        return std::make_unique<VirtioRng>(config.rng(), control);
    },
};

constexpr DeviceType kVirtioRngPciType = {
    .name = "virtio-rng-pci",
    .bus = Bus::pci,
    .help = "a source of random numbers on PCI",
    .properties = kProperties,
    .make_virtio = kVirtioRngType.make_virtio,
    .make_pci = make_virtio_pci,
};

}  // namespace weft::hw
