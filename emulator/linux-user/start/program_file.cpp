#include "emulator/linux-user/start/program_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <span>
#include <utility>

#include "base/text_values.h"
#include "emulator/linux-user/loader/script.h"
#include "emulator/linux-user/syscall/paths.h"

namespace weft::user {

namespace {

std::unexpected<ExecError> about(const std::string& path, const ExecError& error) {
    return exec_fail(error.number, fmt::format("{}: {}", in_quotes(path), error.message));
}

std::unexpected<ExecError> system_error(const std::string& path, int number) {
    return about(path, {number, std::strerror(number)});
}

// Linux' do_open_execat(). `path` is empty where a script or an ELF file names nothing.
ExecResult<UniqueFd> open_to_execute(const std::string& path) {
    if (path.empty()) {
        return exec_fail(EACCES, "the name of an interpreter is empty");
    }
    // Opening a FIFO must not wait, nor a terminal become this process's.
    UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file) {
        // ENXIO: a socket or its like, of which Linux says that it cannot be executed.
        return errno == ENXIO ? about(path, {EACCES, "not a regular file"}) : system_error(path, errno);
    }
    struct ::stat status{};
    if (::fstat(file.get(), &status) != 0) {
        return system_error(path, errno);
    }
    if (!S_ISREG(status.st_mode)) {
        return about(path, {EACCES, "not a regular file"});
    }
    // Also says EACCES on a mount with noexec.
    if (::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) != 0) {
        return system_error(path, errno);
    }
    return file;
}

ExecResult<std::vector<char>> read_start(int fd) {
    std::vector<char> start(kScriptBytes);
    const auto size = DescriptorBytes(fd).read_at(0, std::as_writable_bytes(std::span(start)));
    if (!size) {
        return exec_fail(size.error(), std::strerror(size.error()));
    }
    start.resize(*size);
    return start;
}

bool is_script(std::span<const char> start) {
    return start.size() >= 2 && start[0] == '#' && start[1] == '!';
}

ExecResult<ProgramFile> read_program(std::string path, UniqueFd file, ImageRole role) {
    auto headers = read_image_headers(DescriptorBytes(file.get()), role);
    if (!headers) {
        return about(path, headers.error());
    }
    return ProgramFile{std::move(path), std::move(file), std::move(*headers)};
}

// The ELF file that a chain of scripts leads to; `target` follows it.
ExecResult<ProgramFile> follow_scripts(ExecTarget& target, UniqueFd opened, const std::string& prefix) {
    while (true) {
        // What weft's user names is the host's; what a script names, the guest's.
        const std::string path = target.scripts == 0 ? target.path : under_prefix(prefix, target.path);
        if (!opened) {
            auto file = open_to_execute(path);
            if (!file) {
                return std::unexpected(file.error());
            }
            opened = std::move(*file);
        }
        if (const auto checked = check_script_count(target); !checked) {
            return about(path, checked.error());
        }
        const auto start = read_start(opened.get());
        if (!start) {
            return about(path, start.error());
        }
        if (!is_script(*start)) {
            return read_program(path, std::move(opened), ImageRole::program);
        }
        const auto line = parse_script(*start);
        if (!line) {
            return about(path, line.error());
        }
        follow_script(target, *line);
        opened.reset();
    }
}

}  // namespace

std::expected<size_t, int> DescriptorBytes::read_at(uint64_t offset, std::span<std::byte> out) const {
    constexpr uint64_t kMost = std::numeric_limits<off_t>::max();
    size_t done = 0;
    while (done < out.size()) {
        if (offset > kMost - done) {
            return std::unexpected(EINVAL);
        }
        const ssize_t got =
            ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return std::unexpected(errno);
        }
        if (got == 0) {
            break;
        }
        done += static_cast<size_t>(got);
    }
    return done;
}

ExecResult<Executable> open_executable(ExecRequest request) {
    const uint64_t count = request.arguments.size();
    ExecTarget target{.path = request.path, .arguments = std::move(request.arguments)};
    if (target.path.empty()) {
        return system_error(target.path, ENOENT);
    }
    auto program = follow_scripts(target, std::move(request.opened), request.prefix);
    if (!program) {
        return std::unexpected(program.error());
    }
    Executable found{std::move(request.path), std::move(target.arguments), count, std::move(*program), {}};
    if (const auto& name = found.program.headers.interpreter) {
        const std::string path = under_prefix(request.prefix, *name);
        auto file = open_to_execute(path);
        if (!file) {
            return about(found.program.path, file.error());
        }
        auto interpreter = read_program(path, std::move(*file), ImageRole::interpreter);
        if (!interpreter) {
            return about(found.program.path, interpreter.error());
        }
        found.interpreter = std::move(*interpreter);
    }
    return found;
}

int check_executable(const std::string& path) {
    if (path.empty()) {
        return ENOENT;
    }
    const auto file = open_to_execute(path);
    return file ? 0 : file.error().number;
}

std::string canonical_path(const ProgramFile& file) {
    std::array<char, PATH_MAX> path;
    const ssize_t length =
        ::readlink(fmt::format("/proc/self/fd/{}", file.file.get()).c_str(), path.data(), path.size());
    return length > 0 ? std::string(path.data(), static_cast<size_t>(length)) : file.path;
}

}  // namespace weft::user
