// Each instruction at its corners, on weft and on the peer: the same results, flags, traps and memory.
#include <fmt/format.h>

#include <array>
#include <set>

#include "emulator/guest/riscv/isa/register_names.h"
#include "tests/isa/corners.h"
#include "tests/isa/guest_image.h"
#include "tests/isa/options.h"
#include "tests/support/subprocess.h"

namespace weft::isa_test {
namespace {

constexpr unsigned kTimeout = 3000;  // seconds for all jobs; sanitizers are slow
constexpr unsigned kShownDifferences = 10;

constexpr std::array kWordNames = {"x1",  "x2",  "x10", "x11",  "x12",   "x13",    "f10",
                                   "f11", "f12", "f13", "fcsr", "traps", "causes", "tvals"};

class CornersTest {
  public:
    CornersTest(const TestOptions& options, std::vector<Emulator> emulators)
        : runtime_(test::read_file(options.guests[0])),
          emulators_(std::move(emulators)),
          suite_(make_corner_suite(options.full)) {}

    int run() {
        uint64_t combinations = 0;
        for (const isa::CornerJob& job : suite_.jobs) {
            combinations += job.count[0] * job.count[1] * job.count[2] * job.frm_count;
        }
        fmt::print("{} jobs, {} combinations\n", suite_.jobs.size(), combinations);
        const std::vector<RunResult> results = run_jobs(suite_.jobs);
        uint64_t differences = 0;
        for (size_t i = 0; i < suite_.jobs.size() && results[1].lines.size() > i; ++i) {
            if (results[0].lines.size() <= i || results[0].lines[i] != results[1].lines[i]) {
                if (++differences <= kShownDifferences) {
                    explain(suite_.jobs[i]);
                }
            }
        }
        for (size_t i = 0; i < results.size(); ++i) {
            if (!results[i].problem.empty() || results[i].lines.size() != suite_.jobs.size()) {
                const size_t count = results[i].lines.size();
                fmt::print("{}: {} of {} jobs; {}\n", emulators_[i].name, count, suite_.jobs.size(),
                           results[i].problem.empty() ? "ended early" : results[i].problem);
                if (count < suite_.jobs.size()) {
                    fmt::print("  in: {}\n", describe(suite_.jobs[count]));
                }
                ++differences;
            }
        }
        const unsigned untested = report_coverage();
        fmt::print("{} differences\n", differences);
        return differences == 0 && untested == 0 ? 0 : 1;
    }

  private:
    std::vector<RunResult> run_jobs(const std::vector<isa::CornerJob>& jobs) {
        const std::string image = files_.write("image", make_image(runtime_, corner_program(suite_, jobs)));
        return run_all({{emulators_[0], image}, {emulators_[1], image}}, kTimeout);
    }

    // Of jobs for each of `count` values, the first that differs.
    template <class Restrict>
    bool narrow(isa::CornerJob* job, uint64_t count, Restrict restrict_to) {
        std::vector<isa::CornerJob> jobs;
        for (uint64_t i = 0; i < count; ++i) {
            jobs.push_back(restrict_to(*job, i));
        }
        const std::vector<RunResult> results = run_jobs(jobs);
        for (size_t i = 0; i < count; ++i) {
            if (i >= results[0].lines.size() || i >= results[1].lines.size() ||
                results[0].lines[i] != results[1].lines[i]) {
                *job = jobs[i];
                return true;
            }
        }
        return false;
    }

    void explain(isa::CornerJob job) {
        fmt::print("\ndifference: {}\n", describe(job));
        for (size_t operand = 0; operand < 3; ++operand) {
            if (!narrow(&job, job.count[operand], [operand](isa::CornerJob one, uint64_t i) {
                    one.first[operand] += i;
                    one.count[operand] = 1;
                    return one;
                })) {
                fmt::print("  none with single values: what differs depends on what ran before\n");
                return;
            }
        }
        narrow(&job, job.frm_count, [](isa::CornerJob one, uint64_t i) {
            one.first_frm += i;
            one.frm_count = 1;
            return one;
        });
        fmt::print("  operands {:016x} {:016x} {:016x}, frm {}\n", suite_.values[job.first[0]] + job.bias,
                   suite_.values[job.first[1]], suite_.values[job.first[2]], job.first_frm);
        job.verbose = 1;
        const std::vector<RunResult> results = run_jobs({job});
        const size_t words = kWordNames.size() + isa::kWindowWords;
        for (size_t i = 0; i < words && i < results[0].lines.size() && i < results[1].lines.size(); ++i) {
            if (results[0].lines[i] != results[1].lines[i]) {
                fmt::print("  {}: peer {}, weft {}\n",
                           i < kWordNames.size() ? kWordNames[i]
                                                 : fmt::format("memory word {}", i - kWordNames.size()),
                           results[0].lines[i], results[1].lines[i]);
            }
        }
    }

    unsigned report_coverage() const {
        const std::set<riscv::InsnId> seen(suite_.rows.begin(), suite_.rows.end());
        unsigned untested = 0;
        for (const riscv::InsnDesc& desc : riscv::kInsns) {
            if (!seen.contains(desc.id)) {
                const std::string_view reason = reason_without_corners(desc.id);
                untested += reason.empty() ? 1 : 0;
                fmt::print("without corners: {}{}{}\n", desc.mnemonic, reason.empty() ? "" : ": ", reason);
            }
        }
        return untested;
    }

    std::string runtime_;
    std::vector<Emulator> emulators_;
    CornerSuite suite_;
    test::TempDir files_;
};

}  // namespace
}  // namespace weft::isa_test

int main(int argc, char** argv) {
    using namespace weft::isa_test;
    const TestOptions options = parse_options(argc, argv);
    std::vector<Emulator> emulators = find_emulators(options);
    return emulators.empty() ? kSkipped : CornersTest(options, std::move(emulators)).run();
}
