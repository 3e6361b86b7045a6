// The first stack: its layout, against the host's own stack, and its limits, against the host's execve.
#include "emulator/linux-user/loader/auxv.h"

#include <sys/auxv.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>

#include "native_exec.h"

using namespace weft::user;

namespace {

using Bytes = std::vector<std::byte>;

AuxValues some_values() {
    AuxValues values{.vdso = 0x3ff0000,
                     .hwcap = 0x112d,
                     .clock_ticks = 100,
                     .phdr_address = 0x10040,
                     .phdr_count = 9,
                     .interpreter_base = 0x2000000,
                     .flags = 1,
                     .entry = 0x10100,
                     .uid = 11,
                     .euid = 12,
                     .gid = 13,
                     .egid = 14,
                     .secure = true,
                     .min_signal_stack = 1088,
                     .random = {}};
    for (size_t i = 0; i < values.random.size(); ++i) {
        values.random[i] = static_cast<std::byte>(0xa0 + i);
    }
    return values;
}

// A stack as a program reads it, from its first word on.
class Reader {
  public:
    Reader(uint64_t sp, const std::byte* bytes, size_t size) : sp_(sp), bytes_(bytes), size_(size) {}

    uint64_t word(uint64_t address) const {
        uint64_t value = 0;
        REQUIRE(address - sp_ + sizeof(value) <= size_);
        std::memcpy(&value, bytes_ + (address - sp_), sizeof(value));
        return value;
    }
    std::string text(uint64_t address) const {
        REQUIRE(address - sp_ < size_);
        return reinterpret_cast<const char*>(bytes_ + (address - sp_));
    }
    uint64_t top() const { return sp_ + size_; }

  private:
    uint64_t sp_;
    const std::byte* bytes_;
    size_t size_;
};

struct Contents {
    std::vector<std::string> arguments, environment;
    std::vector<uint64_t> types;
    std::map<uint64_t, uint64_t> values;
    std::string path;
};

// Reads a stack and checks what is so of every one of Linux': where strings are, in which order, and what is aligned.
Contents read_stack(uint64_t sp, const Reader& reader) {
    Contents contents;
    CHECK(sp % 16 == 0);
    uint64_t at = sp;
    const uint64_t count = reader.word(at);
    std::vector<uint64_t> strings;
    for (at += 8; reader.word(at) != 0; at += 8) {
        strings.push_back(reader.word(at));
        contents.arguments.push_back(reader.text(strings.back()));
    }
    CHECK(contents.arguments.size() == count);
    for (at += 8; reader.word(at) != 0; at += 8) {
        strings.push_back(reader.word(at));
        contents.environment.push_back(reader.text(strings.back()));
    }
    for (at += 8; reader.word(at) != AT_NULL; at += 16) {
        contents.types.push_back(reader.word(at));
        contents.values[contents.types.back()] = reader.word(at + 8);
    }
    CHECK(reader.word(at + 8) == 0);
    strings.push_back(contents.values.at(AT_EXECFN));
    contents.path = reader.text(strings.back());
    // Without gaps, and eight zeros above.
    for (size_t i = 0; i + 1 < strings.size(); ++i) {
        CHECK(strings[i] + reader.text(strings[i]).size() + 1 == strings[i + 1]);
    }
    CHECK(strings.back() + contents.path.size() + 1 == reader.top() - 8);
    CHECK(reader.word(reader.top() - 8) == 0);
    // The 16 bytes lie between vector and strings.
    CHECK(contents.values.at(AT_RANDOM) >= at + 16);
    CHECK(contents.values.at(AT_RANDOM) + 16 <= strings.front());
    return contents;
}

Contents read_stack(const InitialStack& stack) {
    return read_stack(stack.sp, Reader(stack.sp, stack.bytes.data(), stack.bytes.size()));
}

constexpr uint64_t kTop = 0x3ffffff000;

}  // namespace

TEST_CASE("The first stack is laid out as the host's own", "[auxv]") {
    // This process's: from its argc, below the arguments, to the top of the mapping.
    const std::string path = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
    std::ifstream stat("/proc/self/stat");
    std::string word;
    // Field 28; what comes before has no blanks but in the second, which is this program's name.
    for (int field = 1; field <= 28; ++field) {
        stat >> word;
    }
    const uint64_t sp = std::stoull(word);
    std::ifstream maps("/proc/self/maps");
    uint64_t top = 0;
    for (std::string line; std::getline(maps, line);) {
        if (line.find("[stack]") != std::string::npos) {
            top = std::stoull(line.substr(line.find('-') + 1), nullptr, 16);
        }
    }
    REQUIRE(top > sp);
    const auto* memory = reinterpret_cast<const std::byte*>(sp);
    const Contents native = read_stack(sp, Reader(sp, memory, top - sp));
    CHECK(native.path == path);

    // The same contents in the same place are the same size but for what RISC-V's vector has not.
    StackStrings strings{native.path, native.arguments, native.environment};
    const InitialStack stack = build_initial_stack(top, strings, some_values());
    const Contents contents = read_stack(stack);
    CHECK(contents.arguments == native.arguments);
    CHECK(contents.environment == native.environment);
    CHECK(contents.path == native.path);
    CHECK(contents.values.at(AT_EXECFN) == native.values.at(AT_EXECFN));
    CHECK(stack.arguments.start != 0);
    CHECK(memcmp(&stack.bytes[stack.arguments.start - stack.sp],
                 reinterpret_cast<const void*>(stack.arguments.start), stack.arguments.size) == 0);
    // Types that both have come in the same order.
    std::vector<uint64_t> both_native, both;
    for (const uint64_t type : native.types) {
        if (contents.values.contains(type) && type != AT_MINSIGSTKSZ) {
            both_native.push_back(type);
        }
    }
    for (const uint64_t type : contents.types) {
        if (native.values.contains(type) && type != AT_MINSIGSTKSZ) {
            both.push_back(type);
        }
    }
    CHECK(both == both_native);
    CHECK(both.size() == 17);
}

TEST_CASE("The auxiliary vector holds what it was given", "[auxv]") {
    const InitialStack stack =
        build_initial_stack(kTop, {"/p", {"a", "", "ccc"}, {"X=1", "Y="}}, some_values());
    const Contents contents = read_stack(stack);
    CHECK(contents.arguments == std::vector<std::string>{"a", "", "ccc"});
    CHECK(contents.environment == std::vector<std::string>{"X=1", "Y="});
    CHECK(contents.path == "/p");
    auto values = contents.values;
    const Reader reader(stack.sp, stack.bytes.data(), stack.bytes.size());
    CHECK(reader.word(values.at(AT_RANDOM)) == 0xa7a6a5a4a3a2a1a0);
    CHECK(reader.word(values.at(AT_RANDOM) + 8) == 0xafaeadacabaaa9a8);
    values.erase(AT_RANDOM);
    values.erase(AT_EXECFN);
    CHECK(values == std::map<uint64_t, uint64_t>{{33, 0x3ff0000},
                                                 {51, 1088},
                                                 {16, 0x112d},
                                                 {6, 4096},
                                                 {17, 100},
                                                 {3, 0x10040},
                                                 {4, 56},
                                                 {5, 9},
                                                 {7, 0x2000000},
                                                 {8, 1},
                                                 {9, 0x10100},
                                                 {11, 11},
                                                 {12, 12},
                                                 {13, 13},
                                                 {14, 14},
                                                 {23, 1}});
    const auto text = [&stack](Range range) {
        return std::string(reinterpret_cast<const char*>(&stack.bytes[range.start - stack.sp]), range.size);
    };
    CHECK(text(stack.arguments) == std::string("a\0\0ccc\0", 7));
    CHECK(text(stack.environment) == std::string("X=1\0Y=\0", 7));
    CHECK(reader.word(stack.auxv.start) == AT_SYSINFO_EHDR);
    CHECK(reader.word(stack.auxv.end() - 16) == AT_NULL);
    CHECK(stack.sp + stack.bytes.size() == kTop);
    // Without a vDSO it is not named.
    AuxValues values_without = some_values();
    values_without.vdso = 0;
    CHECK(!read_stack(build_initial_stack(kTop, {"/p", {"a"}, {}}, values_without))
               .values.contains(AT_SYSINFO_EHDR));
}

TEST_CASE("Alignment for any number of words, and a program without arguments", "[auxv]") {
    std::vector<std::string> arguments;
    for (size_t i = 0; i < 40; ++i) {
        const InitialStack stack = build_initial_stack(kTop, {"p", arguments, {}}, some_values());
        const Contents contents = read_stack(stack);
        CHECK(contents.arguments == (i == 0 ? std::vector<std::string>{""} : arguments));
        arguments.emplace_back(i % 5, 'x');
    }
}

TEST_CASE("HWCAP has the letters that Linux tells", "[auxv]") {
    CHECK(hwcap(weft::riscv::kRv64) == 0x112d);  // as a board's: rv64imafdc
    weft::riscv::CpuModel model = weft::riscv::kRv64;
    model.extensions = {weft::riscv::Extension::i, weft::riscv::Extension::c, weft::riscv::Extension::b,
                        weft::riscv::Extension::s, weft::riscv::Extension::u};
    CHECK(hwcap(model) == ((1u << 8) | (1u << 2)));
}

TEST_CASE("What is too much for execve is too much for the host's", "[auxv]") {
    const std::string program = std::getenv("WEFT_PRINT_ARGUMENTS");
    const auto compare = [&program](const StackStrings& strings, uint64_t stack_limit) {
        const auto checked = check_stack_size(strings, strings.arguments.size(), stack_limit);
        const int error = checked ? 0 : checked.error().number;
        CHECK(exec_natively(program, strings.arguments, strings.environment, stack_limit).error == error);
        return error;
    };
    SECTION("one string") {
        CHECK(compare({program, {"a", std::string(131071, 'x')}, {}}, 8 << 20) == 0);
        CHECK(compare({program, {"a", std::string(131072, 'x')}, {}}, 8 << 20) == E2BIG);
        CHECK(compare({program, {"a"}, {std::string(131071, 'x')}}, 8 << 20) == 0);
        CHECK(compare({program, {"a"}, {std::string(131072, 'x')}}, 8 << 20) == E2BIG);
    }
    SECTION("all together") {
        // The limit that counts: least, a quarter, most.
        for (const auto& [stack_limit, limit] :
             std::vector<std::pair<uint64_t, uint64_t>>{{uint64_t{256} << 10, 128 << 10},
                                                        {uint64_t{2} << 20, 512 << 10},
                                                        {uint64_t{64} << 20, 6 << 20}}) {
            INFO("stack of " << stack_limit);
            StackStrings strings{program, {"a"}, {}};
            uint64_t left = limit - (program.size() + 1) - 2 - 8;
            while (left > 100000) {
                strings.arguments.emplace_back(49999, 'x');
                left -= 50000 + 8;
            }
            strings.environment.emplace_back(left - 8 - 1, 'x');
            CHECK(compare(strings, stack_limit) == 0);
            strings.environment[0] += 'x';
            CHECK(compare(strings, stack_limit) == E2BIG);
        }
    }
    SECTION("pointers") {
        StackStrings strings{program, {"a"}, std::vector<std::string>((128 << 10) / 8 - 2)};
        CHECK(compare(strings, 256 << 10) == E2BIG);  // room for the pointers, not for the strings
        strings.environment.emplace_back();
        CHECK(compare(strings, 256 << 10) == E2BIG);
    }
    // Words that a script adds count, their pointers do not.
    StackStrings strings{"", std::vector<std::string>(16384 - 1 - 14), {}};
    strings.arguments.resize(14000);
    const uint64_t bytes = 1 + 14000 + 8 * 14000;
    strings.environment.clear();
    strings.arguments[0] = std::string((128 << 10) - bytes, 'x');
    CHECK(check_stack_size(strings, 14000, 0));
    CHECK(!check_stack_size(strings, 14001, 0));
}
