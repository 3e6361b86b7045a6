// Compares how much code is generated for the sequences of files with what the files say (tests/tcg/file_cases.h; of the kind
// `codegen`: a case is RISC-V assembly, its one check has the counts).
//
//   codegen-test [--without=NAME,...] FILE...     NAME: an optimization (tcg/opt/optimizer.h) to be left out
//
// With WEFT_TEST_UPDATE=1 in the environment it writes the counts into the files instead.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_values.h"
#include "tests/codegen/assembler.h"
#include "tests/codegen/generated.h"
#include "tests/tcg/file_cases.h"
#include "tests/tcg/optimization_names.h"

namespace weft::codegen {

namespace {

using tcg::test::FileCase;
using tcg::test::TestFile;

constexpr std::string_view kKind = "codegen";
constexpr std::string_view kWithout = "--without=";

struct Source {
    std::string path;
    TestFile file;
    Counts before;
    Counts after;
};

Result<tcg::OptimizeOptions> options_without(std::string_view names) {
    tcg::OptimizeOptions options;
    for (const std::string& name : split(names, ',')) {
        bool tcg::OptimizeOptions::* const flag = tcg::test::find_optimization(name);
        if (flag == nullptr) {
            return fail(fmt::format("there is no optimization {}", in_quotes(name)));
        }
        options.*flag = false;
    }
    return options;
}

Result<Source> read(const std::string& path) {
    std::ifstream in(path);
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    if (!in) {
        return fail(fmt::format("{}: cannot be read", path));
    }
    auto file = TestFile::read(text);
    if (!file) {
        return fail(fmt::format("{}: {}", path, file.error().message()));
    }
    if (file->kind != kKind) {
        return fail(fmt::format("{}: the kind {} means nothing here", path, in_quotes(file->kind)));
    }
    for (const FileCase& entry : file->cases) {
        if (entry.checks.size() != 1 || !entry.checks[0].words.empty()) {
            return fail(fmt::format("{}:{}: a case has one check without words", path, entry.line));
        }
    }
    return Source{path, std::move(*file), {}, {}};
}

Result<> write(const Source& source) {
    std::ofstream out(source.path, std::ios::trunc);
    out << source.file.write();
    return out.flush() ? Result<>{} : fail(fmt::format("{}: cannot be written", source.path));
}

std::string change(uint32_t before, uint32_t after) {
    if (before == after) {
        return fmt::format("{}", after);
    }
    const std::string share =
        before == 0 ? std::string()
                    : fmt::format(" ({:+.1f} %)", 100.0 * (static_cast<double>(after) / before - 1));
    return fmt::format("{} -> {}{}", before, after, share);
}

void show_total(std::string_view name, const Counts& before, const Counts& after) {
    fmt::print("{}: {} insns, {} ops", name, change(before.insns, after.insns),
               change(before.ops, after.ops));
    for (size_t i = 0; i < kTargets.size(); ++i) {
        fmt::print("; {} {} of {}", kTargets[i].name, change(before.host[i].path, after.host[i].path),
                   change(before.host[i].whole, after.host[i].whole));
    }
    fmt::print("\n");
}

struct Tally {
    unsigned failed = 0;   // there are no counts
    unsigned changed = 0;  // they are others

    Tally& operator+=(const Tally& other) {
        failed += other.failed;
        changed += other.changed;
        return *this;
    }
};

// Counts each case, and tells of those that failed or changed.
Tally compare(Generator& generator, Source& source, std::span<const std::vector<uint8_t>> codes) {
    Tally tally;
    for (size_t i = 0; i < source.file.cases.size(); ++i) {
        FileCase& entry = source.file.cases[i];
        tcg::test::FileCheck& check = entry.checks[0];
        const Result<Counts> counts = generator.counts(codes[i]);
        if (!counts) {
            fmt::print("{}:{}: {}: {}\n{}\n", source.path, entry.line, entry.title, counts.error().message(),
                       entry.unit);
            ++tally.failed;
            continue;
        }
        source.before += Counts::parse(check.expected);
        source.after += *counts;
        if (const std::string text = counts->text(); text != check.expected) {
            fmt::print("{}:{}: {}\n{}{}\n", source.path, check.line, entry.title, entry.unit,
                       tcg::test::line_difference(check.expected, text));
            check.expected = text;
            ++tally.changed;
        }
    }
    return tally;
}

Result<Tally> run(const std::vector<std::string>& arguments, bool update) {
    tcg::OptimizeOptions options;
    std::vector<Source> sources;
    std::vector<Sequence> sequences;
    for (const std::string& argument : arguments) {
        if (argument.starts_with(kWithout)) {
            const auto named = options_without(std::string_view(argument).substr(kWithout.size()));
            if (!named) {
                return std::unexpected(named.error());
            }
            options = *named;
            continue;
        }
        auto source = read(argument);
        if (!source) {
            return std::unexpected(source.error());
        }
        for (const FileCase& entry : source->file.cases) {
            sequences.push_back({source->path, entry.line + 1, entry.unit});
        }
        sources.push_back(std::move(*source));
    }
    if (sequences.empty()) {
        return fail("there are no sequences");
    }
    const auto codes = assemble(sequences);
    if (!codes) {
        return std::unexpected(codes.error());
    }
    auto generator = Generator::create(options);
    if (!generator) {
        return std::unexpected(generator.error());
    }
    Tally tally;
    size_t first = 0;
    Counts before;
    Counts after;
    for (Source& source : sources) {
        const size_t count = source.file.cases.size();
        const Tally here = compare(*generator, source, std::span(*codes).subspan(first, count));
        first += count;
        tally += here;
        before += source.before;
        after += source.after;
        if (here.changed != 0 && update) {
            if (const Result<> written = write(source); !written) {
                return std::unexpected(written.error());
            }
        }
    }
    for (const Source& source : sources) {
        show_total(source.path.substr(source.path.rfind('/') + 1), source.before, source.after);
    }
    show_total(
        fmt::format("{} sequences, {} failed, {} changed", sequences.size(), tally.failed, tally.changed),
        before, after);
    return tally;
}

}  // namespace

}  // namespace weft::codegen

int main(int argc, char** argv) {
    const char* const variable = std::getenv("WEFT_TEST_UPDATE");
    const bool update = variable != nullptr && std::string_view(variable) == "1";
    const auto tally = weft::codegen::run({argv + 1, argv + argc}, update);
    if (!tally) {
        fmt::print("codegen-test: {}\n", tally.error().message());
        return 1;
    }
    return tally->failed == 0 && (tally->changed == 0 || update) ? 0 : 1;
}
