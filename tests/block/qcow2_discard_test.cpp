// Discarding and writing of zeros in qcow2 images: against a model, `qemu-img check`, and what `qemu-img` maps and reads.
#include <catch2/catch.hpp>

#include <sys/stat.h>

#include <algorithm>

#include "tests/block/qcow2_support.h"

using namespace weft;
using namespace weft::test;

namespace {

constexpr size_t kSector = 512;

// Writes, zeros of both kinds and discards of random ranges.
void work(Model& model, backend::BlockBackend& disk, Random& random, unsigned rounds, size_t most) {
    const size_t sectors = model.bytes.size() / kSector;
    for (unsigned round = 0; round < rounds; ++round) {
        const size_t first = random.below(sectors);
        const size_t count = 1 + random.below(std::min(sectors - first, most / kSector));
        const auto range = std::span(model.bytes).subspan(first * kSector, count * kSector);
        const uint64_t offset = first * kSector;
        switch (random.below(6)) {
            case 0:
            case 1: {
                const Bytes data = pattern(random.next(), range.size());
                std::ranges::copy(data, range.begin());
                REQUIRE(disk.write(offset, data));
                break;
            }
            case 2:
            case 3:
                REQUIRE(disk.write_zeroes(offset, range.size(), random.below(2) == 0));
                std::ranges::fill(range, uint8_t{0});
                break;
            case 4: {
                REQUIRE(disk.discard(offset, range.size()));
                Bytes now(range.size());
                REQUIRE(disk.read(offset, now));
                // Each sector is what it was, or zeros.
                bool fine = true;
                for (size_t at = 0; at < now.size(); at += kSector) {
                    const auto piece = std::span(now).subspan(at, kSector);
                    fine = fine && (std::ranges::equal(piece, range.subspan(at, kSector)) ||
                                    std::ranges::all_of(piece, [](uint8_t byte) { return byte == 0; }));
                }
                REQUIRE(fine);
                std::ranges::copy(now, range.begin());
                break;
            }
            default: {
                Bytes now(range.size());
                REQUIRE(disk.read(offset, now));
                REQUIRE(std::ranges::equal(now, range));
                if (random.below(4) == 0) {
                    REQUIRE(disk.flush());
                }
            }
        }
    }
}

uint64_t host_bytes(const std::string& path) {
    struct stat info{};
    REQUIRE(stat(path.c_str(), &info) == 0);
    return static_cast<uint64_t>(info.st_blocks) * 512;
}

}  // namespace

TEST_CASE("what is discarded, zeroed and written at random is there for us and for QEMU", "[qcow2]") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    Random random(seed);
    for (const char* options :
         {"cluster_size=512", "cluster_size=512,compat=0.10", "cluster_size=4k,refcount_bits=1",
          "cluster_size=64k", "cluster_size=64k,compat=0.10", "cluster_size=64k,preallocation=metadata",
          "cluster_size=16k,extended_l2=on", "cluster_size=64k,extended_l2=on"}) {
        for (const char* base : {"", "raw", "packed", "kept"}) {
            INFO(options << " over '" << base << "'");
            const TempDir dir;
            const size_t size = (2 << 20) + 1536;
            Model model{Bytes(size)};
            const std::string path = dir.file("disk.qcow2");
            const std::string_view kind = base;
            // qemu-img makes no such images.
            const bool counts = std::string_view(options).find("refcount_bits=1") == std::string_view::npos;
            const bool places = std::string_view(options).find("preallocation") == std::string_view::npos;
            if ((!places && !kind.empty()) || (!counts && kind == "kept")) {
                continue;
            }
            if (kind.empty()) {
                qemu_img({"create", "-q", "-f", "qcow2", "-o", options, path, std::to_string(size)});
            } else {
                // Half of it compresses.
                model.bytes = pattern(seed, size);
                std::fill_n(model.bytes.begin(), size / 2, uint8_t{7});
                const std::string raw = dir.file("base.raw");
                write_bytes(raw, model.bytes);
                if (kind == "raw") {
                    qemu_img({"create", "-q", "-f", "qcow2", "-b", raw, "-F", "raw", "-o", options, path});
                } else {
                    qemu_img({"convert", "-q", kind == "packed" ? "-c" : "-S0", "-f", "raw", "-O", "qcow2",
                              "-o", options, raw, path});
                }
                if (kind == "kept") {
                    qemu_img({"snapshot", "-c", "kept", path});
                }
            }
            const Bytes before = model.bytes;
            for (unsigned session = 0; session < 2; ++session) {
                const auto disk = opened(path, {.unmap = true});
                work(model, *disk, random, 120, 200 << 10);
            }
            CHECK(checked(path) == "clean");
            CHECK((contents(dir, path) == model.bytes));
            if (kind == "kept") {
                qemu_img({"snapshot", "-a", "kept", path});
                CHECK((contents(dir, path) == before));
            }
        }
    }
}

TEST_CASE("a disk that is discarded as a whole takes no place any more, and reads as zeros", "[qcow2]") {
    for (const char* options :
         {"cluster_size=64k", "cluster_size=64k,compat=0.10", "cluster_size=64k,extended_l2=on"}) {
        INFO(options);
        const TempDir dir;
        const std::string path = dir.file("disk.qcow2");
        constexpr size_t kSize = (8 << 20) + 512;
        qemu_img({"create", "-q", "-f", "qcow2", "-o", options, path, std::to_string(kSize)});
        {
            const auto disk = opened(path, {.unmap = true});
            REQUIRE(disk->write(0, pattern(1, kSize)));
            REQUIRE(disk->flush());
            REQUIRE(host_bytes(path) > kSize);
            REQUIRE(disk->discard(0, kSize));
            REQUIRE(disk->flush());
            Bytes all(kSize, 1);
            REQUIRE(disk->read(0, all));
            CHECK(std::ranges::count(all, uint8_t{0}) == static_cast<ptrdiff_t>(kSize));
            // What is written next finds room where the first data was.
            REQUIRE(disk->write(0, pattern(2, 1 << 20)));
        }
        CHECK(checked(path) == "clean");
        CHECK(host_bytes(path) < (3 << 20));
        CHECK(file_bytes(path).size() < kSize + (2 << 20));
        const std::string map = qemu_img({"map", "--output=json", path});
        INFO(map);
        CHECK(map.find("\"start\": 1048576, \"length\": 7340544") != std::string::npos);
    }
}

TEST_CASE("zeros keep their place unless it may be given back", "[qcow2]") {
    const TempDir dir;
    const std::string path = dir.file("disk.qcow2");
    qemu_img({"create", "-q", "-f", "qcow2", "-o", "cluster_size=64k", path, "1M"});
    {
        const auto disk = opened(path, {.unmap = true});
        REQUIRE(disk->write(0, pattern(1, 1 << 20)));
        REQUIRE(disk->write_zeroes(0, 128 << 10, false));
        REQUIRE(disk->write_zeroes(256 << 10, 128 << 10, true));
    }
    CHECK(checked(path) == "clean");
    const size_t size = file_bytes(path).size();
    std::string map = qemu_img({"map", "--output=json", path});
    INFO(map);
    const size_t kept = map.find(
        "\"start\": 0, \"length\": 131072, \"depth\": 0, \"present\": true, \"zero\": true, \"data\": false");
    REQUIRE(kept != std::string::npos);
    CHECK(map.find("\"offset\"", kept) < map.find('}', kept));
    // Without an image below what is given back is simply not there.
    CHECK(map.find("\"start\": 262144, \"length\": 131072, \"depth\": 0, \"present\": false, \"zero\": true, "
                   "\"data\": false") != std::string::npos);
    {
        const auto disk = opened(path);
        REQUIRE(disk->write(512, pattern(2, 1024)));
    }
    CHECK(checked(path) == "clean");
    CHECK(file_bytes(path).size() == size);
    Bytes expected = pattern(1, 1 << 20);
    std::fill_n(expected.begin(), 128 << 10, uint8_t{0});
    std::fill_n(expected.begin() + (256 << 10), 128 << 10, uint8_t{0});
    std::ranges::copy(pattern(2, 1024), expected.begin() + 512);
    CHECK((contents(dir, path) == expected));
}

TEST_CASE("a drive that does not unmap keeps what is discarded", "[qcow2]") {
    const TempDir dir;
    const std::string path = dir.file("disk.qcow2");
    qemu_img({"create", "-q", "-f", "qcow2", path, "1M"});
    const Bytes data = pattern(1, 1 << 20);
    {
        const auto disk = opened(path);
        REQUIRE(disk->write(0, data));
        REQUIRE(disk->discard(0, 1 << 20));
    }
    CHECK((contents(dir, path) == data));
}

TEST_CASE("zeros that are written are found where that was asked for", "[qcow2]") {
    for (const auto& [zeroes, unmap, grows] : {std::tuple(backend::DetectZeroes::off, true, true),
                                               {backend::DetectZeroes::on, false, false},
                                               {backend::DetectZeroes::unmap, true, false}}) {
        const TempDir dir;
        const std::string path = dir.file("disk.qcow2");
        qemu_img({"create", "-q", "-f", "qcow2", path, "4M"});
        const size_t empty = file_bytes(path).size();
        {
            const auto disk = opened(path, {.unmap = unmap, .detect_zeroes = zeroes});
            REQUIRE(disk->write(0, Bytes(2 << 20)));
            Bytes almost(64 << 10);
            almost.back() = 1;
            REQUIRE(disk->write(3 << 20, almost));
        }
        CHECK(checked(path) == "clean");
        CHECK((file_bytes(path).size() > empty + (1 << 20)) == grows);
        CHECK(contents(dir, path)[(3 << 20) + (64 << 10) - 1] == 1);
    }
}

TEST_CASE("a cluster that is discarded while it is being written is nobody else's before that ends",
          "[qcow2]") {
    const TempDir dir;
    const std::string path = dir.file("disk.qcow2");
    qemu_img({"create", "-q", "-f", "qcow2", "-o", "cluster_size=64k", path, "1M"});
    MemoryFile file(file_bytes(path));
    const Bytes other = pattern(3, 128 << 10);
    {
        const auto disk = image_over(file, nullptr);
        REQUIRE(disk->write(0, pattern(1, 64 << 10)));
        REQUIRE(disk->flush());
        // In the middle of a write to its place, the cluster goes, and others need room.
        file.before_write([&] {
            REQUIRE(disk->discard(0, 64 << 10));
            REQUIRE(disk->flush());
            REQUIRE(disk->write(512 << 10, other));
            REQUIRE(disk->flush());
        });
        REQUIRE(disk->write(4096, pattern(2, 4096)));
        Bytes now(other.size());
        REQUIRE(disk->read(512 << 10, now));
        CHECK((now == other));
        // Afterwards the place is free.
        REQUIRE(disk->flush());
        const size_t size = file.bytes().size();
        REQUIRE(disk->write(768 << 10, pattern(4, 64 << 10)));
        REQUIRE(disk->flush());
        CHECK(file.bytes().size() == size);
    }
    write_bytes(path, file.bytes());
    CHECK(checked(path) == "clean");
}
