#include "emulator/backend/block/qcow2/decompress.h"

#include <zlib.h>
#include <zstd.h>

#include <memory>

namespace weft::backend::qcow2 {

namespace {

struct InflateStream : z_stream {
    InflateStream() : z_stream{} {}
    ~InflateStream() { inflateEnd(this); }
    InflateStream(const InflateStream&) = delete;
    InflateStream& operator=(const InflateStream&) = delete;
};

bool inflate_cluster(std::span<const uint8_t> packed, std::span<uint8_t> cluster) {
    constexpr int kRawWindow = -15;  // the largest window, without a header
    InflateStream stream;
    if (inflateInit2(&stream, kRawWindow) != Z_OK) {
        return false;
    }
    stream.next_in = const_cast<Bytef*>(packed.data());
    stream.avail_in = static_cast<uInt>(packed.size());
    stream.next_out = cluster.data();
    stream.avail_out = static_cast<uInt>(cluster.size());
    const int status = inflate(&stream, Z_FINISH);
    return (status == Z_STREAM_END || status == Z_BUF_ERROR || status == Z_OK) && stream.avail_out == 0;
}

bool zstd_cluster(std::span<const uint8_t> packed, std::span<uint8_t> cluster) {
    const std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(),
                                                                          ZSTD_freeDStream);
    if (stream == nullptr) {
        return false;
    }
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    ZSTD_outBuffer out{cluster.data(), cluster.size(), 0};
    while (out.pos != out.size) {
        const size_t before = in.pos + out.pos;
        const size_t status = ZSTD_decompressStream(stream.get(), &out, &in);
        if (ZSTD_isError(status) != 0 || in.pos + out.pos == before) {
            return false;
        }
    }
    return true;
}

}  // namespace

bool decompress(Compression method, std::span<const uint8_t> packed, std::span<uint8_t> cluster) {
    return method == Compression::zstd ? zstd_cluster(packed, cluster) : inflate_cluster(packed, cluster);
}

}  // namespace weft::backend::qcow2
