#include "emulator/system/gdb_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "emulator/backend/char/char_stdio.h"
#include "emulator/backend/char/char_stream.h"

namespace weft::sys {

Result<std::unique_ptr<GdbLine>> GdbLine::open(const Options& options, machine::MainLoop& loop) {
    using Kind = SerialChoice::Kind;
    std::unique_ptr<GdbLine> made(new GdbLine);
    if (!options.gdb) {
        return made;
    }
    if (options.gdb->kind == Kind::stdio) {
        made->line_ = std::make_unique<backend::CharStdio>(loop, STDIN_FILENO, STDOUT_FILENO);
        return made;
    }
    const bool pty = options.gdb->kind == Kind::pty;
    auto line = pty ? backend::CharStream::open_pty(loop)
                    : backend::CharStream::open_socket(loop, options.gdb->socket);
    if (!line) {
        return std::unexpected(line.error().within("-gdb"));
    }
    if (pty) {
        fmt::print("char device redirected to {} (label gdb)\n", (*line)->pty_path());
        std::fflush(stdout);
    }
    made->line_ = std::move(*line);
    return made;
}

Result<> GdbLine::attach(machine::Machine& machine, const control::MachineFacts& facts) {
    if (line_ == nullptr) {
        return {};
    }
    if (!machine.debug().available()) {
        return fail("-gdb: the accelerator cannot be debugged");
    }
    monitor_ = std::make_unique<control::MonitorCommands>(machine, facts);
    server_ = std::make_unique<control::GdbServer>(
        *line_, machine, machine.debug(),
        [this](std::string_view command) { return monitor_->execute(command); });
    return {};
}

void GdbLine::detach(int exit_code) {
    if (server_ != nullptr) {
        server_->exited(exit_code);
        server_.reset();
        monitor_.reset();
    }
}

}  // namespace weft::sys
