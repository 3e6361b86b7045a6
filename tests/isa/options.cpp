#include "tests/isa/options.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace weft::isa_test {

TestOptions parse_options(int argc, char** argv) {
    constexpr std::string_view kWeft = "--weft=";
    constexpr std::string_view kModules = "--modules=";
    constexpr std::string_view kWay = "--way=";
    TestOptions options;
    const char* full = std::getenv("WEFT_TEST_FULL");
    options.full = full != nullptr && std::string_view(full) == "1";
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument.starts_with(kWeft)) {
            options.weft = argument.substr(kWeft.size());
        } else if (argument.starts_with(kModules)) {
            options.modules = argument.substr(kModules.size());
        } else if (argument.starts_with(kWay)) {
            options.way = argument.substr(kWay.size());
        } else {
            options.guests.emplace_back(argument);
        }
    }
    if (options.guests.empty() || options.weft.empty() || options.way.empty()) {
        fmt::print(stderr,
                   "usage: {} GUEST... --weft=PROGRAM|peer --modules=FOLDER "
                   "--way=native|interp|run|one|single|insn\n",
                   argv[0]);
        std::exit(2);
    }
    // Without its program the emulators would run nothing, for ever.
    for (const std::string& guest : options.guests) {
        std::error_code error;
        if (std::filesystem::file_size(guest, error) == 0 || error) {
            fmt::print(stderr, "{}: there is no guest program: {}\n", guest,
                       error ? error.message() : "an empty file");
            std::exit(1);
        }
    }
    return options;
}

std::vector<Emulator> find_emulators(const TestOptions& options) {
    const std::optional<Emulator> peer = find_peer();
    if (!peer) {
        fmt::print("skipped: WEFT_PEER_DIR names no folder with bin/qemu-system-riscv64\n");
        return {};
    }
    if (options.weft == "peer") {
        return {*peer, *peer};
    }
    return {*peer, make_weft(options.weft, options.modules, options.way)};
}

}  // namespace weft::isa_test
