#include "elf_tool.h"

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "base/assert.h"
#include "tests/support/subprocess.h"

namespace weft::user {

namespace {

std::string from_environment(const char* name) {
    const char* value = std::getenv(name);
    WEFT_ASSERT(value != nullptr);
    return value;
}

uint64_t hex(const std::string& text) { return std::stoull(text, nullptr, 16); }

}  // namespace

std::vector<std::string> words(const std::string& line) {
    std::istringstream stream(line);
    std::vector<std::string> found;
    for (std::string word; stream >> word;) {
        found.push_back(word);
    }
    return found;
}

std::vector<std::string> readelf(const std::string& options, const std::string& file) {
    test::Command command{{from_environment("WEFT_READELF")}, {}, {{"LC_ALL", "C"}}};
    for (const std::string& option : words(options)) {
        command.arguments.push_back(option);
    }
    command.arguments.push_back(file);
    const test::Outcome outcome = test::run(command);
    WEFT_ASSERT(outcome.exit_code == 0 && outcome.errors.empty());
    std::istringstream stream(outcome.output);
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) {
        lines.push_back(line);
    }
    return lines;
}

ElfHeaders readelf_headers(const std::string& file) {
    ElfHeaders headers;
    bool in_table = false;
    for (const std::string& line : readelf("-hlW", file)) {
        const std::vector<std::string> parts = words(line);
        const size_t colon = line.find(": ");
        if (line.starts_with("  Type:") && !parts.empty()) {
            headers.type = parts[1];
        } else if (line.starts_with("  Entry point address:")) {
            headers.entry = hex(line.substr(colon + 2));
        } else if (line.starts_with("  Start of program headers:")) {
            headers.phoff = std::stoull(line.substr(colon + 2));
        } else if (line.starts_with("  Type  ")) {
            in_table = true;
        } else if (line.find("[Requesting program interpreter: ") != std::string::npos) {
            headers.interpreter = line.substr(colon + 2, line.find(']') - colon - 2);
        } else if (in_table && parts.size() >= 7) {
            std::string flags;
            for (size_t i = 6; i + 1 < parts.size(); ++i) {
                flags += parts[i];
            }
            headers.program.push_back({parts[0], hex(parts[1]), hex(parts[2]), hex(parts[4]), hex(parts[5]),
                                       flags, hex(parts.back())});
        } else if (parts.empty()) {
            in_table = false;
        }
    }
    return headers;
}

std::vector<ElfSection> readelf_sections(const std::string& file) {
    std::vector<ElfSection> sections;
    for (const std::string& line : readelf("-SW", file)) {
        // "  [ 1] .name  TYPE  address offset size entry-size flags ..."
        const size_t bracket = line.find(']');
        const std::vector<std::string> parts =
            words(bracket == std::string::npos ? "" : line.substr(bracket + 1));
        if (line.starts_with("  [") && parts.size() >= 9 && parts[0] != "Name") {
            const bool has_flags = parts.size() >= 10;
            sections.push_back(
                {parts[0], parts[1], has_flags ? parts[6] : "", hex(parts[2]), hex(parts[3]), hex(parts[4])});
        }
    }
    return sections;
}

std::string test_program(const std::string& name) {
    return from_environment("WEFT_LOADER_PROGRAMS") + "/" + name;
}

std::vector<std::string> real_programs() {
    std::vector<std::string> files;
    for (const char* way : {"static", "static-pie", "dynamic", "dynamic-fixed"}) {
        files.push_back(test_program(std::string("program-") + way));
    }
    const std::string linker = "/usr/riscv64-linux-gnu/lib/ld-linux-riscv64-lp64d.so.1";
    if (test::exists(linker)) {
        files.push_back(linker);
    }
    if (const char* folder = std::getenv("WEFT_BENCH_DIR")) {
        const std::string programs = std::string(folder) + "/riscv64";
        if (test::exists(programs)) {
            for (const auto& entry : std::filesystem::directory_iterator(programs)) {
                if (test::read_file(entry.path()).starts_with("\177ELF")) {
                    files.push_back(entry.path());
                }
            }
        }
    }
    return files;
}

}  // namespace weft::user
