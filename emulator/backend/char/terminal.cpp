#include "emulator/backend/char/terminal.h"

namespace weft::backend {

RawTerminal::RawTerminal(int fd, bool keep_signals) : fd_(fd), keep_signals_(keep_signals) {
    termios mode{};
    if (tcgetattr(fd_, &mode) == 0) {
        saved_ = mode;
        apply();
    }
}

void RawTerminal::apply() const {
    if (!saved_) {
        return;
    }
    termios mode = *saved_;
    mode.c_iflag &= ~static_cast<tcflag_t>(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    mode.c_oflag |= OPOST;
    mode.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | IEXTEN);
    if (!keep_signals_) {
        mode.c_lflag &= ~static_cast<tcflag_t>(ISIG);
    }
    mode.c_cflag &= ~static_cast<tcflag_t>(CSIZE | PARENB);
    mode.c_cflag |= CS8;
    mode.c_cc[VMIN] = 1;
    mode.c_cc[VTIME] = 0;
    tcsetattr(fd_, TCSANOW, &mode);
}

void RawTerminal::restore() {
    if (saved_) {
        tcsetattr(fd_, TCSANOW, &*saved_);
        saved_.reset();
    }
}

}  // namespace weft::backend
