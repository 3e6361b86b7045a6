#include "emulator/system/option_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/shared_bytes.h"
#include "base/text_values.h"
#include "base/unique_fd.h"
#include "emulator/backend/block/raw.h"
#include "emulator/hw/boot/elf_image.h"

namespace weft::sys {

namespace {

namespace fs = std::filesystem;

constexpr const char* kFirmwareFile = "fw_dynamic.bin";
constexpr const char* kPackagedFirmwareFile = "opensbi-riscv64-generic-fw_dynamic.bin";  // as QEMU calls it

// Beside the program: in a build folder, and where both are installed.
constexpr const char* kProgramFolders[] = {"firmware", "../share/weft/firmware"};

constexpr const char* kInstalledFirmware[] = {
    "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin",     // Debian's package opensbi
    "/usr/share/opensbi/lp64/generic/firmware/fw_dynamic.bin",       // OpenSBI's own install target
    "/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin",        // packages of QEMU
    "/usr/local/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin",  // QEMU built by hand
};

// Enough of a file to tell whether it is ELF, whose size says nothing about the memory it takes.
constexpr size_t kMagicSize = 4;

// Appends up to about `size` bytes; the number that came, 0 at the end of the file.
Result<size_t> read_some(int fd, const std::string& name, BytesCollector& bytes, size_t size) {
    const auto room = bytes.room(size);
    if (!room) {
        return std::unexpected(room.error().within(name));
    }
    ssize_t count = -1;
    do {
        count = ::read(fd, room->data(), size);
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        return fail_errno(name);
    }
    bytes.add(static_cast<size_t>(count));
    return static_cast<size_t>(count);
}

// Files that exceed the guest's memory as they are (not ELF) are not read to their end. Also pipes can be read.
Result<hw::BootFile> read_file(const char* option, const std::string& path, uint64_t memory) {
    hw::BootFile file{fmt::format("{}: {}", option, in_quotes(path)), {}};
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC));
    if (!fd) {
        return fail_errno(file.name);
    }
    struct stat info{};
    if (fstat(fd.get(), &info) != 0) {
        return fail_errno(file.name);
    }
    if (S_ISDIR(info.st_mode)) {
        return fail_errno(file.name, EISDIR);
    }
    const uint64_t said = S_ISREG(info.st_mode) ? static_cast<uint64_t>(info.st_size) : 0;
    BytesCollector bytes;
    if (said <= memory) {
        // At once for all of it, so that it is not moved.
        if (const auto room = bytes.room(std::max<size_t>(static_cast<size_t>(said), kMagicSize) + 1);
            !room) {
            return std::unexpected(room.error().within(file.name));
        }
    }
    size_t next = kMagicSize;
    while (true) {
        const Result<size_t> count = read_some(fd.get(), file.name, bytes, next);
        if (!count) {
            return std::unexpected(count.error());
        }
        if (*count == 0) {
            break;
        }
        const uint64_t size = bytes.bytes().size();
        const uint64_t known = std::max(size, said);
        if (size >= kMagicSize && !hw::is_elf(bytes.bytes()) && known > memory) {
            return fail(fmt::format("{}: the file is larger than the machine's memory of {}", file.name,
                                    format_size(memory)));
        }
        // One byte more than is said to be there finds the end without another place.
        next = known > size                ? static_cast<size_t>(known - size)
               : size == said && size != 0 ? 1
                                           : size_t{1} << 20;
    }
    file.bytes = bytes.take();
    if (file.bytes.empty()) {
        return fail(file.name + ": the file is empty");
    }
    return file;
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
        list += (list.empty() ? "" : ", ") + in_quotes(candidate);
    }
    return fail(fmt::format(
        "-bios: found no OpenSBI firmware, looked for {} (-bios FILE names one, -bios none does without)",
        list));
}

// A file that is not where its name says may be in one of the folders of -L.
std::string find_bios(const Options& options) {
    std::error_code ignored;
    for (const std::string& folder : options.firmware_dirs) {
        const fs::path path = fs::path(folder) / options.bios;
        if (!fs::exists(options.bios, ignored) && fs::exists(path, ignored)) {
            return path;
        }
    }
    return options.bios;
}

}  // namespace

std::vector<std::string> firmware_candidates(const std::vector<std::string>& first_dirs,
                                             const std::optional<std::string>& firmware_dir,
                                             const std::string& program_dir) {
    std::vector<std::string> candidates;
    for (const std::string& folder : first_dirs) {
        candidates.push_back(fs::path(folder) / kFirmwareFile);
        candidates.push_back(fs::path(folder) / kPackagedFirmwareFile);
    }
    if (firmware_dir && !firmware_dir->empty()) {
        candidates.push_back(fs::path(*firmware_dir) / kFirmwareFile);
    }
    for (const char* folder : kProgramFolders) {
        candidates.push_back((fs::path(program_dir) / folder / kFirmwareFile).lexically_normal());
    }
    candidates.insert(candidates.end(), std::begin(kInstalledFirmware), std::end(kInstalledFirmware));
    return candidates;
}

Result<hw::BootConfig> read_boot_files(const Options& options, const std::vector<std::string>& firmware) {
    std::optional<std::string> bios;
    if (options.bios == "default") {
        const Result<std::string> found = find_firmware(firmware);
        if (!found) {
            return std::unexpected(found.error());
        }
        bios = *found;
    } else if (options.bios != "none") {
        bios = find_bios(options);
    }
    hw::BootConfig boot;
    boot.cpus = options.cpus;
    boot.cpu = options.cpu;
    boot.ram_size = options.memory_bytes;
    boot.nodes = options.nodes;
    boot.append = options.append.value_or("");
    for (const auto& [member, on] : options.switches) {
        boot.*member = on;
    }
    const struct {
        const char* option;
        const std::optional<std::string>& path;
        std::optional<hw::BootFile>& file;
    } wanted[] = {{"-bios", bios, boot.firmware},
                  {"-kernel", options.kernel, boot.kernel},
                  {"-initrd", options.initrd, boot.initrd},
                  {"-dtb", options.dtb, boot.dtb}};
    for (const auto& [option, path, file] : wanted) {
        if (path) {
            Result<hw::BootFile> read = read_file(option, *path, options.memory_bytes);
            if (!read) {
                return std::unexpected(read.error());
            }
            file = std::move(*read);
        }
    }
    for (const LoadChoice& load : options.loads) {
        hw::BootLoad made{.file = {"-device loader", load.bytes},
                          .address = load.address,
                          .cpu = load.cpu,
                          .force_raw = load.force_raw || load.file.empty()};
        if (!load.file.empty()) {
            Result<hw::BootFile> read = read_file("-device loader", load.file, options.memory_bytes);
            if (!read) {
                return std::unexpected(read.error());
            }
            made.file = std::move(*read);
        }
        boot.loads.push_back(std::move(made));
    }
    boot.flash = !options.flash.empty() && options.flash[0];
    for (const FwCfgChoice& choice : options.fw_cfg) {
        hw::BootFile made{choice.name, std::vector<uint8_t>(choice.text.begin(), choice.text.end())};
        if (!choice.file.empty()) {
            Result<hw::BootFile> read = read_file("-fw_cfg", choice.file, options.memory_bytes);
            if (!read) {
                return std::unexpected(read.error());
            }
            made.bytes = std::move(read->bytes);
        }
        boot.fw_cfg.push_back(std::move(made));
    }
    return boot;
}

Result<> write_file(const char* what, const std::string& path, std::span<const uint8_t> bytes) {
    const std::string name = fmt::format("{}: {}", what, in_quotes(path));
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC, 0666));
    if (!fd) {
        return fail_errno(name);
    }
    while (!bytes.empty()) {
        const ssize_t count = ::write(fd.get(), bytes.data(), bytes.size());
        if (count >= 0) {
            bytes = bytes.subspan(static_cast<size_t>(count));
        } else if (errno != EINTR) {
            return fail_errno(name);
        }
    }
    return {};
}

backend::DiskAccess disk_access(const DriveChoice& drive) {
    return {.format = drive.format,
            .read_only = drive.read_only || drive.snapshot,
            .write_through = drive.write_through,
            .unmap = drive.unmap,
            .detect_zeroes = drive.detect_zeroes,
            .no_backing = drive.no_backing};
}

Result<> check_output_files(const Options& options) {
    for (const DriveChoice& drive : options.drives) {
        if (Result<> checked = backend::check_disk(drive.file, disk_access(drive)); !checked) {
            return std::unexpected(checked.error().within("-drive"));
        }
    }
    if (options.serial.kind == SerialChoice::Kind::file) {
        if (Result<> checked = check_output("-serial", options.serial.path); !checked) {
            return checked;
        }
    }
    if (options.semihosting && options.semihosting->line &&
        options.semihosting->line->kind == SerialChoice::Kind::file) {
        if (Result<> checked = check_output("-semihosting-config", options.semihosting->line->path);
            !checked) {
            return checked;
        }
    }
    for (const auto& [option, path] :
         {std::pair("-pidfile", options.pid_file), std::pair("-D", options.log_file)}) {
        if (path) {
            if (Result<> checked = check_output(option, *path); !checked) {
                return checked;
            }
        }
    }
    return {};
}

}  // namespace weft::sys
