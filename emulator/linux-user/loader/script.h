// Files that begin with "#!": Linux' fs/binfmt_script.c, as a function of a file's first bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "emulator/linux-user/loader/exec_error.h"

namespace weft::user {

// What Linux looks at of a file.
inline constexpr size_t kScriptBytes = 256;

struct ScriptLine {
    std::string interpreter;  // a path; maybe empty: EACCES, as for ELF files
    std::optional<std::string>
        argument;  // all of the line's rest, as one; may be empty where the file ends after a blank

    bool operator==(const ScriptLine&) const = default;
};

// The first line of a script. `start` is a file's first kScriptBytes bytes, or all of them where it is shorter. ENOEXEC for a file
// that does not begin with "#!", names no interpreter, or has so long a path that its end is not among the bytes. An argument may
// be cut off there.
ExecResult<ScriptLine> parse_script(std::span<const char> start);

// Where an execve has got to: a file to open and the arguments that the program will get.
struct ExecTarget {
    std::string path;
    std::vector<std::string> arguments;
    unsigned scripts = 0;  // that led here
};

// The interpreters that may follow each other: a script's interpreter may be a script, and so on.
inline constexpr unsigned kMostScripts = 5;

// From a script to its interpreter: argument 0 is replaced by the interpreter's path, its argument if there is one, and the path by
// which the script was found.
void follow_script(ExecTarget& target, const ScriptLine& line);

// ELOOP where too many scripts led to the target. To be asked when the target's file has been opened: what Linux says of one script
// too many comes after the errors of opening its interpreter.
ExecResult<> check_script_count(const ExecTarget& target);

}  // namespace weft::user
