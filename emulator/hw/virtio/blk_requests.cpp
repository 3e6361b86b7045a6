// What the requests of a virtio disk do (virtio 1.2, 5.2.6.2).
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "emulator/hw/virtio/blk.h"
#include "emulator/hw/virtio/blk_format.h"

namespace weft::hw {

using namespace blk_format;

namespace {

// What the image is asked for at a time, so that a reset need not wait for a request of gigabytes.
constexpr uint64_t kClearPiece = 256 << 20;

}  // namespace

bool VirtioBlk::execute(MutexLock& lock, Server& server) {
    switch (server.request->type) {
        case kTypeIn:
            return read_disk(lock, server);
        case kTypeOut:
            return write_disk(lock, server);
        case kTypeFlush:
            return flush_disk(lock, server);
        case kTypeGetId:
            return give_id(server);
        case kTypeDiscard:
        case kTypeWriteZeroes:
            return clear_disk(lock, server);
        default:
            server.request->status = kUnsupported;
            return true;
    }
}

bool VirtioBlk::give_id(Server& server) {
    Request& request = *server.request;
    const size_t size = std::min<uint64_t>(request.in_size, serial_.size());
    if (!request.chain.write(transport_->dma(), 0, std::span(serial_).first(size))) {
        failure("block request's data outside RAM");
        return false;
    }
    request.written = size;
    return true;
}

bool VirtioBlk::in_range(uint64_t sector, uint64_t size) const {
    const uint64_t sectors = config_.sectors();
    return size % kSectorSize == 0 && sector <= sectors && size / kSectorSize <= sectors - sector;
}

bool VirtioBlk::finished(Request& request, const Result<>& result) {
    if (!wanted(request)) {
        return false;
    }
    if (!result) {
        control_.guest_error(fmt::format("virtio-blk: {}", result.error().message()).c_str());
        request.status = kIoError;
    }
    return true;
}

// Clang cannot follow the lock through the parameter, nor its gaps: here and below.
bool VirtioBlk::read_disk(MutexLock& lock, Server& server) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    Request& request = *server.request;
    if (!in_range(request.sector, request.in_size)) {
        request.status = kIoError;
        return true;
    }
    const uint64_t start = request.sector * kSectorSize;
    while (request.written != request.in_size) {
        const auto piece =
            std::span(server.buffer)
                .first(std::min<uint64_t>(server.buffer.size(), request.in_size - request.written));
        const uint64_t at = start + request.written;
        const bool small = piece.size() <= kSmall;
        if (!small) {
            before_waiting();
        }
        lock.unlock();
        const bool there = small && backend_.read_at_once(at, piece);
        if (small && !there) {
            lock.lock();
            before_waiting();
            lock.unlock();
        }
        const auto result = there ? Result<>() : backend_.read(at, piece);
        lock.lock();
        if (!finished(request, result)) {
            return false;
        }
        if (!result) {
            return true;
        }
        if (!request.chain.write(transport_->dma(), request.written, piece)) {
            failure("block request's data outside RAM");
            return false;
        }
        request.written += piece.size();
    }
    return true;
}

bool VirtioBlk::write_disk(MutexLock& lock, Server& server) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    Request& request = *server.request;
    if (!in_range(request.sector, request.out_size) || backend_.read_only()) {
        request.status = kIoError;
        return true;
    }
    const uint64_t start = request.sector * kSectorSize;
    for (uint64_t done = 0; done != request.out_size;) {
        const auto piece =
            std::span(server.buffer).first(std::min<uint64_t>(server.buffer.size(), request.out_size - done));
        if (!request.chain.read(transport_->dma(), kHeaderSize + done, piece)) {
            failure("block request's data outside RAM");
            return false;
        }
        // Writes to the page cache exclude each other, so that others would wait for this one, unless the disk is what it waits for. Any
        // may take its time.
        if (backend_.writes_wait()) {
            before_waiting();
        } else {
            signal();
        }
        lock.unlock();
        const auto result = backend_.write(start + done, piece);
        lock.lock();
        if (!finished(request, result)) {
            return false;
        }
        if (!result) {
            return true;
        }
        done += piece.size();
    }
    return write_cache() || flush_disk(lock, server);
}

bool VirtioBlk::transfer_at_once(Server& server) {
    Request& request = *server.request;
    const bool reads = request.type == kTypeIn;
    const uint64_t size = reads ? request.in_size : request.out_size;
    if ((!reads && request.type != kTypeOut) || size > kSmall || !in_range(request.sector, size)) {
        return false;
    }
    server.buffer.resize(kBufferSize);
    const auto data = std::span(server.buffer).first(size);
    const uint64_t at = request.sector * kSectorSize;
    if (!reads) {
        return !backend_.read_only() && write_cache() &&
               request.chain.read(transport_->dma(), kHeaderSize, data) && backend_.write_at_once(at, data);
    }
    // What goes wrong here is tried again by who can tell of it.
    if (!backend_.read_at_once(at, data) || !request.chain.write(transport_->dma(), 0, data)) {
        return false;
    }
    request.written = size;
    return true;
}

bool VirtioBlk::flush_disk(MutexLock& lock, Server& server) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    before_waiting();
    lock.unlock();
    const auto result = backend_.flush();
    lock.lock();
    return finished(*server.request, result);
}

std::optional<std::vector<VirtioBlk::Range>> VirtioBlk::ranges(Server& server) {
    Request& request = *server.request;
    const bool discards = request.type == kTypeDiscard;
    const uint64_t count = request.out_size / kRangeSize;
    if (!(discards ? settings_.discard : settings_.write_zeroes)) {
        request.status = kUnsupported;
        return std::nullopt;
    }
    if (request.out_size % kRangeSize != 0 || count == 0 || count > kBlkMaxRanges || backend_.read_only()) {
        request.status = kIoError;
        return std::nullopt;
    }
    const auto bytes = std::span(server.buffer).first(request.out_size);
    if (!request.chain.read(transport_->dma(), kHeaderSize, bytes)) {
        failure("block request's ranges outside RAM");
        return std::nullopt;
    }
    std::vector<Range> ranges;
    for (uint64_t i = 0; i < count; ++i) {
        uint64_t sector = 0;
        uint32_t sectors = 0;
        uint32_t flags = 0;
        std::memcpy(&sector, bytes.data() + i * kRangeSize, 8);
        std::memcpy(&sectors, bytes.data() + i * kRangeSize + 8, 4);
        std::memcpy(&flags, bytes.data() + i * kRangeSize + 12, 4);
        // Flags without a meaning, and one that has none for discarding, are refused as such.
        if ((flags & ~(discards ? 0 : kRangeUnmap)) != 0) {
            request.status = kUnsupported;
            return std::nullopt;
        }
        if (sectors > kBlkMaxRangeSectors || !in_range(sector, uint64_t{sectors} * kSectorSize)) {
            request.status = kIoError;
            return std::nullopt;
        }
        ranges.push_back({sector * kSectorSize, uint64_t{sectors} * kSectorSize, (flags & kRangeUnmap) != 0});
    }
    return ranges;
}

bool VirtioBlk::clear_disk(MutexLock& lock, Server& server) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    Request& request = *server.request;
    const bool discards = request.type == kTypeDiscard;
    const auto wanted_ranges = ranges(server);
    if (!wanted_ranges) {
        return transport_->running() && wanted(request);
    }
    before_waiting();
    for (const Range& range : *wanted_ranges) {
        for (uint64_t done = 0; done != range.length;) {
            const uint64_t piece = std::min(kClearPiece, range.length - done);
            const uint64_t at = range.offset + done;
            lock.unlock();
            const auto result =
                discards ? backend_.discard(at, piece) : backend_.write_zeroes(at, piece, range.unmap);
            lock.lock();
            if (!finished(request, result)) {
                return false;
            }
            if (!result) {
                return true;
            }
            done += piece;
        }
    }
    // A discard need not outlast anything; zeros are writes.
    return discards || write_cache() || flush_disk(lock, server);
}

}  // namespace weft::hw
