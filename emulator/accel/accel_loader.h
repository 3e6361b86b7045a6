// Finds accelerators: what is linked into the program, and modules accel-NAME.so.
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

// Opens the shared object at `path` for the rest of the process and gives the address of its symbol; null, with nothing left
// open, where it has none. The error says in one line why it cannot be opened. One thread at a time. module_by_gmodule.h
// and module_by_dlopen.h have one each.
using ModuleSymbol = Result<const void*> (*)(const std::string& path, const char* symbol);

// What accelerators a program has: those that are linked in, and modules in folders.
struct AccelSources {
    std::vector<std::string> folders = {};
    ModuleSymbol open = nullptr;
    std::span<const AccelDescriptor* const> built_in = {};  // preferred to a module of the same name
};

// The accelerator of a name: one that is linked in, or accel-NAME.so from the first folder that has one. Checks that it speaks
// this program's ABI. Modules stay resident: the descriptor is valid for the rest of the process. Errors name the
// accelerator. One thread at a time.
Result<const AccelDescriptor*> load_accelerator(const AccelSources& sources, const std::string& name);

// Checks a descriptor as read from `path`: version first, as nothing else may be read of another version.
Result<> check_descriptor(const AccelDescriptor& descriptor, const std::string& path,
                          const std::string& name);

// The text of "-accel help": the accelerators of `sources`, each name once, with what they say of themselves.
std::string accelerators_text(const AccelSources& sources);

}  // namespace weft::loader
