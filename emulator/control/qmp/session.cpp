#include "emulator/control/qmp/session.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "emulator/control/qmp/commands.h"

namespace weft::control::qmp {

namespace {

Json error_object(const Failure& failure) {
    return {{"error", {{"class", failure.error_class}, {"desc", failure.message}}}};
}

std::unexpected<Failure> not_found(std::string message) {
    return std::unexpected(Failure{"CommandNotFound", std::move(message)});
}

// What a text asks for, as far as its form goes.
std::expected<const Command*, Failure> command_of(const Json& request) {
    if (!request.is_object()) {
        return generic_error("a request must be a JSON object");
    }
    for (auto member = request.begin(); member != request.end(); ++member) {
        const std::string& key = member.key();
        if (key != "execute" && key != "arguments" && key != "id") {
            return generic_error(fmt::format("a request has no member {}", json_text(key, false)));
        }
    }
    const auto name = request.find("execute");
    if (name == request.end()) {
        return generic_error("a request needs a member 'execute'");
    }
    if (!name->is_string()) {
        return generic_error("the member 'execute' must be a string");
    }
    const auto arguments = request.find("arguments");
    if (arguments != request.end() && !arguments->is_object()) {
        return generic_error("the member 'arguments' must be an object");
    }
    const Command* const command = find_command(name->get_ref<const std::string&>());
    if (command == nullptr) {
        return not_found(fmt::format("there is no command {}", json_text(*name, false)));
    }
    return command;
}

Answer negotiate(const Json& arguments, bool& negotiated) {
    const auto enable = arguments.find("enable");
    if (enable != arguments.end() && !enable->empty()) {
        return generic_error(fmt::format("capability {} is not offered", json_text(enable->front(), false)));
    }
    negotiated = true;
    return Json::object();
}

struct Reason {
    bool guest;
    const char* name;
};

Reason reason_of(machine::MachineCause cause) {
    using machine::MachineCause;
    switch (cause) {
        case MachineCause::guest_shutdown:
            return {true, "guest-shutdown"};
        case MachineCause::guest_reset:
            return {true, "guest-reset"};
        case MachineCause::operator_quit:
            return {false, "host-qmp-quit"};
        case MachineCause::operator_reset:
            return {false, "host-qmp-system-reset"};
        case MachineCause::signal:
            return {false, "host-signal"};
        case MachineCause::failure:
            break;
    }
    return {false, "host-error"};
}

Json event_object(const char* name) {
    const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    return {{"event", name},
            {"timestamp", {{"seconds", now.count() / 1'000'000}, {"microseconds", now.count() % 1'000'000}}}};
}

// As QEMU's, so that clients that read lines see them end.
std::string line_of(const Json& value, bool pretty) { return json_text(value, pretty) + "\r\n"; }

}  // namespace

Session::Session(machine::MachineOperations& machine, const MachineFacts& facts, bool pretty,
                 std::function<void(std::string_view)> send, backend::CharBackend* line)
    : machine_(machine), facts_(facts), pretty_(pretty), send_(std::move(send)), line_(line) {}

void Session::start() {
    stream_.restart();
    negotiated_ = false;
    Subject subject{machine_, facts_};
    send_(line_of({{"QMP", {{"version", *query_version(subject, {})}, {"capabilities", Json::array()}}}},
                  pretty_));
}

struct Session::Data {
    Json json;
};

void Session::event(const char* name, std::optional<machine::MachineCause> cause) {
    if (!cause) {
        send_event(name, nullptr);
        return;
    }
    const Reason reason = reason_of(*cause);
    const Data data{{{"guest", reason.guest}, {"reason", reason.name}}};
    send_event(name, &data);
}

void Session::event(const char* name, const EventData& members) {
    Data data{Json::object()};
    for (const auto& [member, value] : members) {
        std::visit([&, key = member](const auto& known) { data.json[key] = known; }, value);
    }
    send_event(name, &data);
}

void Session::send_event(const char* name, const Data* data) {
    if (!negotiated_) {
        return;
    }
    Json event = event_object(name);
    if (data != nullptr) {
        event["data"] = data->json;
    }
    send_(line_of(event, pretty_));
}

void Session::text(const std::string& json) {
    const Json request = Json::parse(json, nullptr, false);
    if (request.is_discarded()) {
        damaged("the text is no JSON");
        return;
    }
    const auto command = command_of(request);
    const Json arguments = command ? request.value("arguments", Json::object()) : Json::object();
    const bool negotiates = command && std::string_view((*command)->name) == "qmp_capabilities";
    Answer answer = [&]() -> Answer {
        if (!command) {
            return std::unexpected(command.error());
        }
        if (!negotiated_ && !negotiates) {
            return not_found("the negotiation comes first: qmp_capabilities");
        }
        if (negotiated_ && negotiates) {
            return not_found("the negotiation is over");
        }
        if (const auto checked = check_arguments(**command, arguments); !checked) {
            return std::unexpected(checked.error());
        }
        Subject subject{machine_, facts_, line_};
        return negotiates ? negotiate(arguments, negotiated_) : (*command)->execute(subject, arguments);
    }();
    Json response = answer ? Json{{"return", std::move(*answer)}} : error_object(answer.error());
    if (request.is_object()) {
        if (const auto id = request.find("id"); id != request.end()) {
            response["id"] = *id;
        }
    }
    send_(line_of(response, pretty_));
}

void Session::damaged(const char* reason) { send_(line_of(error_object({"GenericError", reason}), pretty_)); }

}  // namespace weft::control::qmp
