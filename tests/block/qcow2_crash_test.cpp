// The end of the program or of the host at each write: the image is sound afterwards, and what was flushed is there. QEMU's tools say so.
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <map>

#include "tests/block/qcow2_support.h"

using namespace weft;
using namespace weft::test;

namespace {

constexpr size_t kSector = 512;

// What a sector held, and from which event of the file on.
struct Value {
    size_t since = 0;
    Bytes bytes;
};

// A disk's life: its file's events, and for each sector what was written to it when.
struct Life {
    Bytes before;  // of the file
    std::vector<MemoryFile::Event> events;
    std::vector<std::vector<Value>> sectors;
    std::vector<std::pair<size_t, size_t>> flushes;  // asked for, and done, as events
};

Life live(MemoryFile& file, const Bytes& disk, std::unique_ptr<backend::BlockBackend> backing, Random& random,
          unsigned rounds, size_t most, unsigned flush_each) {
    Life life{.before = file.bytes(), .events = {}, .sectors = {}, .flushes = {}};
    for (size_t at = 0; at < disk.size(); at += kSector) {
        life.sectors.push_back({{.since = 0,
                                 .bytes = {disk.begin() + static_cast<ptrdiff_t>(at),
                                           disk.begin() + static_cast<ptrdiff_t>(at + kSector)}}});
    }
    {
        const auto image = image_over(file, std::move(backing));
        for (unsigned round = 0; round < rounds; ++round) {
            const size_t first = random.below(life.sectors.size());
            const size_t count = 1 + random.below(std::min(life.sectors.size() - first, most / kSector));
            // Some of it zeros that are not written but said, with places that become free.
            const bool zeros = random.below(4) == 0;
            const Bytes data = zeros ? Bytes(count * kSector) : pattern(random.next(), count * kSector);
            for (size_t i = 0; i < count; ++i) {
                const auto piece = data.begin() + static_cast<ptrdiff_t>(i * kSector);
                life.sectors[first + i].push_back({file.events().size(), {piece, piece + kSector}});
            }
            REQUIRE((zeros ? image->write_zeroes(first * kSector, data.size(), random.below(2) == 0)
                           : image->write(first * kSector, data)));
            if (random.below(flush_each) == 0) {
                const size_t asked = file.events().size();
                REQUIRE(image->flush());
                life.flushes.emplace_back(asked, file.events().size());
            }
        }
        life.flushes.emplace_back(file.events().size(), 0);
    }
    life.flushes.back().second = file.events().size();
    life.events = file.events();
    return life;
}

void apply(Bytes& image, uint64_t offset, std::span<const uint8_t> data) {
    image.resize(std::max<uint64_t>(image.size(), offset + data.size()));
    std::ranges::copy(data, image.begin() + static_cast<ptrdiff_t>(offset));
}

// The file after `count` events: all of them, or (the host's end) those before the last sync and any sectors of the others.
Bytes crashed(const Life& life, size_t count, Random* lost) {
    Bytes image = life.before;
    size_t safe = count;
    while (lost != nullptr && safe != 0 && !life.events[safe - 1].sync) {
        --safe;
    }
    const uint64_t chance = lost == nullptr ? 1 : 2 + lost->below(3);
    for (size_t i = 0; i < count; ++i) {
        const MemoryFile::Event& event = life.events[i];
        for (size_t at = 0; at < event.data.size();) {
            const size_t size = std::min(event.data.size() - at, kSector - (event.offset + at) % kSector);
            if (i < safe || lost->below(chance) == 0) {
                apply(image, event.offset + at, std::span(event.data).subspan(at, size));
            }
            at += size;
        }
    }
    return image;
}

// What is wrong after `count` events, if anything is.
std::string verdict(const TempDir& dir, const Life& life, size_t count, const Bytes& image) {
    const std::string path = dir.file("crashed.qcow2");
    write_bytes(path, image);
    const std::string check = checked(path);
    if (check != "clean" && check != "leaks") {
        return check;
    }
    size_t flushed = 0;  // what was written before that event is there
    for (const auto& [asked, done] : life.flushes) {
        flushed = done <= count ? asked : flushed;
    }
    const Bytes disk = contents(dir, path);
    for (size_t i = 0; i < life.sectors.size(); ++i) {
        const auto now = std::span(disk).subspan(i * kSector, kSector);
        bool known = false;
        for (size_t value = 0; value < life.sectors[i].size(); ++value) {
            const bool replaced =
                value + 1 < life.sectors[i].size() && life.sectors[i][value + 1].since < flushed;
            known = known || (!replaced && std::ranges::equal(now, life.sectors[i][value].bytes));
        }
        if (!known) {
            return "sector " + std::to_string(i) + " has what it never should";
        }
    }
    return "";
}

struct World {
    const char* options;
    const char* base;  // raw: over a raw file; packed: compressed clusters; kept: a snapshot
    size_t size;
    unsigned rounds;
    size_t most;
    unsigned flush_each;
};

constexpr World kWorlds[] = {
    // So small that refcount blocks, L2 tables and the refcount table itself are made on the way.
    {"cluster_size=512,refcount_bits=64", "", 512 << 10, 60, 32 << 10, 4},
    {"cluster_size=512", "raw", 128 << 10, 60, 4 << 10, 6},
    {"cluster_size=4k", "", 256 << 10, 50, 12 << 10, 4},
    {"cluster_size=4k", "raw", 256 << 10, 50, 12 << 10, 1000},
    {"cluster_size=4k", "packed", 256 << 10, 60, 12 << 10, 4},
    {"cluster_size=512", "kept", 128 << 10, 60, 4 << 10, 4},
    {"cluster_size=4k,compat=0.10", "kept", 256 << 10, 60, 12 << 10, 4},
    {"cluster_size=16k,extended_l2=on", "kept", 512 << 10, 60, 12 << 10, 4},
    {"cluster_size=16k,extended_l2=on", "raw", 512 << 10, 60, 12 << 10, 4},
};

struct Begun {
    std::string path;
    Bytes disk;
    std::string backing;  // its path; empty: none
};

Begun begin(const TempDir& dir, const World& world) {
    Begun begun{.path = dir.file("disk.qcow2"), .disk = Bytes(world.size), .backing = ""};
    const std::string base = world.base;
    if (base.empty()) {
        qemu_img(
            {"create", "-q", "-f", "qcow2", "-o", world.options, begun.path, std::to_string(world.size)});
        return begun;
    }
    for (size_t i = 0; i < world.size; ++i) {
        begun.disk[i] = static_cast<uint8_t>(i * 7 / 512 + i % 3);
    }
    const std::string raw = dir.file("base.raw");
    write_bytes(raw, begun.disk);
    if (base == "raw") {
        begun.backing = raw;
        qemu_img({"create", "-q", "-f", "qcow2", "-b", raw, "-F", "raw", "-o", world.options, begun.path});
        return begun;
    }
    qemu_img({"convert", "-q", base == "packed" ? "-c" : "-S0", "-f", "raw", "-O", "qcow2", "-o",
              world.options, raw, begun.path});
    if (base == "kept") {
        qemu_img({"snapshot", "-c", "kept", begun.path});
    }
    return begun;
}

std::unique_ptr<backend::BlockBackend> backing_of(const Begun& begun) {
    return begun.backing.empty()
               ? nullptr
               : opened(begun.backing, {.format = backend::ImageFormat::raw, .read_only = true});
}

// How many ends are tried of each world, spread over its events.
bool full() { return std::getenv("WEFT_TEST_FULL") != nullptr; }
size_t ends() { return full() ? 400 : 10; }

}  // namespace

TEST_CASE("the program's end at any write leaves a sound image with what was flushed", "[qcow2-crash]") {
    const uint64_t seed = test_seed();
    for (const World& world : kWorlds) {
        INFO(world.options << ' ' << world.base << " WEFT_TEST_SEED=" << seed);
        Random random(seed);
        const TempDir dir;
        const Begun begun = begin(dir, world);
        MemoryFile file(file_bytes(begun.path));
        const Life life =
            live(file, begun.disk, backing_of(begun), random, world.rounds, world.most, world.flush_each);
        const size_t step = std::max<size_t>(1, life.events.size() / ends());
        for (size_t count = random.below(step); count <= life.events.size(); count += step) {
            INFO("after event " << count << " of " << life.events.size());
            CHECK(verdict(dir, life, count, crashed(life, count, nullptr)) == "");
        }
        CHECK(verdict(dir, life, life.events.size(), crashed(life, life.events.size(), nullptr)) == "");
        write_bytes(begun.path, file.bytes());
        CHECK(checked(begun.path) == "clean");
    }
}

TEST_CASE(
    "the host's end at any write, whatever it has written by then, leaves a sound image with what was "
    "flushed",
    "[qcow2-crash]") {
    const uint64_t seed = test_seed();
    for (const World& world : kWorlds) {
        INFO(world.options << ' ' << world.base << " WEFT_TEST_SEED=" << seed);
        Random random(seed + 1);
        const TempDir dir;
        const Begun begun = begin(dir, world);
        MemoryFile file(file_bytes(begun.path));
        const Life life =
            live(file, begun.disk, backing_of(begun), random, world.rounds, world.most, world.flush_each);
        // Anywhere; right before a sync, when most is on its way; and after an entry of a table of the first level.
        std::array<std::vector<size_t>, 3> ways;
        for (size_t count = 0; count <= life.events.size(); ++count) {
            ways[0].push_back(count);
            if (count < life.events.size() && life.events[count].sync) {
                ways[1].push_back(count);
            }
            if (count != 0 && life.events[count - 1].data.size() == 8) {
                ways[2].push_back(count);
            }
        }
        for (size_t end = 0; end < 3 * ends(); ++end) {
            const std::vector<size_t>& way = ways[ways[end % 3].empty() ? 0 : end % 3];
            const size_t count = way[random.below(way.size())];
            INFO("after event " << count << " of " << life.events.size());
            CHECK(verdict(dir, life, count, crashed(life, count, &random)) == "");
        }
    }
}

// The header says where it is in one write of 12 bytes, which may be all that the host has written by its end.
TEST_CASE("a larger refcount table is on the disk before the header says where", "[qcow2-crash]") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    Random random(seed);
    const TempDir dir;
    const World world{"cluster_size=512,refcount_bits=64", "", 4 << 20, 120, 64 << 10, 1000};
    const Begun begun = begin(dir, world);
    MemoryFile file(file_bytes(begun.path));
    const Life life = live(file, begun.disk, nullptr, random, world.rounds, world.most, world.flush_each);
    unsigned changes = 0;
    for (size_t i = 0; i < life.events.size(); ++i) {
        if (life.events[i].data.size() != 12) {
            continue;
        }
        ++changes;
        size_t safe = i;
        while (safe != 0 && !life.events[safe - 1].sync) {
            --safe;
        }
        Bytes image = crashed(life, safe, nullptr);
        apply(image, life.events[i].offset, life.events[i].data);
        INFO("only event " << i << " after event " << safe);
        CHECK(verdict(dir, life, i + 1, image) == "");
    }
    CHECK(changes != 0);
}

TEST_CASE("a snapshot outlasts the end of the host", "[qcow2-crash]") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    Random random(seed);
    const TempDir dir;
    const World world{"cluster_size=4k", "kept", 256 << 10, 60, 12 << 10, 4};
    const Begun begun = begin(dir, world);
    MemoryFile file(file_bytes(begun.path));
    const Life life = live(file, begun.disk, nullptr, random, world.rounds, world.most, world.flush_each);
    for (size_t end = 0; end < ends(); ++end) {
        const size_t count = random.below(life.events.size() + 1);
        INFO("after event " << count << " of " << life.events.size());
        write_bytes(begun.path, crashed(life, count, &random));
        qemu_img({"convert", "-l", "snapshot.name=kept", "-O", "raw", begun.path, dir.file("kept.raw")});
        CHECK((file_bytes(dir.file("kept.raw")) == begun.disk));
    }
}

TEST_CASE("a full disk is an error of the writes that meet it, and of nothing else", "[qcow2-crash]") {
    const uint64_t seed = test_seed();
    for (const World& world : kWorlds) {
        INFO(world.options << ' ' << world.base << " WEFT_TEST_SEED=" << seed);
        for (unsigned after = 1; after < 200; after += full() ? 11 : 67) {
            INFO("after write " << after);
            Random random(seed + after);
            const TempDir dir;
            const Begun begun = begin(dir, world);
            MemoryFile file(file_bytes(begun.path));
            Bytes expected = begun.disk;
            std::vector<bool> unknown(world.size / kSector);
            {
                const auto image = image_over(file, backing_of(begun));
                // For a while there is no space, then there is again.
                file.fail_writes(after, 12);
                for (unsigned round = 0; round < world.rounds; ++round) {
                    const size_t first = random.below(unknown.size());
                    const size_t count =
                        1 + random.below(std::min(unknown.size() - first, world.most / kSector));
                    // Some of it zeros that are not written but said, with places that become free.
                    const bool zeros = random.below(4) == 0;
                    const Bytes data =
                        zeros ? Bytes(count * kSector) : pattern(random.next(), count * kSector);
                    const bool written = image->write(first * kSector, data).has_value();
                    std::ranges::copy(data, expected.begin() + static_cast<ptrdiff_t>(first * kSector));
                    for (size_t i = first; i < first + count; ++i) {
                        unknown[i] = !written;
                    }
                    if (random.below(world.flush_each) == 0) {
                        static_cast<void>(image->flush());
                    }
                }
                // A larger refcount table takes a write to the header: where that fails, nothing is written any more.
                bool flushed = false;
                for (unsigned i = 0; i < 20 && !flushed; ++i) {
                    flushed = image->flush().has_value();
                }
                unknown.resize(flushed ? unknown.size() : 0);
            }
            write_bytes(begun.path, file.bytes());
            const std::string check = checked(begun.path);
            CHECK((check == "clean" || check == "leaks" ? "" : check) == "");
            const Bytes disk = contents(dir, begun.path);
            for (size_t i = 0; i < unknown.size(); ++i) {
                const auto at = static_cast<ptrdiff_t>(i * kSector);
                if (!unknown[i] &&
                    !std::equal(disk.begin() + at, disk.begin() + at + kSector, expected.begin() + at)) {
                    FAIL("sector " << i);
                }
            }
        }
    }
}

TEST_CASE("after a sync that failed nothing is written any more", "[qcow2-crash]") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    const TempDir dir;
    const World& world = kWorlds[0];
    const Begun begun = begin(dir, world);
    for (unsigned after = 0; after < 8; ++after) {
        INFO("after sync " << after);
        Random random(seed);
        MemoryFile file(file_bytes(begun.path));
        const auto image = image_over(file, nullptr);
        file.fail_syncs(after);
        const Bytes data = pattern(1, 4096);
        bool failed = false;
        for (unsigned round = 0; round < 40; ++round) {
            const size_t events = file.events().size();
            const auto written = image->write(random.below(world.size / 4096) * 4096, data);
            const auto flushed = image->flush();
            if (failed) {
                CHECK_FALSE(written);
                CHECK_FALSE(flushed);
                CHECK(file.events().size() == events);
                Bytes back(512);
                CHECK(image->read(0, back));
            }
            failed = failed || !flushed;
        }
        CHECK(failed);
    }
}
