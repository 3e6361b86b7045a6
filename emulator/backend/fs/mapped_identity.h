// Owner, mode and device number that a guest's file has in extended attributes of the host's (security_model=mapped-xattr).
//
// Names and layout are QEMU's, so that a folder can be used by both: user.virtfs.uid, .gid and .mode hold 32 bits each, .rdev 64,
// little-endian.
#pragma once

#include <sys/stat.h>

#include <string_view>

#include "emulator/backend/fs/fs_backend.h"

namespace weft::backend {

// Whether an attribute is one of these, which a guest neither sees nor sets.
bool is_identity_attribute(std::string_view name);

// Puts what the attributes say into `attributes`; what they do not say stays the host's.
void read_identity(int handle, struct stat& attributes);

// `mode` with the file's kind. What is nullopt stays.
struct Identity {
    std::optional<uint32_t> uid, gid, mode;
    std::optional<uint64_t> device;
};
FsResult<> write_identity(int handle, const Identity& identity);

}  // namespace weft::backend
