// Two machines in one process boot Debian's kernel at the same time, each with a thread, a main loop and a console of its own.
//
//   side_by_side_test MODULES
//
// WEFT_GUEST_DIR holds the guest; without it the test is skipped (exit code 77).
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include "tests/machines/machine_run.h"

using namespace weft::test;

namespace {

constexpr int kSkipped = 77;

bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\r\n") != std::string::npos;
}

// Says what is wrong; 0 if nothing is.
int check(const char* name, const MachineOutcome& outcome, const char* harts) {
    int wrong = 0;
    const auto expect = [&](bool holds, const std::string& what) {
        if (!holds) {
            fmt::print("{}: {}\n", name, what);
            ++wrong;
        }
    };
    expect(outcome.error.empty(), outcome.error);
    expect(outcome.exit_code == 0, fmt::format("exit code {}", outcome.exit_code));
    expect(outcome.output.find(fmt::format("\nWEFT nproc={} ", harts)) != std::string::npos,
           "another number of harts");
    expect(has_line(outcome.output, "WEFT work=ok"), "no 'WEFT work=ok'");
    if (wrong != 0) {
        fmt::print(
            "{}: the console's end: {}\n", name,
            outcome.output.substr(outcome.output.size() - std::min<size_t>(outcome.output.size(), 3000)));
    }
    return wrong;
}

}  // namespace

int main(int argc, char** argv) {
    const char* guest = std::getenv("WEFT_GUEST_DIR");
    if (guest == nullptr || argc != 2) {
        fmt::print("skipped: WEFT_GUEST_DIR is not set (scripts/fetch-guest gets the guest)\n");
        return kSkipped;
    }
    const std::string folder = guest;
    const auto arguments = [&folder](const char* accel, const char* harts) {
        return std::vector<std::string>{"-accel",  accel,
                                        "-smp",    harts,
                                        "-m",      "256M",
                                        "-bios",   folder + "/fw_dynamic.bin",
                                        "-kernel", folder + "/Image",
                                        "-initrd", folder + "/initramfs.cpio.gz",
                                        "-append", "console=ttyS0 weft.check"};
    };
    MachineSetup first(arguments("tcg", "2"), argv[1]);
    MachineSetup second(arguments("tcg,thread=single", "3"), argv[1]);
    for (const MachineSetup* setup : {&first, &second}) {
        if (!setup->error().empty()) {
            fmt::print("{}\n", setup->error());
            return 1;
        }
    }
    MachineOutcome one;
    MachineOutcome two;
    std::thread one_thread([&] { one = first.run(); });
    std::thread two_thread([&] { two = second.run(); });
    one_thread.join();
    two_thread.join();
    return check("first", one, "2") + check("second", two, "3") == 0 ? 0 : 1;
}
