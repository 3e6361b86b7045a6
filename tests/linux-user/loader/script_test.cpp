// `#!` lines, against the specification by example and against the host's execve.
#include "emulator/linux-user/loader/script.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdlib>

#include "native_exec.h"
#include "tests/support/random.h"
#include "tests/support/subprocess.h"

using namespace weft::user;
using weft::test::Random;

namespace {

std::string printer() { return std::getenv("WEFT_PRINT_ARGUMENTS"); }

std::string printed(const std::vector<std::string>& arguments) {
    std::string text;
    for (const std::string& argument : arguments) {
        text += std::to_string(argument.size()) + " " + argument + "\n";
    }
    return text;
}

// What execve does, with weft's reading of scripts; the oracle has the same files.
ExecResult<ExecTarget> follow(const std::string& path, const std::vector<std::string>& arguments) {
    ExecTarget target{path, arguments};
    while (true) {
        struct stat info{};
        if (target.path.empty() || (stat(target.path.c_str(), &info) == 0 && !S_ISREG(info.st_mode))) {
            return exec_fail(EACCES, "not a file");
        }
        if (access(target.path.c_str(), X_OK) != 0) {
            return exec_fail(errno, "cannot be opened");
        }
        if (const auto checked = check_script_count(target); !checked) {
            return std::unexpected(checked.error());
        }
        const std::string bytes = weft::test::read_file(target.path);
        if (bytes.starts_with("\177ELF")) {
            return target;
        }
        const auto line = parse_script(std::span(bytes).first(std::min(bytes.size(), kScriptBytes)));
        if (!line) {
            return std::unexpected(line.error());
        }
        follow_script(target, *line);
    }
}

void compare_with_host(const std::string& path, const std::vector<std::string>& arguments) {
    const auto target = follow(path, arguments);
    const NativeExec native = exec_natively(path, arguments);
    CHECK(native.error == (target ? 0 : target.error().number));
    if (target && native.error == 0) {
        CHECK(native.output == printed(target->arguments));
    }
}

}  // namespace

TEST_CASE("Lines of scripts", "[script]") {
    const auto line = [](const std::string& text) { return parse_script(text); };
    const auto is = [&line](const std::string& text, const ScriptLine& expected) {
        INFO(text);
        const auto got = line(text);
        REQUIRE(got);
        CHECK(*got == expected);
    };
    is("#!/bin/sh\necho", {"/bin/sh", std::nullopt});
    is("#! \t/bin/sh \t \n", {"/bin/sh", std::nullopt});
    is("#!/bin/sh -e  -x \t\n", {"/bin/sh", "-e  -x"});
    is("#!/bin/sh", {"/bin/sh", std::nullopt});
    is("#!/bin/sh -x", {"/bin/sh", "-x"});
    is("#!/bin/sh ", {"/bin/sh", ""});
    is(std::string("#!/bin/sh\0-x\n", 13), {"/bin/sh", std::nullopt});
    is(std::string("#!/bin/sh a\0b\n", 14), {"/bin/sh", "a"});
    is("#!", {"", std::nullopt});
    is("#!/bin/sh\r\n", {"/bin/sh\r", std::nullopt});
    for (const char* none : {"", "#", "!#/bin/sh\n", " #!/bin/sh\n", "#!\n", "#! \t \n/bin/sh\n"}) {
        INFO(none);
        REQUIRE(!line(none));
        CHECK(line(none).error().number == ENOEXEC);
    }
    // A path that ends with the last byte may be cut off; one that a newline or a blank ends is whole.
    const std::string longest = "#!" + std::string(253, 'p');
    is(longest + "\n", {std::string(253, 'p'), std::nullopt});
    is(longest, {std::string(253, 'p'), std::nullopt});
    CHECK(line(longest + "p").error().number == ENOEXEC);
    CHECK(line(longest + "p\n").error().number == ENOEXEC);
    is("#!" + std::string(252, 'p') + "  x\n", {std::string(252, 'p'), std::nullopt});
    CHECK(line("#!" + std::string(254, ' ')).error().number == ENOEXEC);
    // An argument is cut off.
    is("#!p " + std::string(300, 'a') + "\n", {"p", std::string(251, 'a')});
}

TEST_CASE("Scripts lead to the same arguments and errors as the host's", "[script]") {
    const uint64_t seed = weft::test::test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    Random random(seed);
    weft::test::TempDir folder;
    const std::string program = folder.file("p");
    REQUIRE(symlink(printer().c_str(), program.c_str()) == 0);
    const std::string path = folder.file("script");
    for (unsigned round = 0; round < exec_rounds(300); ++round) {
        INFO("round " << round);
        std::string text;
        switch (random.below(16)) {
            case 0:
                break;
            case 1:
                text = "#";
                break;
            default:
                text = "#!";
        }
        const auto blanks = [&text, &random] {
            for (uint64_t i = random.below(4); i > 1; --i) {
                text += random.below(2) == 0 ? ' ' : '\t';
            }
        };
        blanks();
        if (random.below(8) != 0) {
            text += program;
        }
        const uint64_t parts = random.below(5);
        for (uint64_t part = 0; part < parts; ++part) {
            blanks();
            static constexpr std::string_view kBytes{"a -\0\n\t/", 7};
            text += random.below(4) == 0 ? kBytes[random.below(kBytes.size())] : 'w';
        }
        // Around the number of bytes that are looked at.
        if (random.below(4) == 0 && text.size() < 240) {
            text += std::string(250 + random.below(8) - text.size(), random.below(2) == 0 ? ' ' : 'v');
            blanks();
        }
        text += random.below(4) == 0 ? "" : "\n";
        INFO("'" << text << "'");
        write_executable(path, text);
        compare_with_host(path, {"zero", "one", "", "three"});
    }
    // Without arguments.
    write_executable(path, "#!" + program + " -x\n");
    const auto target = follow(path, {"zero"});
    REQUIRE(target);
    CHECK(target->arguments == std::vector<std::string>{program, "-x", path});
    compare_with_host(path, {"zero"});
}

TEST_CASE("Chains of scripts end where the host's do", "[script]") {
    weft::test::TempDir folder;
    std::string before = folder.file("p");
    REQUIRE(symlink(printer().c_str(), before.c_str()) == 0);
    for (unsigned length = 1; length <= 7; ++length) {
        INFO(length << " scripts");
        const std::string path = folder.file(std::to_string(length));
        write_executable(path, "#!" + before + " of-" + std::to_string(length) + "\n");
        compare_with_host(path, {"zero", "one"});
        const auto target = follow(path, {"zero", "one"});
        CHECK((target ? 0 : target.error().number) == (length <= 5 ? 0 : ELOOP));
        before = path;
    }
    // One too many that cannot be opened.
    before = folder.file("missing");
    for (unsigned length = 1; length <= 7; ++length) {
        INFO(length << " scripts and nothing");
        const std::string path = folder.file("b" + std::to_string(length));
        write_executable(path, "#!" + before + "\n");
        compare_with_host(path, {"zero"});
        before = path;
    }
}
