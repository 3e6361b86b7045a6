// Where the program's accelerators come from: modules, or what is linked into it.
#pragma once

#include <string>
#include <vector>

#include "emulator/accel/accel_loader.h"

namespace weft::user {

// accelerators_modules.cpp for weft-riscv64, accelerators_built_in.cpp for weft-riscv64-static, which opens nothing: a chroot has
// neither modules nor a dynamic linker.
loader::AccelSources accelerators(std::vector<std::string> folders);

}  // namespace weft::user
