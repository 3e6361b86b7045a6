// The user's terminal in raw mode.
#pragma once

#include <termios.h>

#include <optional>

namespace weft::backend {

// While it lives, a terminal gives characters as they are typed, without echo; line ends are still made on output.
// Does nothing for a descriptor that is no terminal.
class RawTerminal {
  public:
    // With `keep_signals` Ctrl-C and its like still signal; otherwise they are characters.
    RawTerminal(int fd, bool keep_signals);
    ~RawTerminal() { restore(); }
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

    // Sets the mode again: a shell changes it while the program is stopped.
    void apply() const;
    // Gives the terminal its former mode back, for good.
    void restore();

  private:
    const int fd_;
    const bool keep_signals_;
    std::optional<termios> saved_;
};

}  // namespace weft::backend
