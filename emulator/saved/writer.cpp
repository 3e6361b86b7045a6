#include "emulator/saved/writer.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/assert.h"
#include "weft/guest_ram.h"

namespace weft::saved {

namespace {

// The fastest of zstd's usual levels: memory is saved while the guest waits.
constexpr int kLevel = 1;

void put(std::vector<uint8_t>& bytes, uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; ++i) {
        bytes.push_back(static_cast<uint8_t>(value >> 8 * i));
    }
}

void put_text(std::vector<uint8_t>& bytes, std::string_view text) {
    put(bytes, text.size(), 4);
    bytes.insert(bytes.end(), text.begin(), text.end());
}

class Writer {
  public:
    Writer(Sink& sink, Progress& progress) : sink_(sink), progress_(progress) {}

    Result<> begin() {
        std::vector<uint8_t> bytes(kMagic.begin(), kMagic.end());
        put(bytes, kFormatVersion, 4);
        return write(bytes);
    }

    Result<> section(std::string_view name, uint32_t version, std::span<const uint8_t> payload,
                     uint32_t most) {
        if (payload.size() > most) {
            return fail(fmt::format("{} needs {} bytes, which is more than {}", name, payload.size(), most));
        }
        WEFT_ASSERT(!name.empty() && name.size() <= kMaxName);
        std::vector<uint8_t> head;
        put_text(head, name);
        put(head, version, 4);
        put(head, payload.size(), 4);
        uLong sum = crc32_z(0, head.data(), head.size());
        if (!payload.empty()) {
            sum = crc32_z(sum, payload.data(), payload.size());  // null would be asked for the sum of nothing
        }
        std::vector<uint8_t> tail;
        put(tail, sum, 4);
        Result<> done = write(head);
        done = done ? write(payload) : done;
        return done ? write(tail) : done;
    }

  private:
    Result<> write(std::span<const uint8_t> bytes) {
        if (progress_.cancelled.load()) {
            return fail("it was cancelled");
        }
        Result<> written = sink_.write(bytes);
        progress_.bytes.fetch_add(written ? bytes.size() : 0);
        return written;
    }

    Sink& sink_;
    Progress& progress_;
};

struct FreeContext {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

class MemoryWriter {
  public:
    MemoryWriter(Writer& writer, Progress& progress)
        : writer_(writer), progress_(progress), context_(ZSTD_createCCtx()), pages_(kChunkPages * kPage) {}

    Result<> write(const Memory& memory) {
        if (context_ == nullptr) {
            return fail("there is no memory to compress it");
        }
        for (uint64_t page = 0; page < memory.size / kPage; page += kChunkPages) {
            if (Result<> written = write_chunk(memory, page); !written) {
                return written;
            }
        }
        return {};
    }

  private:
    Result<> write_chunk(const Memory& memory, uint64_t first) {
        const uint64_t count = std::min(kChunkPages, memory.size / kPage - first);
        std::array<uint8_t, kChunkBitmap> bitmap{};
        size_t used = 0;
        for (uint64_t i = 0; i < count; ++i) {
            uint8_t* const page = pages_.data() + used * kPage;
            guest_ram::read(page, memory.host + (first + i) * kPage, kPage);
            // All bytes are equal to the one before, and the first is zero.
            if (page[0] != 0 || std::memcmp(page, page + 1, kPage - 1) != 0) {
                bitmap[i / 8] = static_cast<uint8_t>(bitmap[i / 8] | 1u << i % 8);
                ++used;
            }
        }
        progress_.memory_done.fetch_add(count * kPage);
        if (used == 0) {
            return {};
        }
        payload_.clear();
        put_text(payload_, memory.name);
        put(payload_, first, 8);
        payload_.insert(payload_.end(), bitmap.begin(), bitmap.end());
        const size_t head = payload_.size();
        payload_.resize(head + ZSTD_compressBound(used * kPage));
        const size_t packed = ZSTD_compressCCtx(context_.get(), payload_.data() + head,
                                                payload_.size() - head, pages_.data(), used * kPage, kLevel);
        if (ZSTD_isError(packed) != 0) {
            return fail(fmt::format("memory cannot be compressed: {}", ZSTD_getErrorName(packed)));
        }
        payload_.resize(head + packed);
        return writer_.section(kMemorySection, kMemoryVersion, payload_, kMaxPart);
    }

    Writer& writer_;
    Progress& progress_;
    const std::unique_ptr<ZSTD_CCtx, FreeContext> context_;
    std::vector<uint8_t> pages_, payload_;
};

}  // namespace

Result<> write_machine(Sink& sink, const Facts& facts, std::span<const Part> parts,
                       std::span<const Memory> memory, Progress& progress) {
    Writer writer(sink, progress);
    std::vector<uint8_t> payload;
    for (const auto& [name, value] : facts) {
        put_text(payload, name);
        put_text(payload, value);
    }
    Result<> done = writer.begin();
    done = done ? writer.section(kFactsSection, kFactsVersion, payload, kMaxFacts) : done;
    for (const Part& part : parts) {
        done = done ? writer.section(part.name, part.version, part.fields, kMaxPart) : done;
    }
    MemoryWriter memory_writer(writer, progress);
    for (const Memory& block : memory) {
        done = done ? memory_writer.write(block) : done;
    }
    return done ? writer.section(kEndSection, kEndVersion, {}, 0) : done;
}

}  // namespace weft::saved
