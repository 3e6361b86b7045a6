#include "base/messages.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <initializer_list>

namespace weft {

namespace {

// Allocates nothing: what is said may be that there is no memory.
void print_line(std::initializer_list<std::string_view> parts) {
    // What is no longer than this stays whole, whoever else writes.
    std::array<char, PIPE_BUF> buffer;
    size_t length = 0;
    const auto put = [&](char byte) {
        buffer[length++] = byte;
        if (length == buffer.size() || byte == '\n') {
            // Where standard error takes nothing there is nobody left to tell.
            [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, buffer.data(), length);
            length = 0;
        }
    };
    for (const std::string_view part : parts) {
        for (const char byte : part) {
            put(byte == '\n' ? ' ' : byte);
        }
    }
    put('\n');
}

}  // namespace

void print_error(std::string_view message) { print_line({program_invocation_short_name, ": ", message}); }

void print_warning(std::string_view message) {
    print_line({program_invocation_short_name, ": warning: ", message});
}

}  // namespace weft
