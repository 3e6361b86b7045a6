// Descriptors that clients hand over.
#include <fmt/format.h>

#include <climits>

#include "emulator/control/qmp/commands.h"

namespace weft::control::qmp {

namespace {

std::unexpected<Failure> nothing_came() {
    return generic_error("no descriptor came with the command (SCM_RIGHTS, over a unix socket)");
}

Answer no_descriptors() { return generic_error("there is no machine that would use descriptors"); }

UniqueFd received(const Subject& subject) {
    return subject.line != nullptr ? subject.line->take_descriptor() : UniqueFd();
}

}  // namespace

Answer getfd(Subject& subject, const Json& arguments) {
    const auto name = arguments["fdname"].get<std::string>();
    if (subject.facts.descriptors == nullptr) {
        return no_descriptors();
    }
    UniqueFd fd = received(subject);
    if (!fd) {
        return nothing_came();
    }
    // Then it could not be told from a number.
    if (name.empty() || (name[0] >= '0' && name[0] <= '9')) {
        return generic_error("argument 'fdname': a name does not begin with a digit");
    }
    subject.facts.descriptors->name(name, std::move(fd));
    return Json::object();
}

Answer closefd(Subject& subject, const Json& arguments) {
    const auto name = arguments["fdname"].get<std::string>();
    if (subject.facts.descriptors == nullptr || !subject.facts.descriptors->take(name)) {
        return generic_error(fmt::format("there is no descriptor {}", json_text(name, false)));
    }
    return Json::object();
}

Answer add_fd(Subject& subject, const Json& arguments) {
    if (subject.facts.descriptors == nullptr) {
        return no_descriptors();
    }
    UniqueFd fd = received(subject);
    if (!fd) {
        return nothing_came();
    }
    std::optional<uint64_t> set;
    if (const auto given = arguments.find("fdset-id"); given != arguments.end()) {
        if (!given->is_number_unsigned()) {
            return generic_error("argument 'fdset-id' is not negative");
        }
        set = given->get<uint64_t>();
    }
    const int number = fd.get();
    const uint64_t id =
        subject.facts.descriptors->add(set, std::move(fd), arguments.value("opaque", std::string()));
    return Json{{"fdset-id", id}, {"fd", number}};
}

Answer remove_fd(Subject& subject, const Json& arguments) {
    if (subject.facts.descriptors == nullptr) {
        return no_descriptors();
    }
    for (const char* name : {"fdset-id", "fd"}) {
        if (arguments.contains(name) &&
            (!arguments[name].is_number_unsigned() || arguments[name] > INT_MAX)) {
            return generic_error(fmt::format("argument '{}' is out of range", name));
        }
    }
    const std::optional<int> fd =
        arguments.contains("fd") ? std::optional(arguments["fd"].get<int>()) : std::nullopt;
    const Result<> removed = subject.facts.descriptors->remove(arguments["fdset-id"].get<uint64_t>(), fd);
    return removed ? Answer(Json::object()) : generic_error(removed.error().message());
}

Answer query_fdsets(Subject& subject, const Json&) {
    Json sets = Json::array();
    if (subject.facts.descriptors == nullptr) {
        return sets;
    }
    for (const DescriptorSet& set : subject.facts.descriptors->sets()) {
        Json members = Json::array();
        for (const DescriptorSet::Member& member : set.members) {
            members.push_back({{"fd", member.fd}});
            if (!member.opaque.empty()) {
                members.back()["opaque"] = member.opaque;
            }
        }
        sets.push_back({{"fdset-id", set.id}, {"fds", std::move(members)}});
    }
    return sets;
}

}  // namespace weft::control::qmp
