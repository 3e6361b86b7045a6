#include "emulator/hw/virtio/9p/qids.h"

#include <cerrno>

namespace weft::hw::p9 {

using backend::FsResult;

FsResult<Qid> QidMap::qid(const struct stat& attributes) {
    const FsResult<uint64_t> path = number(attributes.st_dev, attributes.st_ino);
    if (!path) {
        return std::unexpected(path.error());
    }
    Qid qid;
    qid.type = S_ISDIR(attributes.st_mode)   ? Qid::kFolder
               : S_ISLNK(attributes.st_mode) ? Qid::kSymlink
                                             : Qid::kFile;
    // Time in nanoseconds and size: a hash that each change is likely to change.
    const uint64_t time = static_cast<uint64_t>(attributes.st_mtim.tv_sec) * 1'000'000'000 +
                          static_cast<uint64_t>(attributes.st_mtim.tv_nsec);
    const uint64_t mixed = (time ^ static_cast<uint64_t>(attributes.st_size) << 32) * 0x9e3779b97f4a7c15;
    qid.version = static_cast<uint32_t>(mixed >> 32);
    qid.path = *path;
    return qid;
}

FsResult<uint64_t> QidMap::number(dev_t device, uint64_t inode) {
    if (devices_ != backend::FsDevices::remap) {
        if (device != root_ && devices_ == backend::FsDevices::forbid) {
            return std::unexpected(ENODEV);
        }
        if (device != root_ && !warned_) {
            warned_ = true;
            other_device_();
        }
        return inode;
    }
    // Bit 63 marks what has a number of its own, the bits from kInodeBits on the file system; none of them: the root's.
    constexpr uint64_t kOwn = uint64_t{1} << 63;
    if (inode >> kInodeBits == 0) {
        if (device == root_) {
            return inode;
        }
        const auto found = prefixes_.find(device);
        if (found == prefixes_.end() && prefixes_.size() == kMaxDevices) {
            return std::unexpected(ENFILE);
        }
        const uint64_t prefix = prefixes_.try_emplace(device, prefixes_.size() + 1).first->second;
        return prefix << kInodeBits | inode;
    }
    const std::pair key(device, inode);
    if (!large_.contains(key) && large_.size() == kMaxLarge) {
        return std::unexpected(ENFILE);
    }
    return large_.try_emplace(key, kOwn | large_.size()).first->second;
}

}  // namespace weft::hw::p9
