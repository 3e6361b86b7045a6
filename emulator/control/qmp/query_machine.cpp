// What QMP tells of the machine as a whole.
#include <fmt/format.h>

#include "emulator/accel/text_sinks.h"
#include "emulator/control/qmp/commands.h"

namespace weft::control::qmp {

namespace {

// QEMU's version that commands, answers and options are compared with.
constexpr struct {
    unsigned major, minor, micro;
} kInterface{11, 1, 0};

std::string cpu_type(const std::string& model) { return model + "-riscv-cpu"; }

}  // namespace

// The number is that of QEMU's interface, which clients go by (libvirt refuses one below 4.2); weft's own is the package.
Answer query_version(Subject& subject, const Json&) {
    return Json{
        {"qemu", {{"major", kInterface.major}, {"minor", kInterface.minor}, {"micro", kInterface.micro}}},
        {"package", fmt::format("weft {}", subject.facts.version)}};
}

Answer query_status(Subject& subject, const Json&) {
    const machine::MachineOperations& machine = subject.machine;
    const char* const status = machine.shut_down() ? "shutdown"
                               : machine.running() ? "running"
                               : machine.started() ? "paused"
                                                   : "prelaunch";
    return Json{{"running", machine.running()}, {"status", status}};
}

Answer query_name(Subject& subject, const Json&) {
    return subject.facts.name.empty() ? Json::object() : Json{{"name", subject.facts.name}};
}

Answer query_uuid(Subject& subject, const Json&) { return Json{{"UUID", uuid_or_zeros(subject.facts)}}; }

Answer query_kvm(Subject&, const Json&) { return Json{{"enabled", false}, {"present", false}}; }

Answer query_accelerators(Subject& subject, const Json&) {
    const std::string& name = subject.facts.accelerator;
    return Json{{"enabled", name}, {"present", Json::array({name})}};
}

Answer query_target(Subject& subject, const Json&) { return Json{{"arch", subject.facts.architecture}}; }

Answer query_machines(Subject& subject, const Json&) {
    Json list = Json::array();
    for (const hw::MachineType& type : subject.facts.machine_types) {
        Json entry{{"name", type.name},
                   {"cpu-max", type.max_cpus},
                   {"hotpluggable-cpus", false},
                   {"numa-mem-supported", false},
                   {"deprecated", false},
                   {"acpi", false},
                   // No default-ram-id: clients would give the board's RAM by -object and memory-backend=.
                   {"default-cpu-type", cpu_type(type.cpu_models().front().name)}};
        if (list.empty()) {
            entry["is-default"] = true;
        }
        list.push_back(std::move(entry));
    }
    list.push_back({{"name", "none"},
                    {"cpu-max", 1},
                    {"hotpluggable-cpus", false},
                    {"numa-mem-supported", false},
                    {"deprecated", false},
                    {"acpi", false}});
    return list;
}

Answer query_current_machine(Subject&, const Json&) { return Json{{"wakeup-suspend-support", false}}; }

Answer query_cpus_fast(Subject& subject, const Json&) {
    Json list = Json::array();
    for (unsigned cpu = 0; cpu < subject.machine.cpu_count(); ++cpu) {
        list.push_back({{"cpu-index", cpu},
                        {"qom-path", fmt::format("/machine/soc0/harts[{}]", cpu)},
                        {"qom-type", cpu_type(subject.facts.cpu_model)},
                        {"thread-id", cpu_thread_id(cpu)},
                        {"target", subject.facts.architecture},
                        {"props", {{"socket-id", 0}, {"core-id", cpu}, {"thread-id", 0}}}});
    }
    return list;
}

Answer query_cpu_definitions(Subject& subject, const Json&) {
    Json list = Json::array();
    for (const hw::MachineType& type : subject.facts.machine_types) {
        for (const hw::CpuChoice& model : type.cpu_models()) {
            list.push_back({{"name", model.name},
                            {"typename", cpu_type(model.name)},
                            {"static", false},
                            {"deprecated", false}});
        }
    }
    return list;
}

Answer query_memory_size_summary(Subject& subject, const Json&) {
    return Json{{"base-memory", subject.facts.memory_bytes}};
}

Answer query_memdev(Subject& subject, const Json&) {
    Json list = Json::array();
    if (subject.facts.memory_bytes != 0) {
        list.push_back({{"id", "ram"},
                        {"size", subject.facts.memory_bytes},
                        {"merge", false},
                        {"dump", true},
                        {"prealloc", false},
                        {"reserve", false},
                        {"share", false},
                        {"host-nodes", Json::array()},
                        {"policy", "default"}});
    }
    return list;
}

Answer x_accel_stats(Subject& subject, const Json&) {
    loader::TextCollector text;
    if (const Result<> told = subject.machine.dump_accelerator("jit", *text.sink()); !told) {
        return generic_error(told.error().message());
    }
    return Json{{"human-readable-text", text.text()}};
}

}  // namespace weft::control::qmp
