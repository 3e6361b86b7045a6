// "Host I/O Packets": the target's files, to be read. Numbers are those of "Protocol-specific Representation of Datatypes" and
// "Constants" of the File-I/O extension.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "emulator/control/gdb/session.h"

namespace weft::control::gdb {

namespace {

// Of open: everything but O_RDONLY (0) writes, or makes files.
constexpr uint64_t kReadOnly = 0;

// "Errno Values": those of Linux, but for a few.
uint64_t protocol_errno(int host) {
    constexpr int kSame[] = {EPERM,   ENOENT, EINTR,  EBADF,  EACCES, EFAULT, EBUSY,  EEXIST, ENODEV,
                             ENOTDIR, EISDIR, EINVAL, ENFILE, EMFILE, EFBIG,  ENOSPC, ESPIPE, EROFS};
    if (std::ranges::count(kSame, host) != 0) {
        return static_cast<uint64_t>(host);
    }
    return host == ENAMETOOLONG ? 91 : 9999;  // EUNKNOWN
}

std::string failed(int host_errno) {
    return fmt::format("F-1,{}", to_hex_number(protocol_errno(host_errno)));
}
std::string result(uint64_t number) { return fmt::format("F{}", to_hex_number(number)); }
std::string with_attachment(std::string_view bytes) {
    return fmt::format("{};{}", result(bytes.size()), bytes);
}

// Names are in hex, without a zero byte.
std::optional<std::string> read_name(std::string_view digits) {
    auto name = from_hex(digits);
    return name && !name->empty() && name->find('\0') == std::string::npos ? name : std::nullopt;
}

void append_big_endian(std::string& bytes, uint64_t value, unsigned size) {
    for (unsigned i = size; i-- != 0;) {
        bytes.push_back(static_cast<char>(static_cast<uint8_t>(value >> (8 * i))));
    }
}

// "struct stat"
std::string packed(const Files::Status& status) {
    std::string bytes;
    for (const uint64_t field : {status.device, status.inode, status.mode, status.links, status.owner,
                                 status.group, status.special_device}) {
        append_big_endian(bytes, field, 4);
    }
    for (const uint64_t field : {status.size, status.block_size, status.blocks}) {
        append_big_endian(bytes, field, 8);
    }
    for (const uint64_t field : {status.accessed, status.modified, status.changed}) {
        append_big_endian(bytes, field, 4);
    }
    return bytes;
}

}  // namespace

// There is one file system: the process's own, which 0 stands for as well.
Session::Reply Session::file_root(std::string_view arguments) {
    if (target_.files() == nullptr) {
        return std::string();
    }
    const auto process = hex_number(arguments);
    return process && (*process == 0 || *process == target_.process()) ? result(0) : failed(EINVAL);
}

// "FILENAME, FLAGS, MODE"
Session::Reply Session::file_open(std::string_view arguments) {
    if (target_.files() == nullptr) {
        return std::string();
    }
    const auto name = read_name(take_until(arguments, ','));
    const auto flags = hex_number(take_until(arguments, ','));
    if (!name || !flags) {
        return failed(EINVAL);
    }
    if (*flags != kReadOnly) {
        return failed(EACCES);
    }
    const auto file = target_.files()->open(*name);
    return file ? result(*file) : failed(file.error());
}

// "FD, COUNT, OFFSET"
Session::Reply Session::file_read(std::string_view arguments) {
    if (target_.files() == nullptr) {
        return std::string();
    }
    const auto file = hex_number(take_until(arguments, ','));
    const auto size = hex_number(take_until(arguments, ','));
    const auto offset = hex_number(arguments);
    if (!file || !size || !offset) {
        return failed(EINVAL);
    }
    // With "F", the count and ';' in front, and each byte two.
    const size_t most = std::min<uint64_t>(*size, kMostPacket / 2 - 16);
    const auto bytes = target_.files()->read(*file, most, *offset);
    return bytes ? with_attachment(*bytes) : failed(bytes.error());
}

Session::Reply Session::file_status(std::string_view arguments) {
    if (target_.files() == nullptr) {
        return std::string();
    }
    const auto file = hex_number(arguments);
    if (!file) {
        return failed(EINVAL);
    }
    const auto status = target_.files()->status(*file);
    return status ? with_attachment(packed(*status)) : failed(status.error());
}

Session::Reply Session::file_close(std::string_view arguments) {
    if (target_.files() == nullptr) {
        return std::string();
    }
    const auto file = hex_number(arguments);
    if (!file) {
        return failed(EINVAL);
    }
    const auto closed = target_.files()->close(*file);
    return closed ? result(0) : failed(closed.error());
}

Session::Reply Session::file_link(std::string_view arguments) {
    if (target_.files() == nullptr) {
        return std::string();
    }
    const auto name = read_name(arguments);
    if (!name) {
        return failed(EINVAL);
    }
    const auto target = target_.files()->link(*name);
    return target ? with_attachment(*target) : failed(target.error());
}

}  // namespace weft::control::gdb
