#include "emulator/hw/virtio/9p/fids.h"

#include <cerrno>

namespace weft::hw::p9 {

using backend::FsPath;
using backend::FsResult;

Fid* FidTable::find(uint32_t number) {
    const auto found = fids_.find(number);
    return found != fids_.end() ? &found->second : nullptr;
}

FsResult<> FidTable::charge(size_t before, size_t now) {
    if (now > before && bytes_ + (now - before) > kMaxBytes) {
        return std::unexpected(ENOMEM);
    }
    bytes_ = bytes_ - before + now;
    return {};
}

FsResult<Fid*> FidTable::add(uint32_t number, FsPath path, uint32_t uid) {
    if (fids_.contains(number)) {
        return std::unexpected(EEXIST);
    }
    if (FsResult<> charged = charge(0, kBytesEach + path.text().size()); !charged) {
        return std::unexpected(charged.error());
    }
    Fid& fid = fids_[number];
    fid.path = std::move(path);
    fid.uid = uid;
    return &fid;
}

void FidTable::remove(uint32_t number) {
    const auto found = fids_.find(number);
    if (found == fids_.end()) {
        return;
    }
    const Fid& fid = found->second;
    bytes_ -= kBytesEach + fid.path.text().size() + (fid.xattr ? fid.xattr->size : 0);
    open_ -= fid.file != nullptr ? 1 : 0;
    fids_.erase(found);
}

void FidTable::clear() {
    fids_.clear();
    bytes_ = 0;
    open_ = 0;
}

FsResult<> FidTable::set_path(Fid& fid, FsPath path) {
    FsResult<> charged = charge(fid.path.text().size(), path.text().size());
    if (charged) {
        fid.path = std::move(path);
    }
    return charged;
}

FsResult<> FidTable::room_for_file() const {
    return open_ < max_open_ ? FsResult<>() : std::unexpected(ENFILE);
}

void FidTable::set_file(Fid& fid, std::unique_ptr<backend::FsFile> file) {
    open_ += fid.file == nullptr ? 1 : 0;
    fid.file = std::move(file);
}

FsResult<> FidTable::set_xattr(Fid& fid, XattrValue value) {
    FsResult<> charged = charge(fid.xattr ? fid.xattr->size : 0, value.size);
    if (charged) {
        fid.xattr = std::move(value);
    }
    return charged;
}

void FidTable::renamed(const FsPath& from, const FsPath& to) {
    for (auto& [number, fid] : fids_) {
        if (std::optional<FsPath> moved = fid.path.moved(from, to)) {
            // The host took the longer names, so they are taken here as well, even above the limit.
            bytes_ = bytes_ - fid.path.text().size() + moved->text().size();
            fid.path = std::move(*moved);
        }
    }
}

}  // namespace weft::hw::p9
