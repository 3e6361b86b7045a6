// The calls themselves.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "emulator/semihosting/console.h"
#include "emulator/semihosting/file_table.h"
#include "emulator/semihosting/guest.h"

namespace weft::semihosting {

struct HostConfig {
    std::string command_line;  // SYS_GET_CMDLINE
    bool user_mode = false;    // programs in the CPU's least privileged mode may call
};

// All that a guest gives is checked: handles, lengths, addresses. What cannot be done is an error to the guest, as the operation's
// description says, and SYS_ERRNO then has the host's number.
//
// Any CPU's thread calls. Files and console are shared by all CPUs; no lock is held while memory or a file is accessed.
class Host {
  public:
    // `console` is the line's and outlives it.
    Host(HostConfig config, Console& console) : config_(std::move(config)), console_(console) {}
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    bool user_mode() const { return config_.user_mode; }

    // Does operation `number` (chapter 5). Gives the value of the register that the number came in; nothing where the call is to be made
    // again, from the start: it waits for input or for room, or the machine is about to end. `error` is the CPU's SYS_ERRNO.
    std::optional<uint64_t> call(Guest& guest, int& error, uint64_t number, uint64_t parameter);

    // Closes what the guest left open, for a reset. No CPU calls meanwhile.
    void reset() { files_.clear(); }

  private:
    // What an operation gives back.
    struct Answer {
        static Answer value(uint64_t word) { return {word, 0, false}; }
        static Answer failed(int error, uint64_t word = ~uint64_t{0}) { return {word, error, false}; }
        static Answer again() { return {0, 0, true}; }
        uint64_t word;
        int error;  // 0: none
        bool repeat;
    };
    struct Call;
    struct Operation {
        uint64_t number;
        unsigned fields;  // 64-bit words behind the parameter; 0: it is none, or a pointer to something else
        Answer (Host::*run)(Call& call);
    };
    static constexpr unsigned kMaxFields = 4;
    static const Operation kOperations[];

    Answer run(Call& call, uint64_t number);
    Answer open(Call& call);
    Answer close(Call& call);
    Answer write_character(Call& call);
    Answer write_string(Call& call);
    Answer write(Call& call);
    Answer read(Call& call);
    Answer read_character(Call& call);
    Answer is_error(Call& call);
    Answer is_terminal(Call& call);
    Answer seek(Call& call);
    Answer length(Call& call);
    Answer temporary_name(Call& call);
    Answer remove(Call& call);
    Answer rename(Call& call);
    Answer clock(Call& call);
    Answer time(Call& call);
    Answer system(Call& call);
    Answer last_error(Call& call);
    Answer command_line(Call& call);
    Answer heap_info(Call& call);
    Answer exit(Call& call);
    Answer elapsed(Call& call);
    Answer tick_frequency(Call& call);

    const HostConfig config_;
    Console& console_;
    FileTable files_;
};

}  // namespace weft::semihosting
