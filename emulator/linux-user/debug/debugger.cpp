#include "emulator/linux-user/debug/debugger.h"

#include <fmt/format.h>

#include <utility>

#include "emulator/linux-user/debug/debugged_thread.h"
#include "emulator/linux-user/debug/signal_numbers.h"
#include "emulator/linux-user/signal/host_signals.h"

namespace weft::user {

using control::gdb::Stop;

Debugger::Debugger(Process& process, Breakpoints& breakpoints, CodeListener& listener)
    : process_(process),
      breakpoints_(breakpoints),
      stops_([this] { server_->wake(); }),
      target_(process, stops_, breakpoints, listener) {}

Result<std::unique_ptr<Debugger>> Debugger::create(const DebugAddress& address, Process& process,
                                                   Breakpoints& breakpoints, CodeListener& listener) {
    std::unique_ptr<Debugger> made(new Debugger(process, breakpoints, listener));
    auto server = DebugServer::start(address, process, made->target_, made->stops_);
    if (!server) {
        return std::unexpected(server.error().within(fmt::format("-g: {}", address.text())));
    }
    made->server_ = std::move(*server);
    process.connect(made.get());
    return made;
}

Debugger::~Debugger() { process_.connect(static_cast<EndListener*>(nullptr)); }

ThreadEnd Debugger::run(const ProcessOps& accelerator, Vcpu* vcpu, Cpu& cpu, Thread& thread,
                        std::unique_ptr<StopControl::Member> member) {
    return run_debugged_thread(accelerator, vcpu, cpu, thread, std::move(member), breakpoints_);
}

void Debugger::exits(int status) { stops_.end({.kind = Stop::Kind::exited, .status = status}, nullptr); }

void Debugger::killed(int signal) {
    stops_.end({.kind = Stop::Kind::killed, .signal = gdb_signal(signal)}, current_thread());
}

void Debugger::fork_child(const Thread& survivor) {
    stops_.fork_child(survivor);
    target_.fork_child();
}

}  // namespace weft::user
