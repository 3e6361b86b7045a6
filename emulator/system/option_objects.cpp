// -object, and whether what devices refer to is there.
#include <fmt/format.h>

#include <algorithm>

#include "emulator/system/option_values.h"

namespace weft::sys {

namespace {

struct ObjectType {
    const char* name;
    ObjectChoice::Kind kind;
};

constexpr ObjectType kObjectTypes[] = {
    {"rng-builtin", ObjectChoice::Kind::rng_builtin},
    {"rng-random", ObjectChoice::Kind::rng_random},
};

}  // namespace

Result<> parse_object(RawOptions& raw, const std::string& value) {
    const Result<KeyValueList> list = parse_key_values(value, true);
    if (!list) {
        return std::unexpected(list.error());
    }
    if (!list->head) {
        return fail("the type comes first: TYPE,id=ID[,property=value...]");
    }
    const auto* type = std::ranges::find(kObjectTypes, *list->head, &ObjectType::name);
    if (type == std::end(kObjectTypes)) {
        return fail(fmt::format("unknown object type {} (there are {})", in_quotes(*list->head),
                                names_of(kObjectTypes)));
    }
    ObjectChoice object{.kind = type->kind, .id = {}, .filename = {}};
    const bool has_file = object.kind == ObjectChoice::Kind::rng_random;
    if (has_file) {
        object.filename = "/dev/urandom";
    }
    for (const KeyValue& item : list->items) {
        if (item.key != "id" && !(item.key == "filename" && has_file)) {
            return fail(fmt::format("{} has no property {}", type->name, in_quotes(item.key)));
        }
        const Result<std::string> text = value_of(item);
        if (!text) {
            return std::unexpected(text.error());
        }
        (item.key == "id" ? object.id : object.filename) = *text;
    }
    if (object.id.empty()) {
        return fail(fmt::format("{} needs an id", type->name));
    }
    if (std::ranges::find(raw.options.objects, object.id, &ObjectChoice::id) != raw.options.objects.end()) {
        return fail(fmt::format("two objects have the id {}", in_quotes(object.id)));
    }
    raw.options.objects.push_back(std::move(object));
    return {};
}

Result<> check_references(RawOptions& raw) {
    for (const DeviceChoice& device : raw.options.devices) {
        const std::string rng = device.config.reference(hw::PropertyKind::rng);
        if (!rng.empty() &&
            std::ranges::find(raw.options.objects, rng, &ObjectChoice::id) == raw.options.objects.end()) {
            return fail(fmt::format("-device: there is no object with the id {}", in_quotes(rng)));
        }
        const std::string fsdev = device.config.reference(hw::PropertyKind::fsdev);
        if (!fsdev.empty() &&
            std::ranges::find(raw.options.folders, fsdev, &FolderChoice::id) == raw.options.folders.end()) {
            return fail(fmt::format("-device: there is no fsdev with the id {}", in_quotes(fsdev)));
        }
    }
    return {};
}

}  // namespace weft::sys
