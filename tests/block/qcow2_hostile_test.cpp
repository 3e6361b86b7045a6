// Images that are damaged, hostile, or have what weft does not: one line when they are opened, or an error to the guest.
#include <catch2/catch.hpp>

#include <algorithm>
#include <bit>
#include <cstring>

#include "tests/block/qcow2_support.h"

using namespace weft;
using namespace weft::test;

namespace {

void put(Bytes& bytes, size_t at, uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; ++i) {
        bytes.at(at + i) = static_cast<uint8_t>(value >> 8 * (size - 1 - i));
    }
}

uint64_t number(const Bytes& bytes, size_t at, unsigned size) {
    uint64_t value = 0;
    for (unsigned i = 0; i < size; ++i) {
        value = value << 8 | bytes.at(at + i);
    }
    return value;
}

Bytes made(const TempDir& dir, const std::string& options = "cluster_size=64k",
           const std::string& size = "64M") {
    const std::string path = dir.file("made");
    qemu_img({"create", "-q", "-f", "qcow2", "-o", options, path, size});
    return file_bytes(path);
}

struct Change {
    size_t at;
    uint64_t value;
    unsigned size;
    std::string message;
};

constexpr size_t kL1Field = 40;
constexpr size_t kRefcountsField = 48;

}  // namespace

TEST_CASE("headers that cannot be are refused in one line", "[qcow2]") {
    const TempDir dir;
    const Bytes good = made(dir);
    const std::string path = dir.file("disk");
    write_bytes(path, good);
    REQUIRE(refusal(path) == "(opened)");
    const std::string damaged = "its header is damaged: ";
    for (const Change& change : {
             Change{4, 1, 4, "this is a qcow image of version 1, which is not supported"},
             Change{4, 4, 4, "version 4 of qcow2 is not supported"},
             Change{8, 1, 8, damaged + "the name of the backing file lies outside"},
             Change{8, uint64_t{1} << 40, 8, damaged + "the name of the backing file lies outside"},
             Change{20, 8, 4, "its clusters are of 2^8 bytes (9 to 21 are supported)"},
             Change{20, 22, 4, "its clusters are of 2^22 bytes (9 to 21 are supported)"},
             Change{20, UINT32_MAX, 4, "its clusters are of 2^4294967295 bytes (9 to 21 are supported)"},
             Change{24, 0, 8, "its disk has no sectors"},
             Change{24, 511, 8, "its disk has no sectors"},
             Change{24, uint64_t{1} << 60, 8, "its L1 table is larger than 32 MiB"},
             Change{24, UINT64_MAX, 8, "its L1 table is larger than 32 MiB"},
             Change{24, uint64_t{1} << 30, 8, damaged + "an L1 table of 1 entries, where the disk needs 2"},
             Change{32, 1, 4, "it is encrypted, which is not supported"},
             Change{32, 2, 4, "it is encrypted, which is not supported"},
             Change{36, UINT32_MAX, 4, "its L1 table is larger than 32 MiB"},
             Change{36, 0, 4, damaged + "an L1 table of 0 entries, where the disk needs 1"},
             Change{36, 100000, 4, "it is damaged: its L1 table lies behind its end"},
             Change{kL1Field, 0x30200, 8, damaged + "the L1 table at 0x30200"},
             Change{kL1Field, 0, 8, damaged + "the L1 table at 0x0"},
             Change{kL1Field, uint64_t{1} << 63, 8, damaged + "the L1 table at 0x8000000000000000"},
             Change{kL1Field, uint64_t{1} << 50, 8, "it is damaged: its L1 table lies behind its end"},
             Change{kL1Field, 0x10000, 8, "it is damaged: two of its tables are in the same place"},
             Change{kRefcountsField, 0x10001, 8, damaged + "the refcount table at 0x10001"},
             Change{kRefcountsField, uint64_t{1} << 50, 8,
                    "it is damaged: its refcount table lies behind its end"},
             Change{56, 0, 4, damaged + "a refcount table of 0 clusters"},
             Change{56, UINT32_MAX, 4, damaged + "a refcount table of 4294967295 clusters"},
             Change{60, 100000, 4, damaged + "100000 snapshots"},
             Change{60, 1, 4, damaged + "the snapshot table at 0x0"},
             Change{72, 2, 8,
                    "it is marked as corrupt and can only be read (qemu-img check -r all repairs it)"},
             Change{72, 1, 8,
                    "it was not closed, so its reference counts may be wrong, and it can only be read until "
                    "qemu-img check "
                    "-r all has repaired them"},
             Change{72, 4, 8, "its data lies in another file (data_file), which is not supported"},
             Change{72, 32, 8, "it has the feature number 5, which is not supported"},
             Change{72, uint64_t{1} << 63, 8, "it has the feature number 63, which is not supported"},
             Change{72, 8, 8, "its clusters are compressed by method 0, which is not supported"},
             Change{104, 1, 1, "its clusters are compressed by method 1, which is not supported"},
             Change{96, 7, 4, damaged + "reference counts of 2^7 bits"},
             Change{100, 103, 4, damaged + "a length of 103 bytes"},
             Change{100, 72, 4, damaged + "a length of 72 bytes"},
             Change{100, UINT32_MAX, 4, damaged + "a length of 4294967295 bytes"},
             Change{116, UINT32_MAX, 4, damaged + "extension 0x6803f857 of 4294967295 bytes"},
         }) {
        INFO(change.at << ' ' << change.value);
        Bytes bytes = good;
        put(bytes, change.at, change.value, change.size);
        write_bytes(path, bytes);
        CHECK(refusal(path) == change.message);
        CHECK(file_bytes(path) == bytes);
    }
}

TEST_CASE("a feature is called by the name that the image gives it", "[qcow2]") {
    const TempDir dir;
    Bytes bytes = made(dir);
    put(bytes, 72, 32, 8);
    // QEMU's own table follows the header: its first row becomes the feature's.
    const Bytes type = {0x68, 0x03, 0xf8, 0x57};
    const auto table = std::ranges::search(bytes, type);
    REQUIRE(!table.empty());
    const auto row = table.begin() + 8;
    row[0] = 0, row[1] = 5;
    std::ranges::fill(row + 2, row + 48, uint8_t{0});
    std::ranges::copy(std::string("zones\nof a disk"), row + 2);
    const std::string path = dir.file("disk");
    write_bytes(path, bytes);
    CHECK(refusal(path) == "it has the feature 'zones\\x0aof a disk', which is not supported");
}

TEST_CASE("marked images are read all the same", "[qcow2]") {
    const TempDir dir;
    const std::string path = dir.file("disk");
    for (const uint64_t bit : {1, 2, 3}) {
        Bytes bytes = made(dir);
        put(bytes, 72, bit, 8);
        write_bytes(path, bytes);
        CHECK(refusal(path, {.read_only = true}) == "(opened)");
        CHECK(refusal(path) != "(opened)");
    }
    // What QEMU left dirty, by its own hand, and repaired.
    qemu_img({"create", "-q", "-f", "qcow2", "-o", "lazy_refcounts=on", path, "1M"});
    qemu_io_killed(path, {"write 0 64k"});
    CHECK(refusal(path).starts_with("it was not closed"));
    qemu_img({"check", "-q", "-r", "all", path});
    CHECK(refusal(path) == "(opened)");
}

TEST_CASE("short files of all lengths are refused", "[qcow2]") {
    const TempDir dir;
    const Bytes good = made(dir, "cluster_size=512", "64k");
    const std::string path = dir.file("disk");
    for (size_t size = 0; size < good.size(); size += size < 200 ? 1 : 128) {
        INFO(size);
        write_bytes(path, std::span(good).first(size));
        const std::string text = refusal(path, {.format = backend::ImageFormat::qcow2});
        CHECK(text != "(opened)");
    }
}

TEST_CASE("entries that lead astray are errors to the guest, and harm nothing", "[qcow2]") {
    const TempDir dir;
    const std::string path = dir.file("made");
    qemu_img({"create", "-q", "-f", "qcow2", path, "64M"});
    qemu_io(path, {"write -P 1 0 256k"});
    const Bytes good = file_bytes(path);
    const uint64_t l1 = number(good, kL1Field, 8);
    const uint64_t l2 = number(good, l1, 8) & 0x00fffffffffffe00;
    const uint64_t refcounts = number(good, kRefcountsField, 8);
    const uint64_t block = number(good, refcounts, 8);
    constexpr uint64_t kCopied = uint64_t{1} << 63;
    constexpr uint64_t kPacked = uint64_t{1} << 62;
    struct Entry {
        uint64_t at, value;
        bool reads;   // the guest's first cluster
        bool writes;  // to it
    };
    // Whether reading and writing work where the entry at the place has the value; the rest of the disk is asked as well.
    const auto attempt = [&](const Entry& entry) {
        INFO(std::hex << entry.at << ' ' << entry.value);
        Bytes bytes = good;
        put(bytes, entry.at, entry.value, 8);
        for (const bool read_only : {true, false}) {
            write_bytes(path, bytes);
            auto disk = backend::open_disk(path, {.read_only = read_only});
            if (!disk) {
                CHECK_FALSE(entry.writes);
                CHECK_FALSE(read_only);
                continue;
            }
            Bytes sector(512);
            const auto read = (*disk)->read(1024, sector);
            CHECK(read.has_value() == entry.reads);
            if (!read_only) {
                const auto written = (*disk)->write(1024, sector);
                INFO((written ? "" : written.error().message()));
                CHECK(written.has_value() == entry.writes);
                // Elsewhere, also where it allocates.
                for (const uint64_t at : {65536u, 32u << 20}) {
                    static_cast<void>((*disk)->write(at, sector));
                }
                static_cast<void>((*disk)->flush());
            }
        }
        // Whatever was asked, the header and the tables of others are as they were.
        const Bytes after = file_bytes(path);
        CHECK(std::equal(after.begin(), after.begin() + 512, bytes.begin()));
    };
    for (const Entry& entry : {
             Entry{l2, number(good, l2, 8), true, true},
             // The L2 table: not aligned, in other tables, itself, behind the end.
             Entry{l1, kCopied | (l2 + 512), false, false},
             Entry{l1, kCopied | l1, true, false},
             Entry{l1, kCopied | refcounts, true, false},
             Entry{l1, kCopied | block, true, false},
             Entry{l1, kCopied | (uint64_t{1} << 54), false, false},
             // The cluster: not aligned, in tables, in the header, behind the end (which reads as zeros).
             Entry{l2, kCopied | 0x50200, false, false},
             Entry{l2, kCopied | l2, true, false},
             Entry{l2, kCopied | l1, true, false},
             Entry{l2, kCopied | block, true, false},
             Entry{l2, kCopied | 0x10000, true, false},
             // Compressed: garbage, behind the end.
             Entry{l2, kPacked | l2 | uint64_t{1} << 54, false, false},
             Entry{l2, kPacked | uint64_t{1} << 52, false, false},
             Entry{l2, kPacked | (uint64_t{1} << 62) - 1, false, false},
             // Shared data in the header: replaced, and not given up.
             Entry{l2, 0, true, true},
             Entry{l2, l1, true, true},
             Entry{l2, block, true, true},
             // Refcount blocks: not aligned, the table itself, L1, behind the end, none.
             Entry{refcounts, block + 512, true, false},
             Entry{refcounts, refcounts, true, false},
             Entry{refcounts, l1, true, false},
             Entry{refcounts, uint64_t{1} << 54, true, true},
             Entry{refcounts, 0, true, true},
             // Everything counts as free.
             Entry{block, 0, true, true},
         }) {
        attempt(entry);
    }
}

TEST_CASE("a table that counts as free is not given away", "[qcow2]") {
    const TempDir dir;
    const std::string path = dir.file("made");
    qemu_img({"create", "-q", "-f", "qcow2", path, "64M"});
    Bytes bytes = file_bytes(path);
    const uint64_t block = number(bytes, number(bytes, kRefcountsField, 8), 8);
    put(bytes, block, 0, 8);  // of the first four clusters, which are tables
    write_bytes(path, bytes);
    {
        const auto disk = opened(path);
        const Bytes data = pattern(1, 512);
        const auto written = disk->write(0, data);
        REQUIRE_FALSE(written);
        CHECK(written.error().message().find("counts as free (qemu-img check -r all)") != std::string::npos);
        CHECK(disk->flush());
    }
    CHECK(file_bytes(path) == bytes);
}

TEST_CASE("formats that are not there stay refused", "[qcow2]") {
    const TempDir dir;
    for (const char* format : {"vmdk", "vdi", "vhdx", "vpc", "qed", "qcow"}) {
        INFO(format);
        const std::string path = dir.file(format);
        qemu_img({"create", "-q", "-f", format, path, "4M"});
        const std::string text = refusal(path);
        CHECK((text.starts_with("this is a ") && text.find("image") != std::string::npos));
    }
    CHECK(refusal(dir.file("qcow")) == "this is a qcow image of version 1, which is not supported");
}

TEST_CASE("tables that data is said to lie in are not given up with it", "[qcow2]") {
    const TempDir dir;
    const std::string path = dir.file("made");
    qemu_img({"create", "-q", "-f", "qcow2", path, "64M"});
    qemu_io(path, {"write -P 1 0 256k"});
    const Bytes good = file_bytes(path);
    const uint64_t l1 = number(good, kL1Field, 8);
    const uint64_t l2 = number(good, l1, 8) & 0x00fffffffffffe00;
    // Clusters 0 to 3: the header, a refcount table, a block, the L1 table.
    for (const uint64_t cluster : {0u, 1u, 2u, 3u}) {
        Bytes bytes = good;
        put(bytes, l2, cluster == 0 ? uint64_t{1} << 62 | 1 : cluster << 16, 8);
        write_bytes(path, bytes);
        {
            const auto disk = opened(path);
            const Bytes data = pattern(1, 65536);
            REQUIRE(disk->write(0, data));
            REQUIRE(disk->flush());
            for (const uint64_t at : {32u << 20, 33u << 20}) {
                REQUIRE(disk->write(at, data));
            }
        }
        const Bytes after = file_bytes(path);
        CHECK(std::equal(after.begin(), after.begin() + 512, good.begin()));
        CHECK(number(after, l1, 8) == number(good, l1, 8));
        CHECK(number(after, number(good, kRefcountsField, 8), 8) ==
              number(good, number(good, kRefcountsField, 8), 8));
    }
}

TEST_CASE("what is read from a place that is given up meanwhile is what was there", "[qcow2]") {
    const TempDir dir;
    const std::string path = dir.file("made");
    qemu_img({"create", "-q", "-f", "qcow2", path, "64M"});
    qemu_io(path, {"write -P 1 0 64k"});
    // The entry does not say that the cluster is the image's alone, which it may leave unsaid.
    Bytes bytes = file_bytes(path);
    const uint64_t l2 = number(bytes, number(bytes, kL1Field, 8), 8) & 0x00fffffffffffe00;
    const uint64_t place = number(bytes, l2, 8) & 0x00fffffffffffe00;
    put(bytes, l2, place, 8);
    MemoryFile file(bytes);
    const auto disk = image_over(file, nullptr);
    const Bytes second(65536, 2);
    const Bytes third(65536, 3);
    file.before_read(place, [&] {
        REQUIRE(disk->write(0, second));        // goes elsewhere
        REQUIRE(disk->flush());                 // now the place is free
        REQUIRE(disk->write(32 << 20, third));  // and another one's
        REQUIRE(file.bytes()[place] == 3);
    });
    Bytes back(65536);
    REQUIRE(disk->read(0, back));
    CHECK((back == second));
}
