#include "emulator/system/console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "emulator/backend/char/char_file.h"
#include "emulator/backend/char/char_mux.h"
#include "emulator/backend/char/char_null.h"
#include "emulator/backend/char/char_stdio.h"
#include "emulator/backend/char/char_stream.h"
#include "emulator/backend/char/terminal.h"

namespace weft::sys {

namespace {

Result<std::unique_ptr<backend::CharBackend>> open_line(const SerialChoice& choice, const char* name,
                                                        const char* label, machine::MainLoop& loop) {
    using Kind = SerialChoice::Kind;
    const auto opened = [](auto line) -> Result<std::unique_ptr<backend::CharBackend>> {
        if (!line) {
            return std::unexpected(line.error());
        }
        return std::unique_ptr<backend::CharBackend>(std::move(*line));
    };
    if (choice.kind == Kind::file) {
        return opened(backend::CharFile::open(choice.path, choice.append));
    }
    if (choice.kind == Kind::socket) {
        auto line = opened(backend::CharStream::open_socket(loop, choice.socket));
        return line ? std::move(line) : std::unexpected(line.error().within(fmt::format("-{}", name)));
    }
    if (choice.kind == Kind::pty) {
        auto line = backend::CharStream::open_pty(loop);
        if (line) {
            // As QEMU says it, for scripts that look for the line.
            fmt::print("char device redirected to {} (label {})\n", (*line)->pty_path(),
                       choice.id.empty() ? label : choice.id);
            std::fflush(stdout);
        }
        return opened(std::move(line));
    }
    return std::make_unique<backend::CharNull>();
}

}  // namespace

Result<std::unique_ptr<Console>> Console::open(const Options& options, machine::MainLoop& loop) {
    using Kind = SerialChoice::Kind;
    std::unique_ptr<Console> console(new Console);
    const Kind kind = options.serial.kind;
    const bool on_terminal = kind == Kind::stdio || kind == Kind::mux_stdio || options.monitor_on_stdio;
    if (on_terminal) {
        console->stdio_ = std::make_unique<backend::CharStdio>(loop, STDIN_FILENO, STDOUT_FILENO);
    }
    backend::CharBackend* line = console->stdio_.get();
    if (kind != Kind::stdio && kind != Kind::mux_stdio) {
        auto opened = open_line(options.serial, "serial", "serial0", loop);
        if (!opened) {
            return std::unexpected(opened.error());
        }
        console->other_serial_ = std::move(*opened);
        line = console->other_serial_.get();
    }
    console->serial_ = line;
    if (kind == Kind::mux_stdio || options.serial.shared) {
        console->mux_ = std::make_unique<backend::CharMux>(loop, *line, [self = console.get()] {
            if (self->target_ != nullptr) {
                self->target_->quit();
            }
        });
        console->serial_ = &console->mux_->serial();
        console->monitor_line_ = &console->mux_->monitor();
    } else if (options.monitor_on_stdio) {
        console->monitor_line_ = console->stdio_.get();
    } else if (options.monitor) {
        auto opened = open_line(*options.monitor, "monitor", "compat_monitor0", loop);
        if (!opened) {
            return std::unexpected(opened.error());
        }
        console->other_monitor_ = std::move(*opened);
        console->monitor_line_ = console->other_monitor_.get();
    }
    // Last: whoever ends the program while a line waits for its client has the terminal as it was.
    if (on_terminal) {
        // With the mux, Ctrl-A x quits and Ctrl-C is the guest's; otherwise Ctrl-C is the only way out.
        console->terminal_ = std::make_unique<backend::RawTerminal>(STDIN_FILENO, kind != Kind::mux_stdio);
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
