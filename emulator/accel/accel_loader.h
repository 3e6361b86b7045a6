// Finds and opens accelerator modules, accel-NAME.so.
//
// emulator/accel chooses, loads and configures accelerators, for every program that runs guests. It knows the public ABI alone;
// machines and programs use it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "weft/accel.h"

namespace weft::loader {

// Where modules are looked for: `module_dir`, then the folders of `environment` (WEFT_MODULE_DIR, separated by ':'),
// then beside and below the program and where it would be installed.
std::vector<std::string> module_folders(const std::optional<std::string>& module_dir,
                                        const std::optional<std::string>& environment,
                                        const std::string& program_dir);

// Opens accel-NAME.so from the first folder that has one and checks that it speaks this program's ABI. The module stays
// resident: the descriptor is valid for the rest of the process. Errors name the accelerator. One thread at a time (GModule
// has state of its own, whose lock ThreadSanitizer does not see).
Result<const AccelDescriptor*> load_accelerator(std::span<const std::string> folders,
                                                const std::string& name);

// Checks a descriptor as read from `path`: version first, as nothing else may be read of another version.
Result<> check_descriptor(const AccelDescriptor& descriptor, const std::string& path,
                          const std::string& name);

// The text of "-accel help": the modules in `folders`, each name once, with what they say of themselves.
std::string accelerators_text(std::span<const std::string> folders);

}  // namespace weft::loader
