// Files that a machine boots, by their formats.
#include <zlib.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "emulator/hw/boot/elf_image.h"
#include "emulator/hw/boot/gzip.h"
#include "emulator/hw/boot/kernel_image.h"
#include "tests/support/random.h"

namespace weft::hw {
namespace {

using Bytes = std::vector<uint8_t>;

template <class T>
void put(Bytes& bytes, size_t offset, T value) {
    if (bytes.size() < offset + sizeof(T)) {
        bytes.resize(offset + sizeof(T));
    }
    std::memcpy(bytes.data() + offset, &value, sizeof(T));
}

struct Segment {
    uint32_t type;
    uint64_t offset, paddr, file_size, memory_size;
};

Bytes make_elf(const std::vector<Segment>& segments, uint64_t entry) {
    Bytes bytes = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    put<uint16_t>(bytes, 16, 2);
    put<uint16_t>(bytes, 18, 243);
    put<uint32_t>(bytes, 20, 1);
    put<uint64_t>(bytes, 24, entry);
    put<uint64_t>(bytes, 32, 64);
    put<uint16_t>(bytes, 52, 64);
    put<uint16_t>(bytes, 54, 56);
    put<uint16_t>(bytes, 56, static_cast<uint16_t>(segments.size()));
    put<uint16_t>(bytes, 62, 0);
    for (size_t i = 0; i < segments.size(); ++i) {
        const size_t at = 64 + 56 * i;
        put<uint32_t>(bytes, at, segments[i].type);
        put<uint64_t>(bytes, at + 8, segments[i].offset);
        put<uint64_t>(bytes, at + 16, 0xffffffff80000000 + segments[i].paddr);
        put<uint64_t>(bytes, at + 24, segments[i].paddr);
        put<uint64_t>(bytes, at + 32, segments[i].file_size);
        put<uint64_t>(bytes, at + 40, segments[i].memory_size);
        put<uint64_t>(bytes, at + 48, 0);
    }
    for (int i = 0; i < 64; ++i) {
        bytes.push_back(static_cast<uint8_t>(i + 1));
    }
    return bytes;
}

Bytes gzip(const Bytes& plain) {
    z_stream stream{};
    REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    Bytes packed(deflateBound(&stream, plain.size()) + 64);
    stream.next_in = const_cast<Bytef*>(plain.data());
    stream.avail_in = static_cast<uInt>(plain.size());
    stream.next_out = packed.data();
    stream.avail_out = static_cast<uInt>(packed.size());
    REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return packed;
}

// A RISC-V Image of 4 KiB that claims `claimed` bytes.
Bytes make_image(uint64_t claimed) {
    Bytes bytes(4096, 0x13);
    put<uint64_t>(bytes, 8, 0x200000);
    put<uint64_t>(bytes, 0x10, claimed);
    std::memcpy(bytes.data() + 0x30, "RISCV\0\0\0RSC\x05", 12);
    return bytes;
}

std::string error_of(const Result<LoadedImage>& result) {
    return result ? "no error" : result.error().message();
}

TEST_CASE("the segments of an ELF file go to their physical addresses") {
    // The bytes of the file after its headers are 1, 2, 3...
    const BootFile file{
        "kernel.elf",
        make_elf({{1, 232, 0x80201000, 4, 0x100}, {4, 0, 0, 8, 8}, {1, 240, 0x80200000, 2, 2}}, 0x80200004)};
    const auto image = load_elf(file);
    REQUIRE(image);
    CHECK(image->segments ==
          std::vector<LoadSegment>{{0x80201000, 0x100, {1, 2, 3, 4}}, {0x80200000, 2, {9, 10}}});
    CHECK(image->entry == 0x80200004);
    CHECK(image->low == 0x80200000);
    CHECK(image->high == 0x80201100);
    // Firmware is entered where it says, kernels at their lowest address.
    CHECK(load_firmware(file, 0x80000000)->entry == 0x80200004);
    CHECK(load_kernel(file, 0x80400000, 1 << 20)->entry == 0x80200000);
}

TEST_CASE("firmware that is position-independent and linked at 0 goes to the start of RAM") {
    constexpr uint64_t kBase = 0x80000000;
    Bytes bytes = make_elf({{1, 176, 0, 4, 0x100}, {1, 180, 0x40000, 2, 0x200}}, 0x10);
    CHECK(load_firmware({"fw.elf", bytes}, kBase)->low == 0);
    put<uint16_t>(bytes, 16, 3);  // ET_DYN
    const auto image = load_firmware({"fw.elf", bytes}, kBase);
    REQUIRE(image);
    CHECK(image->segments ==
          std::vector<LoadSegment>{{kBase, 0x100, {1, 2, 3, 4}}, {kBase + 0x40000, 0x200, {5, 6}}});
    CHECK(image->entry == kBase + 0x10);
    CHECK(image->low == kBase);
    CHECK(image->high == kBase + 0x40200);
    CHECK(load_elf({"fw.elf", bytes})->low == 0);
    // One that is linked elsewhere stays there.
    Bytes placed = make_elf({{1, 120, 0x80400000, 4, 4}}, 0x80400000);
    put<uint16_t>(placed, 16, 3);
    CHECK(load_firmware({"fw.elf", placed}, kBase)->low == 0x80400000);
    put<uint64_t>(bytes, 64 + 56 + 24, UINT64_MAX - 0x200);
    CHECK(error_of(load_firmware({"fw.elf", bytes}, kBase)) ==
          "fw.elf: ELF file of 0xffffffffffffffff bytes does not fit above 0x80000000");
}

TEST_CASE("ELF files that are none for this machine are refused") {
    const Bytes good = make_elf({{1, 120, 0x80000000, 4, 4}}, 0x80000000);
    REQUIRE(load_elf({"good", good}));
    const auto changed = [&](size_t offset, auto value) {
        Bytes bytes = good;
        put(bytes, offset, value);
        return error_of(load_elf({"x", bytes}));
    };
    CHECK(changed(4, uint8_t{1}) == "x: not a 64-bit ELF file");
    CHECK(changed(5, uint8_t{2}) == "x: not a little-endian ELF file");
    CHECK(changed(16, uint16_t{1}) == "x: ELF file of type 1 is not an executable");
    CHECK(changed(18, uint16_t{62}) == "x: ELF file for machine 62, not for RISC-V (243)");
    CHECK(changed(54, uint16_t{32}) == "x: ELF program headers of 32 bytes");
    CHECK(changed(32, uint64_t{good.size() - 55}) == "x: ELF program headers lie outside the file");
    CHECK(changed(32, UINT64_MAX - 8) == "x: ELF program headers lie outside the file");
    CHECK(changed(56, uint16_t{0xffff}) == "x: ELF program headers lie outside the file");
    CHECK(changed(56, uint16_t{0}) == "x: ELF file has nothing to load");
    CHECK(changed(64 + 8, uint64_t{good.size() - 3}) == "x: ELF segment 0 lies outside the file");
    CHECK(changed(64 + 8, UINT64_MAX) == "x: ELF segment 0 lies outside the file");
    CHECK(changed(64 + 32, UINT64_MAX) == "x: ELF segment 0 lies outside the file");
    CHECK(changed(64 + 40, uint64_t{3}) == "x: ELF segment 0 has impossible sizes");
    CHECK(changed(64 + 40, UINT64_MAX) == "x: ELF segment 0 has impossible sizes");
    CHECK(error_of(load_elf({"x", Bytes(good.begin(), good.begin() + 63)})) == "x: ELF header is truncated");
    CHECK(error_of(load_elf({"x", {1, 2, 3}})) == "x: not an ELF file");
    CHECK(error_of(load_elf({"x", {}})) == "x: not an ELF file");
}

TEST_CASE("no damage to an ELF file makes reading it fail otherwise than by an error") {
    const uint64_t seed = weft::test::test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    weft::test::Random random(seed);
    const Bytes good = make_elf({{1, 176, 0x80000000, 4, 4}, {1, 180, 0x80001000, 4, 0x1000}}, 0x80000000);
    for (int round = 0; round < 20000; ++round) {
        Bytes bytes = good;
        for (uint64_t n = 1 + random.below(4); n != 0; --n) {
            bytes[4 + random.below(bytes.size() - 4)] = static_cast<uint8_t>(random.next());
        }
        bytes.resize(4 + random.below(bytes.size() - 3));
        const auto image = load_elf({"x", bytes});
        if (image) {
            for (const LoadSegment& segment : image->segments) {
                REQUIRE(segment.bytes.size() <= segment.memory_size);
                REQUIRE(segment.paddr + segment.memory_size <= image->high);
                REQUIRE(segment.paddr >= image->low);
            }
        } else {
            REQUIRE(image.error().message().starts_with("x: "));
        }
    }
}

TEST_CASE("raw files and Images go to the given address") {
    const auto raw = load_firmware({"fw.bin", {1, 2, 3}}, 0x80000000);
    REQUIRE(raw);
    CHECK(raw->segments == std::vector<LoadSegment>{{0x80000000, 3, {1, 2, 3}}});
    CHECK(raw->entry == 0x80000000);
    CHECK(raw->high == 0x80000003);
    const auto image = load_kernel({"Image", make_image(0x1e6b000)}, 0x80200000, 1 << 30);
    REQUIRE(image);
    CHECK(image->entry == 0x80200000);
    CHECK(image->high == 0x80200000 + 0x1e6b000);
    CHECK(image->segments[0].memory_size == 4096);
    CHECK(error_of(load_kernel({"Image", make_image(UINT64_MAX)}, 0x80200000, 1 << 30)) ==
          "Image: its Image header claims 0xffffffffffffffff bytes");
    CHECK(error_of(load_raw({"none", {}}, 0)) == "none: the file is empty");
}

TEST_CASE("packed kernels are unpacked") {
    const Bytes plain = make_image(8192);
    const Bytes packed = gzip(plain);
    REQUIRE(packed.size() < plain.size());
    const auto image = load_kernel({"vmlinuz", packed}, 0x80200000, 1 << 20);
    REQUIRE(image);
    CHECK(image->segments[0].bytes == plain);
    CHECK(image->high == 0x80200000 + 8192);

    // As EFI zboot: the payload after a header.
    Bytes zboot(64);
    std::memcpy(zboot.data(), "MZ\0\0zimg", 8);
    put<uint32_t>(zboot, 8, 64);
    put<uint32_t>(zboot, 12, static_cast<uint32_t>(packed.size()));
    std::memcpy(zboot.data() + 24, "gzip", 5);
    Bytes whole = zboot;
    whole.insert(whole.end(), packed.begin(), packed.end());
    const auto unpacked = load_kernel({"vmlinuz.efi", whole}, 0x80200000, 1 << 20);
    REQUIRE(unpacked);
    CHECK(unpacked->segments[0].bytes == plain);
    CHECK(error_of(load_kernel({"z", zboot}, 0, 1 << 20)) == "z: EFI zboot payload lies outside the file");
    std::memcpy(whole.data() + 24, "zstd", 5);
    CHECK(error_of(load_kernel({"z", whole}, 0, 1 << 20)) ==
          "z: EFI zboot image that is not packed with gzip");
    CHECK(error_of(load_kernel({"z", Bytes(zboot.begin(), zboot.begin() + 12)}, 0, 1 << 20)) ==
          "z: EFI zboot header is truncated");

    // An ELF file may be packed as well.
    const auto elf =
        load_kernel({"vmlinux.gz", gzip(make_elf({{1, 120, 0x80400000, 4, 4}}, 0x80400000))}, 0, 1 << 20);
    REQUIRE(elf);
    CHECK(elf->low == 0x80400000);
}

TEST_CASE("what cannot be unpacked says why") {
    const Bytes packed = gzip(Bytes(100'000, 7));
    CHECK(error_of(load_kernel({"k", Bytes(packed.begin(), packed.end() - 9)}, 0, 1 << 20)) ==
          "k: gzip data is truncated");
    CHECK(error_of(load_kernel({"k", {0x1f, 0x8b}}, 0, 1 << 20)) == "k: gzip data is truncated");
    Bytes damaged = packed;
    damaged[damaged.size() - 5] ^= 1;  // of the checksum
    CHECK(error_of(load_kernel({"k", damaged}, 0, 1 << 20)) == "k: gzip data is damaged");
    damaged = packed;
    damaged[2] = 9;
    CHECK(error_of(load_kernel({"k", damaged}, 0, 1 << 20)) == "k: gzip data is damaged");
    // A bomb stops at the limit.
    CHECK(error_of(load_kernel({"k", gzip(Bytes(20 << 20, 0))}, 0, 2 << 20)) ==
          "k: unpacks to more than 2 MiB");
    CHECK(unpack_gzip("k", packed, 100'000)->size() == 100'000);
    CHECK(!unpack_gzip("k", packed, 99'999));
}

}  // namespace
}  // namespace weft::hw
