// An open file or folder of a shared folder.
#pragma once

#include <dirent.h>

#include <memory>

#include "base/unique_fd.h"
#include "emulator/backend/fs/fs_backend.h"
#include "emulator/backend/fs/shared_folder.h"

namespace weft::backend {

class LocalFile final : public FsFile {
  public:
    // `file` is a regular file or a folder.
    LocalFile(UniqueFd file, const SharedFolderConfig& config)
        : file_(std::move(file)),
          mapped_(config.security == FsSecurity::mapped_xattr),
          read_only_(config.read_only),
          write_through_(config.write_through) {}

    FsResult<size_t> read(uint64_t offset, std::span<uint8_t> data) override;
    FsResult<size_t> write(uint64_t offset, std::span<const uint8_t> data) override;
    FsResult<> sync(bool data_only) override;
    FsResult<struct stat> attributes() override;
    FsResult<> change(const FsChanges& changes) override;
    FsResult<> seek_entry(uint64_t position) override;
    FsResult<std::optional<FsEntry>> next_entry() override;

  private:
    struct CloseFolder {
        void operator()(DIR* folder) const { closedir(folder); }
    };
    FsResult<> open_entries();

    const UniqueFd file_;
    const bool mapped_, read_only_, write_through_;
    std::unique_ptr<DIR, CloseFolder> entries_;  // of a folder, once its entries were asked for
};

// The attributes that the guest sees, and changing them, of what `handle` holds open.
FsResult<struct stat> guest_attributes(int handle, bool mapped);
FsResult<> change_for_guest(int handle, bool mapped, FsChanges changes);

}  // namespace weft::backend
