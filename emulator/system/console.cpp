#include "emulator/system/console.h"

#include <unistd.h>

#include "emulator/backend/char/char_file.h"
#include "emulator/backend/char/char_mux.h"
#include "emulator/backend/char/char_null.h"
#include "emulator/backend/char/char_stdio.h"
#include "emulator/backend/char/terminal.h"

namespace weft::sys {

Result<std::unique_ptr<Console>> Console::open(const Options& options, machine::MainLoop& loop) {
    using Kind = SerialChoice::Kind;
    std::unique_ptr<Console> console(new Console);
    const Kind kind = options.serial.kind;
    if (kind == Kind::file) {
        Result<std::unique_ptr<backend::CharFile>> file = backend::CharFile::open(options.serial.path);
        if (!file) {
            return std::unexpected(file.error());
        }
        console->other_serial_ = std::move(*file);
    } else if (kind == Kind::null) {
        console->other_serial_ = std::make_unique<backend::CharNull>();
    }
    console->serial_ = console->other_serial_.get();

    if (kind == Kind::stdio || kind == Kind::mux_stdio || options.monitor_on_stdio) {
        // With the mux, Ctrl-A x quits and Ctrl-C is the guest's; otherwise Ctrl-C is the only way out.
        console->terminal_ = std::make_unique<backend::RawTerminal>(STDIN_FILENO, kind != Kind::mux_stdio);
        console->stdio_ = std::make_unique<backend::CharStdio>(loop, STDIN_FILENO, STDOUT_FILENO);
    }
    if (kind == Kind::mux_stdio) {
        console->mux_ = std::make_unique<backend::CharMux>(loop, *console->stdio_, [self = console.get()] {
            if (self->target_ != nullptr) {
                self->target_->quit();
            }
        });
        console->serial_ = &console->mux_->serial();
        console->monitor_line_ = &console->mux_->monitor();
    } else if (kind == Kind::stdio) {
        console->serial_ = console->stdio_.get();
    } else if (options.monitor_on_stdio) {
        console->monitor_line_ = console->stdio_.get();
    }
    return console;
}

Console::~Console() { attach(nullptr); }

void Console::attach(machine::MachineOperations* target) {
    target_ = target;
    monitor_.reset();
    if (mux_) {
        mux_->on_monitor_focus({});
    }
    if (target_ == nullptr || monitor_line_ == nullptr) {
        return;
    }
    monitor_ = std::make_unique<control::Monitor>(*monitor_line_, *target_);
    if (mux_) {
        mux_->on_monitor_focus([this] { monitor_->show_prompt(); });
    } else {
        monitor_->show_prompt();
    }
}

void Console::continued() {
    if (terminal_) {
        terminal_->apply();
    }
}

void Console::restore_terminal() {
    if (terminal_) {
        terminal_->restore();
    }
}

void Console::drain() {
    if (stdio_) {
        stdio_->drain();
    }
}

}  // namespace weft::sys
