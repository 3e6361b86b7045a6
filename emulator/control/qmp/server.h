// QMP on a line: whoever comes to it is greeted and served, one after the other.
#pragma once

#include <span>

#include "emulator/backend/char/char_backend.h"
#include "emulator/control/qmp/session.h"

namespace weft::control::qmp {

// The main loop's thread.
//
// A client that does not read holds nothing up: what it is sent is kept by the line, up to the line's limit; a message that does
// not fit ends the connection, where the line can do that, and is lost where it cannot.
class Server final : private backend::CharBackend::Receiver, private machine::MachineListener {
  public:
    // All of it outlives the server.
    Server(backend::CharBackend& line, machine::MachineOperations& machine, const MachineFacts& facts,
           bool pretty);
    ~Server() override;
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

  private:
    unsigned can_receive() override { return 4096; }
    void receive(std::span<const uint8_t> data) override;
    void opened() override;
    void closed() override { open_ = false; }

    void running_changed(bool running) override { event(running ? "RESUME" : "STOP"); }
    void was_reset(machine::MachineCause cause) override { event("RESET", cause); }
    void ends(machine::MachineCause cause) override { event("SHUTDOWN", cause); }
    void shut_down(machine::MachineCause cause) override { event("SHUTDOWN", cause); }
    void balloon_changed() override;
    void device_gone(const hw::DeviceConfig& device) override;
    void powerdown_requested() override { event("POWERDOWN"); }
    void migration_changed(machine::MigrationInfo::Status status) override;

    void event(const char* name, std::optional<machine::MachineCause> cause = {});
    void send(std::string_view text);

    backend::CharBackend& line_;
    machine::MachineOperations& machine_;
    const MachineFacts& facts_;
    Session session_;
    bool open_ = false;  // there is a client, and it was not given up
};

}  // namespace weft::control::qmp
