// What tests of the guest's memory calls share: a space of a given host page, base and kind, files, and looks at the host.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "base/memfd.h"
#include "base/unique_fd.h"
#include "emulator/linux-user/memory/mapper.h"
#include "weft/abi.h"

namespace weft::test {

using namespace weft::user;

constexpr uint64_t pages(uint64_t count) { return count * kGuestPage; }

// Where fixed mappings of tests go: a multiple of every host page.
inline constexpr uint64_t kArena = 0x10000000;

// Notes what it is told.
class RecordingListener : public CodeListener {
  public:
    void code_gone(uint64_t start, uint64_t end) override { gone.emplace_back(start, end); }
    void code_settle() override { settled++; }
    void code_written(uint64_t start, uint64_t end) override { written.emplace_back(start, end); }

    std::vector<std::pair<uint64_t, uint64_t>> gone;
    std::vector<std::pair<uint64_t, uint64_t>> written;
    unsigned settled = 0;
};

// The ways in which a guest space may be laid over the host's.
inline MemoryConfig space_config(uint64_t host_page, bool based = false, bool reserve = false) {
    MemoryConfig config;
    config.host_page = host_page;
    // Both lie below what the host's kernel gives to programs.
    config.base = based ? uint64_t{1} << 45 : 0;
    config.limit = reserve ? uint64_t{1} << 34 : uint64_t{1} << 45;
    config.reserve = reserve;
    return config;
}

// A sanitizer's shadow is where the low addresses are.
inline MemoryConfig above_shadow(MemoryConfig config) {
    constexpr uint64_t kAbove = uint64_t{1} << 45;
    if (sanitizer_mode() == SanitizerMode::address && config.base == 0) {
        config.base = kAbove;
        config.limit = std::min(config.limit, kAbove);
    }
    return config;
}

struct GuestSpace {
    explicit GuestSpace(const MemoryConfig& config = {}, const HostMemory& host = HostMemory::real()) {
        auto made = MemoryCore::create(above_shadow(config), host, &listener);
        REQUIRE(made.has_value());
        core = std::move(*made);
        mapper = std::make_unique<Mapper>(*core);
    }

    // A private anonymous mapping at a fixed place.
    SysResult fix(uint64_t address, uint64_t size, int protection = PROT_READ | PROT_WRITE,
                  int flags = MAP_PRIVATE) {
        return mapper->map(address, size, protection, flags | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    }
    uint8_t* at(uint64_t guest) const { return reinterpret_cast<uint8_t*>(core->host_address(guest)); }
    // The intervals as text: start-end in pages from the arena, protection, p or s.
    std::string text(uint64_t start = 0, uint64_t end = ~uint64_t{0}) {
        MutexLock lock(core->space().mutex());
        std::ostringstream out;
        core->space().tree().visit(start, end, [&](const Interval& i) {
            const auto page = [](uint64_t a) { return static_cast<int64_t>(a - kArena) / 4096; };
            out << page(i.start) << "-" << page(i.end) << ":"
                << ((i.attributes.protection & kRead) != 0 ? "r" : "")
                << ((i.attributes.protection & kWrite) != 0 ? "w" : "")
                << ((i.attributes.protection & kExecute) != 0 ? "x" : "") << (i.attributes.shared ? "s" : "")
                << (i.attributes.kind == Kind::foreign ? "foreign" : "") << " ";
            return true;
        });
        return out.str();
    }
    int host_protection_of(uint64_t guest) const {
        std::ifstream maps("/proc/self/maps");
        for (std::string line; std::getline(maps, line);) {
            unsigned long from = 0, to = 0;
            char perms[5] = {};
            if (std::sscanf(line.c_str(), "%lx-%lx %4s", &from, &to, perms) == 3 &&
                from <= core->host_address(guest) && core->host_address(guest) < to) {
                return (perms[0] == 'r' ? PROT_READ : 0) | (perms[1] == 'w' ? PROT_WRITE : 0) |
                       (perms[2] == 'x' ? PROT_EXEC : 0);
            }
        }
        return -1;
    }
    // Protections of the host from `start` on, one a real page; -1: nothing there.
    std::vector<int> host_protections(uint64_t start, uint64_t count) const {
        std::vector<int> found(count, -1);
        const uint64_t low = core->host_address(start);
        std::ifstream maps("/proc/self/maps");
        for (std::string line; std::getline(maps, line);) {
            unsigned long from = 0, to = 0;
            char perms[5] = {};
            if (std::sscanf(line.c_str(), "%lx-%lx %4s", &from, &to, perms) != 3) {
                continue;
            }
            for (uint64_t at = std::max<uint64_t>(from, low); at < std::min<uint64_t>(to, low + pages(count));
                 at += 4096) {
                found[(at - low) / 4096] = (perms[0] == 'r' ? PROT_READ : 0) |
                                           (perms[1] == 'w' ? PROT_WRITE : 0) |
                                           (perms[2] == 'x' ? PROT_EXEC : 0);
            }
        }
        return found;
    }

    RecordingListener listener;
    std::unique_ptr<MemoryCore> core;
    std::unique_ptr<Mapper> mapper;
};

// A file whose page n holds the byte `first + n` throughout.
inline UniqueFd numbered_file(uint64_t count, uint8_t first, uint64_t extra = 0) {
    UniqueFd file(::memfd_create("weft-test", 0));
    REQUIRE(file.get() >= 0);
    for (uint64_t i = 0; i * 4096 < pages(count) + extra; i++) {
        const std::vector<uint8_t> page(std::min<uint64_t>(4096, pages(count) + extra - pages(i)),
                                        static_cast<uint8_t>(first + i));
        REQUIRE(::pwrite(file.get(), page.data(), page.size(), static_cast<off_t>(pages(i))) ==
                static_cast<ssize_t>(page.size()));
    }
    return file;
}

// The same file with other rights.
inline UniqueFd reopened(const UniqueFd& file, int flags) {
    UniqueFd again(::open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), flags));
    REQUIRE(again.get() >= 0);
    return again;
}

// The byte that a whole guest page holds; -1: several; -2: it cannot be read.
inline int byte_of(const GuestSpace& space, uint64_t guest) {
    uint8_t page[4096];
    if (HostMemory::real().copy(reinterpret_cast<uintptr_t>(page), space.core->host_address(guest), 4096) !=
        4096) {
        return -2;
    }
    for (const uint8_t byte : page) {
        if (byte != page[0]) {
            return -1;
        }
    }
    return page[0];
}

}  // namespace weft::test
