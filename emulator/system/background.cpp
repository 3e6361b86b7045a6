#include "emulator/system/background.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/text_values.h"

namespace weft::sys {

Result<std::unique_ptr<PidFile>> PidFile::create(const std::optional<std::string>& path) {
    if (!path) {
        return std::unique_ptr<PidFile>(new PidFile({}, {}));
    }
    const std::string name = fmt::format("-pidfile: {}", in_quotes(*path));
    UniqueFd fd(::open(path->c_str(), O_RDWR | O_CREAT | O_NOCTTY | O_CLOEXEC, 0644));
    if (!fd) {
        return fail_errno(name);
    }
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (fcntl(fd.get(), F_OFD_SETLK, &lock) != 0) {
        return fail(name + ": another machine's");
    }
    const std::string text = fmt::format("{}\n", getpid());
    if (ftruncate(fd.get(), 0) != 0 || ::write(fd.get(), text.data(), text.size()) < 0) {
        return fail_errno(name);
    }
    return std::unique_ptr<PidFile>(new PidFile(*path, std::move(fd)));
}

PidFile::~PidFile() {
    if (!path_.empty()) {
        unlink(path_.c_str());
    }
}

Result<std::unique_ptr<Background>> Background::enter() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return fail_errno("-daemonize");
    }
    UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    const pid_t child = fork();
    if (child < 0) {
        return fail_errno("-daemonize");
    }
    if (child == 0) {
        setsid();
    }
    return std::unique_ptr<Background>(
        new Background(child == 0 ? std::move(writer) : std::move(reader), child));
}

std::optional<int> Background::parents_status() {
    if (child_ == 0) {
        return std::nullopt;
    }
    char byte = 0;
    ssize_t count = -1;
    do {
        count = ::read(pipe_.get(), &byte, 1);
    } while (count < 0 && errno == EINTR);
    if (count == 1) {
        return 0;
    }
    // It ended before it was ready, and said why.
    int status = 0;
    while (waitpid(child_, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1;
}

void Background::ready() {
    if (const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC)); null) {
        for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
            dup2(null.get(), fd);
        }
    }
    const char byte = 0;
    // Where the first process is gone, nobody waits for it.
    static_cast<void>(::write(pipe_.get(), &byte, 1) == 1);
    pipe_.reset();
}

}  // namespace weft::sys
