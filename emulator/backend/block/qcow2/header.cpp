#include "emulator/backend/block/qcow2/header.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/bits.h"
#include "base/text_values.h"
#include "emulator/backend/block/qcow2/big_endian.h"

namespace weft::backend::qcow2 {

namespace {

constexpr uint32_t kMagic = 0x514649fb;  // "QFI", 0xfb
constexpr size_t kHeaderSizeV2 = 72;
constexpr size_t kHeaderSizeV3 = 104;
constexpr size_t kCompressionField = 104;
constexpr size_t kExtensionHead = 8;  // type and length

constexpr unsigned kMinClusterBits = 9;
constexpr unsigned kMaxClusterBits = 21;          // what QEMU takes as well
constexpr unsigned kMinClusterBitsExtended = 14;  // "Header", at cluster_bits
constexpr uint64_t kMaxL1Bytes = 32 << 20;        // "Header", at size
constexpr uint64_t kMaxRefcountTableBytes = 8 << 20;
constexpr uint32_t kMaxSnapshots = 65536;
constexpr uint32_t kMaxBackingName = 1023;

// "Header", incompatible_features
constexpr uint64_t kDirty = 1 << 0;
constexpr uint64_t kCorrupt = 1 << 1;
constexpr uint64_t kExternalData = 1 << 2;
constexpr uint64_t kCompression = 1 << 3;
constexpr uint64_t kExtendedL2 = 1 << 4;
constexpr uint64_t kKnown = kDirty | kCorrupt | kCompression | kExtendedL2;

// "Header extensions"
constexpr uint32_t kEnd = 0;
constexpr uint32_t kBackingFormat = 0xe2792aca;
constexpr uint32_t kFeatureNames = 0x6803f857;

// "Feature name table"
constexpr size_t kFeatureEntry = 48;
constexpr uint8_t kIncompatible = 0;

std::string text_of(std::span<const uint8_t> bytes) {
    const auto end = std::ranges::find(bytes, 0);
    return {bytes.begin(), end};
}

struct Extensions {
    std::optional<std::string> backing_format;
    std::span<const uint8_t> feature_names;
};

// `bytes` from the end of the header on; `limit` bytes of them may hold extensions.
Result<Extensions> parse_extensions(std::span<const uint8_t> bytes) {
    Extensions found;
    while (bytes.size() >= kExtensionHead) {
        const auto type = load<uint32_t>(bytes, 0);
        const auto length = load<uint32_t>(bytes, 4);
        if (type == kEnd) {
            break;
        }
        bytes = bytes.subspan(kExtensionHead);
        if (length > bytes.size()) {
            return fail(fmt::format("its header is damaged: extension {:#x} of {} bytes", type, length));
        }
        const auto data = bytes.first(length);
        if (type == kBackingFormat) {
            found.backing_format = text_of(data);
        } else if (type == kFeatureNames) {
            found.feature_names = data;
        }
        bytes = bytes.subspan(std::min(bytes.size(), align_up(size_t{length}, 8)));
    }
    return found;
}

std::string feature_name(std::span<const uint8_t> names, unsigned bit) {
    for (; names.size() >= kFeatureEntry; names = names.subspan(kFeatureEntry)) {
        if (names[0] == kIncompatible && names[1] == bit) {
            return in_quotes(text_of(names.subspan(2, kFeatureEntry - 2)));
        }
    }
    return fmt::format("number {}", bit);
}

Result<> check_features(uint64_t features, std::span<const uint8_t> names) {
    if ((features & kExternalData) != 0) {
        return fail("its data lies in another file (data_file), which is not supported");
    }
    const uint64_t unknown = features & ~kKnown;
    if (unknown != 0) {
        return fail(fmt::format("it has the feature {}, which is not supported",
                                feature_name(names, static_cast<unsigned>(std::countr_zero(unknown)))));
    }
    return {};
}

// A table of `bytes` bytes at `offset`: one that no file can hold is damaged.
Result<> check_table(const Header& header, const char* what, uint64_t offset, uint64_t bytes) {
    constexpr uint64_t kMaxOffset = uint64_t{1} << 62;
    if (offset == 0 || !is_aligned(offset, header.cluster_size()) || offset > kMaxOffset - bytes) {
        return fail(fmt::format("its header is damaged: {} at {:#x}", what, offset));
    }
    return {};
}

Result<> check_tables(const Header& header) {
    const uint64_t per_entry = header.cluster_size() * header.l2_entries();
    const uint64_t needed = div_round_up(header.size, per_entry);
    const uint64_t l1_bytes = uint64_t{header.l1_size} * 8;
    const uint64_t refcount_bytes = uint64_t{header.refcount_table_clusters} << header.cluster_bits;
    if (l1_bytes > kMaxL1Bytes || needed * 8 > kMaxL1Bytes) {
        return fail("its L1 table is larger than 32 MiB");
    }
    if (header.l1_size < needed) {
        return fail(fmt::format("its header is damaged: an L1 table of {} entries, where the disk needs {}",
                                header.l1_size, needed));
    }
    if (refcount_bytes == 0 || refcount_bytes > kMaxRefcountTableBytes) {
        return fail(fmt::format("its header is damaged: a refcount table of {} clusters",
                                header.refcount_table_clusters));
    }
    if (header.snapshots > kMaxSnapshots) {
        return fail(fmt::format("its header is damaged: {} snapshots", header.snapshots));
    }
    Result<> checked = check_table(header, "the L1 table", header.l1_offset, l1_bytes);
    if (checked) {
        checked = check_table(header, "the refcount table", header.refcount_table_offset, refcount_bytes);
    }
    if (checked && header.snapshots != 0) {
        checked = check_table(header, "the snapshot table", header.snapshots_offset, 0);
    }
    return checked;
}

}  // namespace

Result<Header> parse_header(std::span<const uint8_t> bytes) {
    if (bytes.size() < kHeaderSizeV2 || load<uint32_t>(bytes, 0) != kMagic) {
        return fail("this is no qcow2 image");
    }
    Header header;
    header.version = load<uint32_t>(bytes, 4);
    if (header.version != 2 && header.version != 3) {
        return fail(header.version == 1
                        ? std::string("this is a qcow image of version 1, which is not supported")
                        : fmt::format("version {} of qcow2 is not supported", header.version));
    }
    header.cluster_bits = load<uint32_t>(bytes, 20);
    if (header.cluster_bits < kMinClusterBits || header.cluster_bits > kMaxClusterBits) {
        return fail(
            fmt::format("its clusters are of 2^{} bytes (9 to 21 are supported)", header.cluster_bits));
    }
    if (load<uint32_t>(bytes, 32) != 0) {
        return fail("it is encrypted, which is not supported");
    }
    uint64_t length = kHeaderSizeV2;
    uint64_t features = 0;
    if (header.version == 3) {
        length = bytes.size() < kHeaderSizeV3 ? 0 : load<uint32_t>(bytes, 100);
        if (length < kHeaderSizeV3 || length % 8 != 0 || length > header.cluster_size() ||
            length > bytes.size()) {
            return fail(fmt::format("its header is damaged: a length of {} bytes", length));
        }
        features = load<uint64_t>(bytes, 72);
        header.autoclear = load<uint64_t>(bytes, kAutoclearField);
        header.refcount_order = load<uint32_t>(bytes, 96);
    }
    header.dirty = (features & kDirty) != 0;
    header.corrupt = (features & kCorrupt) != 0;
    header.extended_l2 = (features & kExtendedL2) != 0;

    // Extensions end where the name of the backing file begins.
    const auto backing_offset = load<uint64_t>(bytes, 8);
    const auto backing_size = load<uint32_t>(bytes, 16);
    const auto area = bytes.first(std::min<uint64_t>(bytes.size(), header.cluster_size()));
    if (backing_offset != 0 &&
        (backing_offset < length || backing_offset > area.size() ||
         backing_size > std::min<uint64_t>(kMaxBackingName, area.size() - backing_offset))) {
        return fail("its header is damaged: the name of the backing file lies outside");
    }
    const uint64_t end = backing_offset == 0 ? area.size() : backing_offset;
    const Result<Extensions> extensions = parse_extensions(area.subspan(length, end - length));
    if (!extensions) {
        return std::unexpected(extensions.error());
    }
    if (Result<> usable = check_features(features, extensions->feature_names); !usable) {
        return std::unexpected(usable.error());
    }
    if (backing_offset != 0 && backing_size != 0) {
        header.backing_file = text_of(area.subspan(backing_offset, backing_size));
        header.backing_format = extensions->backing_format;
    }
    if ((features & kCompression) != 0 || length > kCompressionField) {
        const unsigned type = length > kCompressionField ? bytes[kCompressionField] : 0;
        if (type > 1 || (type != 0) != ((features & kCompression) != 0)) {
            return fail(
                fmt::format("its clusters are compressed by method {}, which is not supported", type));
        }
        header.compression = Compression{static_cast<uint8_t>(type)};
    }
    if (header.refcount_order > 6) {
        return fail(
            fmt::format("its header is damaged: reference counts of 2^{} bits", header.refcount_order));
    }
    if (header.extended_l2 && header.cluster_bits < kMinClusterBitsExtended) {
        return fail("its header is damaged: clusters too small for extended L2 entries");
    }

    constexpr uint64_t kSectorSize = 512;
    header.size = align_down(load<uint64_t>(bytes, 24), kSectorSize);
    header.l1_size = load<uint32_t>(bytes, 36);
    header.l1_offset = load<uint64_t>(bytes, 40);
    header.refcount_table_offset = load<uint64_t>(bytes, kRefcountTableField);
    header.refcount_table_clusters = load<uint32_t>(bytes, 56);
    header.snapshots = load<uint32_t>(bytes, 60);
    header.snapshots_offset = load<uint64_t>(bytes, 64);
    if (header.size == 0) {
        return fail("its disk has no sectors");
    }
    if (Result<> sound = check_tables(header); !sound) {
        return std::unexpected(sound.error());
    }
    return header;
}

Result<Header> read_header(ImageFile& file) {
    std::vector<uint8_t> bytes(kHeaderSizeV2);
    Result<size_t> count = file.read(0, bytes);
    if (count && *count == bytes.size()) {
        const unsigned bits = std::clamp(load<uint32_t>(bytes, 20), kMinClusterBits, kMaxClusterBits);
        bytes.resize(size_t{1} << bits);
        count = file.read(0, bytes);
    }
    if (!count) {
        return std::unexpected(count.error());
    }
    return parse_header(std::span(bytes).first(*count));
}

Result<> check_writing(const Header& header) {
    if (header.corrupt) {
        return fail("it is marked as corrupt and can only be read (qemu-img check -r all repairs it)");
    }
    if (header.dirty) {
        return fail(
            "it was not closed, so its reference counts may be wrong, and it can only be read until "
            "qemu-img check -r all has repaired them");
    }
    return {};
}

}  // namespace weft::backend::qcow2
