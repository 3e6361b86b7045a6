// Calls on a file that is held open, if only by O_PATH. Errors are error numbers.
#pragma once

#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "emulator/backend/fs/fs_backend.h"

namespace weft::backend {

inline std::unexpected<int> last_error() { return std::unexpected(errno); }

// What a call returned that has -1 for an error.
inline FsResult<> done(int result) { return result < 0 ? FsResult<>(last_error()) : FsResult<>(); }

// openat2(2) that leaves `folder` by no way.
FsResult<UniqueFd> open_beneath(int folder, const char* path, int flags);

// The file's name among the process's descriptors, for calls that take no O_PATH descriptor. What the name leads to is the
// file itself, a symbolic link too.
std::string handle_path(int handle);

// The file, opened anew for more than O_PATH allows.
FsResult<UniqueFd> reopen(int handle, int flags);

FsResult<struct stat> handle_attributes(int handle);

// What FsChanges says, on the host's file itself.
FsResult<> change_handle(int handle, const FsChanges& changes);

FsResult<std::vector<uint8_t>> handle_xattr(int handle, const char* name);
FsResult<std::vector<uint8_t>> handle_xattr_list(int handle);

}  // namespace weft::backend
