// What QMP tells of itself.
#include <fmt/format.h>

#include <algorithm>

#include "emulator/control/qmp/commands.h"

namespace weft::control::qmp {

namespace {

const char* schema_type(Kind kind) {
    switch (kind) {
        case Kind::boolean:
            return "bool";
        case Kind::integer:
            return "int";
        case Kind::text:
            return "str";
        case Kind::array:
            return "[any]";
    }
    return "any";
}

Json object_type(const std::string& name, std::span<const Parameter> parameters) {
    Json members = Json::array();
    for (const Parameter& parameter : parameters) {
        Json member{{"name", parameter.name}, {"type", schema_type(parameter.kind)}};
        if (parameter.optional) {
            member["default"] = nullptr;
        }
        members.push_back(std::move(member));
    }
    return {{"name", name}, {"meta-type", "object"}, {"members", std::move(members)}};
}

}  // namespace

Answer query_commands(Subject&, const Json&) {
    Json list = Json::array();
    for (const Command& command : commands()) {
        list.push_back({{"name", command.name}});
    }
    return list;
}

Answer query_command_line_options(Subject& subject, const Json& arguments) {
    const auto wanted = arguments.find("option");
    Json list = Json::array();
    for (const std::string& name : subject.facts.option_names) {
        if (wanted == arguments.end() || *wanted == name) {
            list.push_back({{"option", name}, {"parameters", Json::array()}});
        }
    }
    if (list.empty() && wanted != arguments.end()) {
        return generic_error(
            fmt::format("there is no option {} that takes a value", json_text(*wanted, false)));
    }
    return list;
}

// Types that are no part of the protocol are named by what they belong to.
Answer query_qmp_schema(Subject&, const Json&) {
    Json list = Json::array();
    for (const Command& command : commands()) {
        const std::string arguments = fmt::format("{}-arg", command.name);
        list.push_back({{"name", command.name},
                        {"meta-type", "command"},
                        {"arg-type", arguments},
                        {"ret-type", "any"},
                        {"allow-oob", false}});
        list.push_back(object_type(arguments, command.parameters));
    }
    for (const Event& event : events()) {
        const std::string data = fmt::format("{}-data", event.name);
        list.push_back({{"name", event.name}, {"meta-type", "event"}, {"arg-type", data}});
        list.push_back(object_type(data, event.members));
    }
    static constexpr const char* kBuiltIn[][2] = {
        {"bool", "boolean"}, {"int", "int"}, {"str", "string"}, {"any", "value"}};
    for (const auto& [name, json_type] : kBuiltIn) {
        list.push_back({{"name", name}, {"meta-type", "builtin"}, {"json-type", json_type}});
    }
    list.push_back({{"name", "[any]"}, {"meta-type", "array"}, {"element-type", "any"}});
    return list;
}

}  // namespace weft::control::qmp
