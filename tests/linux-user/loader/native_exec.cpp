#include "native_exec.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "base/assert.h"
#include "base/unique_fd.h"

namespace weft::user {

namespace {

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> found;
    for (const std::string& text : texts) {
        found.push_back(const_cast<char*>(text.c_str()));
    }
    found.push_back(nullptr);
    return found;
}

std::array<UniqueFd, 2> make_pipe() {
    std::array<int, 2> ends{};
    WEFT_ASSERT(pipe2(ends.data(), O_CLOEXEC) == 0);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string read_all(int fd) {
    std::string text;
    std::array<char, 4096> part{};
    for (ssize_t count; (count = read(fd, part.data(), part.size())) > 0;) {
        text.append(part.data(), static_cast<size_t>(count));
    }
    return text;
}

}  // namespace

NativeExec exec_natively(const std::string& path, const std::vector<std::string>& arguments,
                         const std::vector<std::string>& environment, unsigned long stack_limit) {
    const std::vector<char*> argv = pointers(arguments);
    const std::vector<char*> envp = pointers(environment);
    std::array<UniqueFd, 2> output = make_pipe();
    volatile int number = 0;
    // Not fork(): that copies the page tables of a test, thousands of times. The child changes nothing that is the parent's but
    // `number`.
    const pid_t pid = vfork();
    WEFT_ASSERT(pid >= 0);
    if (pid == 0) {
        dup2(output[1].get(), STDOUT_FILENO);
        if (stack_limit != 0) {
            const rlimit limit{stack_limit, RLIM_INFINITY};
            setrlimit(RLIMIT_STACK, &limit);
        }
        execve(path.c_str(), argv.data(), envp.data());
        number = errno;
        _exit(1);
    }
    output[1].reset();
    NativeExec native;
    native.output = read_all(output[0].get());
    native.error = number;
    WEFT_ASSERT(waitpid(pid, &native.status, 0) == pid);
    return native;
}

void write_executable(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    WEFT_ASSERT(chmod(path.c_str(), 0700) == 0);
}

}  // namespace weft::user
