#include "emulator/control/gdb_server.h"

#include <algorithm>
#include <utility>

namespace weft::control {

GdbServer::GdbServer(backend::CharBackend& line, machine::MachineOperations& machine,
                     machine::MachineDebug& debug, MachineTarget::Commands commands)
    : line_(line), machine_(machine), debug_(debug), target_(machine, debug, std::move(commands)) {
    debug_.connect(this);
    line_.set_receiver(this);
}

GdbServer::~GdbServer() {
    line_.set_receiver(nullptr);
    debug_.connect(nullptr);
}

void GdbServer::begin() {
    session_.reset();
    ran_before_ = machine_.running();
    (void)machine_.set_running(false);
    target_.begin();
    session_.emplace(target_, static_cast<gdb::Output&>(*this));
}

void GdbServer::opened() { begin(); }

void GdbServer::closed() {
    const bool there = session_ && !session_->over();
    session_.reset();
    if (!there) {
        return;
    }
    const bool runs_on = ran_before_ || target_.resumed();
    (void)machine_.set_running(false);
    target_.forget_points();
    if (runs_on) {
        target_.detach();
    }
}

void GdbServer::receive(std::span<const uint8_t> data) {
    if (!session_ || session_->over()) {
        // Of a line that nobody opens, or behind a detach: what follows it is an acknowledgement, and a packet is another debugger's.
        const auto packet = std::ranges::find(data, uint8_t{'$'});
        if (packet == data.end()) {
            return;
        }
        data = data.subspan(static_cast<size_t>(packet - data.begin()));
        begin();
    }
    if (machine_.running() && !session_->running()) {
        // The monitor has let it run. The debugger believes that it has not.
        (void)machine_.set_running(false);
    }
    session_->receive(data);
}

void GdbServer::send(std::string_view bytes) {
    line_.write({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

void GdbServer::machine_stopped(const DebugStop* why) {
    if (!session_ || !session_->running()) {
        return;
    }
    session_->stopped(target_.note_stop(why));
}

void GdbServer::exited(int status) {
    if (session_) {
        session_->stopped({.kind = gdb::Stop::Kind::exited, .status = status & 0xff});
        session_.reset();
    }
}

}  // namespace weft::control
