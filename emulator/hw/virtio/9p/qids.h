// Qids for the host's files: numbers that tell the files of a whole tree apart, where several file systems may be mounted in it.
//
// Used by one thread at a time.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "emulator/backend/fs/fs_backend.h"
#include "emulator/hw/virtio/9p/codec.h"

namespace weft::hw::p9 {

class QidMap {
  public:
    // Inodes below this keep their number's lower bits as they are, with a number for their file system above.
    static constexpr unsigned kInodeBits = 48;
    // File systems, and inodes with larger numbers, beyond which there are no more numbers (ENFILE).
    static constexpr size_t kMaxDevices = 1 << 14;
    static constexpr size_t kMaxLarge = 1 << 20;

    // `other_device` is called once, for FsDevices::warn.
    QidMap(backend::FsDevices devices, std::function<void()> other_device)
        : devices_(devices), other_device_(std::move(other_device)) {}

    // The file system of the tree's root: its inodes are the numbers, whatever the rule for others.
    void set_root(dev_t device) { root_ = device; }
    // Whether it matters of what file system a file is.
    bool tells_devices_apart() const { return devices_ != backend::FsDevices::warn; }
    backend::FsResult<Qid> qid(const struct stat& attributes);

  private:
    backend::FsResult<uint64_t> number(dev_t device, uint64_t inode);

    const backend::FsDevices devices_;
    const std::function<void()> other_device_;
    dev_t root_ = 0;
    bool warned_ = false;
    std::map<dev_t, uint64_t> prefixes_;                    // from 1 on
    std::map<std::pair<dev_t, uint64_t>, uint64_t> large_;  // with their whole numbers
};

}  // namespace weft::hw::p9
