// A system call of the table (calls.txt): what it is made with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "arguments.h"

namespace differential {

struct Call {
    std::string name;
    long number;
    bool gives_descriptor = false, makes_child = false, in_sequences = true;
    std::vector<Argument> arguments;
    std::string variant;     // tells several lines of a name apart
    std::vector<Call> then;  // after it, in the same process
};

// Of a line of the table: name[>][!][~][/VARIANT] ARGUMENT...: > gives a descriptor, ! makes a child, ~ has differences that are meant, so
// that it is not for sequences. Ends the program with a message if it is none. "CALL ; CALL ; ..." are several calls after each other.
Call parse_call(const std::string& line);

// By the instruction, so that each register is what the arguments say. `child_ends`: where it comes back a second time with 0, that is
// another process, which ends.
int64_t make_call(long number, const uint64_t (&args)[6], bool child_ends);

}  // namespace differential
