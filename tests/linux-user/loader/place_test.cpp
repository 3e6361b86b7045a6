// Plans carried out: on a mapper that writes down the calls, and on the host's memory.
#include "emulator/linux-user/loader/place.h"

#include <sys/mman.h>

#include <catch2/catch.hpp>
#include <cerrno>

#include "elf_file.h"
#include "elf_tool.h"
#include "mappers.h"
#include "tests/support/subprocess.h"

using namespace weft::user;

namespace {

constexpr uint64_t kLimit = uint64_t{1} << 46;
using Calls = std::vector<std::string>;

ImagePlan plan_of(const std::string& bytes) {
    const auto headers = read_image_headers(BytesInMemory(bytes), ImageRole::program);
    REQUIRE(headers);
    const auto plan = plan_image(*headers, kLimit);
    REQUIRE(plan);
    return *plan;
}

// Text, a hole, and data with bss over its page's end.
ElfFile usual(uint16_t type) {
    ElfFile file(type);
    file.header.e_entry = 0x10100;
    file.add(PT_LOAD, PF_R | PF_X, 0, 0x10000, 0x1000, 0x1000);
    file.add(PT_LOAD, PF_R | PF_W, 0x1000, 0x12000, 0x800, 0x2800);
    file.contents[0x1000] = std::string(0x1000, 'd');
    return file;
}

}  // namespace

TEST_CASE("A fixed image takes its own pages and no hole", "[place]") {
    RecordingMapper mapper;
    const auto placed = place_image(plan_of(usual(ET_EXEC).bytes()), mapper, std::nullopt, kLimit);
    REQUIRE(placed);
    CHECK(placed->bias == 0);
    CHECK(placed->entry == 0x10100);
    CHECK(placed->phdr_address == 0x10040);
    CHECK(placed->brk_start == 0x15000);
    CHECK(mapper.calls == Calls{"reserve 10000-11000", "reserve 12000-15000", "file 10000-11000 @0 r-x",
                                "file 12000-13000 @1000 rw-", "zero 12800-13000",
                                "anonymous 13000-15000 rw-"});
}

TEST_CASE("An image that is not fixed goes where it is wanted, or elsewhere", "[place]") {
    ElfFile file = usual(ET_DYN);
    RecordingMapper mapper;
    SECTION("wanted") {
        const auto placed = place_image(plan_of(file.bytes()), mapper, 0x5000000, kLimit);
        REQUIRE(placed);
        CHECK(placed->bias == 0x5000000 - 0x10000);
        CHECK(placed->entry == 0x5000100);
        CHECK(placed->phdr_address == 0x5000040);
        CHECK(placed->brk_start == 0x5005000);
        CHECK(mapper.calls == Calls{"reserve 5000000-5005000", "release 5001000-5002000",
                                    "file 5000000-5001000 @0 r-x", "file 5002000-5003000 @1000 rw-",
                                    "zero 5002800-5003000", "anonymous 5003000-5005000 rw-"});
    }
    SECTION("wanted, where something is") {
        mapper.taken[0x5004000] = 0x5006000;
        const auto placed = place_image(plan_of(file.bytes()), mapper, 0x5000000, kLimit);
        REQUIRE(placed);
        CHECK(placed->bias == (uint64_t{1} << 32) - 0x5000 - 0x10000);
    }
    SECTION("aligned") {
        file.program[1].p_align = 0x200000;
        const auto placed = place_image(plan_of(file.bytes()), mapper, 0x5000000, kLimit);
        REQUIRE(placed);
        // The lowest page lies 0x10000 above a multiple of the alignment, at or below what is wanted.
        CHECK(placed->bias == 0x4e00000);
        CHECK(mapper.calls[0] == "reserve 4e10000-4e15000");
        RecordingMapper other;
        const auto elsewhere = place_image(plan_of(file.bytes()), other, std::nullopt, kLimit);
        REQUIRE(elsewhere);
        CHECK(elsewhere->bias % 0x200000 == 0);
        CHECK(other.calls[0] == "anywhere 5000 at 10000 modulo 200000");
        // Wanted below the lowest place that the alignment allows.
        RecordingMapper low;
        CHECK(place_image(plan_of(file.bytes()), low, 0x8000, kLimit)->bias % 0x200000 == 0);
        CHECK(low.calls[0] == "anywhere 5000 at 10000 modulo 200000");
    }
    SECTION("lower than its addresses") {
        for (Elf64_Phdr& header : file.program) {
            header.p_vaddr += uint64_t{1} << 38;
        }
        file.header.e_entry += uint64_t{1} << 38;
        const auto placed = place_image(plan_of(file.bytes()), mapper, 0x5000000, kLimit);
        REQUIRE(placed);
        CHECK(placed->entry == 0x5000100);
        CHECK(placed->phdr_address == 0x5000040);
        CHECK(placed->brk_start == 0x5005000);
    }
    SECTION("aligned more than the space is large") {
        file.program[0].p_align = uint64_t{1} << 63;
        REQUIRE(place_image(plan_of(file.bytes()), mapper, std::nullopt, kLimit));
        CHECK(mapper.calls[0] == "anywhere 5000 at 10000 modulo 8000000000000000");
        CHECK(mapper.calls[1] == "anywhere 5000 at 0 modulo 1000");
    }
    SECTION("nowhere") {
        mapper.top = 0x4000;
        CHECK(place_image(plan_of(file.bytes()), mapper, std::nullopt, kLimit).error().number == ENOMEM);
    }
}

TEST_CASE("Segments in any order, over each other, and with nothing in them", "[place]") {
    ElfFile file(ET_DYN);
    file.add(PT_LOAD, PF_R, 0x3000, 0x8000, 0x1000, 0x1000);
    file.add(PT_LOAD, PF_R | PF_X, 0x1010, 0x2010, 0x100, 0x100);  // lower address, lower offset
    file.add(PT_LOAD, PF_R | PF_W, 0x2200, 0x2200, 0x10, 0x10);    // the same page: the later one wins
    file.add(PT_LOAD, PF_R, 0x9, 0xb000, 0, 0);
    RecordingMapper mapper;
    const auto placed = place_image(plan_of(file.bytes()), mapper, 0x100000, kLimit);
    REQUIRE(placed);
    CHECK(placed->bias == 0x100000 - 0x2000);
    CHECK(mapper.calls == Calls{"reserve 100000-109000", "release 101000-106000", "release 107000-109000",
                                "file 106000-107000 @3000 r--", "file 100000-101000 @1000 r-x",
                                "file 100000-101000 @2000 rw-"});
}

TEST_CASE("Zeros behind the file's bytes also where the guest may not write", "[place]") {
    // QEMU issue 1102.
    ElfFile file(ET_EXEC);
    file.add(PT_LOAD, PF_R | PF_X, 0x1000, 0x10000, 0x10, 0x1100);
    RecordingMapper mapper;
    REQUIRE(place_image(plan_of(file.bytes()), mapper, std::nullopt, kLimit));
    CHECK(mapper.calls == Calls{"reserve 10000-12000", "file 10000-11000 @1000 rwx", "zero 10010-11000",
                                "protect 10000-11000 r-x", "anonymous 11000-12000 rwx"});
}

TEST_CASE("Whatever call fails, nothing of an image remains", "[place]") {
    for (const uint16_t type : {ET_EXEC, ET_DYN}) {
        ElfFile file = usual(type);
        file.add(PT_LOAD, PF_R, 0x1000, 0x20000, 0x10, 0x20);
        file.header.e_entry = kLimit;
        const ImagePlan plan = plan_of(file.bytes());
        RecordingMapper none_fails;
        REQUIRE(!place_image(plan, none_fails, std::nullopt, kLimit));
        const size_t calls = none_fails.calls.size();
        for (size_t call = 0; call < calls; ++call) {
            RecordingMapper mapper;
            mapper.taken[0x1000000] = 0x1001000;
            mapper.fail_at = static_cast<int>(call);
            const auto placed = place_image(plan, mapper, std::nullopt, kLimit);
            REQUIRE(!placed);
            CHECK(mapper.taken == std::map<uint64_t, uint64_t>{{0x1000000, 0x1001000}});
            // Without a failure that matters (of release(), or of a zero() that may fail) there is the entry point.
            CHECK((placed.error().number == ENOMEM || placed.error().number == EINVAL));
        }
        CHECK(calls > 9);
    }
    RecordingMapper mapper;
    mapper.taken[0x14000] = 0x15000;
    const auto placed = place_image(plan_of(usual(ET_EXEC).bytes()), mapper, std::nullopt, kLimit);
    REQUIRE(!placed);
    CHECK(placed.error().number == EEXIST);
    CHECK(mapper.taken == std::map<uint64_t, uint64_t>{{0x14000, 0x15000}});
}

TEST_CASE("Real programs lie in memory as their sections say", "[place]") {
    for (const std::string& file : real_programs()) {
        INFO(file);
        const std::string bytes = weft::test::read_file(file);
        HostMapper mapper(file);
        const auto placed = place_image(plan_of(bytes), mapper, HostMapper::kSize / 3 * 2, kLimit);
        REQUIRE(placed);
        unsigned looked_at = 0;
        for (const ElfSection& section : readelf_sections(file)) {
            const bool thread_zeros =
                section.type == "NOBITS" && section.flags.find('T') != std::string::npos;
            if (section.flags.find('A') == std::string::npos || section.size == 0 || thread_zeros) {
                continue;
            }
            INFO(section.name);
            ++looked_at;
            const std::string memory(mapper.at(section.address + placed->bias), section.size);
            const std::string expected = section.type == "NOBITS"
                                             ? std::string(section.size, '\0')
                                             : bytes.substr(section.offset, section.size);
            CHECK(memory == expected);
            const bool writable = section.flags.find('W') != std::string::npos;
            CHECK(mapper.host_protection(section.address + placed->bias) == (writable ? "rw-" : "r--"));
        }
        CHECK(looked_at > 5);
        CHECK(mapper.host_protection(placed->brk_start) == "---");
    }
}

TEST_CASE("Zeros and protections in memory", "[place]") {
    weft::test::TempDir folder;
    ElfFile file(ET_DYN);
    file.add(PT_LOAD, PF_R, 0x1000, 0, 0x10, 0x20);
    file.add(PT_LOAD, PF_R | PF_W, 0x2000, 0x2000, 0x10, 0x10);
    file.contents[0x1000] = std::string(0x2000, 'd');
    const std::string path = folder.write("program", file.bytes());
    HostMapper mapper(path);
    const auto placed = place_image(plan_of(file.bytes()), mapper, std::nullopt, kLimit);
    REQUIRE(placed);
    CHECK(std::string(mapper.at(placed->bias), 0x1000) == std::string(0x10, 'd') + std::string(0xff0, '\0'));
    CHECK(mapper.host_protection(placed->bias) == "r--");
    CHECK(mapper.host_protection(placed->bias + 0x1000) == "---");
    // Without bss the page keeps what the file has there.
    CHECK(std::string(mapper.at(placed->bias + 0x2000), 0x1000) == std::string(0x1000, 'd'));
}

TEST_CASE("A page past the file's end cannot be zeroed", "[place]") {
    weft::test::TempDir folder;
    ElfFile file(ET_DYN);
    Elf64_Phdr& header = file.add(PT_LOAD, PF_R | PF_W, 0x4000, 0, 0x10, 0x20);
    const auto place = [&folder, &file] {
        HostMapper mapper(folder.write("program", file.bytes()));
        return place_image(plan_of(file.bytes()), mapper, std::nullopt, kLimit);
    };
    REQUIRE(!place());
    CHECK(place().error().number == EFAULT);
    // Linux does not mind where it would not be written, nor where there is nothing to zero.
    header.p_flags = PF_R;
    CHECK(place());
    header.p_flags = PF_R | PF_W;
    header.p_memsz = 0x10;
    CHECK(place());
}
