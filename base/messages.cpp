#include "base/messages.h"

#include <errno.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace weft {

namespace {

void print_line(std::string line) {
    std::ranges::replace(line, '\n', ' ');
    line += '\n';
    // Where standard error takes nothing there is nobody left to tell.
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void print_error(std::string_view message) {
    print_line(fmt::format("{}: {}", program_invocation_short_name, message));
}

void print_warning(std::string_view message) {
    print_line(fmt::format("{}: warning: {}", program_invocation_short_name, message));
}

}  // namespace weft
