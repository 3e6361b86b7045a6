// Runs the text tests in the folders and files that it is given (file_cases.h).
//
// With WEFT_TEST_UPDATE=1 in the environment it writes what came out into the files instead of comparing. Whoever does that
// reads the difference: the files are the specification, not a record.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "file_kinds.h"

namespace weft::tcg::test {

namespace {

namespace fs = std::filesystem;

struct Counts {
    unsigned checks = 0;
    unsigned failed = 0;
    unsigned updated = 0;
};

void run_file(const fs::path& path, bool update, Counts* counts) {
    std::ifstream in(path);
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    auto file = TestFile::read(text);
    if (!in || !file) {
        ++counts->failed;
        fmt::print("{}: {}\n", path.string(), file ? "cannot be read" : file.error().message());
        return;
    }
    bool changed = false;
    for (FileCase& entry : file->cases) {
        for (FileCheck& check : entry.checks) {
            ++counts->checks;
            const Result<std::string> outcome = outcome_of(*file, entry, check);
            const std::string actual = outcome ? tidy(*outcome) : std::string();
            if (outcome && actual == check.expected) {
                continue;
            }
            if (outcome && update) {
                check.expected = actual;
                changed = true;
                ++counts->updated;
                continue;
            }
            ++counts->failed;
            fmt::print("{}:{}: {}\n{}\n", path.string(), check.line, entry.title,
                       outcome ? line_difference(check.expected, actual) : outcome.error().message() + '\n');
        }
    }
    if (changed) {
        std::ofstream out(path, std::ios::trunc);
        out << file->write();
        if (!out.flush()) {
            ++counts->failed;
            fmt::print("{}: cannot be written\n", path.string());
        }
    }
}

int run(const std::vector<std::string>& arguments) {
    std::vector<fs::path> files;
    for (const std::string& argument : arguments) {
        if (!fs::is_directory(argument)) {
            files.emplace_back(argument);
            continue;
        }
        for (const auto& entry : fs::recursive_directory_iterator(argument)) {
            if (entry.path().extension() == ".ir") {
                files.push_back(entry.path());
            }
        }
    }
    std::ranges::sort(files);
    const char* variable = std::getenv("WEFT_TEST_UPDATE");
    const bool update = variable != nullptr && std::string(variable) == "1";
    Counts counts;
    for (const fs::path& path : files) {
        run_file(path, update, &counts);
    }
    fmt::print("{} checks in {} files, {} failed, {} updated\n", counts.checks, files.size(), counts.failed,
               counts.updated);
    return counts.failed == 0 && counts.checks != 0 ? 0 : 1;
}

}  // namespace

}  // namespace weft::tcg::test

int main(int argc, char** argv) { return weft::tcg::test::run({argv + 1, argv + argc}); }
