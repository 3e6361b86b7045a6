// -object, and whether what devices and the board refer to is there.
#include <fmt/format.h>

#include <algorithm>

#include "emulator/system/option_json.h"
#include "emulator/system/option_values.h"
#include "weft/memory.h"

namespace weft::sys {

namespace {

// What a property's value may be.
enum class Takes {
    text,      // of ObjectChoice::filename
    size,      // of ObjectChoice::size; must be given
    offset,    // of ObjectChoice::offset
    share,     // of ObjectChoice::share
    prealloc,  // of ObjectChoice::prealloc
    anything,  // changes nothing here
    switches,  // on or off, which changes nothing here
    only_off,
};

struct Property {
    const char* name;
    Takes takes;
};

constexpr Property kRandomProperties[] = {{"filename", Takes::text}};
// Nothing here is encrypted or asks for a password, so that nobody reads it.
constexpr Property kSecretProperties[] = {
    {"format", Takes::anything}, {"file", Takes::anything}, {"data", Takes::anything},
    {"keyid", Takes::anything},  {"iv", Takes::anything},
};
// RAM has huge pages where the host has them. Who asks for more is told.
constexpr Property kMemoryProperties[] = {
    {"size", Takes::size},
    {"share", Takes::share},
    {"merge", Takes::switches},
    {"dump", Takes::switches},
    {"reserve", Takes::switches},
    {"seal", Takes::switches},
    {"prealloc", Takes::prealloc},
    {"prealloc-threads", Takes::anything},
    {"hugetlb", Takes::only_off},
    {"policy", Takes::anything},
    {"x-use-canonical-path-for-ramblock-id", Takes::switches},
};
constexpr Property kMemoryFileProperties[] = {
    {"size", Takes::size},         {"share", Takes::share},
    {"mem-path", Takes::text},     {"offset", Takes::offset},
    {"merge", Takes::switches},    {"dump", Takes::switches},
    {"reserve", Takes::switches},  {"discard-data", Takes::only_off},
    {"prealloc", Takes::prealloc}, {"prealloc-threads", Takes::anything},
    {"align", Takes::anything},    {"policy", Takes::anything},
    {"pmem", Takes::only_off},     {"readonly", Takes::only_off},
    {"rom", Takes::only_off},      {"x-use-canonical-path-for-ramblock-id", Takes::switches},
};
// Disks are served by threads of their own anyway.
constexpr Property kThreadProperties[] = {
    {"poll-max-ns", Takes::anything},     {"poll-grow", Takes::anything},
    {"poll-shrink", Takes::anything},     {"aio-max-batch", Takes::anything},
    {"thread-pool-min", Takes::anything}, {"thread-pool-max", Takes::anything},
};

struct ObjectType {
    const char* name;
    ObjectChoice::Kind kind;
    std::span<const Property> properties;
};

constexpr const char* kFileMemory = "memory-backend-file";

constexpr ObjectType kObjectTypes[] = {
    {"rng-builtin", ObjectChoice::Kind::rng_builtin, {}},
    {"rng-random", ObjectChoice::Kind::rng_random, kRandomProperties},
    {"secret", ObjectChoice::Kind::secret, kSecretProperties},
    {"memory-backend-ram", ObjectChoice::Kind::memory, kMemoryProperties},
    {"memory-backend-memfd", ObjectChoice::Kind::memory, kMemoryProperties},
    {kFileMemory, ObjectChoice::Kind::memory, kMemoryFileProperties},
    {"iothread", ObjectChoice::Kind::iothread, kThreadProperties},
};

Result<> set_property(const ObjectType& type, ObjectChoice& object, const KeyValue& item) {
    const auto property = std::ranges::find(type.properties, item.key, &Property::name);
    if (property == type.properties.end() && item.key != "id") {
        return fail(fmt::format("{} has no property {}", type.name, in_quotes(item.key)));
    }
    const bool is_switch =
        item.key != "id" && (property->takes == Takes::switches || property->takes == Takes::only_off ||
                             property->takes == Takes::share || property->takes == Takes::prealloc);
    if (is_switch) {
        const Result<bool> on = switch_of(item);
        if (!on) {
            return std::unexpected(on.error());
        }
        if (property->takes == Takes::share) {
            object.share = *on;
        } else if (property->takes == Takes::prealloc) {
            object.prealloc = *on;
        } else if (*on && property->takes == Takes::only_off) {
            return fail(fmt::format("{}: {}=on is not supported", type.name, item.key));
        }
        return {};
    }
    const Result<std::string> text = value_of(item);
    if (!text) {
        return std::unexpected(text.error());
    }
    if (item.key == "id") {
        object.id = *text;
    } else if (property->takes == Takes::text) {
        object.filename = *text;
    } else if (property->takes == Takes::size) {
        const std::optional<uint64_t> size = parse_size(*text, 1);
        if (!size) {
            return fail(fmt::format("{}: invalid size {}", type.name, in_quotes(*text)));
        }
        if (Result<> fits = check_memory_size(*size); !fits) {
            return std::unexpected(fits.error().within(type.name));
        }
        object.size = *size;
    } else if (property->takes == Takes::offset) {
        const std::optional<uint64_t> offset = parse_size(*text, 1);
        if (!offset || *offset % kPageSize != 0 || *offset > uint64_t{1} << 62) {
            return fail(
                fmt::format("{}: the offset is a multiple of 4K, not {}", type.name, in_quotes(*text)));
        }
        object.offset = *offset;
    }
    return {};
}

bool gives_random_bytes(const ObjectChoice& object) {
    return object.kind == ObjectChoice::Kind::rng_builtin || object.kind == ObjectChoice::Kind::rng_random;
}

}  // namespace

Result<> parse_object(RawOptions& raw, const std::string& value) {
    const Result<KeyValueList> list = parse_option(value, "qom-type");
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
    ObjectChoice object;
    object.kind = type->kind;
    if (object.kind == ObjectChoice::Kind::rng_random) {
        object.filename = "/dev/urandom";
    }
    // Memory that has a descriptor is there to be shared.
    object.share = std::string_view(type->name) == "memory-backend-memfd";
    for (const KeyValue& item : list->items) {
        if (Result<> set = set_property(*type, object, item); !set) {
            return set;
        }
    }
    if (object.id.empty()) {
        return fail(fmt::format("{} needs an id", type->name));
    }
    if (object.kind == ObjectChoice::Kind::memory && object.size == 0) {
        return fail(fmt::format("{} needs size=SIZE", type->name));
    }
    if (type->name == kFileMemory && object.filename.empty()) {
        return fail(fmt::format("{} needs mem-path=PATH", type->name));
    }
    if (std::ranges::find(raw.options.objects, object.id, &ObjectChoice::id) != raw.options.objects.end()) {
        return fail(fmt::format("two objects have the id {}", in_quotes(object.id)));
    }
    raw.options.objects.push_back(std::move(object));
    return {};
}

std::string iothread_of(const hw::DeviceConfig& device) {
    constexpr std::string_view kThread = "iothread";
    const auto properties = device.type().properties;
    return std::ranges::find(properties, kThread, &hw::DeviceProperty::name) == properties.end()
               ? std::string()
               : device.text(kThread);
}

namespace {

Result<> check_iothread(const Options& options, const hw::DeviceConfig& device) {
    const std::string id = iothread_of(device);
    if (id.empty()) {
        return {};
    }
    const auto object = std::ranges::find(options.objects, id, &ObjectChoice::id);
    return object != options.objects.end() && object->kind == ObjectChoice::Kind::iothread
               ? Result<>()
               : fail(fmt::format("there is no iothread with the id {}", in_quotes(id)));
}

}  // namespace

Result<> check_object_reference(const Options& options, const hw::DeviceConfig& device) {
    if (Result<> there = check_iothread(options, device); !there) {
        return there;
    }
    const std::string id = device.reference(hw::PropertyKind::rng);
    const auto object = std::ranges::find(options.objects, id, &ObjectChoice::id);
    if (id.empty()) {
        return {};
    }
    if (object == options.objects.end()) {
        return fail(fmt::format("there is no object with the id {}", in_quotes(id)));
    }
    return gives_random_bytes(*object) ? Result<>()
                                       : fail(fmt::format("object {} gives no random bytes", in_quotes(id)));
}

Result<> check_references(RawOptions& raw) {
    for (const DeviceChoice& device : raw.options.devices) {
        if (Result<> there = check_object_reference(raw.options, device.config); !there) {
            return std::unexpected(there.error().within("-device"));
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
