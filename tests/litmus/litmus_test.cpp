// Litmus tests on weft: no outcome that RVWMO forbids is seen, and what is allowed or broken on purpose is.
//
//   litmus-test GUEST --weft=PROGRAM --modules=FOLDER --way=native|interp
#include <fmt/format.h>
#include <sched.h>

#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "tests/isa/guest_image.h"
#include "tests/isa/options.h"
#include "tests/isa/program_format.h"
#include "tests/litmus/program.h"
#include "tests/support/random.h"
#include "tests/support/subprocess.h"
#include "weft/abi.h"

namespace weft::litmus {
namespace {

using isa_test::Emulator;

constexpr unsigned kTimeout = 900;  // seconds; sanitizers and busy hosts are slow

struct Line {
    uint64_t number;
    std::string name;
    uint64_t rounds;
    uint64_t forbidden;
    uint64_t noted;
};

class LitmusTest {
  public:
    LitmusTest(isa_test::TestOptions options)
        : options_(std::move(options)), runtime_(test::read_file(options_.guests.front())) {}

    unsigned failures() const { return failures_; }

    // All tests for so many harts.
    std::vector<Line> run(uint64_t harts, uint64_t rounds) {
        const std::vector<Line> lines = boot("", {harts, rounds, test::test_seed(), kAll});
        if (lines.empty()) {
            fail(fmt::format("no test for {} harts was run", harts));
        }
        for (const Line& line : lines) {
            fmt::print("{} harts: {}: {} rounds, {} forbidden, {} noted\n", harts, line.name, line.rounds,
                       line.forbidden, line.noted);
            if (line.forbidden != 0) {
                fail(fmt::format("{}: {} of {} rounds ended as RVWMO forbids", line.name, line.forbidden,
                                 line.rounds));
            }
        }
        return lines;
    }

    // That `wanted` of a test is seen at last, with optimisations switched off as given. How soon depends on how often the
    // host runs both harts at once.
    void expect(const std::vector<Line>& tests, const std::string& name, const std::string& disable,
                uint64_t Line::* wanted) {
        constexpr unsigned kAttempts = 50;
        constexpr uint64_t kRounds = 20000;
        for (const Line& one : tests) {
            if (one.name != name) {
                continue;
            }
            for (unsigned attempt = 0; attempt < kAttempts && failures_ == 0; ++attempt) {
                for (const Line& line :
                     boot(disable, {2, kRounds, test::test_seed() + attempt, one.number})) {
                    if (line.*wanted != 0) {
                        fmt::print("control: {} {}: {} of {} rounds, attempt {}\n", name, disable,
                                   line.*wanted, line.rounds, attempt + 1);
                        return;
                    }
                }
            }
            fail(fmt::format("control: {} {}: never seen", name, disable));
            return;
        }
        fail("there is no test " + name);
    }

  private:
    void fail(const std::string& reason) {
        fmt::print("FAILED: {}\n", reason);
        ++failures_;
    }

    std::vector<Line> boot(const std::string& disable, const Program& program) {
        Emulator emulator = isa_test::make_weft(options_.weft, options_.modules, options_.way + disable);
        emulator.argv.insert(emulator.argv.end(), {"-smp", std::to_string(program.harts)});
        std::string bytes;
        isa_test::append(&bytes, program);
        const std::vector<isa_test::RunResult> results = isa_test::run_all(
            {{emulator, files_.write("litmus", isa_test::make_image(runtime_, bytes))}}, kTimeout);
        if (!results[0].problem.empty()) {
            fail(results[0].problem);
        }
        std::vector<Line> lines;
        for (const std::string& text : results[0].lines) {
            std::istringstream words(text);
            Line line{};
            words >> std::hex >> line.number >> line.name >> line.rounds >> line.forbidden >> line.noted;
            if (!words) {
                fail("the guest printed '" + text + "'");
                break;
            }
            lines.push_back(std::move(line));
        }
        return lines;
    }

    const isa_test::TestOptions options_;
    const std::string runtime_;
    test::TempDir files_;
    unsigned failures_ = 0;
};

unsigned host_processors() {
    cpu_set_t set;
    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<unsigned>(CPU_COUNT(&set)) : 1;
}

int run(isa_test::TestOptions options) {
    const bool native = options.way == "native";
    const uint64_t rounds = options.full ? 1000000 : native ? 50000 : 10000;
    fmt::print("WEFT_TEST_SEED={}\n", test::test_seed());
    LitmusTest test(std::move(options));
    const std::vector<Line> tests = test.run(2, rounds);
    test.run(4, rounds / 5);
    if (host_processors() < 2) {
        fmt::print("one processor: harts never run at the same time, and the controls are left out\n");
        return test.failures() == 0 ? 0 : 1;
    }
    // The tests see what they look for: reordering that is allowed, and code that is wrong on purpose.
    if (native || sanitizer_mode() == SanitizerMode::none) {
        test.expect(tests, "SB", "", &Line::noted);
    } else {
        fmt::print("what sanitizers do between the interpreter's accesses leaves no reordering to see\n");
    }
    if (native) {
        for (const char* name : {"SB+fence.rw.rw", "SB+fence.w.r", "SB+lr.aqrl", "R+fence.rw.rw"}) {
            test.expect(tests, name, ",disable=fences", &Line::forbidden);
        }
        test.expect(tests, "amoadd", ",disable=atomic-additions", &Line::forbidden);
    }
    return test.failures() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace weft::litmus

int main(int argc, char** argv) { return weft::litmus::run(weft::isa_test::parse_options(argc, argv)); }
