// The monitor's commands, as one table: for people at a prompt, and for human-monitor-command of QMP.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "emulator/control/facts.h"
#include "emulator/machine/operations.h"

namespace weft::control {

// What weft's boards do not have.
inline constexpr const char* kNoWakeup = "the guest is not suspended: it cannot be";
inline constexpr const char* kNoMachineToSave = "there is no machine to save or load";
inline constexpr const char* kNoBalloon = "there is no balloon device";
inline constexpr const char* kNoNmi = "the board has no non-maskable interrupt";

// A line that can show a command's answer later, and takes no further command until then. The main loop's thread.
class MonitorWait {
  public:
    virtual ~MonitorWait() = default;
    // The command that is being executed is not done yet.
    virtual void begin() = 0;
    // It is done now. Once for each begin(), after the command's function has returned.
    virtual void end(const std::string& answer) = 0;
};

// A command as it was called.
struct MonitorCall {
    machine::MachineOperations& machine;
    const MachineFacts& facts;
    const std::vector<std::string>& history;
    unsigned& cpu;                       // what commands are about that name none
    std::string_view format;             // behind a slash
    std::span<const std::string> words;  // behind the command
    std::string_view rest;               // the same, as it was written
    const TextSink& sink;
    MonitorWait* wait;  // null: the line cannot wait

    void say(std::string_view text) const { sink.write(sink.opaque, text.data(), text.size()); }
};

struct MonitorCommand {
    const char* name;       // one word, or "info" and one
    const char* alias;      // null: none
    const char* arguments;  // as help shows them
    const char* help;
    size_t min_words, max_words;
    Result<> (*execute)(const MonitorCall& call);
};

std::span<const MonitorCommand> monitor_commands();

// The main loop's thread.
class MonitorCommands {
  public:
    // Both outlive it.
    MonitorCommands(machine::MachineOperations& machine, const MachineFacts& facts)
        : machine_(machine), facts_(facts) {}

    // Executes a line and returns the answer, whole lines that end in '\n'.
    std::string execute(std::string_view line);

    // What `cpu N` does; the CPU is there, or there is none.
    void select_cpu(unsigned cpu) { cpu_ = cpu; }
    // What `info history` shows; outlives the object.
    void show_history(const std::vector<std::string>& lines) { history_ = &lines; }
    // Without it commands that are done later go on without the line. Outlives the object and what commands have begun.
    void wait_by(MonitorWait& wait) { wait_ = &wait; }

  private:
    machine::MachineOperations& machine_;
    const MachineFacts& facts_;
    const std::vector<std::string>* history_ = nullptr;
    MonitorWait* wait_ = nullptr;
    unsigned cpu_ = 0;
};

// `text` with each '\n' replaced.
std::string with_line_ends(const std::string& text, std::string_view end);

// The commands, by what they are about. monitor_control.cpp:
Result<> monitor_quit(const MonitorCall& call);
Result<> monitor_stop(const MonitorCall& call);
Result<> monitor_cont(const MonitorCall& call);
Result<> monitor_system_reset(const MonitorCall& call);
Result<> monitor_system_powerdown(const MonitorCall& call);
Result<> monitor_system_wakeup(const MonitorCall& call);
Result<> monitor_nmi(const MonitorCall& call);
Result<> monitor_balloon(const MonitorCall& call);
Result<> monitor_cpu(const MonitorCall& call);
Result<> monitor_x(const MonitorCall& call);
Result<> monitor_xp(const MonitorCall& call);
Result<> monitor_print(const MonitorCall& call);
Result<> monitor_memsave(const MonitorCall& call);
Result<> monitor_pmemsave(const MonitorCall& call);
Result<> monitor_stats(const MonitorCall& call);
// monitor_hotplug.cpp:
Result<> monitor_device_add(const MonitorCall& call);
Result<> monitor_device_del(const MonitorCall& call);
Result<> monitor_netdev_add(const MonitorCall& call);
Result<> monitor_netdev_del(const MonitorCall& call);
Result<> monitor_object_add(const MonitorCall& call);
Result<> monitor_object_del(const MonitorCall& call);
Result<> monitor_drive_add(const MonitorCall& call);
Result<> monitor_drive_del(const MonitorCall& call);
// monitor_info.cpp:
Result<> info_version(const MonitorCall& call);
Result<> info_status(const MonitorCall& call);
Result<> info_name(const MonitorCall& call);
Result<> info_uuid(const MonitorCall& call);
Result<> info_history(const MonitorCall& call);
Result<> info_cpus(const MonitorCall& call);
Result<> info_registers(const MonitorCall& call);
Result<> info_mtree(const MonitorCall& call);
Result<> info_balloon(const MonitorCall& call);
Result<> info_block(const MonitorCall& call);
Result<> info_chardev(const MonitorCall& call);
Result<> info_network(const MonitorCall& call);
Result<> info_jit(const MonitorCall& call);
Result<> info_stats(const MonitorCall& call);
Result<> info_tlb(const MonitorCall& call);
Result<> info_tb_list(const MonitorCall& call);
Result<> info_tb(const MonitorCall& call);

// monitor_saved.cpp:
Result<> monitor_migrate(const MonitorCall& call);
Result<> monitor_migrate_cancel(const MonitorCall& call);
Result<> monitor_migrate_incoming(const MonitorCall& call);
Result<> info_migrate(const MonitorCall& call);
Result<> monitor_savevm(const MonitorCall& call);
Result<> monitor_loadvm(const MonitorCall& call);
Result<> monitor_delvm(const MonitorCall& call);
Result<> info_snapshots(const MonitorCall& call);

// The CPU that a word names, if it is there.
Result<unsigned> cpu_named(const MonitorCall& call, const std::string& word);

}  // namespace weft::control
