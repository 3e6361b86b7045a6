// The machine as the debugger's protocol sees it: process 1, a thread a CPU, numbered from 1.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "emulator/control/gdb/target.h"
#include "emulator/machine/machine_debug.h"
#include "emulator/machine/operations.h"

namespace weft::control {

// By the main loop's thread, while the machine is stopped, but for interrupt().
class MachineTarget final : public gdb::Target {
  public:
    // Executes a monitor's command and returns its answer.
    using Commands = std::function<std::string(std::string_view)>;

    // Both outlive it.
    MachineTarget(machine::MachineOperations& machine, machine::MachineDebug& debug, Commands commands);

    // For the session, before stop() is asked. Null: whoever attends to the machine, or the debugger's interrupt, has stopped it.
    gdb::Stop note_stop(const DebugStop* why);
    // The debugger looks again, as a new one: at the first CPU, with virtual addresses.
    void begin();
    // A debugger has let the machine run since begin().
    bool resumed() const { return resumed_; }
    // No breakpoints and no watchpoints any more.
    void forget_points();
    // Tells the accelerator of what has changed. False: there is no memory, and the machine ends.
    bool apply_points();

    // gdb::Target
    uint64_t process() override { return 1; }
    std::vector<uint64_t> threads() override;
    std::string name(uint64_t thread) override;
    gdb::Stop stop() override { return stop_; }
    unsigned register_count() override { return debug_.registers(); }
    unsigned general_register_count() override { return debug_.general_registers(); }
    std::string read_register(uint64_t thread, unsigned number) override;
    bool write_register(uint64_t thread, unsigned number, std::string_view bytes) override;
    void look_at(uint64_t thread) override { looks_at_ = cpu_of(thread); }
    std::string read_memory(uint64_t address, size_t size) override;
    bool write_memory(uint64_t address, std::string_view bytes) override;
    bool insert_breakpoint(uint64_t address, uint64_t kind) override;
    bool remove_breakpoint(uint64_t address, uint64_t kind) override;
    std::optional<bool> insert_hardware_breakpoint(uint64_t address, uint64_t kind) override;
    std::optional<bool> remove_hardware_breakpoint(uint64_t address, uint64_t kind) override;
    std::optional<bool> insert_watchpoint(gdb::WatchKind kind, uint64_t address, uint64_t size) override;
    std::optional<bool> remove_watchpoint(gdb::WatchKind kind, uint64_t address, uint64_t size) override;
    void resume(std::span<const gdb::ThreadAction> actions) override;
    void interrupt() override;
    void pass_signals(std::span<const int>) override {}
    bool attached() override { return true; }
    std::optional<std::string> command(std::string_view text) override;
    std::optional<std::string> other_packet(std::string_view packet) override;
    std::span<const std::string_view> objects() override;
    std::optional<std::string> object(std::string_view name, std::string_view annex,
                                      uint64_t thread) override;
    gdb::Files* files() override { return nullptr; }
    void detach() override;
    void kill() override;

  private:
    struct Watchpoint {
        gdb::WatchKind kind;
        uint64_t address;
        uint64_t size;

        auto operator<=>(const Watchpoint&) const = default;
    };

    static unsigned cpu_of(uint64_t thread) { return static_cast<unsigned>(thread - 1); }
    static uint64_t thread_of(unsigned cpu) { return uint64_t{cpu} + 1; }
    DebugRun run_of(gdb::ThreadAction::Kind kind) const;

    machine::MachineOperations& machine_;
    machine::MachineDebug& debug_;
    const Commands commands_;
    gdb::Stop stop_;
    unsigned looks_at_ = 0;
    bool physical_ = false;  // QEMU's PhyMemMode
    uint64_t step_;          // QEMU's sstep
    bool resumed_ = false;
    std::set<uint64_t> software_;
    std::set<uint64_t> hardware_;
    std::set<Watchpoint> watchpoints_;
    bool points_changed_ = false;  // since they went to the accelerator
};

}  // namespace weft::control
