// The files that options name: found and read before anything is opened for writing.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "emulator/backend/block/disk_image.h"
#include "emulator/hw/boot/boot_config.h"
#include "emulator/system/options.h"

namespace weft::sys {

// Where fw_dynamic.bin is looked for under -bios default.
std::vector<std::string> firmware_candidates(const std::vector<std::string>& first_dirs,
                                             const std::optional<std::string>& firmware_dir,
                                             const std::string& program_dir);

// Reads firmware, kernel, initial RAM disk and device tree. Refused: what cannot be read, or is larger than the machine's
// memory. `firmware` are the candidates of -bios default.
Result<hw::BootConfig> read_boot_files(const Options& options, const std::vector<std::string>& firmware);

// How a drive's image is opened; under a snapshot it is only read.
backend::DiskAccess disk_access(const DriveChoice& drive);

// Makes or empties a file and fills it; `what` names it in messages.
Result<> write_file(const char* what, const std::string& path, std::span<const uint8_t> bytes);

// Checks that drives, files of lines and the log file could be opened, opening nothing for writing.
Result<> check_output_files(const Options& options);

}  // namespace weft::sys
