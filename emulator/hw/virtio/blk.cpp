#include "emulator/hw/virtio/blk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "emulator/hw/virtio/blk_format.h"

namespace weft::hw {

using namespace blk_format;

namespace {

// Requests in one turn on an I/O thread, which devices share.
constexpr unsigned kTurn = 64;
// Answers that one interrupt tells of at most.
constexpr unsigned kAnswers = 16;

}  // namespace

VirtioBlk::VirtioBlk(backend::BlockBackend& backend, MachineControl& control, const BlkSettings& settings)
    : backend_(backend),
      control_(control),
      settings_(settings),
      config_(settings, backend.size(), settings.write_cache.value_or(!backend.writes_wait())) {
    std::memcpy(serial_.data(), settings.serial.data(), std::min(settings.serial.size(), serial_.size()));
    for (Server& server : servers_) {
        server.disk = this;
    }
    answered_.reserve(settings.queues);
}

uint64_t VirtioBlk::features() const {
    uint64_t features = kBlkSegMax | kBlkBlockSize | kBlkFlush | kBlkTopology;
    features |= settings_.config_wce ? kBlkConfigWce : 0;
    features |= settings_.queues > 1 ? kBlkMultiQueue : 0;
    if (backend_.read_only()) {
        return features | kBlkReadOnly;
    }
    features |= settings_.discard ? kBlkDiscard : 0;
    features |= settings_.write_zeroes ? kBlkWriteZeroes : 0;
    return features;
}

uint64_t VirtioBlk::config_read(uint64_t offset, unsigned size) { return config_.read(offset, size); }

void VirtioBlk::config_write(uint64_t offset, unsigned size, uint64_t value) {
    // 5.2.5.1: the write cache's switch alone, where that was agreed on.
    if (!agreed(kBlkConfigWce) || !config_.write(offset, size, value)) {
        control_.guest_error(
            fmt::format("virtio-blk: write of {} bytes to the configuration at {:#x}, which is read-only",
                        size, offset)
                .c_str());
    }
}

void VirtioBlk::reset() {
    config_.reset();
    answered_.clear();
    answers_ = 0;
}

bool VirtioBlk::write_cache() const {
    return agreed(kBlkConfigWce) ? config_.write_cache() : agreed(kBlkFlush);
}

// ---- servers ----

void VirtioBlk::notify(unsigned index) {
    if (control_.io_threads() == 1 || !serve_at_once(index)) {
        start_another();
    }
}

VirtioBlk::Server* VirtioBlk::idle_server() {
    const auto end = servers_.begin() + server_count();
    const auto found = std::ranges::find(servers_.begin(), end, false, &Server::busy);
    return found == end ? nullptr : &*found;
}

void VirtioBlk::start(Server& server) {
    server.busy = true;
    server.buffer.resize(kBufferSize);
    control_.run_io_beside(
        [](void* opaque) {
            auto* self = static_cast<Server*>(opaque);
            self->disk->run(*self);
        },
        &server);
}

// Busy servers look for more themselves.
void VirtioBlk::start_another() {
    if (Server* const server = idle_server(); server != nullptr) {
        start(*server);
    }
}

// All requests that were taken are answered, but where the driver is stopped half-way: then it has a reset to come.
void VirtioBlk::visit_state(StateVisitor& visitor) {
    const uint64_t size = visitor.value("size", backend_.size());
    visitor.require(size == backend_.size(), "the disk has another size here");
    config_.visit_state(visitor);
    if (visitor.loads()) {
        start_another();
    }
}

void VirtioBlk::run(Server& server) {
    MutexLock lock(transport_->mutex());
    const bool again = serve(lock, server);
    signal();
    server.busy = false;
    if (again) {
        start(server);
    }
}

// True: there is more, for another turn.
bool VirtioBlk::serve(MutexLock& lock, Server& server) {
    for (unsigned count = 0;; ++count) {
        if (!server.request && !take(server)) {
            return false;
        }
        if (count == kTurn) {
            return true;
        }
        const bool answers = wanted(*server.request) && execute(lock, server) && answer(server);
        server.request.reset();
        if (answers && ++answers_ >= kAnswers) {
            signal();
        }
    }
}

// On the thread of the vCPU that notified: one request, if it is alone and the image has what it takes at hand. False: there is more to do,
// perhaps with a request that the first server has already.
bool VirtioBlk::serve_at_once(unsigned index) {
    if (std::ranges::any_of(servers_, &Server::busy)) {
        return false;
    }
    Server& server = servers_.front();
    if (!take_from(server, index)) {
        return !anything_more();
    }
    if (transport_->queue(index).available(transport_->dma()) || !transfer_at_once(server)) {
        return false;
    }
    if (answer(server)) {
        signal();
    }
    server.request.reset();
    return !anything_more();
}

bool VirtioBlk::wanted(const Request& request) const {
    return transport_->queue(request.queue).owns(request.chain);
}

// Whether something is under way that no driver waits for any more: a write of it may still reach the disk.
bool VirtioBlk::stale() const {
    return std::ranges::any_of(
        servers_, [&](const Server& server) { return server.request && !wanted(*server.request); });
}

bool VirtioBlk::take(Server& server) {
    do {
        for (unsigned i = 0; i < settings_.queues; ++i) {
            if (!transport_->running() || stale()) {
                return false;  // whoever has what is stale comes here next
            }
            const unsigned index = (next_queue_ + i) % settings_.queues;
            if (take_from(server, index)) {
                next_queue_ = (index + 1) % settings_.queues;
                return true;
            }
        }
    } while (anything_more());
    return false;
}

bool VirtioBlk::take_from(Server& server, unsigned index) {
    auto chain = transport_->queue(index).pop(transport_->dma());
    if (!chain) {
        failure(chain.error().message());
        return false;
    }
    if (!chain->has_value()) {
        return false;
    }
    Request request{.queue = index, .chain = std::move(**chain)};
    if (!parse(request)) {
        return false;
    }
    server.request = std::move(request);
    return true;
}

// Asks the driver for notifications of what comes; true: something is there already.
bool VirtioBlk::anything_more() {
    bool more = false;
    for (unsigned i = 0; i < settings_.queues && transport_->running(); ++i) {
        Virtqueue& queue = transport_->queue(i);
        if (!queue.ready()) {
            continue;
        }
        const auto come = queue.wait_for_more(transport_->dma());
        if (!come) {
            failure(come.error().message());
            return false;
        }
        more = more || *come;
    }
    return more && transport_->running();
}

bool VirtioBlk::parse(Request& request) {
    const VirtioChain& chain = request.chain;
    std::array<uint8_t, kHeaderSize> header;
    if (chain.readable_size < kHeaderSize || chain.writable_size == 0) {
        failure(fmt::format("block request of {} and {} bytes", chain.readable_size, chain.writable_size));
        return false;
    }
    if (!chain.read(transport_->dma(), 0, header)) {
        failure("block request outside RAM");
        return false;
    }
    request.in_size = chain.writable_size - 1;
    request.out_size = chain.readable_size - kHeaderSize;
    std::memcpy(&request.type, header.data(), 4);
    std::memcpy(&request.sector, header.data() + 8, 8);
    return true;
}

bool VirtioBlk::answer(Server& server) {
    const Request& request = *server.request;
    const VirtioChain& chain = request.chain;
    const uint8_t status = request.status;
    if (!chain.write(transport_->dma(), chain.writable_size - 1, std::span(&status, 1))) {
        failure("block request's status outside RAM");
        return false;
    }
    Virtqueue& queue = transport_->queue(request.queue);
    // The length counts from the first writable byte: the status is in it only if all data before it was written.
    const uint64_t written = request.written == request.in_size ? request.written + 1 : request.written;
    const auto pushed =
        queue.push(transport_->dma(), chain, static_cast<uint32_t>(std::min<uint64_t>(written, UINT32_MAX)));
    if (!pushed) {
        failure(pushed.error().message());
        return false;
    }
    if (std::ranges::find(answered_, request.queue) == answered_.end()) {
        answered_.push_back(request.queue);
    }
    return true;
}

void VirtioBlk::signal() {
    for (const unsigned index : answered_) {
        if (Virtqueue& queue = transport_->queue(index); queue.ready() && transport_->running()) {
            transport_->used(queue);
        }
    }
    answered_.clear();
    answers_ = 0;
}

void VirtioBlk::before_waiting() {
    signal();
    if (Server* const other = idle_server(); other != nullptr && anything_more()) {
        start(*other);
    }
}

}  // namespace weft::hw
