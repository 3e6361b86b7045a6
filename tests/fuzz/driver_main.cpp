// Calls a fuzz entry where there is no libFuzzer: with each file of a corpus, then with mutations of them. Takes libFuzzer's
// options of the same names; unlike it, it does not see what an input reaches.
//
//   fuzz-NAME [-runs=N] [-seed=N] [-dict=FILE] [-max_len=N] [-last_input=FILE] FOLDER... | FILE...
//
// FILE of -last_input holds, after a crash, the input that crashed: run the entry with that file to see it again. The seed is
// WEFT_TEST_SEED if it is set, or 1.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_values.h"
#include "entry.h"
#include "tests/support/random.h"

namespace weft::fuzz {

namespace {

namespace fs = std::filesystem;
using Input = std::vector<uint8_t>;

struct Settings {
    uint64_t runs = 0;
    uint64_t seed = test::test_seed();
    uint64_t max_len = 4096;
    std::string dict;
    std::string last_input;
    std::vector<fs::path> files;
};

Input read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// Lines "word" of a libFuzzer dictionary, with \\, \" and \xNN.
std::vector<Input> read_dictionary(const std::string& path) {
    std::vector<Input> words;
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) {
        if (line.size() < 3 || line.front() != '"' || line.back() != '"') {
            continue;
        }
        Input word;
        for (size_t i = 1; i + 1 < line.size(); ++i) {
            if (line[i] == '\\' && line[i + 1] == 'x' && i + 4 < line.size()) {
                word.push_back(static_cast<uint8_t>(std::stoul(line.substr(i + 2, 2), nullptr, 16)));
                i += 3;
            } else {
                i += line[i] == '\\' ? 1 : 0;
                word.push_back(static_cast<uint8_t>(line[i]));
            }
        }
        words.push_back(std::move(word));
    }
    return words;
}

class Mutator {
  public:
    Mutator(const Settings& settings, const std::vector<Input>& corpus)
        : random_(settings.seed),
          max_len_(settings.max_len),
          corpus_(corpus),
          words_(read_dictionary(settings.dict)) {}

    // A file of the corpus with one to eight changes.
    Input next() {
        Input input = corpus_[below(corpus_.size())];
        for (size_t changes = 1 + below(8); changes > 0; --changes) {
            change(input);
        }
        if (input.size() > max_len_) {
            input.resize(max_len_);
        }
        return input;
    }

  private:
    size_t below(size_t bound) { return static_cast<size_t>(random_.below(bound)); }
    // Somewhere in the input, or at its end.
    size_t place(const Input& input) { return below(input.size() + 1); }

    void insert(Input& input, const Input& what) {
        const auto at = static_cast<std::ptrdiff_t>(place(input));
        input.insert(input.begin() + at, what.begin(), what.end());
    }
    // A stretch of `from`, short more often than long.
    Input stretch(const Input& from) {
        const size_t begin = place(from);
        const size_t longest = std::min(from.size() - begin, size_t{1} << below(10));
        const auto first = from.begin() + static_cast<std::ptrdiff_t>(begin);
        return {first, first + static_cast<std::ptrdiff_t>(below(longest + 1))};
    }

    void change(Input& input) {
        const size_t choice = below(words_.empty() ? 8 : 11);
        if (input.empty() || choice == 0) {
            return insert(input, {static_cast<uint8_t>(random_.next())});
        }
        const size_t at = below(input.size());
        const auto here = input.begin() + static_cast<std::ptrdiff_t>(at);
        switch (choice) {
            case 1:
                input[at] ^= static_cast<uint8_t>(1u << below(8));
                break;
            case 2:
                input[at] = static_cast<uint8_t>(random_.next());
                break;
            case 3:
                input.erase(here, here + static_cast<std::ptrdiff_t>(
                                             1 + below(std::min<size_t>(input.size() - at, 16))));
                break;
            case 4:
                return insert(input, stretch(input));
            case 5:
                return insert(input, stretch(corpus_[below(corpus_.size())]));
            case 6:
                return overwrite(input, at, edge());
            case 7:
                input.resize(at);
                break;
            case 8:
                return overwrite(input, at, words_[below(words_.size())]);
            default:
                return insert(input, words_[below(words_.size())]);
        }
    }

    void overwrite(Input& input, size_t at, const Input& what) {
        for (size_t i = 0; i < what.size() && at + i < input.size(); ++i) {
            input[at + i] = what[i];
        }
    }

    // A little-endian number of 1 to 8 bytes at an edge: near zero, all ones, the sign bit, a power of two.
    Input edge() {
        const size_t size = size_t{1} << below(4);
        const uint64_t bases[] = {0, ~uint64_t{0}, uint64_t{1} << (8 * size - 1),
                                  uint64_t{1} << below(8 * size)};
        const uint64_t value = bases[below(std::size(bases))] + below(5) - 2;
        Input bytes(size);
        std::memcpy(bytes.data(), &value, size);
        return bytes;
    }

    test::Random random_;
    const uint64_t max_len_;
    const std::vector<Input>& corpus_;
    const std::vector<Input> words_;
};

// The file that keeps the input which is being run.
class LastInput {
  public:
    explicit LastInput(std::string path) : path_(std::move(path)) {
        if (!path_.empty()) {
            descriptor_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        }
    }
    ~LastInput() {
        if (descriptor_ >= 0) {
            close(descriptor_);
            unlink(path_.c_str());
        }
    }
    LastInput(const LastInput&) = delete;
    LastInput& operator=(const LastInput&) = delete;

    void keep(const Input& input) const {
        if (descriptor_ >= 0 &&
            (ftruncate(descriptor_, 0) != 0 || pwrite(descriptor_, input.data(), input.size(), 0) < 0)) {
            fmt::print(stderr, "{}: cannot be written\n", path_);
        }
    }

  private:
    const std::string path_;
    int descriptor_ = -1;
};

std::optional<Settings> settings_of(const std::vector<std::string>& arguments) {
    Settings settings;
    for (const std::string& argument : arguments) {
        const size_t equals = argument.find('=');
        const std::string_view name = std::string_view(argument).substr(0, equals);
        const std::string value = equals == std::string::npos ? std::string() : argument.substr(equals + 1);
        const auto number = parse_uint(value);
        if (!argument.starts_with('-')) {
            if (fs::is_directory(argument)) {
                for (const auto& entry : fs::directory_iterator(argument)) {
                    settings.files.push_back(entry.path());
                }
            } else {
                settings.files.emplace_back(argument);
            }
        } else if (name == "-dict") {
            settings.dict = value;
        } else if (name == "-last_input") {
            settings.last_input = value;
        } else if (name == "-runs" && number) {
            settings.runs = *number;
        } else if (name == "-seed" && number) {
            settings.seed = *number;
        } else if (name == "-max_len" && number) {
            settings.max_len = *number;
        } else {
            fmt::print(stderr, "{}: unknown option\n", argument);
            return std::nullopt;
        }
    }
    std::ranges::sort(settings.files);
    return settings;
}

int run(const std::vector<std::string>& arguments) {
    const auto settings = settings_of(arguments);
    if (!settings || settings->files.empty()) {
        fmt::print(stderr, "there is nothing to run\n");
        return 1;
    }
    std::vector<Input> corpus;
    for (const fs::path& path : settings->files) {
        corpus.push_back(read_file(path));
    }
    fmt::print("WEFT_TEST_SEED={}\n", settings->seed);
    static_cast<void>(std::fflush(stdout));
    const LastInput last(settings->last_input);
    Mutator mutator(*settings, corpus);
    for (uint64_t i = 0; i < corpus.size() + settings->runs; ++i) {
        const Input input = i < corpus.size() ? corpus[i] : mutator.next();
        last.keep(input);
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
    fmt::print("{} files, {} mutations\n", corpus.size(), settings->runs);
    return 0;
}

}  // namespace

}  // namespace weft::fuzz

int main(int argc, char** argv) { return weft::fuzz::run({argv + 1, argv + argc}); }
