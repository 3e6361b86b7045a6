#include "tests/support/subprocess.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace weft::test {

namespace {

void require(bool ok, const char* what) {
    if (!ok) {
        std::perror(what);
        std::abort();
    }
}

std::array<int, 2> make_pipe() {
    std::array<int, 2> ends{};
    require(pipe2(ends.data(), O_CLOEXEC) == 0, "pipe2");
    return ends;
}

void close_end(int& fd) {
    if (fd >= 0) {
        close(fd);
        fd = -1;
    }
}

std::vector<std::string> merged_environment(const std::vector<std::pair<std::string, std::string>>& added) {
    std::vector<std::string> merged;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        bool replaced = false;
        for (const auto& [name, value] : added) {
            replaced = replaced || text.starts_with(name + "=");
        }
        if (!replaced) {
            merged.emplace_back(text);
        }
    }
    for (const auto& [name, value] : added) {
        merged.push_back(name + "=" + value);
    }
    return merged;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (std::string& text : texts) {
        result.push_back(text.data());
    }
    result.push_back(nullptr);
    return result;
}

// False once the other end is closed.
bool take(int fd, std::string& text) {
    char buffer[4096];
    const ssize_t count = read(fd, buffer, sizeof buffer);
    if (count > 0) {
        text.append(buffer, static_cast<size_t>(count));
    }
    return count > 0 || (count < 0 && errno == EINTR);
}

}  // namespace

Process::Process(const std::vector<std::string>& arguments,
                 const std::vector<std::pair<std::string, std::string>>& environment, int input, int output,
                 int errors) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, 0);
    posix_spawn_file_actions_adddup2(&actions, output, 1);
    posix_spawn_file_actions_adddup2(&actions, errors, 2);
    std::vector<std::string> argument_texts = arguments;
    std::vector<std::string> environment_texts = merged_environment(environment);
    errno = posix_spawn(&pid_, argument_texts.front().c_str(), &actions, nullptr,
                        pointers(argument_texts).data(), pointers(environment_texts).data());
    require(errno == 0, argument_texts.front().c_str());
    posix_spawn_file_actions_destroy(&actions);
}

Process::~Process() {
    if (pid_ > 0) {
        Outcome ignored;
        kill(SIGKILL);
        wait(ignored);
    }
}

void Process::kill(int signal) const { ::kill(pid_, signal); }

void Process::wait(Outcome& outcome) {
    int status = 0;
    require(waitpid(pid_, &status, 0) == pid_, "waitpid");
    pid_ = -1;
    if (WIFEXITED(status)) {
        outcome.exit_code = WEXITSTATUS(status);
    } else {
        outcome.signal = WTERMSIG(status);
    }
}

Outcome run(const Command& command) {
    std::array<int, 2> in = make_pipe();
    std::array<int, 2> out = make_pipe();
    std::array<int, 2> err = make_pipe();
    Process child(command.arguments, command.environment, in[0], out[1], err[1]);
    close_end(in[0]);
    close_end(out[1]);
    close_end(err[1]);

    // The child may end without reading its input.
    sigset_t pipe_signal;
    sigset_t previous;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &previous);

    Outcome outcome;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(command.timeout_seconds);
    size_t sent = 0;
    while (out[0] >= 0 || err[0] >= 0) {
        if (sent == command.input.size()) {
            close_end(in[1]);
        }
        std::array<pollfd, 3> fds = {pollfd{in[1], POLLOUT, 0}, pollfd{out[0], POLLIN, 0},
                                     pollfd{err[0], POLLIN, 0}};
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            outcome.timed_out = true;
            child.kill(SIGKILL);
            break;
        }
        poll(fds.data(), fds.size(), static_cast<int>(left.count()));
        if (fds[0].revents != 0) {
            const size_t some = std::min<size_t>(command.input.size() - sent, PIPE_BUF);
            const ssize_t count = write(in[1], command.input.data() + sent, some);
            sent = count >= 0 ? sent + static_cast<size_t>(count) : command.input.size();
        }
        if (fds[1].revents != 0 && !take(out[0], outcome.output)) {
            close_end(out[0]);
        }
        if (fds[2].revents != 0 && !take(err[0], outcome.errors)) {
            close_end(err[0]);
        }
    }
    close_end(in[1]);
    close_end(out[0]);
    close_end(err[0]);
    const timespec no_wait{};
    while (sigtimedwait(&pipe_signal, nullptr, &no_wait) > 0) {
    }
    pthread_sigmask(SIG_SETMASK, &previous, nullptr);

    child.wait(outcome);
    return outcome;
}

TempDir::TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "weft-test-XXXXXX").string();
    require(mkdtemp(pattern.data()) != nullptr, "mkdtemp");
    path_ = pattern;
}

TempDir::~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string TempDir::write(const std::string& name, const std::string& contents) const {
    const std::string path = file(name);
    std::ofstream stream(path, std::ios::binary);
    stream << contents;
    require(stream.good(), path.c_str());
    return path;
}

std::string read_file(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    std::ostringstream contents;
    contents << stream.rdbuf();
    return contents.str();
}

bool exists(const std::string& path) { return std::filesystem::exists(path); }

}  // namespace weft::test
