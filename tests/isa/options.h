// What the test programs of this folder are told on their command line.
#pragma once

#include <string>
#include <vector>

#include "tests/isa/emulators.h"

namespace weft::isa_test {

inline constexpr int kSkipped = 77;  // meson's exit code for a test that could not be run

struct TestOptions {
    std::vector<std::string> guests;  // guest programs, raw images: at least one
    std::string weft;                 // weft-system-riscv64; "peer": the peer is compared with itself
    std::string modules;              // folder of weft's accelerators
    std::string way;                  // of weft: see make_weft()
    bool full = false;                // WEFT_TEST_FULL
};

// GUEST... --weft=PROGRAM --modules=FOLDER --way=NAME. Ends the program with a message where it cannot be read.
TestOptions parse_options(int argc, char** argv);

// The emulators to compare, the peer first. Empty where there is no peer: a line says so.
std::vector<Emulator> find_emulators(const TestOptions& options);

}  // namespace weft::isa_test
