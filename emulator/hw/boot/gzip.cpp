#include "emulator/hw/boot/gzip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <climits>

#include "emulator/hw/boot/boot_image.h"

namespace weft::hw {

namespace {

constexpr std::string_view kMagic = "\x1f\x8b";

struct InflateStream : z_stream {
    InflateStream() : z_stream{} {}
    ~InflateStream() { inflateEnd(this); }
    InflateStream(const InflateStream&) = delete;
    InflateStream& operator=(const InflateStream&) = delete;
};

}  // namespace

bool is_gzip(std::span<const uint8_t> bytes) { return has_text(bytes, 0, kMagic); }

Result<std::vector<uint8_t>> unpack_gzip(const std::string& name, std::span<const uint8_t> packed,
                                         uint64_t limit) {
    constexpr int kGzipWindow = 15 + 16;  // the largest window, with gzip's framing
    InflateStream stream;
    if (inflateInit2(&stream, kGzipWindow) != Z_OK) {
        return fail(fmt::format("{}: no memory to unpack", name));
    }
    std::vector<uint8_t> result;
    int status = Z_OK;
    while (status == Z_OK) {
        if (stream.avail_in == 0 && !packed.empty()) {
            const size_t part = std::min<size_t>(packed.size(), INT_MAX);
            stream.next_in = const_cast<Bytef*>(packed.data());
            stream.avail_in = static_cast<uInt>(part);
            packed = packed.subspan(part);
        }
        const size_t used = result.size();
        if (used > limit) {
            return fail(fmt::format("{}: unpacks to more than {} MiB", name, limit >> 20));
        }
        const size_t part = std::clamp<size_t>(used, 1 << 20, 64 << 20);
        result.resize(used + part);
        stream.next_out = result.data() + used;
        stream.avail_out = static_cast<uInt>(part);
        status = inflate(&stream, Z_NO_FLUSH);
        result.resize(result.size() - stream.avail_out);
    }
    if (status != Z_STREAM_END) {
        return fail(
            fmt::format("{}: gzip data is {}", name, status == Z_BUF_ERROR ? "truncated" : "damaged"));
    }
    if (result.size() > limit) {
        return fail(fmt::format("{}: unpacks to more than {} MiB", name, limit >> 20));
    }
    return result;
}

}  // namespace weft::hw
