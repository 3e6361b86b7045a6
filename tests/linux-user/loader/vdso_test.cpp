// The vDSO as binutils read it, and as a C library looks things up in it.
#include "emulator/linux-user/loader/vdso.h"

#include <elf.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sstream>

#include "elf_file.h"
#include "elf_tool.h"
#include "emulator/linux-user/loader/image.h"
#include "tests/support/subprocess.h"

using namespace weft::user;

namespace {

// Of Linux' arch/riscv/kernel/vdso/vdso.lds.S, with the system calls of the generic table.
const std::map<std::string, uint32_t> kExpected = {
    {"__vdso_rt_sigreturn", 139}, {"__vdso_gettimeofday", 169}, {"__vdso_clock_gettime", 113},
    {"__vdso_clock_getres", 114}, {"__vdso_getcpu", 168},       {"__vdso_flush_icache", 259},
    {"__vdso_riscv_hwprobe", 258}};

std::string object() { return std::getenv("WEFT_VDSO"); }

std::string image() {
    return {reinterpret_cast<const char*>(kVdsoImage.bytes.data()), kVdsoImage.bytes.size()};
}

template <class T>
T at(uint64_t offset) {
    T value{};
    REQUIRE(offset + sizeof(T) <= kVdsoImage.bytes.size());
    std::memcpy(&value, kVdsoImage.bytes.data() + offset, sizeof(T));
    return value;
}

// By System V ABI's hash table and the version, as C libraries do; 0 where there is none.
uint64_t look_up(const std::string& name, const std::string& version) {
    std::map<int64_t, uint64_t> dynamic;
    const auto header = at<Elf64_Ehdr>(0);
    for (unsigned i = 0; i < header.e_phnum; ++i) {
        const auto segment = at<Elf64_Phdr>(header.e_phoff + i * sizeof(Elf64_Phdr));
        for (uint64_t entry = 0; segment.p_type == PT_DYNAMIC && entry < segment.p_filesz; entry += 16) {
            dynamic[at<int64_t>(segment.p_vaddr + entry)] = at<uint64_t>(segment.p_vaddr + entry + 8);
        }
    }
    const auto text = [&dynamic](uint64_t offset) {
        return std::string(image().c_str() + dynamic.at(DT_STRTAB) + offset);
    };
    unsigned long hash = 0;
    for (const char c : name) {
        hash = (hash << 4) + static_cast<unsigned char>(c);
        hash ^= (hash & 0xf0000000ul) >> 24;
        hash &= 0x0ffffffful;
    }
    const uint64_t table = dynamic.at(DT_HASH);
    const auto buckets = at<uint32_t>(table);
    for (uint32_t i = at<uint32_t>(table + 8 + hash % buckets * 4); i != 0;
         i = at<uint32_t>(table + 8 + (buckets + i) * 4)) {
        const auto symbol = at<Elf64_Sym>(dynamic.at(DT_SYMTAB) + i * sizeof(Elf64_Sym));
        uint64_t definition = dynamic.at(DT_VERDEF);
        while (at<Elf64_Verdef>(definition).vd_ndx != at<uint16_t>(dynamic.at(DT_VERSYM) + i * 2)) {
            REQUIRE(at<Elf64_Verdef>(definition).vd_next != 0);
            definition += at<Elf64_Verdef>(definition).vd_next;
        }
        const auto name_of_version =
            at<Elf64_Verdaux>(definition + at<Elf64_Verdef>(definition).vd_aux).vda_name;
        if (text(symbol.st_name) == name && text(name_of_version) == version) {
            return symbol.st_value;
        }
    }
    return 0;
}

}  // namespace

TEST_CASE("The vDSO's functions are found by name and version", "[vdso]") {
    CHECK(image() == weft::test::read_file(object()));
    CHECK(kVdsoImage.bytes.size() <= 4096);
    for (const auto& [name, number] : kExpected) {
        INFO(name);
        const uint64_t address = look_up(name, "LINUX_4.15");
        REQUIRE(address != 0);
        CHECK(look_up(name, "LINUX_2.6") == 0);
        // li a7, number; ecall; ret
        CHECK(at<uint32_t>(address) == (number << 20 | 0x893));
        CHECK(at<uint32_t>(address + 4) == 0x73);
        if (name != "__vdso_rt_sigreturn") {
            CHECK(at<uint32_t>(address + 8) == 0x8067);
        }
    }
    CHECK(look_up("__vdso_time", "LINUX_4.15") == 0);
    CHECK(kVdsoImage.rt_sigreturn == look_up("__vdso_rt_sigreturn", "LINUX_4.15"));
    CHECK(at<uint32_t>(kVdsoImage.rt_sigreturn) == 0x08b00893);  // as libgcc and gdb compare
}

TEST_CASE("Binutils read the vDSO without complaint", "[vdso]") {
    // readelf() fails on any warning.
    std::map<std::string, std::string> symbols;
    for (const std::string& line : readelf("-aW", object())) {
        const std::vector<std::string> parts = words(line);
        if (parts.size() == 8 && parts[3] == "FUNC") {
            symbols[parts[7].substr(0, parts[7].find('@'))] = parts[7].substr(parts[7].find('@'));
            CHECK(parts[4] == "GLOBAL");
        }
    }
    CHECK(symbols.size() == kExpected.size());
    for (const auto& [name, version] : symbols) {
        CHECK(kExpected.contains(name));
        CHECK(version == "@@LINUX_4.15");
    }
    const weft::test::Outcome listing =
        weft::test::run({{std::getenv("WEFT_OBJDUMP"), "-d", object()}, {}, {{"LC_ALL", "C"}}});
    CHECK(listing.exit_code == 0);
    CHECK(listing.errors.empty());
    std::vector<std::string> of_sigreturn;
    bool inside = false;
    std::istringstream lines(listing.output);
    for (std::string line; std::getline(lines, line);) {
        if (line.ends_with(">:")) {
            inside = line.find("<__vdso_rt_sigreturn@@LINUX_4.15>:") != std::string::npos;
        } else if (const auto parts = words(line); inside && parts.size() > 2) {
            of_sigreturn.push_back(parts[2] + (parts.size() > 3 ? " " + parts[3] : ""));
        }
    }
    CHECK(of_sigreturn == std::vector<std::string>{"li a7,139", "ecall"});
}

TEST_CASE("The vDSO is an image that can be planned", "[vdso]") {
    const auto headers = read_image_headers(BytesInMemory(image()), ImageRole::interpreter);
    REQUIRE(headers);
    const auto plan = plan_image(*headers, uint64_t{1} << 46);
    REQUIRE(plan);
    CHECK(plan->segments ==
          std::vector<Segment>{{0, 0, image().size(), image().size(), kMayRead | kMayExec}});
}

TEST_CASE("Frames of the vDSO", "[vdso]") {
    // struct rt_sigframe of Linux' arch/riscv: pc and x1 to x31 at 304, f0 to f31 behind them.
    std::map<std::string, std::string> rules;
    std::string cie, sigreturn, of_cie;
    std::map<uint64_t, uint64_t> ranges;
    for (const std::string& line : readelf("--debug-dump=frames", object())) {
        if (line.find(" CIE") != std::string::npos) {
            cie = words(line)[0];
        } else if (const size_t pc = line.find(" pc="); pc != std::string::npos) {
            const uint64_t start = std::stoull(line.substr(pc + 4), nullptr, 16);
            ranges[start] = std::stoull(line.substr(line.find("..") + 2), nullptr, 16);
            if (kVdsoImage.rt_sigreturn > start && kVdsoImage.rt_sigreturn < ranges[start]) {
                sigreturn = line.substr(line.find("cie=") + 4, 8);
            }
        } else if (line.find("Augmentation:") != std::string::npos &&
                   line.find("\"zRS\"") != std::string::npos) {
            of_cie = cie;
        } else if (const size_t name = line.find("DW_CFA_expression: "); name != std::string::npos) {
            // "DW_CFA_expression: r64 (...) (DW_OP_breg2 (sp): 304)"
            rules[words(line)[1]] = line.substr(line.rfind(": ") + 2);
        } else if (line.find("DW_CFA_def_cfa_expression") != std::string::npos) {
            rules["cfa"] = line.substr(line.find('('));
        }
    }
    CHECK(!sigreturn.empty());
    CHECK(sigreturn == of_cie);  // it alone is a signal's frame
    CHECK(ranges.size() == kExpected.size());
    for (const auto& [name, number] : kExpected) {
        CHECK(ranges.contains(look_up(name, "LINUX_4.15") - (number == 139 ? 4 : 0)));
    }
    // .eh_frame_hdr: its table of ranges, sorted, in offsets from the section's start.
    for (const ElfHeaders::Program& segment : readelf_headers(object()).program) {
        if (segment.type == "GNU_EH_FRAME") {
            CHECK(at<uint32_t>(segment.vaddr) == 0x3b031b01);
            REQUIRE(segment.file_size == 12 + ranges.size() * 8);
            CHECK(at<uint32_t>(segment.vaddr + 8) == ranges.size());
            uint64_t entry = segment.vaddr + 12;
            for (const auto& [start, end] : ranges) {
                CHECK(segment.vaddr + at<uint32_t>(entry) == start);
                const uint64_t description = segment.vaddr + at<uint32_t>(entry + 4);
                CHECK(description + 8 + at<int32_t>(description + 8) == start);
                CHECK(start + at<uint32_t>(description + 12) == end);
                entry += 8;
            }
        }
    }
    CHECK(rules["cfa"] == "(DW_OP_breg2 (sp): 320; DW_OP_deref)");
    CHECK(rules["r64"] == "304)");
    for (int reg = 1; reg < 32; ++reg) {
        CHECK(rules["r" + std::to_string(reg)] == std::to_string(304 + 8 * reg) + ")");
    }
    for (int reg = 0; reg < 32; ++reg) {
        CHECK(rules["r" + std::to_string(32 + reg)] == std::to_string(560 + 8 * reg) + ")");
    }
    CHECK(rules.size() == 65);
}
