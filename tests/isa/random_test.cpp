// Random sequences of instructions on weft and on the peer: the states they end with are the same, and each
// instruction of the tables was among them. WEFT_TEST_SEED names another run; it and the number of a case make
// the case.
#include <fmt/format.h>

#include <cstdio>
#include <optional>

#include "emulator/guest/riscv/isa/disassemble.h"
#include "tests/isa/case_generator.h"
#include "tests/isa/emulators.h"
#include "tests/isa/guest_image.h"
#include "tests/isa/options.h"
#include "tests/isa/state_dump.h"
#include "tests/isa/values.h"
#include "tests/support/random.h"
#include "tests/support/subprocess.h"

namespace weft::isa_test {
namespace {

constexpr unsigned kInsnsPerCase = 100;
constexpr uint64_t kCasesPerImage = 1000;
constexpr unsigned kTimeout = 600;  // seconds for an image; sanitizers are slow
constexpr unsigned kShownDifferences = 5;

class RandomTest {
  public:
    RandomTest(const TestOptions& options, std::vector<Emulator> emulators)
        : options_(options),
          runtime_(test::read_file(options.guests[0])),
          emulators_(std::move(emulators)),
          seed_(test::test_seed()) {}

    int run() {
        const uint64_t insns = options_.full ? 1'000'000 : 100'000;
        const uint64_t cases = insns / kInsnsPerCase;
        fmt::print("WEFT_TEST_SEED={}: {} cases\n", seed_, cases);
        for (uint64_t first = 0; first < cases && shown_ < kShownDifferences; first += kCasesPerImage) {
            run_image(first, std::min(first + kCasesPerImage, cases));
        }
        report_coverage();
        fmt::print("{} instructions, {} differences\n", insns_, differences_);
        return differences_ == 0 && untested_ == 0 ? 0 : 1;
    }

  private:
    // Case `number` of this run.
    RandomCase make(uint64_t number, riscv::InsnCoverage* coverage) const {
        test::Random mix(seed_ * 0x100000001b3 + number);
        const auto family = static_cast<CaseFamily>(number % kCaseFamilies);
        return make_random_case(mix.next(), family, kInsnsPerCase, coverage);
    }

    // Cases [first, last) as the guest's program, printing from the `printed`th of them on. Of case `cut`, only
    // `kept` instructions remain.
    std::string program(uint64_t first, uint64_t last, uint64_t printed, uint64_t dumped,
                        std::optional<uint64_t> cut = {}, uint32_t kept = 0) {
        isa::RandomProgram header{};
        header.case_count = last - first;
        header.first_printed = printed;
        header.dumped = dumped;
        test::Random pool(seed_);
        for (uint64_t& word : header.pool) {
            switch (pool.below(5)) {
                case 0:
                    word = random_integer(pool);
                    break;
                case 1:
                    word = random_fp(pool);
                    break;
                default:
                    word = random_ordinary_fp(pool);
            }
        }
        std::string bytes;
        append(&bytes, header);
        for (uint64_t number = first; number < last; ++number) {
            const RandomCase test = make(number, nullptr);
            bytes += number == cut ? test.bytes(kept) : test.bytes();
        }
        return bytes;
    }

    std::vector<RunResult> run_both(const std::string& program) {
        const std::string image = files_.write("image", make_image(runtime_, program));
        return run_all({{emulators_[0], image}, {emulators_[1], image}}, kTimeout);
    }

    void run_image(uint64_t first, uint64_t last) {
        for (uint64_t number = first; number < last; ++number) {
            insns_ += make(number, &coverage_).sequence.size();
        }
        const std::vector<RunResult> results = run_both(program(first, last, 0, isa::kNoCase));
        bool complete = true;
        for (size_t i = 0; i < results.size(); ++i) {
            if (!results[i].problem.empty() || results[i].lines.size() != last - first) {
                fmt::print("{}: {} of {} cases; {}\n", emulators_[i].name, results[i].lines.size(),
                           last - first, results[i].problem.empty() ? "ended early" : results[i].problem);
                complete = false;
            }
        }
        for (uint64_t number = first; number < last && shown_ < kShownDifferences; ++number) {
            if (!same_line(results, number - first)) {
                ++differences_;
                explain(first, number);
                complete = true;
                if (number - first >= results[1].lines.size()) {
                    break;  // the others did not run
                }
            }
        }
        differences_ += complete ? 0 : 1;
    }

    static bool same_line(const std::vector<RunResult>& results, uint64_t line) {
        return line < results[0].lines.size() && line < results[1].lines.size() &&
               results[0].lines[line] == results[1].lines[line];
    }

    // Runs the cases up to `number`, cut to `kept` instructions; its state on both.
    std::vector<RunResult> dump(uint64_t first, uint64_t number, uint32_t kept) {
        return run_both(program(first, number + 1, number - first, number - first, number, kept));
    }

    static bool same(const std::vector<RunResult>& results) {
        return results[0].problem.empty() && results[1].problem.empty() &&
               results[0].lines == results[1].lines;
    }

    void explain(uint64_t first, uint64_t number) {
        ++shown_;
        const RandomCase test = make(number, nullptr);
        fmt::print("\ndifference in case {} (WEFT_TEST_SEED={}): {}", number, seed_, test.describe());
        const uint32_t whole = test.sequence.size();
        if (same(dump(first, number, whole))) {
            fmt::print("equal when run again: what differs depends on timing, or on what is printed\n");
            return;
        }
        // The shortest beginning that differs; `equal` is known to be equal, `differs` to differ.
        uint32_t equal = 0;
        uint32_t differs = whole;
        if (!same(dump(first, number, 0))) {
            fmt::print("differs before the first instruction:\n");
            differs = 0;
        }
        while (equal + 1 < differs) {
            const uint32_t middle = equal + (differs - equal) / 2;
            (same(dump(first, number, middle)) ? equal : differs) = middle;
        }
        if (differs != 0) {
            fmt::print("first to make a difference is instruction {}:\n", differs - 1);
        }
        const std::vector<RunResult> results = dump(first, number, differs);
        for (size_t i = 0; i < results.size(); ++i) {
            if (!results[i].problem.empty()) {
                fmt::print("  {}: {}\n", emulators_[i].name, results[i].problem);
            }
        }
        fmt::print("{}", compare_dumps(results[0].lines, results[1].lines));
        std::fflush(stdout);
    }

    void report_coverage() {
        for (const riscv::InsnDesc& desc : riscv::kInsns) {
            if (coverage_.count(desc.id) != 0) {
                continue;
            }
            const std::string_view reason = reason_not_in_random_cases(desc.id);
            untested_ += reason.empty() ? 1 : 0;
            fmt::print("never generated: {}{}{}\n", desc.mnemonic, reason.empty() ? "" : ": ", reason);
        }
    }

    const TestOptions& options_;
    std::string runtime_;
    std::vector<Emulator> emulators_;
    uint64_t seed_;
    test::TempDir files_;
    riscv::InsnCoverage coverage_;
    uint64_t insns_ = 0;
    uint64_t differences_ = 0;
    uint64_t untested_ = 0;
    unsigned shown_ = 0;
};

}  // namespace
}  // namespace weft::isa_test

int main(int argc, char** argv) {
    using namespace weft::isa_test;
    const TestOptions options = parse_options(argc, argv);
    std::vector<Emulator> emulators = find_emulators(options);
    return emulators.empty() ? kSkipped : RandomTest(options, std::move(emulators)).run();
}
