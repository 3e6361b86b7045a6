// What the user of weft-riscv64 asks for: options, the variables that stand for them, the program and its arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "emulator/accel/accel_chain.h"
#include "emulator/guest/riscv/isa/cpu_model.h"
#include "emulator/linux-user/debug/address.h"
#include "emulator/linux-user/handover.h"

namespace weft::user {

inline constexpr const char* kProgramName = "weft-riscv64";

enum class HelpTopic : uint8_t { none, usage, version, accels, accel_properties, cpus, log_items, binfmt };

// Begins a variable of the guest's that weft itself must not see by its name, as the dynamic linker's; the guest sees the rest.
inline constexpr const char* kGuestVariable = "WEFT_GUEST_";

struct Options {
    HelpTopic help = HelpTopic::none;
    std::string help_subject;  // accel_properties: whose; binfmt: flags

    std::vector<std::string> arguments;    // the program's path, and its arguments after it
    std::optional<std::string> argument0;  // -0: instead of the path
    std::vector<std::string> environment;  // of the guest: VAR=value

    std::vector<loader::AccelChoice>
        accelerators;  // at least one, with the properties that options of their own stand for
    std::optional<std::string> module_dir;
    bool bounds = false;  // the property bounds=on of any of them

    riscv::CpuModel cpu = riscv::kMax;
    std::string prefix;                  // -L
    std::string release;                 // -r; "": the host's
    std::optional<uint64_t> base;        // -B
    std::optional<uint64_t> reserved;    // -R, bytes
    std::optional<uint64_t> stack_size;  // -s, bytes
    std::optional<uint64_t> seed;        // -seed

    std::optional<Handover> handover;  // -after-exec: the guest's execve runs this weft

    std::vector<std::string> inherited;  // options as they were given, for programs that the guest executes

    LogMask log_items;
    AddressFilter log_filter;
    std::string log_file;  // -D; "": standard error
    bool strace = false;
    std::optional<DebugAddress> debugger;  // -g
};

struct StartedBy {
    bool kernel = false;       // by binfmt_misc: the arguments hold no options
    bool more_rights = false;  // than the caller has (AT_SECURE): the variables are the guest's alone
};

// Parses the arguments after the program's name; they end at the first word without a dash, or after "--". Each option has a
// variable in `environment`, WEFT_NAME and QEMU_NAME; options go before variables, and WEFT's before QEMU's. Where help is asked
// for, no program need be given.
Result<Options> parse_options(std::span<const char* const> arguments,
                              std::span<const char* const> environment, const StartedBy& by = {});

// The text of -help, from the table.
std::string usage_text();
std::string cpus_text();

// One row for each option, for tests and documentation: the option, its argument ("": none), the variable without WEFT_ or QEMU_
// ("": none).
struct OptionRow {
    std::string_view name;
    std::string_view argument;
    std::string_view variable;
};
std::vector<OptionRow> option_rows();

}  // namespace weft::user
