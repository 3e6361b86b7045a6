// The files of a program to be run, as execve(2) finds them: opened, scripts followed, headers read, its ELF interpreter found.
//
// linux-user/start makes a running process's memory out of a path: program_file does what execve does while it can still
// fail, guest_base chooses where the guest's memory lies in the host's, image_mapper and load_program fill it. Used by the
// program and by the guest's execve, by one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "emulator/linux-user/loader/exec_error.h"
#include "emulator/linux-user/loader/image.h"

namespace weft::user {

// An open file's bytes. Does not own the descriptor.
class DescriptorBytes final : public FileBytes {
  public:
    explicit DescriptorBytes(int fd) : fd_(fd) {}
    std::expected<size_t, int> read_at(uint64_t offset, std::span<std::byte> out) const override;

  private:
    const int fd_;
};

struct ProgramFile {
    std::string path;  // by which it was found, -L's prefix included
    UniqueFd file;     // closed by an execve of weft's
    ImageHeaders headers;
};

struct ExecRequest {
    std::string path;  // as execve got it
    std::vector<std::string> arguments;
    std::string prefix =
        {};  // -L: names of interpreters that begin with a slash are looked up below it first; "": none
    UniqueFd opened =
        UniqueFd();  // the file at `path`, where somebody opened it who may execute it (AT_EXECFD)
};

struct Executable {
    std::string name;                    // AT_EXECFN: the request's path, also where it is a script's
    std::vector<std::string> arguments;  // as the program gets them
    uint64_t argument_count;             // of the request
    ProgramFile program;
    std::optional<ProgramFile> interpreter;
};

// Errors are those of execve(2), in Linux' order, but that a file must be readable too. Messages name the file.
ExecResult<Executable> open_executable(ExecRequest request);

// What execve(2) says of the file alone, before its arguments: an errno, or 0.
int check_executable(const std::string& path);

// An absolute path without symbolic links of an open file, as /proc/self/exe shows it; `path` where /proc cannot say.
std::string canonical_path(const ProgramFile& file);

}  // namespace weft::user
