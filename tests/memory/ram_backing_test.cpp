// RAM that lies in files and in memory that others map as well.
#include "emulator/memory/ram_backing.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "base/memfd.h"
#include "emulator/memory/topology.h"
#include "weft/memory.h"

namespace weft::mem {
namespace {

constexpr uint64_t kSize = 64 * kPageSize;

struct Block {
    Topology topology;
    std::shared_ptr<RamBlock> ram = topology.allocate_ram("ram", 4 * kSize).value();
};

// As another process finds the file.
std::string bytes_of(int fd, uint64_t offset, size_t size) {
    std::string bytes(size, '?');
    REQUIRE(pread(fd, bytes.data(), size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size));
    return bytes;
}

void put(const Memfd& file, uint64_t offset, const std::string& text) {
    REQUIRE(pwrite(file.fd(), text.data(), text.size(), static_cast<off_t>(offset)) ==
            static_cast<ssize_t>(text.size()));
}

std::string at(const uint8_t* place, size_t size) {
    std::string text(size, '\0');
    std::memcpy(text.data(), place, size);
    return text;
}

// Refuses one of the calls.
struct Refusing final : HostCalls {
    bool maps = true;
    void* map(void* address, size_t size, int prot, int flags, int fd, off_t offset) const override {
        if (!maps) {
            errno = EACCES;
            return MAP_FAILED;
        }
        return HostCalls::map(address, size, prot, flags, fd, offset);
    }
    int advise(void* address, size_t size, int advice) const override {
        if (maps && advice != MADV_HUGEPAGE) {
            errno = ENOMEM;
            return -1;
        }
        return HostCalls::advise(address, size, advice);
    }
};

}  // namespace

TEST_CASE("parts of RAM lie where they are said to", "[memory]") {
    Block block;
    const Memfd shared = Memfd::create("shared", 2 * kSize).value();
    const Memfd once = Memfd::create("once", kSize).value();
    put(shared, kPageSize, "of the file");
    put(once, 0, "given");
    const std::vector<RamBacking> backings = {
        {.size = kSize, .fd = shared.fd(), .offset = kPageSize, .shared = true},
        {.size = kSize},
        {.size = 2 * kPageSize, .fd = once.fd()},
    };
    REQUIRE(back_ram(*block.ram, backings));
    uint8_t* const host = block.ram->host();
    CHECK(at(host, 11) == "of the file");
    CHECK(at(host + kSize, 4) == std::string(4, '\0'));
    CHECK(at(host + 2 * kSize, 5) == "given");

    // What is stored is in the shared file, and in no other.
    std::memcpy(host + kSize - 6, "stored in both", 14);
    std::memcpy(host + 2 * kSize, "mine", 4);
    CHECK(bytes_of(shared.fd(), kPageSize + kSize - 6, 6) == "stored");
    CHECK(bytes_of(shared.fd(), kPageSize + kSize, 8) == std::string(8, '\0'));
    CHECK(bytes_of(once.fd(), 0, 5) == "given");
    // And the other way round.
    put(shared, kPageSize + 100, "from outside");
    CHECK(at(host + 100, 12) == "from outside");
}

TEST_CASE("RAM that is given back to the host reads as zero, or keeps what it has", "[memory]") {
    Block block;
    const Memfd shared = Memfd::create("shared", kSize).value();
    const Memfd once = Memfd::create("once", kSize).value();
    put(once, 0, "given");
    const std::vector<RamBacking> backings = {{.size = kSize, .fd = shared.fd(), .shared = true},
                                              {.size = kSize, .fd = once.fd()}};
    REQUIRE(back_ram(*block.ram, backings));
    uint8_t* const host = block.ram->host();
    for (uint64_t part = 0; part < 3; ++part) {
        std::memcpy(host + part * kSize, "secret", 6);
    }
    // Of the file.
    REQUIRE(block.ram->discard(0, kPageSize));
    CHECK(at(host, 6) == std::string(6, '\0'));
    CHECK(bytes_of(shared.fd(), 0, 6) == std::string(6, '\0'));
    // The private view: the file's bytes must not come back.
    const Result<> refused = block.ram->discard(kSize, kPageSize);
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().message(),
               Catch::StartsWith("cannot give 4096 bytes of ram back to the host: "));
    CHECK(at(host + kSize, 6) == "secret");
    // The block's own.
    REQUIRE(block.ram->discard(2 * kSize, kPageSize));
    CHECK(at(host + 2 * kSize, 6) == std::string(6, '\0'));
}

TEST_CASE("RAM may be there at once", "[memory]") {
    Block block;
    const Memfd file = Memfd::create("file", kSize).value();
    const std::vector<RamBacking> backings = {
        {.size = kSize, .populate = true},
        {.size = kSize, .fd = file.fd(), .shared = true, .populate = true},
        {.size = kSize}};
    REQUIRE(back_ram(*block.ram, backings));
    std::array<unsigned char, 3 * kSize / kPageSize> there{};
    REQUIRE(mincore(block.ram->host(), 3 * kSize, there.data()) == 0);
    for (size_t page = 0; page < 2 * kSize / kPageSize; ++page) {
        CHECK((there[page] & 1) != 0);
    }
    CHECK((there[2 * kSize / kPageSize] & 1) == 0);
}

TEST_CASE("what the host refuses is an error", "[memory]") {
    Block block;
    const Memfd file = Memfd::create("file", kSize).value();
    Refusing calls;
    calls.maps = false;
    const std::vector<RamBacking> mapped = {{.size = kSize, .fd = file.fd(), .shared = true}};
    CHECK(back_ram(*block.ram, mapped, calls).error().message() ==
          "cannot map 256K of it: Permission denied");
    calls.maps = true;
    const std::vector<RamBacking> populated = {{.size = kSize, .populate = true}};
    CHECK(back_ram(*block.ram, populated, calls).error().message() ==
          "cannot have 256K at once: Cannot allocate memory");
}

}  // namespace weft::mem
