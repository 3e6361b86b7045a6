// Machines that are kept in their own disks' images, as those who attend to a machine ask for it.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "emulator/backend/block/disk_snapshots.h"

namespace weft::machine {

// All of it is called on the main loop's thread, stops a running machine meanwhile, and blocks until it is done. What a disk holds is kept by
// its own image, for all disks that are written to; the machine by the first of them.
class SnapshotOperations {
  public:
    virtual ~SnapshotOperations() = default;

    // Replaces one of the same name. Fails where a disk that is written to keeps no snapshots.
    virtual Result<> save_snapshot(const std::string& name) = 0;
    // Machine and disks are what they were. A machine that ran before goes on. Where it fails nothing has changed, unless the message says
    // that disks have: then the machine stays stopped.
    virtual Result<> load_snapshot(const std::string& name) = 0;
    virtual Result<> delete_snapshot(const std::string& name) = 0;
    // Those that all disks have.
    virtual Result<std::vector<backend::SnapshotInfo>> list_snapshots() = 0;
};

}  // namespace weft::machine
