#include "emulator/system/inputs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/unique_fd.h"
#include "emulator/system/block_raw.h"
#include "emulator/system/values.h"

namespace weft::sys {

namespace {

namespace fs = std::filesystem;

constexpr const char* kFirmwareFile = "fw_dynamic.bin";

// `what` is the option. Files larger than the guest's memory are not read at all.
Result<std::vector<uint8_t>> read_file(const std::string& what, const std::string& path, uint64_t limit) {
    const std::string name = fmt::format("{}: {}", what, in_quotes(path));
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC));
    if (!fd) {
        return fail_errno(name);
    }
    struct stat info{};
    if (fstat(fd.get(), &info) != 0) {
        return fail_errno(name);
    }
    if (S_ISDIR(info.st_mode)) {
        return fail(name + ": is a directory");
    }
    std::vector<uint8_t> bytes;
    if (S_ISREG(info.st_mode)) {
        if (static_cast<uint64_t>(info.st_size) > limit) {
            return fail(fmt::format("{}: its {} bytes exceed the machine's memory of {}", name, info.st_size,
                                    format_size(limit)));
        }
        bytes.reserve(static_cast<size_t>(info.st_size));
    }
    // Also pipes can be read (-kernel <(...)), whose size shows only at the end.
    while (true) {
        constexpr size_t kPiece = size_t{1} << 20;
        const size_t filled = bytes.size();
        bytes.resize(std::max(filled + 1, std::min(bytes.capacity(), filled + kPiece)));
        const ssize_t count = ::read(fd.get(), bytes.data() + filled, bytes.size() - filled);
        const int error = errno;
        bytes.resize(filled + static_cast<size_t>(std::max<ssize_t>(count, 0)));
        if (count == 0) {
            break;
        }
        if (count < 0 && error != EINTR) {
            return fail_errno(name, error);
        }
        if (bytes.size() > limit) {
            return fail(fmt::format("{}: it exceeds the machine's memory of {}", name, format_size(limit)));
        }
        if (bytes.size() == bytes.capacity()) {
            bytes.reserve(bytes.size() + std::max(bytes.size(), kPiece));
        }
    }
    if (bytes.empty()) {
        return fail(name + ": is empty");
    }
    return bytes;
}

// Whether a file could be made or emptied there.
Result<> check_output(const std::string& what, const std::string& path) {
    const std::string name = fmt::format("{}: cannot open {}", what, in_quotes(path));
    struct stat info{};
    if (stat(path.c_str(), &info) == 0) {
        if (S_ISDIR(info.st_mode)) {
            return fail_errno(name, EISDIR);
        }
        if (faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) {
            return fail_errno(name);
        }
        return {};
    }
    if (errno != ENOENT) {
        return fail_errno(name);
    }
    fs::path folder = fs::path(path).parent_path();
    if (folder.empty()) {
        folder = ".";
    }
    if (faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
        return fail_errno(name);
    }
    return {};
}

Result<std::string> find_firmware(const std::vector<std::string>& candidates) {
    std::string list;
    for (const std::string& candidate : candidates) {
        std::error_code ignored;
        if (fs::exists(candidate, ignored)) {
            return candidate;
        }
        list += (list.empty() ? "" : ", ") + candidate;
    }
    return fail(fmt::format("-bios default: there is no OpenSBI firmware: none of {} exists", list));
}

}  // namespace

std::vector<std::string> firmware_candidates(const std::optional<std::string>& firmware_dir,
                                             const std::string& program_dir) {
    std::vector<std::string> candidates;
    if (firmware_dir && !firmware_dir->empty()) {
        candidates.push_back(fs::path(*firmware_dir) / kFirmwareFile);
    }
    for (const char* folder : {"firmware", "../share/weft/firmware"}) {
        candidates.push_back((fs::path(program_dir) / folder / kFirmwareFile).lexically_normal());
    }
    // Debian's opensbi, and what comes with QEMU.
    candidates.emplace_back("/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin");
    candidates.emplace_back("/usr/share/opensbi/lp64/generic/firmware/fw_dynamic.bin");
    candidates.emplace_back("/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin");
    return candidates;
}

Result<Inputs> read_inputs(const Options& options, const std::vector<std::string>& firmware) {
    std::optional<std::string> bios;
    if (options.bios == "default") {
        const Result<std::string> found = find_firmware(firmware);
        if (!found) {
            return std::unexpected(found.error());
        }
        bios = *found;
    } else if (options.bios != "none") {
        bios = options.bios;
    }
    Inputs inputs;
    struct Wanted {
        const char* option;
        const std::optional<std::string>& path;
        std::optional<std::vector<uint8_t>>& bytes;
    };
    for (const Wanted& wanted : {Wanted{"-bios", bios, inputs.firmware}, Wanted{"-kernel", options.kernel, inputs.kernel},
                                 Wanted{"-initrd", options.initrd, inputs.initrd},
                                 Wanted{"-dtb", options.dtb, inputs.dtb}}) {
        if (!wanted.path) {
            continue;
        }
        Result<std::vector<uint8_t>> bytes = read_file(wanted.option, *wanted.path, options.memory_bytes);
        if (!bytes) {
            return std::unexpected(bytes.error());
        }
        wanted.bytes = std::move(*bytes);
    }
    return inputs;
}

Result<> check_outputs(const Options& options) {
    for (const DriveChoice& drive : options.drives) {
        if (Result<> checked = RawImage::check(drive.file, drive.read_only); !checked) {
            return std::unexpected(checked.error().within("-drive"));
        }
    }
    if (options.serial.kind == SerialChoice::Kind::file) {
        if (Result<> checked = check_output("-serial", options.serial.path); !checked) {
            return checked;
        }
    }
    if (options.log_file) {
        return check_output("-D", *options.log_file);
    }
    return {};
}

}  // namespace weft::sys
