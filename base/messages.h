// What the program tells its user outside the monitor: single lines on standard error, begun with the program's name.
#pragma once

#include <string_view>

namespace weft {

// "PROGRAM: message", with the name that the program was started by. Each line is one write, so lines of several threads do not mix. Any thread.
void print_error(std::string_view message);
// "PROGRAM: warning: message".
void print_warning(std::string_view message);

}  // namespace weft
