// The files that options name: found and read before anything is opened for writing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "emulator/hw/boot/boot_config.h"
#include "emulator/system/options.h"

namespace weft::sys {

// Where fw_dynamic.bin is looked for under -bios default.
std::vector<std::string> firmware_candidates(const std::optional<std::string>& firmware_dir,
                                             const std::string& program_dir);

// Reads firmware, kernel, initial RAM disk and device tree. Refused: what cannot be read, or is larger than the machine's
// memory. `firmware` are the candidates of -bios default.
Result<hw::BootConfig> read_boot_files(const Options& options, const std::vector<std::string>& firmware);

// Checks that drives, the serial port's file and the log file could be opened, opening nothing for writing.
Result<> check_output_files(const Options& options);

}  // namespace weft::sys
