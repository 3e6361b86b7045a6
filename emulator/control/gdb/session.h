// One debugger's connection: packets in, replies out. All-stop mode; the commands are in a table (session.cpp).
//
// Whatever comes in, nothing is done that the Target's interface does not allow: threads, registers and lengths are compared with what
// there is, commands while the target runs are refused. Unknown packets get the empty reply ("Packets": "an empty response").
// One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "emulator/control/gdb/files.h"
#include "emulator/control/gdb/packet.h"
#include "emulator/control/gdb/target.h"

namespace weft::control::gdb {

class Output {
  public:
    virtual ~Output() = default;
    virtual void send(std::string_view bytes) = 0;
};

class Session {
  public:
    // Both outlive it. The target is stopped.
    Session(Target& target, Output& output) : target_(target), output_(output) {}
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // What the client sent.
    void receive(std::span<const uint8_t> bytes);
    // The target stopped after resume(); or ended, which it does once.
    void stopped(const Stop& stop);
    // The client has detached: nothing is sent any more, and what comes means nothing.
    bool over() const { return over_; }
    // Whether the target was resumed, and has not stopped since.
    bool running() const { return running_; }

  private:
    // A reply to be sent; nothing: none, or later.
    using Reply = std::optional<std::string>;
    struct Command {
        std::string_view name;  // what a packet begins with
        bool exact;             // and ends with
        Reply (Session::*run)(std::string_view arguments);
    };
    // "thread-id": 0 is any, -1 all.
    struct ThreadId {
        int64_t process = 0;
        int64_t thread = 0;
    };
    struct Action {
        ThreadAction::Kind kind;
        int signal;
        ThreadId whom;
    };
    static const Command kCommands[];

    void take(const std::string& packet);
    void send(std::string_view payload);
    std::string id_text(uint64_t thread);
    std::string stop_text(const Stop& stop);
    std::optional<ThreadId> read_thread_id(std::string_view text) const;
    // A thread that there is, or nothing.
    std::optional<uint64_t> pick(const ThreadId& id);
    bool has_thread(uint64_t thread);
    // For commands on registers: that of Hg, or of the latest stop.
    std::optional<uint64_t> general_thread();
    void look_at_general_thread();

    // session.cpp
    Reply supported(std::string_view arguments);
    Reply start_no_ack(std::string_view arguments);
    Reply why_stopped(std::string_view arguments);
    Reply set_thread(std::string_view arguments);
    Reply thread_alive(std::string_view arguments);
    Reply current_thread(std::string_view arguments);
    Reply first_threads(std::string_view arguments);
    Reply more_threads(std::string_view arguments);
    Reply thread_name(std::string_view arguments);
    Reply attached(std::string_view arguments);
    Reply accept(std::string_view arguments);
    Reply detach(std::string_view arguments);
    Reply kill(std::string_view arguments);
    Reply kill_process(std::string_view arguments);
    Reply attach(std::string_view arguments);
    Reply monitor_command(std::string_view arguments);

    // session_state.cpp
    Reply read_registers(std::string_view arguments);
    Reply write_registers(std::string_view arguments);
    Reply read_register(std::string_view arguments);
    Reply write_register(std::string_view arguments);
    Reply read_memory(std::string_view arguments);
    Reply write_memory(std::string_view arguments);
    Reply write_binary(std::string_view arguments);
    Reply insert_breakpoint(std::string_view arguments);
    Reply remove_breakpoint(std::string_view arguments);
    Reply insert_hardware_breakpoint(std::string_view arguments);
    Reply remove_hardware_breakpoint(std::string_view arguments);
    template <WatchKind kKind>
    Reply insert_watchpoint(std::string_view arguments);
    template <WatchKind kKind>
    Reply remove_watchpoint(std::string_view arguments);
    Reply transfer(std::string_view arguments);

    // session_resume.cpp
    Reply actions_there_are(std::string_view arguments);
    Reply act(std::string_view arguments);
    Reply go(std::string_view arguments);
    Reply go_with_signal(std::string_view arguments);
    Reply step(std::string_view arguments);
    Reply step_with_signal(std::string_view arguments);
    Reply pass_signals(std::string_view arguments);
    Reply resume_by_letter(ThreadAction::Kind kind, std::string_view signal, std::string_view address);
    std::optional<Action> read_action(std::string_view text) const;
    Reply resume(const std::vector<Action>& actions);

    // session_files.cpp
    Reply file_root(std::string_view arguments);
    Reply file_open(std::string_view arguments);
    Reply file_read(std::string_view arguments);
    Reply file_status(std::string_view arguments);
    Reply file_close(std::string_view arguments);
    Reply file_link(std::string_view arguments);

    Target& target_;
    Output& output_;
    PacketReader reader_;
    std::string sent_;  // as it went out, to be sent again
    bool acknowledges_ = true;
    bool multiprocess_ = false;
    bool knows_breakpoints_ = false;  // qSupported's swbreak+
    bool knows_no_resumed_ = false;
    bool running_ = false;
    bool over_ = false;
    size_t listed_ = 0;  // of threads(), by qfThreadInfo and qsThreadInfo
    ThreadId general_;   // Hg
    ThreadId continue_;  // Hc
};

// Replies of several files.
inline constexpr std::string_view kOk = "OK";
inline constexpr std::string_view kBadArguments =
    "E16";  // EINVAL, as numbers of errors have no meaning ("Standard Replies")
inline constexpr std::string_view kNoSuchThread = "E03";  // ESRCH
inline constexpr std::string_view kBadAddress = "E0e";    // EFAULT
inline constexpr std::string_view kBusy = "E10";          // EBUSY: the target runs

}  // namespace weft::control::gdb
