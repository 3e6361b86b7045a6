// The contents of files in /proc as the guest is to see them.
#pragma once

#include <cstdint>
#include <string>

#include "emulator/linux-user/process.h"
#include "emulator/linux-user/syscall/paths.h"

namespace weft::user {

// The text of a view at this instant; `exe` has none. Any thread; takes the map's lock for `maps`.
std::string view_text(Process& process, ProcView view);

// Opens a view as openat(2) would with `flags`: the lowest free descriptor, or a negated errno. Its contents are those of now; it is
// read-only, and its name in /proc/self/fd is that of a memory file.
int64_t open_view(Process& process, ProcView view, uint32_t flags);

}  // namespace weft::user
