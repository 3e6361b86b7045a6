// Snapshots that weft makes, applies and deletes, judged by qemu-img, and by what it reads of them.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "emulator/backend/block/disk_snapshots.h"
#include "emulator/backend/block/qcow2/snapshot_table.h"
#include "qcow2_support.h"
#include "tests/support/random.h"

using namespace weft;
using namespace weft::test;
using backend::DiskSnapshots;
using backend::SnapshotInfo;

namespace {

constexpr size_t kDisk = 256 << 10;

const char* const kOptions[] = {
    "cluster_size=512",
    "cluster_size=512,refcount_bits=64",
    "cluster_size=4k",
    "cluster_size=4k,compat=0.10",
    "cluster_size=16k,extended_l2=on",
    "cluster_size=64k",
    "cluster_size=4k,refcount_bits=8",
};

DiskSnapshots& snapshots_of(backend::BlockBackend& disk) {
    REQUIRE(disk.snapshots() != nullptr);
    return *disk.snapshots();
}

void require(const Result<>& done) {
    INFO((done ? "" : done.error().message()));
    REQUIRE(done.has_value());
}

Bytes read_all(backend::BlockBackend& disk) {
    Bytes bytes(disk.size());
    require(disk.read(0, bytes));
    return bytes;
}

// Of a machine's state in pieces that are no whole clusters.
void keep(backend::BlockBackend& disk, const std::string& name, const Bytes& state) {
    DiskSnapshots& snapshots = snapshots_of(disk);
    auto writer = snapshots.begin_state();
    REQUIRE(writer.has_value());
    for (size_t at = 0; at < state.size(); at += 1000) {
        require((*writer)->write(std::span(state).subspan(at, std::min<size_t>(1000, state.size() - at))));
    }
    require(snapshots.create(
        {.id = {}, .name = name, .date_ns = 1'700'000'000'000'000'123, .vm_clock_ns = 5'000'000'000},
        std::move(*writer)));
}

Bytes state_of(backend::BlockBackend& disk, const std::string& name) {
    Bytes state;
    Bytes piece(777);
    for (;;) {
        const Result<size_t> got = snapshots_of(disk).read_state(name, state.size(), piece);
        REQUIRE(got.has_value());
        if (*got == 0) {
            return state;
        }
        state.insert(state.end(), piece.begin(), piece.begin() + static_cast<ptrdiff_t>(*got));
    }
}

// What qemu-img reads of a snapshot.
Bytes kept(const TempDir& dir, const std::string& path, const std::string& name) {
    const std::string raw = dir.file("kept.raw");
    qemu_img({"convert", "-l", "snapshot.name=" + name, "-O", "raw", path, raw});
    return file_bytes(raw);
}

}  // namespace

TEST_CASE("snapshots come, are applied and go, and the image is sound after each", "[qcow2-snapshot]") {
    const uint64_t seed = test_seed();
    for (const char* options : kOptions) {
        INFO(options << " WEFT_TEST_SEED=" << seed);
        Random random(seed);
        const TempDir dir;
        const std::string path = dir.file("disk.qcow2");
        qemu_img({"create", "-q", "-f", "qcow2", "-o", options, path, std::to_string(kDisk)});
        Model model{Bytes(kDisk)};
        std::map<std::string, std::pair<Bytes, Bytes>> known;  // disk and state
        auto disk = opened(path);
        for (unsigned round = 0; round < 14; ++round) {
            model.work(*disk, random, 8, 12 << 10);
            const std::string name = "s" + std::to_string(random.below(4));
            INFO("round " << round << ' ' << name);
            if (!known.contains(name) || round % 5 == 4) {
                const Bytes state = pattern(seed + round, random.below(40 << 10));
                keep(*disk, name, state);
                known[name] = {model.bytes, state};
            } else if (round % 3 == 0) {
                require(snapshots_of(*disk).remove(name));
                known.erase(name);
            } else {
                CHECK((state_of(*disk, name) == known[name].second));
                require(snapshots_of(*disk).apply(name));
                model.bytes = known[name].first;
            }
            CHECK((read_all(*disk) == model.bytes));
            model.work(*disk, random, 3, 12 << 10);
            // Its end, and a new beginning.
            disk.reset();
            CHECK(checked(path) == "clean");
            CHECK((contents(dir, path) == model.bytes));
            for (const auto& [other, what] : known) {
                CHECK((kept(dir, path, other) == what.first));
            }
            disk = opened(path);
            const auto list = snapshots_of(*disk).list();
            REQUIRE(list.has_value());
            CHECK(list->size() == known.size());
        }
    }
}

TEST_CASE("qemu-img lists a snapshot as it was made, applies and deletes it", "[qcow2-snapshot]") {
    for (const char* options : kOptions) {
        INFO(options);
        const TempDir dir;
        const std::string path = dir.file("disk.qcow2");
        qemu_img({"create", "-q", "-f", "qcow2", "-o", options, path, std::to_string(kDisk)});
        const Bytes before = pattern(1, kDisk);
        const Bytes state = pattern(2, 100'000);
        {
            auto disk = opened(path);
            require(disk->write(0, before));
            keep(*disk, "weft one", state);
            require(disk->write(4096, pattern(3, 8192)));
        }
        const std::string list = qemu_img({"snapshot", "-l", path});
        INFO(list);
        CHECK(list.find("weft one") != std::string::npos);
        CHECK(list.find("97.7 KiB") != std::string::npos);
        CHECK(list.find("00:05.000") != std::string::npos);
        qemu_img({"snapshot", "-c", "qemu two", path});
        qemu_img({"snapshot", "-a", "weft one", path});
        CHECK(checked(path) == "clean");
        CHECK((contents(dir, path) == before));
        {
            auto disk = opened(path);
            CHECK((state_of(*disk, "weft one") == state));
            require(snapshots_of(*disk).apply("qemu two"));
            CHECK((read_all(*disk) != before));
            require(snapshots_of(*disk).remove("qemu two"));
        }
        CHECK(checked(path) == "clean");
        qemu_img({"snapshot", "-d", "weft one", path});
        CHECK(checked(path) == "clean");
    }
}

TEST_CASE("compressed clusters and backing files take part in snapshots", "[qcow2-snapshot]") {
    const TempDir dir;
    const std::string raw = dir.file("base.raw");
    const std::string path = dir.file("disk.qcow2");
    Bytes base(kDisk);
    for (size_t i = 0; i < base.size(); ++i) {
        base[i] = static_cast<uint8_t>(i * 7 / 512 + i % 3);
    }
    write_bytes(raw, base);
    for (const bool packed : {true, false}) {
        if (packed) {
            qemu_img({"convert", "-q", "-c", "-f", "raw", "-O", "qcow2", "-o", "cluster_size=4k", raw, path});
        } else {
            qemu_img({"create", "-q", "-f", "qcow2", "-b", raw, "-F", "raw", "-o", "cluster_size=4k", path});
        }
        {
            auto disk = opened(path);
            keep(*disk, "a", {});
            require(disk->write(8192, pattern(1, 20'480)));
            keep(*disk, "b", pattern(2, 5000));
            require(disk->write(0, pattern(3, 4096)));
            require(snapshots_of(*disk).apply("a"));
            CHECK((read_all(*disk) == base));
            require(snapshots_of(*disk).remove("a"));
        }
        CHECK(checked(path) == "clean");
        CHECK((contents(dir, path) == base));
        CHECK((kept(dir, path, "b") != base));
    }
}

TEST_CASE("the end of program or host at any write leaves the old image or the new one", "[qcow2-snapshot]") {
    const uint64_t seed = test_seed();
    const bool full = std::getenv("WEFT_TEST_FULL") != nullptr;
    for (const char* options :
         {"cluster_size=512,refcount_bits=64", "cluster_size=4k", "cluster_size=16k,extended_l2=on"}) {
        for (const std::string change : {"create", "apply", "remove", "replace"}) {
            INFO(options << ' ' << change << " WEFT_TEST_SEED=" << seed);
            Random random(seed);
            const TempDir dir;
            const std::string path = dir.file("disk.qcow2");
            qemu_img({"create", "-q", "-f", "qcow2", "-o", options, path, std::to_string(kDisk)});
            Bytes disks[2] = {pattern(1, kDisk), {}};
            {
                auto disk = opened(path);
                require(disk->write(0, disks[0]));
                keep(*disk, "kept", pattern(2, 3000));
                require(disk->write(1024, pattern(3, 70'000 / 512 * 512)));
                disks[1] = read_all(*disk);
            }
            const Bytes begun = file_bytes(path);
            MemoryFile file(begun);
            {
                auto disk = image_over(file, nullptr);
                if (change == "create") {
                    keep(*disk, "new", pattern(4, 9000));
                } else if (change == "apply") {
                    require(snapshots_of(*disk).apply("kept"));
                } else if (change == "remove") {
                    require(snapshots_of(*disk).remove("kept"));
                } else {
                    keep(*disk, "kept", pattern(4, 9000));
                }
            }
            // The header's is one write, and all before it is synced.
            const std::vector<MemoryFile::Event>& events = file.events();
            const size_t steps = full ? events.size() : 24;
            for (size_t step = 0; step <= steps; ++step) {
                const size_t count = events.size() * step / steps;
                const bool host = step % 2 == 1;  // the host has written any of what was not synced
                Bytes image = begun;
                size_t synced = 0;
                for (size_t i = 0; i < count; ++i) {
                    synced = events[i].sync ? i : synced;
                }
                for (size_t i = 0; i < count; ++i) {
                    const MemoryFile::Event& event = events[i];
                    if (event.sync || (host && i > synced && random.below(2) == 0)) {
                        continue;
                    }
                    image.resize(std::max<size_t>(image.size(), event.offset + event.data.size()));
                    std::ranges::copy(event.data, image.begin() + static_cast<ptrdiff_t>(event.offset));
                }
                INFO("after event " << count << " of " << events.size() << (host ? " of the host" : ""));
                write_bytes(path, image);
                const std::string verdict = checked(path);
                CHECK((verdict == "clean" || verdict == "leaks"));
                const Bytes now = contents(dir, path);
                CHECK((now == disks[0] || now == disks[1]));
            }
            CHECK((file.bytes() != begun));
        }
    }
}

TEST_CASE("what cannot be done with snapshots is refused in one line, and changes nothing",
          "[qcow2-snapshot]") {
    const TempDir dir;
    const std::string path = dir.file("disk.qcow2");
    const auto refused = [](const Result<>& done) {
        return done ? std::string("done") : done.error().message();
    };
    qemu_img({"create", "-q", "-f", "qcow2", "-o", "refcount_bits=1", path, std::to_string(kDisk)});
    {
        auto disk = opened(path);
        require(disk->write(0, pattern(1, 4096)));
        CHECK(refused(snapshots_of(*disk).create({.id = {}, .name = "one"}, nullptr))
                  .ends_with("it cannot have more snapshots: its reference counts have 1 bits"));
        CHECK(refused(snapshots_of(*disk).apply("one")).ends_with("it has no snapshot 'one'"));
        CHECK(refused(snapshots_of(*disk).remove("one")).ends_with("it has no snapshot 'one'"));
        CHECK(refused(snapshots_of(*disk).create({.id = {}, .name = ""}, nullptr))
                  .ends_with("a snapshot's name has 1 to 255 bytes"));
    }
    CHECK(checked(path) == "clean");
    const auto frozen = opened(path, {.read_only = true});
    CHECK(frozen->snapshots() == nullptr);

    // A disk that grew since.
    const std::string other = dir.file("other.qcow2");
    qemu_img({"create", "-q", "-f", "qcow2", other, std::to_string(kDisk)});
    {
        auto disk = opened(other);
        keep(*disk, "small", {});
    }
    qemu_img({"resize", "-q", other, std::to_string(2 * kDisk)});
    {
        auto disk = opened(other);
        CHECK(refused(snapshots_of(*disk).apply("small"))
                  .ends_with("snapshot 'small' is of a disk of another size"));
    }
    CHECK(checked(other) == "clean");
}

TEST_CASE("tables of snapshots that are damaged are refused", "[qcow2-snapshot]") {
    backend::qcow2::Header header;
    header.cluster_bits = 16;
    header.snapshots = 2;
    header.size = kDisk;
    const std::vector<backend::qcow2::Snapshot> two{{.l1_offset = 0x10000,
                                                     .l1_size = 3,
                                                     .id = "1",
                                                     .name = "one",
                                                     .date_seconds = 7,
                                                     .date_ns = 8,
                                                     .vm_clock_ns = 9,
                                                     .vm_state_bytes = uint64_t{5} << 32,
                                                     .disk_size = 512,
                                                     .extra = {1, 2, 3}},
                                                    {.l1_offset = 0x20000,
                                                     .l1_size = 1,
                                                     .id = "2",
                                                     .name = "",
                                                     .vm_state_bytes = 0,
                                                     .disk_size = kDisk,
                                                     .extra = {}}};
    const Bytes bytes = backend::qcow2::snapshot_table_bytes(two);
    uint64_t used = 0;
    const auto parsed = backend::qcow2::parse_snapshots(bytes, header, used);
    REQUIRE(parsed.has_value());
    CHECK((*parsed == two));
    CHECK(used == bytes.size());
    for (size_t size = 0; size < bytes.size(); ++size) {
        CHECK_FALSE(backend::qcow2::parse_snapshots(std::span(bytes).first(size), header, used).has_value());
    }
    Bytes damaged = bytes;
    damaged[7] = 1;  // an L1 table that is not at a cluster's beginning
    CHECK_FALSE(backend::qcow2::parse_snapshots(damaged, header, used).has_value());
    damaged = bytes;
    damaged[36] = 1;  // extra data of 16 MiB
    CHECK_FALSE(backend::qcow2::parse_snapshots(damaged, header, used).has_value());
}
