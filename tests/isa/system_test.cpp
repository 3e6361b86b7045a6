// Directed programs of privileged behaviour on weft and on the peer: they report the same, line by line, to the end.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "tests/isa/guest_image.h"
#include "tests/isa/options.h"
#include "tests/isa/program_format.h"
#include "tests/support/subprocess.h"

namespace weft::isa_test {
namespace {

constexpr unsigned kTimeout = 600;  // seconds for a program; sanitizers are slow
constexpr uint64_t kLinesPerHash = 32;
constexpr size_t kShownHashes = 4;  // of those that differ
constexpr size_t kShownLines = 24;

class SystemTest {
  public:
    explicit SystemTest(std::vector<Emulator> emulators) : emulators_(std::move(emulators)) {}

    // The number of differences.
    size_t run(const std::string& guest) {
        name_ = std::filesystem::path(guest).stem().string();
        runtime_ = test::read_file(guest);
        std::vector<RunResult> results = run_both({kLinesPerHash, 0, 0, 0});
        for (RunResult& result : results) {
            take_end(&result);
        }
        const std::vector<std::string>& peer = results[0].lines;
        const std::vector<std::string>& weft = results[1].lines;
        size_t differences = 0;
        for (size_t i = 0; i < std::max(peer.size(), weft.size()); ++i) {
            if (i >= peer.size() || i >= weft.size() || peer[i] != weft[i]) {
                if (++differences <= kShownHashes) {
                    explain(i * kLinesPerHash);
                }
            }
        }
        for (size_t i = 0; i < results.size(); ++i) {
            if (!results[i].problem.empty()) {
                fmt::print("{}: {}: {}\n", name_, emulators_[i].name, results[i].problem);
                ++differences;
            }
        }
        fmt::print("{}: {} groups of {} lines, {} differ\n", name_, peer.size(), kLinesPerHash, differences);
        return differences;
    }

  private:
    // A report that ends early is none, even where that of the other emulator ends as early.
    static void take_end(RunResult* result) {
        if (!result->lines.empty() && result->lines.back() == isa::kSystemEnd) {
            result->lines.pop_back();
        } else if (result->problem.empty()) {
            result->problem = "its report has no end";
        }
        if (result->lines.empty() && result->problem.empty()) {
            result->problem = "it reports nothing";
        }
    }

    std::vector<RunResult> run_both(isa::SystemProgram program) {
        std::vector<Boot> boots;
        for (const Emulator& emulator : emulators_) {
            program.on_peer = boots.empty() ? 1 : 0;
            std::string bytes;
            append(&bytes, program);
            Emulator configured = emulator;
            if (name_.ends_with("smp")) {
                configured.argv.insert(configured.argv.end(), {"-smp", "2"});
            }
            if (name_.ends_with("ialign")) {
                add_properties(&configured, "c=off,zca=off,zcb=off,zcd=off,zcmop=off");
            }
            if (name_.ends_with("double_trap")) {
                add_properties(&configured, "smdbltrp=on");  // not in "max"
            }
            boots.push_back({configured, files_.write(program.on_peer != 0 ? "peer" : "weft",
                                                      make_image(runtime_, bytes))});
        }
        return run_all(boots, kTimeout);
    }

    static void add_properties(Emulator* emulator, const std::string& properties) {
        const auto option = std::ranges::find(emulator->argv, "-cpu");
        *(option + 1) += "," + properties;
    }

    void explain(uint64_t first) {
        const std::vector<RunResult> results = run_both({0, first, first + kLinesPerHash, 0});
        const std::vector<std::string>& peer = results[0].lines;
        const std::vector<std::string>& weft = results[1].lines;
        size_t shown = 0;
        for (size_t i = 0; i < std::max(peer.size(), weft.size()) && shown < kShownLines; ++i) {
            const std::string one = i < peer.size() ? peer[i] : "nothing";
            const std::string other = i < weft.size() ? weft[i] : "nothing";
            if (one != other) {
                // Lines that name what follows do not differ themselves: the one before helps.
                fmt::print("{}: line {}, after \"{}\"\n  peer {}\n  weft {}\n", name_, first + i,
                           i > 0 && i <= peer.size() ? peer[i - 1] : "", one, other);
                ++shown;
            }
        }
        if (shown == 0) {
            fmt::print("{}: lines {} to {} are equal when run again: what differs depends on timing\n", name_,
                       first, first + kLinesPerHash - 1);
        }
    }

    std::vector<Emulator> emulators_;
    test::TempDir files_;
    std::string name_;
    std::string runtime_;
};

}  // namespace
}  // namespace weft::isa_test

int main(int argc, char** argv) {
    using namespace weft::isa_test;
    const TestOptions options = parse_options(argc, argv);
    std::vector<Emulator> emulators = find_emulators(options);
    if (emulators.empty()) {
        return kSkipped;
    }
    SystemTest test(std::move(emulators));
    size_t differences = 0;
    for (const std::string& guest : options.guests) {
        differences += test.run(guest);
    }
    return differences == 0 ? 0 : 1;
}
