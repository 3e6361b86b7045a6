// Disk images of any format that weft has, with the backing files that they name.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "emulator/backend/block/block_backend.h"

namespace weft::backend {

enum class ImageFormat {
    probe,  // what its signature says: qcow2, or raw without one; all other formats are refused
    raw,
    qcow2,
};

// What becomes of zeros that a guest writes.
enum class DetectZeroes {
    off,    // data like other data
    on,     // zeros without a place of their own, where the image can say so
    unmap,  // the same, and the place that they had is given back if discarding is on as well
};

struct DiskAccess {
    ImageFormat format = ImageFormat::probe;
    bool read_only = false;
    bool write_through = false;  // writes are on the disk when they return, without a flush
    bool unmap = false;          // what is discarded is given back to the host (discard=unmap)
    DetectZeroes detect_zeroes = DetectZeroes::off;
    bool no_backing = false;  // whatever file the image names below it: what it does not hold is zeros
};

// Opens and locks an image: against every other opener unless it is read-only, and against writers then. So are its backing files,
// which are only read. A backing file's name is a path, relative ones from the image's folder. Its format is the one that the image names
// (raw or qcow2); where it names none, a file without a signature is raw, and one with qcow2's is taken for it unless it
// has a backing file as well: a guest that had it as a raw disk could else have any file of the host read. At most 64 images lie on each other.
Result<std::unique_ptr<BlockBackend>> open_disk(const std::string& path, DiskAccess access);

// The same checks as far as reading alone permits: opens nothing for writing and locks nothing.
Result<> check_disk(const std::string& path, DiskAccess access);

}  // namespace weft::backend
