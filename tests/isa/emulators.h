// The two emulators that are compared, as child processes.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace weft::isa_test {

struct Emulator {
    std::string name;               // for messages
    std::vector<std::string> argv;  // complete but for the kernel
};

// The emulator that WEFT_PEER_DIR names, with weft's instruction set and no other extension. Nothing where the
// variable is not set or no emulator is there.
std::optional<Emulator> find_peer();

// weft-system-riscv64 at `program`, with the accelerators in `modules`. `way`: native or interp, where everything is
// translated for that backend, or run, where everything that GuestArch::run takes on runs without a translation; by hand also one, with an
// instruction a translation, single, with one thread, and insn, with the clock that counts instructions.
Emulator make_weft(const std::string& program, const std::string& modules, const std::string& way);

struct RunResult {
    std::vector<std::string> lines;  // the guest's output, carriage returns removed
    std::string problem;             // empty after an orderly end with exit code 0
};

struct Boot {
    Emulator emulator;
    std::string image;  // path of the kernel
};

// Boots all of them at the same time, each for `timeout_seconds` at most.
std::vector<RunResult> run_all(const std::vector<Boot>& boots, unsigned timeout_seconds);

}  // namespace weft::isa_test
