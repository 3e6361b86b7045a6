// What comes and goes while the machine is there.
#include <fmt/format.h>

#include "emulator/control/qmp/commands.h"

namespace weft::control::qmp {

namespace {

using What = DeviceOperations::Kind;  // Kind is that of arguments here

Answer add(Subject& subject, What kind, const Json& arguments) {
    if (subject.facts.devices == nullptr) {
        return generic_error("there is no machine to add to");
    }
    const Result<> added = subject.facts.devices->add(kind, json_text(arguments, false));
    return added ? Answer(Json::object()) : generic_error(added.error().message());
}

Answer remove(Subject& subject, What kind, const char* what, const std::string& name) {
    if (subject.facts.devices == nullptr || !subject.facts.devices->has(kind, name)) {
        Failure failure{kind == What::device ? "DeviceNotFound" : "GenericError",
                        fmt::format("there is no {} {}", what, json_text(name, false))};
        return std::unexpected(std::move(failure));
    }
    const Result<> removed = subject.facts.devices->remove(kind, name);
    return removed ? Answer(Json::object()) : generic_error(removed.error().message());
}

}  // namespace

Answer device_add(Subject& subject, const Json& arguments) { return add(subject, What::device, arguments); }
Answer netdev_add(Subject& subject, const Json& arguments) { return add(subject, What::network, arguments); }
Answer blockdev_add(Subject& subject, const Json& arguments) {
    return add(subject, What::block_node, arguments);
}
Answer object_add(Subject& subject, const Json& arguments) { return add(subject, What::object, arguments); }

Answer device_del(Subject& subject, const Json& arguments) {
    return remove(subject, What::device, "device", arguments["id"]);
}
Answer netdev_del(Subject& subject, const Json& arguments) {
    return remove(subject, What::network, "netdev", arguments["id"]);
}
Answer blockdev_del(Subject& subject, const Json& arguments) {
    return remove(subject, What::block_node, "node", arguments["node-name"]);
}
Answer object_del(Subject& subject, const Json& arguments) {
    return remove(subject, What::object, "object", arguments["id"]);
}

}  // namespace weft::control::qmp
