// What QMP tells of devices: those that are there, and the kinds there are.
#include <fmt/format.h>
#include <unistd.h>

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
        types.push_back({device->name, {}});
        if (device->bus == hw::Bus::virtio || device->bus == hw::Bus::virtio_serial) {
            types.back().ancestors.push_back(device->bus == hw::Bus::virtio ? "virtio-device"
                                                                            : "virtio-serial-port");
        }
        types.back().ancestors.push_back("device");
        for (const hw::PciVariant& variant : hw::pci_variants(*device)) {
            types.push_back({device->name + std::string(variant.suffix), {"device"}});
        }
    }
    for (const hw::MachineType& machine : facts.machine_types) {
        types.push_back({fmt::format("{}-machine", machine.name), {"machine"}});
        for (const hw::CpuChoice& cpu : machine.cpu_models()) {
            types.push_back({cpu.name + "-riscv-cpu", {"riscv-cpu", "cpu", "device"}});
        }
    }
    types.push_back({"none-machine", {"machine"}});
    // A part of the board; by it libvirt learns that there are slots for virtio devices besides PCI.
    types.push_back({"virtio-mmio", {"sys-bus-device", "device"}});
    // The host bridge; by it libvirt learns that devices go on PCI, behind root ports.
    types.push_back({"gpex-pcihost", {"pcie-host-bridge", "pci-host-bridge", "sys-bus-device", "device"}});
    types.push_back({facts.accelerator + "-accel", {"accel"}});
    for (const char* rng : {"rng-random", "rng-builtin"}) {
        types.push_back({rng, {"rng-backend"}});
    }
    types.push_back({"secret", {"secret-common"}});
    for (const char* memory : {"memory-backend-ram", "memory-backend-memfd", "memory-backend-file"}) {
        types.push_back({memory, {"memory-backend"}});
    }
    types.push_back({"iothread", {"event-loop-base"}});
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

// Whoever asks wants to know which threads to put where: disks are served by threads of the process's that all of them share.
Answer query_iothreads(Subject& subject, const Json&) {
    Json threads = Json::array();
    for (const std::string& id : subject.facts.iothreads) {
        threads.push_back({{"id", id},
                           {"thread-id", getpid()},
                           {"poll-max-ns", 0},
                           {"poll-grow", 0},
                           {"poll-shrink", 0},
                           {"aio-max-batch", 0}});
    }
    return threads;
}

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

Answer query_balloon(Subject& subject, const Json&) {
    hw::Balloon* const balloon = subject.machine.balloon();
    return balloon == nullptr ? no_balloon()
                              : Answer(Json{{"actual", memory_left(subject.facts.memory_bytes, *balloon)}});
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

namespace {

// Where the devices are that users have named.
constexpr std::string_view kPeripheral = "/machine/peripheral";

std::vector<DeviceOperations::Named> named_devices(const MachineFacts& facts) {
    return facts.devices == nullptr ? std::vector<DeviceOperations::Named>() : facts.devices->named();
}

// The type of the object at a path; empty: there is none.
std::string type_at(const MachineFacts& facts, std::string_view path) {
    if (path == "/machine") {
        return fmt::format("{}-machine", facts.machine == nullptr ? "none" : facts.machine->name);
    }
    if (path == kPeripheral) {
        return "container";
    }
    for (const DeviceOperations::Named& device : named_devices(facts)) {
        if (path == fmt::format("{}/{}", kPeripheral, device.id)) {
            return device.type;
        }
    }
    return {};
}

}  // namespace

Answer qom_list(Subject& subject, const Json& arguments) {
    const std::string path = arguments["path"];
    if (type_at(subject.facts, path).empty()) {
        return not_found("object", path);
    }
    Json list = Json::array({{{"name", "type"}, {"type", "string"}}});
    if (path == kPeripheral) {
        for (const DeviceOperations::Named& device : named_devices(subject.facts)) {
            list.push_back({{"name", device.id}, {"type", fmt::format("child<{}>", device.type)}});
        }
    }
    return list;
}

Answer qom_get(Subject& subject, const Json& arguments) {
    const std::string path = arguments["path"];
    const std::string property = arguments["property"];
    const std::string type = type_at(subject.facts, path);
    if (type.empty()) {
        return not_found("object", path);
    }
    if (property != "type") {
        return generic_error(fmt::format("{} has no property {}", path, json_text(property, false)));
    }
    return type;
}

namespace {

// Those of a kind of object that descends from `ancestor`. Only devices have some that can be set.
Answer list_properties(const MachineFacts& facts, const std::string& name, const char* ancestor) {
    const std::vector<ObjectType> types = object_types(facts);
    const auto type = std::ranges::find(types, name, &ObjectType::name);
    if (type == types.end() || std::ranges::count(type->ancestors, ancestor) == 0) {
        return not_found(fmt::format("kind of {}", ancestor).c_str(), name);
    }
    Json list = Json::array();
    for (const hw::DeviceType* device : facts.device_types) {
        if (device->name != name) {
            continue;
        }
        for (const hw::DeviceProperty& property : device->properties) {
            Json entry{
                {"name", property.name}, {"type", type_of(property.kind)}, {"description", property.help}};
            if (property.kind == hw::PropertyKind::on_off && property.default_value != nullptr) {
                entry["default-value"] = std::string_view(property.default_value) == "on";
            }
            list.push_back(std::move(entry));
        }
        if (device->bus == hw::Bus::pci) {
            for (const hw::PciPropertyText& property : hw::pci_properties()) {
                list.push_back(
                    {{"name", property.name}, {"type", property.type}, {"description", property.help}});
            }
        }
    }
    return list;
}

}  // namespace

Answer device_list_properties(Subject& subject, const Json& arguments) {
    return list_properties(subject.facts, arguments["typename"], "device");
}

Answer qom_list_properties(Subject& subject, const Json& arguments) {
    return list_properties(subject.facts, arguments["typename"], "object");
}

}  // namespace weft::control::qmp
