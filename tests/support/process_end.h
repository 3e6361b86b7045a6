// How a process ends: for tests of what stops the program.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace weft::test {

struct ProcessEnd {
    int signal = 0;      // 0: it came back
    std::string errors;  // the beginning of what it wrote to standard error
};

// Of a child process that runs `body`.
template <class Body>
ProcessEnd end_of(Body&& body) {
    ProcessEnd end;
    FILE* const errors = std::tmpfile();
    const pid_t child = errors != nullptr ? fork() : -1;
    if (child < 0) {
        std::abort();
    }
    if (child == 0) {
        // Sanitizers catch the signal and report: here it is expected.
        signal(SIGSEGV, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        dup2(fileno(errors), STDERR_FILENO);
        body();
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    std::array<char, 4096> text;
    std::rewind(errors);
    end.errors.assign(text.data(), std::fread(text.data(), 1, text.size(), errors));
    std::fclose(errors);
    return end;
}

// The signal that ends a child process which runs `body`; 0 where it comes back.
template <class Body>
int signal_of(Body&& body) {
    return end_of(body).signal;
}

}  // namespace weft::test
