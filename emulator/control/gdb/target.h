// What is debugged, as the protocol sees it: one process (or one machine, as its process 1) of threads, which all stop together.
//
// A Target is asked by its Session's thread alone. Threads are known by positive numbers; they stay the same while everything is
// stopped. Registers are numbered from 0 without gaps, in the order of the target's own description (object "features"). Signals
// are gdb's numbers (include/gdb/signals.def: SIGINT 2, SIGTRAP 5, SIGSEGV 11), which are the same for all systems; 0: none.
// Everything but interrupt() is asked while the target is stopped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::control::gdb {

class Files;

inline constexpr int kSigint = 2;
inline constexpr int kSigtrap = 5;

// Z2 to Z4 ("Packets").
enum class WatchKind : uint8_t { write, read, access };

// "Stop Reply Packets".
struct Stop {
    enum class Kind : uint8_t {
        signal,      // T: `thread` stopped with `signal`
        exited,      // W: `status`
        killed,      // X: `signal`
        no_resumed,  // N: those that were resumed have ended, and the others were not
    };
    Kind kind = Kind::signal;
    uint64_t thread = 0;
    int signal = kSigtrap;
    bool breakpoint = false;  // a software breakpoint of the target's own; the pc is at it
    int status = 0;           // 0 to 255
    // A watchpoint: none of the instruction at the pc was done, which would have touched this address.
    std::optional<WatchKind> watch = std::nullopt;
    uint64_t watched_address = 0;

    bool operator==(const Stop&) const = default;
};

struct ThreadAction {
    enum class Kind : uint8_t {
        stay,  // stopped
        go,
        step,  // one instruction, then everything stops
    };
    uint64_t thread = 0;
    Kind kind = Kind::stay;
    int signal = 0;  // that it is given as it goes on

    bool operator==(const ThreadAction&) const = default;
};

class Target {
  public:
    virtual ~Target() = default;

    virtual uint64_t process() = 0;
    // Ascending; not empty but after the target's end.
    virtual std::vector<uint64_t> threads() = 0;
    // For people; "": nothing is known.
    virtual std::string name(uint64_t thread) = 0;
    // The latest stop, which is the first one before anything ran.
    virtual Stop stop() = 0;

    virtual unsigned register_count() = 0;
    // Those below are what `g` and `G` take; no number of theirs is without a register.
    virtual unsigned general_register_count() { return register_count(); }
    // In the target's byte order. `thread` is one of threads(), `number` below the count. "": there is no register of this number.
    virtual std::string read_register(uint64_t thread, unsigned number) = 0;
    // False: it is of another size, or cannot be set.
    virtual bool write_register(uint64_t thread, unsigned number, std::string_view bytes) = 0;

    // Whose memory the next two mean from now on, where threads do not share it: one of threads().
    virtual void look_at(uint64_t) {}
    // As many bytes from `address` on as can be read, without those of breakpoints; none: there is nothing.
    virtual std::string read_memory(uint64_t address, size_t size) = 0;
    // False: not all of them could be written; some may have been.
    virtual bool write_memory(uint64_t address, std::string_view bytes) = 0;

    // A software breakpoint; `kind` is the architecture's (RISC-V: the instruction's bytes, 2 or 4). Inserting twice is one; removing one
    // that is not there is done. False: there can be none.
    virtual bool insert_breakpoint(uint64_t address, uint64_t kind) = 0;
    virtual bool remove_breakpoint(uint64_t address, uint64_t kind) = 0;

    // The same in hardware's ways (Z1), and watchpoints (Z2 to Z4) of `size` bytes. Nothing: there are none of the kind.
    virtual std::optional<bool> insert_hardware_breakpoint(uint64_t, uint64_t) { return std::nullopt; }
    virtual std::optional<bool> remove_hardware_breakpoint(uint64_t, uint64_t) { return std::nullopt; }
    virtual std::optional<bool> insert_watchpoint(WatchKind, uint64_t, uint64_t) { return std::nullopt; }
    virtual std::optional<bool> remove_watchpoint(WatchKind, uint64_t, uint64_t) { return std::nullopt; }

    // Threads that no action names stay stopped; threads made from now on run. Comes back at once; the session is told of the next stop.
    virtual void resume(std::span<const ThreadAction> actions) = 0;
    // Everything shall stop, with SIGINT where nothing else happens before.
    virtual void interrupt() = 0;
    // From now on these signals, and no others, go to the program without a stop (QPassSignals).
    virtual void pass_signals(std::span<const int> signals) = 0;

    // The names of the objects that there are, as qXfer has them; of those, "features" is read first.
    virtual std::span<const std::string_view> objects() = 0;
    // Nothing: there is no such object, or none of this annex. `thread`: that the client looks at.
    virtual std::optional<std::string> object(std::string_view name, std::string_view annex,
                                              uint64_t thread) = 0;
    // Null: the client reads no files of the target's.
    virtual Files* files() = 0;

    // Whether it was there before the debugger, so that a client that quits lets it go (qAttached).
    virtual bool attached() { return false; }
    // What qRcmd ("monitor ...") answers. Nothing: there is nobody who takes commands.
    virtual std::optional<std::string> command(std::string_view) { return std::nullopt; }
    // A packet that the protocol's manual does not have. Nothing: the target does not know it either.
    virtual std::optional<std::string> other_packet(std::string_view) { return std::nullopt; }

    // Without a debugger from now on: breakpoints are gone, all threads run.
    virtual void detach() = 0;
    // Ends the target. May not return.
    virtual void kill() = 0;
};

}  // namespace weft::control::gdb
