#include "emulator/system/console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/assert.h"
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

constexpr const char* kMonitorLabel = "compat_monitor0";

// As QEMU describes an open line.
std::string filename(const SerialChoice& choice, const backend::CharBackend* line) {
    using Kind = SerialChoice::Kind;
    switch (choice.kind) {
        case Kind::stdio:
            return "stdio";
        case Kind::mux_stdio:
            return "mux";
        case Kind::file:
            return "file";
        case Kind::pty:
            return "pty:" + static_cast<const backend::CharStream*>(line)->pty_path();
        case Kind::socket: {
            const backend::SocketChoice& socket = choice.socket;
            if (socket.fd) {
                return fmt::format("fd:{}{}", *socket.fd, socket.server ? ",server=on" : "");
            }
            return fmt::format(
                "{}{}:{}{}",
                static_cast<const backend::CharStream*>(line)->connected() ? "" : "disconnected:",
                !socket.path.empty() ? "unix"
                : socket.telnet      ? "telnet"
                                     : "tcp",
                socket.path.empty() ? fmt::format("{}:{}", socket.host, socket.port) : socket.path,
                socket.server ? ",server=on" : "");
        }
        case Kind::null:
            break;
    }
    return "null";
}

}  // namespace

Result<std::unique_ptr<Console>> Console::open(const Options& options, machine::MainLoop& loop) {
    using Kind = SerialChoice::Kind;
    std::unique_ptr<Console> console(new Console);
    const Kind kind = options.serial.kind;
    const bool on_terminal = kind == Kind::stdio || kind == Kind::mux_stdio || options.monitor_on_stdio;
    const bool qmp_on_stdio =
        std::ranges::any_of(options.qmp, [](const QmpChoice& qmp) { return qmp.line.kind == Kind::stdio; });
    const bool semihosting_on_stdio =
        options.semihosting && options.semihosting->line && options.semihosting->line->kind == Kind::stdio;
    const bool device_on_stdio = std::ranges::any_of(
        options.device_lines, [](const SerialChoice& line) { return line.kind == Kind::stdio; });
    if (on_terminal || qmp_on_stdio || semihosting_on_stdio || device_on_stdio) {
        console->stdio_ = std::make_unique<backend::CharStdio>(loop, STDIN_FILENO, STDOUT_FILENO);
    }
    for (const auto step : {&Console::open_serial, &Console::open_monitor, &Console::open_qmp,
                            &Console::open_semihosting, &Console::open_device_lines}) {
        if (Result<> opened = (console.get()->*step)(options, loop); !opened) {
            return std::unexpected(opened.error());
        }
    }
    // Last: whoever ends the program while a line waits for its client has the terminal as it was. Who writes QMP by hand sees
    // what he types.
    if (on_terminal || semihosting_on_stdio || device_on_stdio) {
        // With the mux, Ctrl-A x quits and Ctrl-C is the guest's; otherwise Ctrl-C is the only way out.
        console->terminal_ = std::make_unique<backend::RawTerminal>(STDIN_FILENO, kind != Kind::mux_stdio);
    }
    return console;
}

Result<> Console::open_serial(const Options& options, machine::MainLoop& loop) {
    using Kind = SerialChoice::Kind;
    const Kind kind = options.serial.kind;
    serial_ = stdio_.get();
    if (kind != Kind::stdio && kind != Kind::mux_stdio) {
        auto opened = open_line(options.serial, "serial", "serial0", loop);
        if (!opened) {
            return std::unexpected(opened.error());
        }
        other_serial_ = std::move(*opened);
        serial_ = other_serial_.get();
    }
    name_line(options.serial, "serial0", serial_);
    if (kind == Kind::mux_stdio || options.serial.shared) {
        mux_ = std::make_unique<backend::CharMux>(
            loop, *serial_,
            [this] {
                if (target_ != nullptr) {
                    target_->quit();
                }
            },
            options.escape);
        serial_ = &mux_->serial();
        monitor_line_ = &mux_->monitor();
        monitor_needs_returns_ = options.serial.shared;
    }
    return {};
}

Result<> Console::open_monitor(const Options& options, machine::MainLoop& loop) {
    if (mux_) {
        return {};
    }
    if (options.monitor_on_stdio) {
        monitor_line_ = stdio_.get();
        SerialChoice terminal;
        terminal.kind = SerialChoice::Kind::stdio;
        name_line(terminal, kMonitorLabel, monitor_line_);
    } else if (options.monitor) {
        auto opened = open_line(*options.monitor, "monitor", kMonitorLabel, loop);
        if (!opened) {
            return std::unexpected(opened.error());
        }
        other_monitor_ = std::move(*opened);
        monitor_line_ = other_monitor_.get();
        monitor_needs_returns_ = true;
        name_line(*options.monitor, kMonitorLabel, monitor_line_);
    }
    return {};
}

Result<> Console::open_qmp(const Options& options, machine::MainLoop& loop) {
    // As QEMU counts them: a monitor is one of them.
    size_t number = monitor_line_ != nullptr ? 1 : 0;
    for (const QmpChoice& choice : options.qmp) {
        const std::string label = fmt::format("compat_monitor{}", number++);
        QmpLine qmp{nullptr, stdio_.get(), choice.pretty, nullptr};
        if (choice.line.kind != SerialChoice::Kind::stdio) {
            auto opened = open_line(choice.line, "qmp", label.c_str(), loop);
            if (!opened) {
                return std::unexpected(opened.error());
            }
            qmp.own = std::move(*opened);
            qmp.line = qmp.own.get();
        }
        name_line(choice.line, label, qmp.line);
        qmp_.push_back(std::move(qmp));
    }
    return {};
}

Result<> Console::open_semihosting(const Options& options, machine::MainLoop& loop) {
    if (!options.semihosting) {
        return {};
    }
    if (options.semihosting->shared) {
        semihosting_.emplace(*serial_, false);
        return {};
    }
    const std::optional<SerialChoice>& choice = options.semihosting->line;
    if (!choice) {
        // It is not asked for its input.
        standard_error_ = std::make_unique<backend::CharStdio>(loop, STDIN_FILENO, STDERR_FILENO);
        semihosting_.emplace(*standard_error_, false);
        return {};
    }
    backend::CharBackend* line = stdio_.get();
    if (choice->kind != SerialChoice::Kind::stdio) {
        auto opened = open_line(*choice, "semihosting-config", "semihosting", loop);
        if (!opened) {
            return std::unexpected(opened.error());
        }
        own_semihosting_line_ = std::move(*opened);
        line = own_semihosting_line_.get();
    }
    name_line(*choice, "semihosting", line);
    semihosting_.emplace(*line, true);
    return {};
}

Result<> Console::open_device_lines(const Options& options, machine::MainLoop& loop) {
    for (const SerialChoice& choice : options.device_lines) {
        backend::CharBackend* line = stdio_.get();
        if (choice.kind != SerialChoice::Kind::stdio) {
            auto opened = open_line(choice, "chardev", choice.id.c_str(), loop);
            if (!opened) {
                return std::unexpected(opened.error());
            }
            own_device_lines_.push_back(std::move(*opened));
            line = own_device_lines_.back().get();
        }
        name_line(choice, choice.id, line);
        device_lines_[choice.id] = line;
    }
    return {};
}

backend::CharBackend& Console::device_line(const std::string& id) {
    const auto line = device_lines_.find(id);
    WEFT_ASSERT(line != device_lines_.end());
    return *line->second;
}

void Console::name_line(const SerialChoice& choice, const std::string& label,
                        const backend::CharBackend* line) {
    lines_.push_back(
        {choice.id.empty() ? label : choice.id, [choice, line] { return filename(choice, line); }});
}

std::vector<control::CharFacts> Console::lines() const {
    std::vector<control::CharFacts> facts;
    for (const NamedLine& line : lines_) {
        facts.push_back({line.label, line.filename()});
    }
    return facts;
}

Console::~Console() { detach(); }

void Console::attach(machine::MachineOperations& target, const control::MachineFacts& facts) {
    target_ = &target;
    if (monitor_line_ != nullptr) {
        monitor_ = std::make_unique<control::Monitor>(*monitor_line_, target, facts,
                                                      monitor_needs_returns_ ? "\r\n" : "\n");
    }
    if (mux_) {
        mux_->on_monitor_focus([this] { monitor_->show_prompt(); });
    }
    for (QmpLine& qmp : qmp_) {
        qmp.server = std::make_unique<control::qmp::Server>(*qmp.line, target, facts, qmp.pretty);
    }
}

void Console::detach() {
    for (QmpLine& qmp : qmp_) {
        qmp.server.reset();
    }
    if (mux_) {
        mux_->on_monitor_focus({});
    }
    monitor_.reset();
    target_ = nullptr;
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
    for (const auto* line : {&stdio_, &standard_error_}) {
        if (*line) {
            (*line)->drain();
        }
    }
}

}  // namespace weft::sys
