// Random operations of privileged behaviour on weft and on the peer: each leaves the same behind. WEFT_TEST_SEED names another run; it and
// the number of a guest make the guest. WEFT_TEST_GUESTS is how many there are, WEFT_TEST_FIRST the first one's number, WEFT_TEST_TIMEOUT
// how many seconds each may take; WEFT_TEST_LIST, a folder, has them listed instead,
// and their images left there. Where an operation makes a difference, those before it that
// do not matter are left out, as many as the peer's starts allow, and the rest is printed.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>

#include "tests/isa/emulators.h"
#include "tests/isa/guest_image.h"
#include "tests/isa/options.h"
#include "tests/isa/privileged_generator.h"
#include "tests/support/random.h"
#include "tests/support/subprocess.h"

namespace weft::isa_test {
namespace {

constexpr unsigned kOpsPerGuest = isa::kMaxOps;
// In turns.
constexpr GuestKind kKinds[] = {{.lockdown = false, .atomics = false, .crossing = true, .blocks = true},
                                {.lockdown = false, .atomics = true, .crossing = false, .blocks = true},
                                {.lockdown = false, .atomics = false, .crossing = false, .blocks = false},
                                {.lockdown = true, .atomics = false, .crossing = false, .blocks = false}};
constexpr unsigned kTimeout = 600;     // seconds for a guest; sanitizers are slow, and hosts busy
constexpr size_t kShownGuests = 4;     // of those that differ
constexpr unsigned kReductions = 120;  // starts of both emulators to make a guest smaller
constexpr size_t kShownOps = 40;
constexpr uint32_t kEcall = 0x00000073;
constexpr uint64_t kNothingShown = ~uint64_t{0};

struct Guest {
    isa::PrivilegedProgram program{};
    std::vector<PrivilegedCase> cases;
};

Guest make_guest(uint64_t seed, uint64_t number) {
    test::Random mix(seed * 0x100000001b3 + number);
    Guest guest;
    const GuestKind& kind = kKinds[number % std::size(kKinds)];
    guest.program.lockdown = kind.lockdown ? 1 : 0;
    guest.program.mseccfg = (mix.below(2) << 2) | (kind.lockdown ? 1 | mix.below(2) << 1 : 0);
    guest.cases = make_privileged_cases(mix.next(), kOpsPerGuest, kind);
    return guest;
}

void put_code(std::string* area, uint64_t offset, const std::vector<uint32_t>& code) {
    for (uint32_t insn : code) {
        area->replace(offset, 4, reinterpret_cast<const char*>(&insn), 4);
        offset += 4;
    }
    area->replace(offset, 4, reinterpret_cast<const char*>(&kEcall), 4);
}

std::string bytes_of(const Guest& guest, uint64_t first_shown, uint64_t end_shown) {
    isa::PrivilegedProgram header = guest.program;
    header.op_count = guest.cases.size();
    header.first_shown = first_shown;
    header.end_shown = end_shown;
    std::string bytes;
    append(&bytes, header);
    std::string code(isa::kTables - isa::kMachineCode, '\0');
    for (const uint64_t area : {isa::kMachineCode, isa::kLowerCode}) {
        for (uint64_t slot = 0; slot < isa::kTrapSlots; ++slot) {
            put_code(&code, area - isa::kMachineCode + 4 * slot, {});
        }
    }
    for (const PrivilegedCase& each : guest.cases) {
        append(&bytes, each.op);
        put_code(&code, each.op.code - isa::kMachineCode, each.code);
    }
    bytes.resize(isa::kMachineCode - isa::kProgramBase);
    return bytes + code;
}

class PrivilegedTest {
  public:
    PrivilegedTest(const TestOptions& options, std::vector<Emulator> emulators)
        : runtime_(test::read_file(options.guests[0])),
          emulators_(std::move(emulators)),
          seed_(test::test_seed()) {
        const char* count = std::getenv("WEFT_TEST_GUESTS");
        guests_ = count != nullptr ? std::strtoull(count, nullptr, 0) : options.full ? 160 : 16;
        const char* first = std::getenv("WEFT_TEST_FIRST");
        first_ = first != nullptr ? std::strtoull(first, nullptr, 0) : 0;
        const char* timeout = std::getenv("WEFT_TEST_TIMEOUT");
        timeout_ = timeout != nullptr ? static_cast<unsigned>(std::strtoul(timeout, nullptr, 0)) : kTimeout;
    }

    int run() {
        size_t differing = 0;
        fmt::print("WEFT_TEST_SEED={}: {} guests of {} operations\n", seed_, guests_, kOpsPerGuest);
        for (uint64_t number = first_; number < first_ + guests_ && differing < kShownGuests; ++number) {
            const Guest guest = make_guest(seed_, number);
            if (const char* folder = std::getenv("WEFT_TEST_LIST")) {
                list(guest, 0);
                std::ofstream(fmt::format("{}/guest-{}", folder, number), std::ios::binary)
                    << make_image(runtime_, bytes_of(guest, kNothingShown, 0));
                continue;
            }
            if (const std::optional<size_t> first = first_difference(guest)) {
                ++differing;
                fmt::print("guest {}{}: operation {} of {}\n", number,
                           guest.program.lockdown != 0 ? " (lockdown)" : "", *first, guest.cases.size());
                fmt::print("{}", problem_);
                std::fflush(stdout);
                if (problem_.empty()) {
                    reduce_and_show(guest, *first);
                } else {  // leaving out more could take as long for each try
                    list(guest, *first, 3);
                }
            }
            std::fflush(stdout);
        }
        fmt::print("{} guests differ\n", differing);
        return differing == 0 ? 0 : 1;
    }

  private:
    std::vector<RunResult> run_both(const Guest& guest, uint64_t first_shown, uint64_t end_shown) {
        const std::string image =
            files_.write("image", make_image(runtime_, bytes_of(guest, first_shown, end_shown)));
        return run_all({{emulators_[0], image}, {emulators_[1], image}}, timeout_);
    }

    // The first operation after which the two differ; one behind the last where only their ends do.
    std::optional<size_t> first_difference(const Guest& guest) {
        const std::vector<RunResult> results = run_both(guest, kNothingShown, 0);
        const std::vector<std::string>& peer = results[0].lines;
        const std::vector<std::string>& weft = results[1].lines;
        size_t equal = 0;
        while (equal < peer.size() && equal < weft.size() && peer[equal] == weft[equal]) {
            ++equal;
        }
        if (equal == guest.cases.size() + 1 && peer.back() == isa::kPrivilegedEnd) {
            return std::nullopt;
        }
        problem_.clear();
        for (size_t i = 0; i < results.size(); ++i) {
            if (!results[i].problem.empty()) {
                problem_ += fmt::format("  {}: {} after {} operations\n", emulators_[i].name,
                                        results[i].problem, results[i].lines.size());
            }
        }
        return std::min(equal, guest.cases.size());
    }

    // Leaves out what the difference does not need, by ever smaller pieces.
    void reduce_and_show(Guest guest, size_t first) {
        if (first < guest.cases.size()) {
            guest.cases.resize(first + 1);
        }
        unsigned left = kReductions;
        for (size_t piece = guest.cases.size() / 2; piece > 0 && left > 0; piece /= 2) {
            for (size_t end = guest.cases.size() - 1; end > 0 && left > 0;) {
                const size_t begin = end > piece ? end - piece : 0;
                Guest smaller = guest;
                smaller.cases.erase(smaller.cases.begin() + static_cast<ptrdiff_t>(begin),
                                    smaller.cases.begin() + static_cast<ptrdiff_t>(end));
                --left;
                const std::optional<size_t> still = first_difference(smaller);
                if (still && problem_.empty()) {
                    guest = std::move(smaller);
                    if (*still + 1 < guest.cases.size()) {
                        guest.cases.resize(*still + 1);
                    }
                    end = std::min(begin, guest.cases.size() - 1);
                } else {
                    end = begin;
                }
            }
        }
        show(guest);
    }

    static void list(const Guest& guest, size_t first, size_t count = isa::kMaxOps) {
        for (size_t i = first; i < std::min(guest.cases.size(), first + count); ++i) {
            const PrivilegedCase& each = guest.cases[i];
            fmt::print("  {} mode {} mstatus {:#x} satp {:#x} flags {}: {}\n", i, each.op.mode,
                       each.op.status, each.op.satp, each.op.flags, each.text);
        }
    }

    void show(const Guest& guest) {
        list(guest, guest.cases.size() - std::min(guest.cases.size(), kShownOps));
        const PrivilegedCase& last = guest.cases.back();
        fmt::print("    a {:#x} {:#x} {:#x} {:#x} {:#x} {:#x}, code", last.op.a[0], last.op.a[1],
                   last.op.a[2], last.op.a[3], last.op.a[4], last.op.a[5]);
        for (const uint32_t insn : last.code) {
            fmt::print(" {:08x}", insn);
        }
        fmt::print("\n");
        const std::vector<RunResult> results = run_both(guest, guest.cases.size() - 1, guest.cases.size());
        const std::vector<std::string>& peer = results[0].lines;
        const std::vector<std::string>& weft = results[1].lines;
        size_t differing = 0;
        for (size_t i = guest.cases.size() - 1; i < std::max(peer.size(), weft.size()); ++i) {
            const std::string one = i < peer.size() ? peer[i] : "nothing";
            const std::string other = i < weft.size() ? weft[i] : "nothing";
            if (one != other) {
                ++differing;
                fmt::print("    peer {}\n    weft {}\n", one, other);
            } else if (one.starts_with("cause") || one.starts_with("epc") || one.starts_with("tval")) {
                fmt::print("    both {}\n", one);
            }
        }
        if (differing == 0) {
            fmt::print("    equal when shown: it depends on timing. {}\n", problem_);
        }
    }

    std::string runtime_;
    std::vector<Emulator> emulators_;
    uint64_t seed_;
    uint64_t guests_ = 0;
    uint64_t first_ = 0;
    unsigned timeout_ = kTimeout;
    test::TempDir files_;
    std::string problem_;
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
    return PrivilegedTest(options, std::move(emulators)).run();
}
