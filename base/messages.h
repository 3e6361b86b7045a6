// What the program tells its user outside the monitor: single lines on standard error, begun with the program's name.
#pragma once

#include <string_view>

namespace weft::sys {

// "weft-system-riscv64: message". Each line is one write, so lines of several threads do not mix. Any thread.
void print_error(std::string_view message);
// "weft-system-riscv64: warning: message".
void print_warning(std::string_view message);

}  // namespace weft::sys
