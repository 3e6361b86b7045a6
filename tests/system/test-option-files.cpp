// Files to boot: which firmware is taken, what fits, what is refused before it is read.
#include <catch2/catch.hpp>

#include <cstring>

#include "emulator/hw/riscv/virt_boot.h"
#include "emulator/system/option_files.h"
#include "tests/support/subprocess.h"

using namespace weft;
using namespace weft::sys;

namespace {

Options options_for(std::vector<const char*> arguments) {
    const auto options = parse_options(arguments);
    REQUIRE(options);
    return *options;
}

std::string message(const Options& options, const std::vector<std::string>& firmware = {}) {
    const auto boot = read_boot_files(options, firmware);
    if (!boot) {
        return boot.error().message();
    }
    const auto plan = options.machine->plan(*boot);
    return plan ? "(fine)" : plan.error().message();
}

void put(std::string& file, size_t at, uint64_t value, size_t size) {
    std::memcpy(file.data() + at, &value, size);
}

// A RISC-V executable of `size` bytes with one segment of 8 bytes at `paddr` (ELF gABI, chapter "Object Files").
std::string executable(size_t size, uint64_t paddr) {
    std::string file(size, '\0');
    std::memcpy(file.data(), "\177ELF\2\1\1", 7);
    put(file, 16, 2, 2);    // ET_EXEC
    put(file, 18, 243, 2);  // EM_RISCV
    put(file, 20, 1, 4);
    put(file, 24, paddr, 8);  // e_entry
    put(file, 32, 64, 8);     // e_phoff
    put(file, 52, 64, 2);
    put(file, 54, 56, 2);
    put(file, 56, 1, 2);
    put(file, 64, 1, 4);  // PT_LOAD
    put(file, 64 + 24, paddr, 8);
    put(file, 64 + 32, 8, 8);
    put(file, 64 + 40, 8, 8);
    return file;
}

}  // namespace

TEST_CASE("firmware candidates: the environment, the program's folders, the distribution's",
          "[option-files]") {
    const auto candidates = firmware_candidates({}, "/fw", "/opt/weft/bin");
    CHECK(candidates ==
          std::vector<std::string>{"/fw/fw_dynamic.bin", "/opt/weft/bin/firmware/fw_dynamic.bin",
                                   "/opt/weft/share/weft/firmware/fw_dynamic.bin",
                                   "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin",
                                   "/usr/share/opensbi/lp64/generic/firmware/fw_dynamic.bin",
                                   "/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin",
                                   "/usr/local/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin"});
    CHECK(firmware_candidates({}, "", "/p")[0] == "/p/firmware/fw_dynamic.bin");
    CHECK(firmware_candidates({}, std::nullopt, "/p")[0] == "/p/firmware/fw_dynamic.bin");
}

TEST_CASE("-bios default takes the first candidate there is", "[option-files]") {
    const test::TempDir dir;
    const std::string first = dir.write("first", "first firmware");
    const std::string second = dir.write("second", "second");
    const auto boot = read_boot_files(options_for({"-m", "16M"}), {dir.file("absent"), first, second});
    REQUIRE(boot);
    const auto plan = hw::virt::plan_boot(*boot);
    REQUIRE(plan);
    REQUIRE(plan->segments.size() == 1);
    CHECK(plan->segments[0].paddr == 0x80000000);
    CHECK(std::string(plan->segments[0].bytes.begin(), plan->segments[0].bytes.end()) == "first firmware");
    CHECK(message(options_for({}), {"/a", "/b\nc"}) ==
          "-bios: found no OpenSBI firmware, looked for '/a', '/b\\x0ac' (-bios FILE names one, -bios none "
          "does "
          "without)");
    CHECK(message(options_for({"-bios", "none"}), {"/a"}) == "(fine)");
}

TEST_CASE("an ELF file may be larger than memory as long as its segments are not", "[option-files]") {
    const test::TempDir dir;
    const std::string fits = dir.write("fits", executable(3u << 20, 0x80000000));
    const std::string beyond = dir.write("beyond", executable(4096, 0x80800000));
    const std::string raw = dir.write("raw", std::string((2u << 20) + 1, '.'));
    CHECK(message(options_for({"-m", "2M", "-bios", "none", "-kernel", fits.c_str()})).find("larger") ==
          std::string::npos);
    CHECK(message(options_for({"-m", "8M", "-bios", "none", "-kernel", fits.c_str()})) == "(fine)");
    CHECK(message(options_for({"-m", "8M", "-bios", "none", "-kernel", beyond.c_str()})) ==
          "-kernel: '" + beyond +
              "': needs memory at 0x80800000 to 0x80800007, but RAM is at 0x80000000 to 0x807fffff "
              "(8 MiB)");
    CHECK(message(options_for({"-m", "2M", "-bios", "none", "-kernel", raw.c_str()})) ==
          "-kernel: '" + raw + "': the file is larger than the machine's memory of 2M");
    // What never ends is not read to its end.
    CHECK(message(options_for({"-m", "2M", "-bios", "/dev/zero"})) ==
          "-bios: '/dev/zero': the file is larger than the machine's memory of 2M");
    CHECK(message(options_for({"-m", "2M", "-bios", "/dev/null"})) ==
          "-bios: '/dev/null': the file is empty");
}

TEST_CASE("messages about files to boot are one line each", "[option-files]") {
    const test::TempDir dir;
    const std::string absent = dir.file("ab\nsent");
    const std::string empty = dir.write("em\npty", "");
    const std::string elf = dir.write("e\nlf", std::string("\177ELF\1\1\1") + std::string(100, '\0'));
    const std::string packed = dir.write("pa\ncked", "\x1f\x8b torn");
    const std::string large = dir.write("la\nrge", std::string((8u << 20) + 1, '.'));
    const std::string fine = dir.write("fine", std::string(4096, '.'));
    unsigned refused = 0;
    for (const std::string& file : {absent, empty, elf, packed, large, dir.path() + "/\n/.."}) {
        for (const char* option : {"-bios", "-kernel", "-initrd", "-dtb"}) {
            std::vector<const char*> arguments = {"-m", "8M", option, file.c_str()};
            if (std::string(option) == "-initrd") {
                arguments.insert(arguments.end(), {"-bios", "none", "-kernel", fine.c_str()});
            } else if (std::string(option) != "-bios") {
                arguments.insert(arguments.end(), {"-bios", "none"});
            }
            const std::string text = message(options_for(arguments));
            INFO(option << " " << file << ": " << text);
            CHECK(text.find('\n') == std::string::npos);
            if (text != "(fine)") {
                ++refused;
                CHECK(text.starts_with(std::string(option) + ": '"));
            }
        }
    }
    // But for the damaged gzip file as firmware, and it and the ELF file as RAM disks: those may be any bytes.
    CHECK(refused == 21);
}

TEST_CASE("outputs are checked without being made", "[option-files]") {
    const test::TempDir dir;
    const std::string fresh = dir.file("fresh");
    const std::string serial = "file:" + fresh;
    const auto check = [](const Options& options) {
        const auto checked = check_output_files(options);
        return checked ? std::string("(fine)") : checked.error().message();
    };
    CHECK(check(options_for({"-serial", serial.c_str(), "-D", fresh.c_str()})) == "(fine)");
    CHECK_FALSE(test::exists(fresh));
    CHECK(check(options_for({"-D", dir.path().c_str()})) ==
          "-D: cannot open '" + dir.path() + "': Is a directory");
    CHECK(check(options_for({"-D", "/nonexistent/log"})) ==
          "-D: cannot open '/nonexistent/log': No such file or directory");
}
