// One client's conversation: greeting, negotiation, commands and their answers, events.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "emulator/backend/char/char_backend.h"
#include "emulator/control/facts.h"
#include "emulator/control/qmp/json_stream.h"
#include "emulator/machine/operations.h"

namespace weft::control::qmp {

// The main loop's thread.
class Session final : private JsonStream::Receiver {
  public:
    // `send` gets whole lines. Machine and facts outlive the session.
    // `line`: by which the client's descriptors come; null: by none.
    Session(machine::MachineOperations& machine, const MachineFacts& facts, bool pretty,
            std::function<void(std::string_view)> send, backend::CharBackend* line = nullptr);

    // A client came: greets it. Nothing is left of one that was there before.
    void start();
    void receive(std::span<const uint8_t> data) { stream_.feed(data); }

    // One of commands.h's events(), for clients that have negotiated.
    void event(const char* name, std::optional<machine::MachineCause> cause = {});
    using EventData = std::vector<std::pair<const char*, std::variant<std::string, uint64_t>>>;
    void event(const char* name, const EventData& data);

  private:
    struct Data;
    void send_event(const char* name, const Data* data);
    void text(const std::string& json) override;
    void damaged(const char* reason) override;

    machine::MachineOperations& machine_;
    const MachineFacts& facts_;
    const bool pretty_;
    const std::function<void(std::string_view)> send_;
    backend::CharBackend* const line_;
    JsonStream stream_{*this};
    bool negotiated_ = false;
};

}  // namespace weft::control::qmp
