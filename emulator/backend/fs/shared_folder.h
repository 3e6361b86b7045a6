// What the user says of a folder of the host's that a guest is shown.
#pragma once

#include <cstdint>
#include <string>

#include "emulator/backend/fs/fs_backend.h"

namespace weft::backend {

// Whose files are, and what kinds, towards the guest.
enum class FsSecurity {
    passthrough,  // as on the host; a new file that cannot be given to the guest's user is refused
    none,         // as on the host; a new file that cannot be given to the guest's user stays the emulator's
    mapped_xattr,  // as extended attributes say that are not the guest's to see; on the host all is the emulator's
};

struct SharedFolderConfig {
    std::string path;
    FsSecurity security = FsSecurity::none;
    FsDevices other_devices = FsDevices::warn;
    bool read_only = false;
    bool write_through =
        false;  // the host begins to write at once what is written, and no write returns before
    uint32_t file_mode = 0600;    // mapped_xattr: permissions of new files on the host
    uint32_t folder_mode = 0700;  // the same of new folders
};

}  // namespace weft::backend
