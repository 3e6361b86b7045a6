// Guest memory and numbers as the monitor shows them: the formats of x, xp and print, which are gdb's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "emulator/machine/operations.h"

namespace weft::control {

struct Format {
    uint64_t count = 1;
    char letter = 0;    // x, d, u, o, c, i; 0: not said
    unsigned size = 0;  // bytes; 0: not said
};

// What stands behind the slash: "4xw". Sizes are b, h, w and g.
Result<Format> parse_format(std::string_view text);

// Memory at the virtual addresses of a CPU or at physical ones. What can be had is shown, then why there is no more.
Result<> show_memory(machine::MachineOperations& machine, std::optional<unsigned> cpu, uint64_t address,
                     const Format& format, const TextSink& sink);

// One number, by a format's letter; 'i' is none of them.
Result<std::string> number_text(uint64_t value, char letter);

}  // namespace weft::control
