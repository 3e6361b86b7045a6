// qcow2 images that qemu-img made, read and written at random: against a model, `qemu-img check` and what QEMU reads of them.
#include <catch2/catch.hpp>

#include <algorithm>
#include <thread>

#include "tests/block/qcow2_support.h"

using namespace weft;
using namespace weft::test;

namespace {

struct Shape {
    const char* options;  // of qemu-img create
    size_t size;          // of the disk
    size_t most;          // bytes of a request
    unsigned rounds;
};

// Every cluster size, width of reference counts and version, on disks of several L2 tables where that is possible.
constexpr Shape kShapes[] = {
    {"cluster_size=512", 9 << 20, 64 << 10, 400},
    {"cluster_size=512,compat=0.10", 5 << 20, 64 << 10, 300},
    {"cluster_size=1k,refcount_bits=1", 6 << 20, 64 << 10, 300},
    {"cluster_size=2k,refcount_bits=2", 6 << 20, 64 << 10, 300},
    {"cluster_size=4k,refcount_bits=4", 6 << 20, 64 << 10, 300},
    {"cluster_size=8k,refcount_bits=8", 20 << 20, 64 << 10, 300},
    {"cluster_size=16k,refcount_bits=32", 40 << 20, 256 << 10, 200},
    {"cluster_size=32k,refcount_bits=64", (20 << 20) + 512, 256 << 10, 200},
    {"cluster_size=512,refcount_bits=64", 3 << 20, 64 << 10, 300},
    {"cluster_size=64k", (20 << 20) + 1536, 256 << 10, 200},
    {"cluster_size=64k,compat=0.10", 20 << 20, 256 << 10, 200},
    {"cluster_size=64k,lazy_refcounts=on", 20 << 20, 256 << 10, 200},
    {"cluster_size=64k,preallocation=metadata", 20 << 20, 256 << 10, 200},
    {"cluster_size=64k,preallocation=falloc", 10 << 20, 256 << 10, 200},
    {"cluster_size=128k", 20 << 20, 512 << 10, 100},
    {"cluster_size=256k", 20 << 20, 512 << 10, 100},
    {"cluster_size=512k", 20 << 20, 512 << 10, 60},
    {"cluster_size=1M", 20 << 20, 512 << 10, 60},
    {"cluster_size=2M", 20 << 20, 512 << 10, 60},
    {"cluster_size=16k,extended_l2=on", 20 << 20, 128 << 10, 400},
    {"cluster_size=64k,extended_l2=on", 20 << 20, 256 << 10, 400},
    {"cluster_size=2M,extended_l2=on", 20 << 20, 512 << 10, 100},
};

// A disk with something everywhere.
Bytes some_disk(size_t size) {
    Bytes bytes = pattern(7, size);
    std::fill(bytes.begin() + static_cast<ptrdiff_t>(size / 3),
              bytes.begin() + static_cast<ptrdiff_t>(size / 2), uint8_t{0});
    return bytes;
}

}  // namespace

TEST_CASE("what is written to an empty image is there for us and for QEMU", "[qcow2]") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    Random random(seed);
    for (const Shape& shape : kShapes) {
        INFO(shape.options);
        const TempDir dir;
        const std::string path = dir.file("disk.qcow2");
        qemu_img({"create", "-q", "-f", "qcow2", "-o", shape.options, path, std::to_string(shape.size)});
        Model model{Bytes(shape.size)};
        // In memory: that much would wait long for a real disk.
        MemoryFile file(file_bytes(path));
        for (unsigned session = 0; session < 2; ++session) {
            const auto disk = image_over(file, nullptr);
            CHECK(disk->size() == shape.size);
            model.work(*disk, random, shape.rounds / 2, shape.most);
        }
        write_bytes(path, file.bytes());
        CHECK(checked(path) == "clean");
        CHECK((contents(dir, path) == model.bytes));
        const auto again = opened(path, {.read_only = true});
        Bytes all(shape.size);
        REQUIRE(again->read(0, all));
        CHECK((all == model.bytes));
    }
}

TEST_CASE("images that QEMU filled are read and written", "[qcow2]") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    Random random(seed);
    // Zeros of both kinds, data, and nothing.
    const std::vector<std::string> filling = {
        "write -P 17 0 300k",   "write -z 64k 128k",  "write -zu 200k 64k",
        "write -P 18 700k 4k",  "write -z 900k 200k", "write -P 19 1500k 9k",
        "write -z -u 1502k 2k", "discard 1024k 64k",  "write -P 20 3M 700k"};
    for (const char* options :
         {"cluster_size=512", "cluster_size=4k", "cluster_size=64k", "cluster_size=64k,extended_l2=on",
          "cluster_size=16k,extended_l2=on", "cluster_size=64k,compat=0.10", "cluster_size=2M"}) {
        INFO(options);
        const TempDir dir;
        const std::string path = dir.file("disk.qcow2");
        qemu_img({"create", "-q", "-f", "qcow2", "-o", options, path, "4M"});
        qemu_io(path, filling);
        Model model{contents(dir, path)};
        {
            const auto disk = opened(path);
            Bytes all(model.bytes.size());
            REQUIRE(disk->read(0, all));
            CHECK((all == model.bytes));
            model.work(*disk, random, 100, 48 << 10);
        }
        CHECK(checked(path) == "clean");
        CHECK((contents(dir, path) == model.bytes));
    }
}

TEST_CASE("compressed clusters are read, and replaced by what is written", "[qcow2]") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    Random random(seed);
    for (const char* options : {"cluster_size=512", "cluster_size=4k", "cluster_size=64k", "cluster_size=2M",
                                "cluster_size=64k,compat=0.10", "cluster_size=64k,compression_type=zstd",
                                "cluster_size=4k,compression_type=zstd", "cluster_size=64k,extended_l2=on"}) {
        INFO(options);
        const TempDir dir;
        // Half of it compresses.
        Bytes bytes = some_disk(3 << 20);
        for (size_t i = 0; i < bytes.size(); i += 2) {
            bytes[i] = static_cast<uint8_t>(i >> 12);
        }
        write_bytes(dir.file("disk.raw"), bytes);
        const std::string path = dir.file("disk.qcow2");
        qemu_img({"convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, dir.file("disk.raw"), path});
        Model model{std::move(bytes)};
        for (unsigned session = 0; session < 3; ++session) {
            const auto disk = opened(path);
            Bytes all(model.bytes.size());
            REQUIRE(disk->read(0, all));
            CHECK((all == model.bytes));
            model.work(*disk, random, 60, 48 << 10);
        }
        CHECK(checked(path) == "clean");
        CHECK((contents(dir, path) == model.bytes));
    }
}

TEST_CASE("snapshots in the image keep what they have", "[qcow2]") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    Random random(seed);
    for (const char* options : {"cluster_size=512", "cluster_size=4k,refcount_bits=8", "cluster_size=64k",
                                "cluster_size=64k,extended_l2=on", "cluster_size=64k,compat=0.10"}) {
        INFO(options);
        const TempDir dir;
        write_bytes(dir.file("disk.raw"), some_disk(2 << 20));
        const std::string path = dir.file("disk.qcow2");
        qemu_img({"convert", "-f", "raw", "-O", "qcow2", "-o", options, dir.file("disk.raw"), path});
        Model model{contents(dir, path)};
        std::vector<Bytes> kept;
        for (const char* name : {"one", "two", "three"}) {
            kept.push_back(model.bytes);
            qemu_img({"snapshot", "-c", name, path});
            const auto disk = opened(path);
            model.work(*disk, random, 60, 48 << 10);
        }
        CHECK(checked(path) == "clean");
        CHECK((contents(dir, path) == model.bytes));
        for (size_t i = 0; i < kept.size(); ++i) {
            const std::string name = std::vector<std::string>{"one", "two", "three"}[i];
            qemu_img({"convert", "-l", "snapshot.name=" + name, "-O", "raw", path, dir.file("kept.raw")});
            CHECK((file_bytes(dir.file("kept.raw")) == kept[i]));
        }
        qemu_img({"snapshot", "-d", "two", path});
        qemu_img({"snapshot", "-a", "one", path});
        CHECK(checked(path) == "clean");
        model.bytes = kept[0];
        {
            const auto disk = opened(path);
            model.work(*disk, random, 60, 48 << 10);
        }
        CHECK(checked(path) == "clean");
        CHECK((contents(dir, path) == model.bytes));
    }
}

TEST_CASE("threads write to parts of the same clusters", "[qcow2]") {
    for (const char* options : {"cluster_size=64k", "cluster_size=2k", "cluster_size=64k,extended_l2=on"}) {
        INFO(options);
        const TempDir dir;
        write_bytes(dir.file("base.raw"), some_disk(4 << 20));
        const std::string path = dir.file("disk.qcow2");
        qemu_img(
            {"create", "-q", "-f", "qcow2", "-b", dir.file("base.raw"), "-F", "raw", "-o", options, path});
        Bytes expected = file_bytes(dir.file("base.raw"));
        std::vector<std::string> wrong(4);
        {
            const auto disk = opened(path);
            std::vector<std::thread> threads;
            for (size_t which = 0; which < wrong.size(); ++which) {
                // Each has each fourth KiB.
                threads.emplace_back([&, which] {
                    Random random(test_seed() + which);
                    for (unsigned round = 0; round < 1500; ++round) {
                        const size_t at = (random.below(expected.size() >> 12) << 12) + (which << 10);
                        const auto mine = std::span(expected).subspan(at, 1024);
                        Bytes data = pattern(random.next(), mine.size());
                        Bytes back(mine.size());
                        if (!disk->read(at, back) || !std::ranges::equal(back, mine)) {
                            wrong[which] = "read " + std::to_string(at);
                        }
                        if (!disk->write(at, data) || (round % 64 == 0 && !disk->flush())) {
                            wrong[which] = "write " + std::to_string(at);
                        }
                        std::ranges::copy(data, mine.begin());
                    }
                });
            }
            for (std::thread& thread : threads) {
                thread.join();
            }
        }
        CHECK(wrong == std::vector<std::string>(4));
        CHECK(checked(path) == "clean");
        CHECK((contents(dir, path) == expected));
    }
}

TEST_CASE("an image that is only read is not changed, and needs no permission to write", "[qcow2]") {
    const TempDir dir;
    const std::string path = dir.file("disk.qcow2");
    qemu_img({"create", "-q", "-f", "qcow2", path, "1M"});
    const std::string before = read_file(path);
    {
        const auto disk = opened(path, {.read_only = true});
        CHECK(disk->read_only());
        const Bytes data(512, 1);
        const auto written = disk->write(0, data);
        REQUIRE_FALSE(written);
        CHECK(written.error().message() == "disk image '" + path + "': opened read-only");
        CHECK(disk->flush());
    }
    CHECK(opened(path)->format() == std::string("qcow2"));
    CHECK(read_file(path) == before);
}

TEST_CASE("a flush brings everything to the file, and so does each write of an image that is written through",
          "[qcow2]") {
    const TempDir dir;
    const std::string path = dir.file("disk.qcow2");
    for (const bool through : {false, true}) {
        qemu_img({"create", "-q", "-f", "qcow2", path, "1M"});
        const auto disk = opened(path, {.write_through = through});
        const Bytes data = pattern(3, 4096);
        REQUIRE(disk->write(8192, data));
        if (!through) {
            REQUIRE(disk->flush());
        }
        // Beside the one that is open: the lock is ours alone.
        write_bytes(dir.file("copy.qcow2"), file_bytes(path));
        const Bytes now = contents(dir, dir.file("copy.qcow2"));
        CHECK(std::ranges::equal(std::span(now).subspan(8192, 4096), data));
        CHECK(checked(dir.file("copy.qcow2")) == "clean");
    }
}

TEST_CASE("writing clears the bits of what it makes untrue", "[qcow2]") {
    const TempDir dir;
    const std::string path = dir.file("disk.qcow2");
    qemu_img({"create", "-q", "-f", "qcow2", path, "1M"});
    qemu_img({"bitmap", "--add", path, "b"});
    Bytes bytes = file_bytes(path);
    REQUIRE(bytes[95] == 1);
    bytes[88] = 0x80;  // one that nobody knows
    write_bytes(path, bytes);
    {
        const auto disk = opened(path);
        Bytes sector(512);
        REQUIRE(disk->read(0, sector));
        REQUIRE(disk->flush());
        CHECK(file_bytes(path)[88] == 0x80);
        REQUIRE(disk->write(0, sector));
        CHECK(file_bytes(path)[88] == 0);  // before any flush
    }
    const Bytes after = file_bytes(path);
    CHECK(std::all_of(after.begin() + 88, after.begin() + 96, [](uint8_t byte) { return byte == 0; }));
    CHECK((checked(path) == "clean" || checked(path) == "leaks"));  // the bitmap's clusters are nobody's now
}
