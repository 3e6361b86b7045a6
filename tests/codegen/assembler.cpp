#include "tests/codegen/assembler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "tests/support/subprocess.h"

namespace weft::codegen {

namespace {

// As meson found them.
constexpr const char* kCompiler = WEFT_RISCV_CC;
constexpr const char* kObjcopy = WEFT_RISCV_OBJCOPY;

Result<> run(std::vector<std::string> words) {
    test::Command command;
    command.arguments = std::move(words);
    const test::Outcome outcome = test::run(command);
    if (outcome.exit_code != 0) {
        return fail(
            fmt::format("{} ended with {}\n{}", command.arguments[0], outcome.exit_code, outcome.errors));
    }
    return {};
}

// The linker resolves what the assembler leaves open: distances between labels, targets of branches.
Result<> link(const std::string& source, const std::string& program) {
    return run({kCompiler, "-march=rv64gc_zba_zbb_zbs", "-mno-relax", "-nostdlib", "-static",
                "-Wl,--no-relax,--build-id=none,-Ttext=0,-e,0", "-o", program, source});
}

}  // namespace

// In the image each sequence follows its size in bytes.
Result<std::vector<std::vector<uint8_t>>> assemble(std::span<const Sequence> sequences) {
    std::string source = ".option norelax\n";
    for (size_t i = 0; i < sequences.size(); ++i) {
        const Sequence& one = sequences[i];
        source += fmt::format(
            ".balign 4\n.word .Lend{0} - .Lbegin{0}\n.Lbegin{0}:\n# {1} \"{2}\"\n{3}\n.Lend{0}:\n", i,
            one.line, one.path, one.text);
    }
    const test::TempDir folder;
    const std::string program = folder.file("program");
    const std::string image = folder.file("image");
    Result<> done = link(folder.write("sequences.s", source), program);
    if (done) {
        done = run({kObjcopy, "-O", "binary", "-j", ".text", program, image});
    }
    if (!done) {
        return std::unexpected(done.error());
    }
    const std::string bytes = test::read_file(image);
    std::vector<std::vector<uint8_t>> found;
    for (size_t at = 0; found.size() < sequences.size();) {
        uint32_t size = 0;
        if (bytes.size() - at < sizeof(size)) {
            return fail("the assembler's output is shorter than its input");
        }
        std::memcpy(&size, bytes.data() + at, sizeof(size));
        at += sizeof(size);
        if (size == 0 || bytes.size() - at < size) {
            return fail(fmt::format("{}:{}: there is no instruction", sequences[found.size()].path,
                                    sequences[found.size()].line));
        }
        found.emplace_back(bytes.begin() + static_cast<ptrdiff_t>(at),
                           bytes.begin() + static_cast<ptrdiff_t>(at + size));
        at = std::min((at + size + 3) / 4 * 4, bytes.size());
    }
    return found;
}

}  // namespace weft::codegen
