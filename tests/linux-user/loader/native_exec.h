// The host's execve as an oracle.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <string>
#include <vector>

namespace weft::user {

struct NativeExec {
    int error = 0;       // of execve; then there is nothing else
    int status = 0;      // of waitpid
    std::string output;  // standard output
};

// Runs a program to its end in a process of its own. `stack_limit` is its RLIMIT_STACK, soft, where it is not 0. Aborts where the
// host cannot start processes.
NativeExec exec_natively(const std::string& path, const std::vector<std::string>& arguments,
                         const std::vector<std::string>& environment = {}, unsigned long stack_limit = 0);

// How many processes a randomised test may take: `usual`, or ten times as many with WEFT_TEST_FULL=1.
inline unsigned exec_rounds(unsigned usual) {
    const char* full = std::getenv("WEFT_TEST_FULL");
    return full != nullptr && full[0] == '1' ? 10 * usual : usual;
}

// Writes a file that may be executed.
void write_executable(const std::string& path, const std::string& bytes);

}  // namespace weft::user
