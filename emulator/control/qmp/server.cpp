#include "emulator/control/qmp/server.h"

namespace weft::control::qmp {

Server::Server(backend::CharBackend& line, machine::MachineOperations& machine, const MachineFacts& facts,
               bool pretty)
    : line_(line),
      machine_(machine),
      facts_(facts),
      session_(machine, facts, pretty, [this](std::string_view text) { send(text); }, &line) {
    machine_.add_listener(*this);
    line_.set_receiver(this);
}

Server::~Server() {
    line_.set_receiver(nullptr);
    machine_.remove_listener(*this);
}

void Server::receive(std::span<const uint8_t> data) {
    if (open_) {
        session_.receive(data);
    }
}

void Server::opened() {
    open_ = true;
    session_.start();
}

void Server::event(const char* name, std::optional<machine::MachineCause> cause) {
    if (open_) {
        session_.event(name, cause);
    }
}

void Server::migration_changed(machine::MigrationInfo::Status status) {
    if (open_) {
        session_.event("MIGRATION", {{"status", std::string(machine::status_name(status))}});
    }
}

void Server::device_gone(const hw::DeviceConfig& device) {
    if (!open_) {
        return;
    }
    // `device` is there where the device has an id.
    if (device.id().empty()) {
        session_.event("DEVICE_DELETED", {{"path", "/machine/peripheral-anon"}});
    } else {
        session_.event("DEVICE_DELETED",
                       {{"device", device.id()}, {"path", "/machine/peripheral/" + device.id()}});
    }
}

void Server::balloon_changed() {
    hw::Balloon* const balloon = machine_.balloon();
    if (open_ && balloon != nullptr) {
        session_.event("BALLOON_CHANGE", {{"actual", memory_left(facts_.memory_bytes, *balloon)}});
    }
}

void Server::send(std::string_view text) {
    if (open_ && !line_.write_whole({reinterpret_cast<const uint8_t*>(text.data()), text.size()})) {
        open_ = !line_.hang_up();
    }
}

}  // namespace weft::control::qmp
