// Modules by GModule, for programs that use GLib anyway.
#pragma once

#include <string>

#include "base/error.h"

namespace weft::loader {

// A ModuleSymbol of accel_loader.h. GModule has state of its own, whose lock ThreadSanitizer does not see.
Result<const void*> gmodule_symbol(const std::string& path, const char* symbol);

}  // namespace weft::loader
