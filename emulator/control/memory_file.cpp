#include "emulator/control/memory_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/text_values.h"
#include "base/unique_fd.h"

namespace weft::control {

namespace {

constexpr uint64_t kPiece = uint64_t{1} << 20;

Result<> write_all(int fd, std::span<const uint8_t> data, const std::string& path) {
    while (!data.empty()) {
        const ssize_t count = ::write(fd, data.data(), data.size());
        if (count >= 0) {
            data = data.subspan(static_cast<size_t>(count));
        } else if (errno != EINTR) {
            return fail_errno(in_quotes(path));
        }
    }
    return {};
}

}  // namespace

Result<> save_memory(machine::MachineOperations& machine, std::optional<unsigned> cpu, uint64_t address,
                     uint64_t size, const std::string& path) {
    if (machine.cpu_count() == 0) {
        return fail("the machine has no memory");
    }
    // Not blocked by a pipe that nobody reads.
    const UniqueFd fd(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0666));
    if (!fd) {
        return fail_errno(in_quotes(path));
    }
    std::vector<uint8_t> piece(std::min(size, kPiece));
    while (size != 0) {
        const std::span<uint8_t> data = std::span(piece).first(std::min(size, kPiece));
        if (Result<> read = machine.read_memory(cpu, address, data); !read) {
            return read;
        }
        if (Result<> written = write_all(fd.get(), data, path); !written) {
            return written;
        }
        size -= data.size();
        address += data.size();
    }
    return {};
}

}  // namespace weft::control
