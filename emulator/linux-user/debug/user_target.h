// The guest process as the debugger's protocol sees it: one process, threads by their tids.
#pragma once

#include <set>

#include "emulator/control/gdb/files.h"
#include "emulator/control/gdb/target.h"
#include "emulator/linux-user/debug/breakpoints.h"
#include "emulator/linux-user/debug/stop_control.h"
#include "emulator/linux-user/process.h"

namespace weft::user {

// By the debugger's thread, but for fork_child().
class UserTarget final : public control::gdb::Target {
  public:
    // All outlive it. `listener` ends translations of places at which a breakpoint comes or goes.
    UserTarget(Process& process, StopControl& stops, Breakpoints& breakpoints, CodeListener& listener);

    // For the session, before stop() is asked.
    void note_stop(const control::gdb::Stop& stop) { stop_ = stop; }
    // In a forked child, which has no debugger: its one thread ends what translations of breakpoints there are.
    void fork_child();

    // Target
    uint64_t process() override;
    std::vector<uint64_t> threads() override { return stops_.threads(); }
    std::string name(uint64_t thread) override;
    control::gdb::Stop stop() override { return stop_; }
    unsigned register_count() override;
    std::string read_register(uint64_t thread, unsigned number) override;
    bool write_register(uint64_t thread, unsigned number, std::string_view bytes) override;
    std::string read_memory(uint64_t address, size_t size) override;
    bool write_memory(uint64_t address, std::string_view bytes) override;
    bool insert_breakpoint(uint64_t address, uint64_t kind) override;
    bool remove_breakpoint(uint64_t address, uint64_t kind) override;
    void resume(std::span<const control::gdb::ThreadAction> actions) override;
    void interrupt() override { stops_.interrupt(); }
    void pass_signals(std::span<const int> signals) override;
    std::span<const std::string_view> objects() override;
    std::optional<std::string> object(std::string_view name, std::string_view annex,
                                      uint64_t thread) override;
    control::gdb::Files* files() override { return &files_; }
    void detach() override;
    [[noreturn]] void kill() override;

  private:
    void end_translations(uint64_t address);

    Process& process_;
    StopControl& stops_;
    Breakpoints& breakpoints_;
    CodeListener& listener_;
    control::gdb::HostFiles files_;
    control::gdb::Stop stop_;
    // Places of which there may be translations with a breakpoint in them. Changed where no fork comes between (StopControl::undivided);
    // read by the child of one.
    std::set<uint64_t> marked_;
};

}  // namespace weft::user
