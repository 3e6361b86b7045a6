// Where the machine's characters go: the serial port's backend, the terminal, the monitor and QMP, as the options say.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "emulator/backend/char/char_backend.h"
#include "emulator/control/facts.h"
#include "emulator/control/monitor.h"
#include "emulator/control/qmp/server.h"
#include "emulator/machine/main_loop.h"
#include "emulator/semihosting/console.h"
#include "emulator/system/options.h"

namespace weft::backend {
class CharStdio;
class CharMux;
class RawTerminal;
}  // namespace weft::backend

namespace weft::sys {

// Used by the loop's thread. Outlives the machine that writes to it.
class Console {
  public:
    // Opens what the options name: makes or empties the serial port's file, and takes the terminal over.
    static Result<std::unique_ptr<Console>> open(const Options& options, machine::MainLoop& loop);
    ~Console();
    Console(const Console&) = delete;
    Console& operator=(const Console&) = delete;

    backend::CharBackend& serial() { return *serial_; }
    // Null: the options ask for no semihosting.
    semihosting::Console* semihosting() { return semihosting_ ? &*semihosting_ : nullptr; }

    // The line of Options::device_lines of that id.
    backend::CharBackend& device_line(const std::string& id);

    // Ties the monitor, QMP and the terminal's keys to a machine; they go with detach(), before the machine does.
    void attach(machine::MachineOperations& target, const control::MachineFacts& facts);
    void detach();

    // The lines that are open.
    std::vector<control::CharFacts> lines() const;

    // After the program was stopped and continued.
    void continued();

    // Gives the terminal back. Output that is kept may still be drained.
    void restore_terminal();
    void drain();

  private:
    struct QmpLine {
        std::unique_ptr<backend::CharBackend> own;  // null: the terminal
        backend::CharBackend* line;
        bool pretty;
        std::unique_ptr<control::qmp::Server> server;
    };
    struct NamedLine {
        std::string label;
        std::function<std::string()> filename;
    };

    Console() = default;
    void name_line(const SerialChoice& choice, const std::string& label, const backend::CharBackend* line);
    Result<> open_serial(const Options& options, machine::MainLoop& loop);
    Result<> open_monitor(const Options& options, machine::MainLoop& loop);
    Result<> open_qmp(const Options& options, machine::MainLoop& loop);
    Result<> open_device_lines(const Options& options, machine::MainLoop& loop);
    Result<> open_semihosting(const Options& options, machine::MainLoop& loop);

    std::unique_ptr<backend::RawTerminal> terminal_;
    std::unique_ptr<backend::CharStdio> stdio_;
    std::unique_ptr<backend::CharBackend> other_serial_;  // a file, a socket, a pseudo-terminal or nothing
    std::unique_ptr<backend::CharBackend> other_monitor_;
    std::unique_ptr<backend::CharMux> mux_;
    backend::CharBackend* serial_ = nullptr;
    backend::CharBackend* monitor_line_ = nullptr;  // nullptr: there is no monitor
    bool monitor_needs_returns_ = false;            // nobody else makes line ends of its line feeds
    std::vector<QmpLine> qmp_;
    std::vector<NamedLine> lines_;
    std::vector<std::unique_ptr<backend::CharBackend>> own_device_lines_;
    std::map<std::string, backend::CharBackend*> device_lines_;  // by their ids; one may be the terminal
    std::unique_ptr<backend::CharStdio> standard_error_;         // semihosting's, where it is given no line
    std::unique_ptr<backend::CharBackend>
        own_semihosting_line_;  // null: standard error, the terminal or the serial port's
    std::optional<semihosting::Console> semihosting_;
    std::unique_ptr<control::Monitor> monitor_;
    machine::MachineOperations* target_ = nullptr;
};

}  // namespace weft::sys
