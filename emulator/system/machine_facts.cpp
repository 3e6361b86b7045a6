#include "emulator/system/machine_facts.h"

#include <fmt/format.h>

#include "emulator/hw/device_types.h"
#include "emulator/hw/machine_types.h"

namespace weft::sys {

std::string drive_name(const Options& options, size_t number) {
    const std::string& id = options.drives[number].id;
    return id.empty() ? fmt::format("virtio{}", number) : id;
}

control::MachineFacts machine_facts(const Options& options,
                                    std::span<const std::unique_ptr<backend::BlockBackend>> drives) {
    control::MachineFacts facts;
    facts.version = WEFT_VERSION;
    facts.architecture = "riscv64";
    facts.name = options.name;
    facts.uuid = options.uuid;
    facts.cpu_model = options.cpu.substr(0, options.cpu.find(','));
    facts.machine_types = hw::machine_types();
    facts.device_types = hw::device_types();
    facts.option_names = names_of_options_with_values();
    if (options.no_machine) {
        return facts;
    }
    facts.machine = options.machine;
    facts.memory_bytes = options.memory_bytes;
    for (size_t i = 0; i < drives.size(); ++i) {
        const DriveChoice& drive = options.drives[i];
        if (drives[i] != nullptr) {
            facts.disks.push_back({.name = drive_name(options, i),
                                   .file = drive.file,
                                   .size = drives[i]->size(),
                                   .read_only = drives[i]->read_only(),
                                   .snapshot = drive.snapshot,
                                   .write_through = drive.write_through,
                                   .format = drives[i]->format()});
        }
    }
    for (const ObjectChoice& object : options.objects) {
        if (object.kind == ObjectChoice::Kind::iothread) {
            facts.iothreads.push_back(object.id);
        }
    }
    for (const NetworkChoice& network : options.networks) {
        facts.networks.push_back({network.id, network.kind});
    }
    return facts;
}

}  // namespace weft::sys
