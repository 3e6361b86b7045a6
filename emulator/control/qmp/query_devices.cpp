// What QMP tells of devices: those that are there, and the kinds there are.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "emulator/control/qmp/commands.h"

namespace weft::control::qmp {

namespace {

std::unexpected<Failure> not_found(const char* what, const std::string& name) {
    return std::unexpected(
        Failure{"DeviceNotFound", fmt::format("there is no {} {}", what, json_text(name, false))});
}

// BlockDeviceInfo, of which most is what weft does not have: limits, encryption, copies on write.
Json image_info(const DiskFacts& disk) {
    return {{"file", disk.file},
            {"node-name", disk.name},
            {"ro", disk.read_only},
            {"drv", disk.format},
            {"encrypted", false},
            {"active", true},
            {"detect_zeroes", "off"},
            {"backing_file_depth", 0},
            {"children", Json::array()},
            {"bps", 0},
            {"bps_rd", 0},
            {"bps_wr", 0},
            {"iops", 0},
            {"iops_rd", 0},
            {"iops_wr", 0},
            {"write_threshold", 0},
            {"cache", {{"writeback", !disk.write_through}, {"direct", false}, {"no-flush", false}}},
            {"image",
             {{"filename", disk.file},
              {"format", disk.format},
              {"virtual-size", disk.size},
              {"dirty-flag", false}}}};
}

// A kind of object and those it is a kind of, from the nearest up.
struct ObjectType {
    std::string name;
    std::vector<std::string> ancestors;
};

std::vector<ObjectType> object_types(const MachineFacts& facts) {
    std::vector<ObjectType> types;
    for (const hw::DeviceType* device : facts.device_types) {
        types.push_back({device->name, {device->bus == hw::Bus::virtio ? "virtio-device" : "device"}});
        if (device->bus == hw::Bus::virtio) {
            types.back().ancestors.push_back("device");
        }
    }
    for (const hw::MachineType& machine : facts.machine_types) {
        types.push_back({fmt::format("{}-machine", machine.name), {"machine"}});
        for (const hw::CpuChoice& cpu : machine.cpu_models()) {
            types.push_back({cpu.name + "-riscv-cpu", {"riscv-cpu", "cpu", "device"}});
        }
    }
    types.push_back({"none-machine", {"machine"}});
    for (ObjectType& type : types) {
        type.ancestors.push_back("object");
    }
    return types;
}

const char* type_of(hw::PropertyKind kind) {
    switch (kind) {
        case hw::PropertyKind::number:
            return "uint64";
        case hw::PropertyKind::on_off:
            return "bool";
        case hw::PropertyKind::rng:
            return "link<rng-backend>";
        default:
            return "str";
    }
}

}  // namespace

Answer nothing_of_the_kind(Subject&, const Json&) { return Json::array(); }

Answer query_chardev(Subject& subject, const Json&) {
    Json list = Json::array();
    if (subject.facts.chars) {
        for (const CharFacts& line : subject.facts.chars()) {
            list.push_back({{"label", line.label}, {"filename", line.filename}, {"frontend-open", true}});
        }
    }
    return list;
}

Answer query_block(Subject& subject, const Json&) {
    Json list = Json::array();
    for (const DiskFacts& disk : subject.facts.disks) {
        list.push_back({{"device", disk.name},
                        {"type", "unknown"},
                        {"removable", false},
                        {"locked", false},
                        {"inserted", image_info(disk)}});
    }
    return list;
}

Answer query_named_block_nodes(Subject& subject, const Json&) {
    Json list = Json::array();
    for (const DiskFacts& disk : subject.facts.disks) {
        list.push_back(image_info(disk));
    }
    return list;
}

Answer query_balloon(Subject&, const Json&) {
    return std::unexpected(Failure{"DeviceNotActive", "there is no balloon device"});
}

Answer qom_list_types(Subject& subject, const Json& arguments) {
    const std::string wanted = arguments.value("implements", std::string("object"));
    Json list = Json::array();
    for (const ObjectType& type : object_types(subject.facts)) {
        if (type.name == wanted || std::ranges::count(type.ancestors, wanted) != 0) {
            list.push_back({{"name", type.name}, {"parent", type.ancestors.front()}});
        }
    }
    return list;
}

Answer qom_list(Subject&, const Json& arguments) {
    const std::string path = arguments["path"];
    if (path != "/machine") {
        return not_found("object", path);
    }
    return Json::array({{{"name", "type"}, {"type", "string"}}});
}

Answer qom_get(Subject& subject, const Json& arguments) {
    const std::string path = arguments["path"];
    const std::string property = arguments["property"];
    if (path != "/machine") {
        return not_found("object", path);
    }
    if (property != "type") {
        return generic_error(fmt::format("/machine has no property {}", json_text(property, false)));
    }
    const hw::MachineType* const machine = subject.facts.machine;
    return fmt::format("{}-machine", machine == nullptr ? "none" : machine->name);
}

Answer device_list_properties(Subject& subject, const Json& arguments) {
    const std::string name = arguments["typename"];
    const auto device = std::ranges::find_if(subject.facts.device_types,
                                             [&](const hw::DeviceType* type) { return type->name == name; });
    Json list = Json::array();
    if (device != subject.facts.device_types.end()) {
        for (const hw::DeviceProperty& property : (*device)->properties) {
            Json entry{
                {"name", property.name}, {"type", type_of(property.kind)}, {"description", property.help}};
            if (property.kind == hw::PropertyKind::on_off && property.default_value != nullptr) {
                entry["default-value"] = std::string_view(property.default_value) == "on";
            }
            list.push_back(std::move(entry));
        }
        return list;
    }
    // CPUs have no properties.
    for (const ObjectType& type : object_types(subject.facts)) {
        if (type.name == name && std::ranges::count(type.ancestors, "device") != 0) {
            return list;
        }
    }
    return not_found("kind of device", name);
}

}  // namespace weft::control::qmp
