// Modules by dlopen(3), for programs without GLib: its allocator and threads do not survive a fork among threads.
#pragma once

#include <string>

#include "base/error.h"

namespace weft::loader {

// A ModuleSymbol of accel_loader.h.
Result<const void*> dlopen_symbol(const std::string& path, const char* symbol);

}  // namespace weft::loader
