// The debugger's line: what -gdb and -s name, and the stub on it.
#pragma once

#include <memory>

#include "base/error.h"
#include "emulator/backend/char/char_backend.h"
#include "emulator/control/gdb_server.h"
#include "emulator/control/monitor_commands.h"
#include "emulator/machine/machine.h"
#include "emulator/machine/main_loop.h"
#include "emulator/system/options.h"

namespace weft::sys {

// Used by the loop's thread. Outlives the machine that it is attached to.
class GdbLine {
  public:
    // Opens the line; none where the options ask for none.
    static Result<std::unique_ptr<GdbLine>> open(const Options& options, machine::MainLoop& loop);
    ~GdbLine() = default;
    GdbLine(const GdbLine&) = delete;
    GdbLine& operator=(const GdbLine&) = delete;

    // From now on a debugger may come; `facts` outlives the machine. Errors: the accelerator cannot be debugged.
    Result<> attach(machine::Machine& machine, const control::MachineFacts& facts);
    // The machine has ended: the debugger is told, and none may come any more.
    void detach(int exit_code);

  private:
    GdbLine() = default;

    std::unique_ptr<backend::CharBackend> line_;  // null: nobody may come
    std::unique_ptr<control::MonitorCommands> monitor_;
    std::unique_ptr<control::GdbServer> server_;
};

}  // namespace weft::sys
