// qcow2 images that nobody meant: opened, read and written without harm to anything but themselves.
//
// An input changes bytes of an image that is sound (kPatched), or is the image itself.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/assert.h"
#include "emulator/backend/block/disk_snapshots.h"
#include "emulator/backend/block/qcow2/big_endian.h"
#include "emulator/backend/block/qcow2/image.h"
#include "entry.h"

using namespace weft;
using namespace weft::backend;

namespace {

constexpr uint64_t kLimit = 4 << 20;  // the file's size, whatever is written

class File final : public ImageFile {
  public:
    explicit File(std::vector<uint8_t>& bytes) : bytes_(bytes) {}
    Result<uint64_t> size() const override { return bytes_.size(); }
    bool grows() const override { return true; }
    Result<size_t> read(uint64_t offset, std::span<uint8_t> data) override {
        const size_t count =
            offset < bytes_.size() ? std::min<uint64_t>(data.size(), bytes_.size() - offset) : 0;
        std::copy_n(bytes_.begin() + static_cast<ptrdiff_t>(std::min<uint64_t>(offset, bytes_.size())), count,
                    data.begin());
        return count;
    }
    Result<> write(uint64_t offset, std::span<const uint8_t> data) override {
        if (offset > kLimit || data.size() > kLimit - offset) {
            return fail("full");
        }
        bytes_.resize(std::max<uint64_t>(bytes_.size(), offset + data.size()));
        std::ranges::copy(data, bytes_.begin() + static_cast<ptrdiff_t>(offset));
        return {};
    }
    Result<> sync() override { return {}; }

  private:
    std::vector<uint8_t>& bytes_;
};

// Cluster by cluster: header, L1 table, refcount table, a block of counts, an L2 table, two clusters of data.
std::vector<uint8_t> sound(unsigned cluster_bits, unsigned order, bool extended, bool zstd) {
    using qcow2::store;
    const uint64_t cluster = uint64_t{1} << cluster_bits;
    std::vector<uint8_t> image(7 * cluster, uint8_t{0});
    store<uint32_t>(image, 0, 0x514649fb);
    store<uint32_t>(image, 4, 3);
    store<uint32_t>(image, 20, cluster_bits);
    store<uint64_t>(image, 24, 96 * cluster);
    store<uint32_t>(image, 36, 3);
    store<uint64_t>(image, 40, cluster);
    store<uint64_t>(image, 48, 2 * cluster);
    store<uint32_t>(image, 56, 1);
    store<uint64_t>(image, 72, (extended ? 16u : 0u) | (zstd ? 8u : 0u));
    store<uint32_t>(image, 96, order);
    store<uint32_t>(image, 100, 112);
    image[104] = zstd ? 1 : 0;
    store<uint64_t>(image, cluster, 4 * cluster | qcow2::kCopied);
    store<uint64_t>(image, 2 * cluster, 3 * cluster);
    for (unsigned i = 0; i < 7; ++i) {
        qcow2::set_refcount_at(std::span(image).subspan(3 * cluster, cluster), i, order, 1);
    }
    const uint64_t step = extended ? 16 : 8;
    store<uint64_t>(image, 4 * cluster, 5 * cluster | qcow2::kCopied);
    store<uint64_t>(image, 4 * cluster + 2 * step, 6 * cluster);
    store<uint64_t>(image, 4 * cluster + 3 * step, qcow2::kCompressed | 6 * cluster);
    if (extended) {
        store<uint64_t>(image, 4 * cluster + 8, 0x0000'00f0'0000'000f);
        store<uint64_t>(image, 4 * cluster + 2 * step + 8, 0xffff'ffff);
    }
    return image;
}

std::vector<uint8_t> image_of(fuzz::Bytes& bytes, uint8_t way) {
    constexpr uint8_t kPatched = 1;
    if ((way & kPatched) == 0) {
        return {bytes.data(), bytes.data() + bytes.size()};
    }
    const bool extended = (way & 2) != 0;
    const unsigned bits = extended ? 14 : 9;
    std::vector<uint8_t> image = sound(bits, (way >> 2) % 7, extended, (way & 128) != 0);
    while (bytes.size() >= 3) {
        // The beginning of a cluster is where things are.
        const auto place = bytes.take<uint16_t>();
        const uint64_t at = (uint64_t{place} >> 9) % 7 << bits | place % 512u;
        image[at] = bytes.take<uint8_t>();
    }
    return image;
}

void check_message(const Error& error);

// Snapshots of whatever it holds. What was made can be listed, applied and deleted; what it held then it holds again.
void use_snapshots(BlockBackend& disk, uint16_t place) {
    DiskSnapshots& snapshots = *disk.snapshots();
    const auto told = [](const auto& done) {
        if (!done) {
            check_message(done.error());
        }
        return done.has_value();
    };
    const std::string name = std::to_string(place >> 13);
    std::array<uint8_t, 512> before{};
    std::array<uint8_t, 512> after{};
    std::array<uint8_t, 16> state{};
    if ((place & 64) != 0) {
        told(snapshots.apply(name));
        told(snapshots.read_state(name, place, state));
        told(snapshots.remove(name));
        return;
    }
    auto writer = snapshots.begin_state();
    if (!told(writer) || !told((*writer)->write(std::vector<uint8_t>(place, uint8_t{7})))) {
        return;
    }
    if (told(disk.read(0, before)) && told(snapshots.create({.id = {}, .name = name}, std::move(*writer)))) {
        WEFT_ASSERT(told(snapshots.list()));
        if (told(disk.write(0, std::array<uint8_t, 512>{1})) && told(snapshots.apply(name))) {
            WEFT_ASSERT(disk.read(0, after).has_value() && before == after);
        }
        const auto got = snapshots.read_state(name, 0, state);
        WEFT_ASSERT(got.has_value() && *got == std::min<size_t>(place, state.size()));
        WEFT_ASSERT(*got == 0 || state[0] == 7);
    }
}

void check_message(const Error& error) { WEFT_ASSERT(error.message().find('\n') == std::string::npos); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Bytes bytes(data, size);
    const auto way = bytes.take<uint8_t>();
    const auto places = bytes.take<std::array<uint16_t, 6>>();
    std::vector<uint8_t> image = image_of(bytes, way);
    auto file = std::make_unique<File>(image);
    const auto header = qcow2::read_header(*file);
    if (!header) {
        check_message(header.error());
        return 0;
    }
    const bool read_only = (places[0] & 1) != 0;
    const auto disk =
        qcow2::Image::open("image", std::move(file), *header, nullptr, {.read_only = read_only});
    if (!disk) {
        check_message(disk.error());
        return 0;
    }
    const uint64_t sectors = (*disk)->size() / 512;
    std::vector<uint8_t> buffer(512 * 8);
    for (const uint16_t place : places) {
        // Near each other, or anywhere.
        const uint64_t first =
            (place & 2) != 0 ? (place >> 4) % sectors : place * 0x9e3779b97f4a7c15u % sectors;
        const auto range =
            std::span(buffer).first(512 * std::min<uint64_t>(1 + (place >> 2) % 8, sectors - first));
        const auto read = (*disk)->read(first * 512, range);
        if (!read) {
            check_message(read.error());
        }
        const std::vector<uint8_t> sector(512, static_cast<uint8_t>(place));
        if ((*disk)->write(first * 512, sector)) {
            WEFT_ASSERT(!read_only);
            WEFT_ASSERT((*disk)->read(first * 512, range.first(512)));
            WEFT_ASSERT(std::ranges::equal(sector, range.first(512)));
        }
        if ((place & 8) != 0) {
            static_cast<void>((*disk)->flush());
        }
        if ((place & 48) == 48 && !read_only) {
            use_snapshots(**disk, place);
        }
    }
    WEFT_ASSERT(image.size() <= kLimit && image[0] == 'Q');
    return 0;
}
