#include "llvm_mc.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace weft::tcg::testing {
namespace {

constexpr std::string_view kProgram = "llvm-mc-19";
constexpr std::string_view kFeatures =
    "--triple=x86_64-linux-gnu "
    "--mattr=+avx,+avx2,+fma,+bmi,+bmi2,+lzcnt,+popcnt,+movbe,+cx16,+avx512f,+avx512dq,+avx512vl,+avx512bw";

// Stands between the cases, so that one that is refused does not shift the others.
constexpr std::string_view kSeparator = "hlt";

class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        std::string name = (std::filesystem::temp_directory_path() / "weft-llvm-mc-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::string file(std::string_view name) const { return (path_ / name).string(); }

  private:
    std::filesystem::path path_;
};

std::vector<std::string> run(std::string_view options, const std::string& input) {
    const TemporaryDirectory directory;
    const std::string in = directory.file("in");
    const std::string out = directory.file("out");
    std::ofstream(in) << input;
    // The exit status only says whether anything was refused; the separators say what.
    const std::string command =
        fmt::format("{} {} {} < {} > {} 2> {}", kProgram, kFeatures, options, in, out, directory.file("err"));
    const int status = std::system(command.c_str());
    REQUIRE(status != -1);
    std::vector<std::string> lines;
    std::ifstream stream(out);
    for (std::string line; std::getline(stream, line);)
        lines.push_back(line);
    return lines;
}

// One space between words, no comment, no directive.
std::string normalised(std::string_view line) {
    std::string text;
    for (const char c : line.substr(0, line.find('#'))) {
        if (std::isspace(static_cast<unsigned char>(c)) == 0)
            text += c;
        else if (!text.empty() && text.back() != ' ')
            text += ' ';
    }
    while (!text.empty() && text.back() == ' ')
        text.pop_back();
    return text.starts_with('.') ? std::string() : text;
}

Code parse_encoding(std::string_view list) {
    Code code;
    for (size_t at = list.find("0x"); at != std::string_view::npos; at = list.find("0x", at + 2))
        code.push_back(static_cast<uint8_t>(std::stoul(std::string(list.substr(at + 2, 2)), nullptr, 16)));
    return code;
}

}  // namespace

bool have_llvm_mc() {
    return std::system(fmt::format("{} --version > /dev/null 2>&1", kProgram).c_str()) == 0;
}

std::vector<Code> assemble(const std::vector<std::string>& lines) {
    std::string input;
    for (const std::string& line : lines)
        input += fmt::format("{}\n{}\n", line, kSeparator);
    std::vector<Code> codes;
    Code code;
    for (const std::string& line :
         run("--x86-asm-syntax=intel --output-asm-variant=1 --show-encoding", input)) {
        constexpr std::string_view kMark = "encoding: [";
        if (normalised(line) == kSeparator) {
            codes.push_back(code);
            code.clear();
        } else if (const size_t at = line.find(kMark); at != std::string::npos) {
            const Code part = parse_encoding(std::string_view(line).substr(at + kMark.size()));
            code.insert(code.end(), part.begin(), part.end());
        }
    }
    REQUIRE(codes.size() == lines.size());
    return codes;
}

std::vector<std::string> disassemble(const std::vector<Code>& pieces) {
    std::string input;
    // Brackets keep the disassembler from reading on into the next piece.
    for (const Code& piece : pieces)
        input += fmt::format("[{}]\n[0xf4]\n", fmt::join(piece, " "));
    std::vector<std::string> texts;
    std::string text;
    for (const std::string& line : run("--disassemble --output-asm-variant=1", input)) {
        const std::string instruction = normalised(line);
        if (instruction == kSeparator) {
            texts.push_back(text.empty() ? "?" : text);
            text.clear();
        } else if (!instruction.empty()) {
            text += text.empty() ? instruction : "; " + instruction;
        }
    }
    REQUIRE(texts.size() == pieces.size());
    return texts;
}

std::string to_hex(const Code& code) { return fmt::format("{:02x}", fmt::join(code, " ")); }

}  // namespace weft::tcg::testing
