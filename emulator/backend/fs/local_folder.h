// A folder of the host's as a tree that a guest is shown.
//
// The guest is hostile, and others change the folder meanwhile. Each path is resolved by the kernel in one call that leaves the folder
// by no way: openat2(2) from the folder's descriptor with RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS. What is done
// is done to the descriptor that this gives, or to a name in it that is not followed.
#pragma once

#include <string>

#include "base/error.h"
#include "base/unique_fd.h"
#include "emulator/backend/fs/fs_backend.h"
#include "emulator/backend/fs/shared_folder.h"

namespace weft::backend {

class LocalFolder final : public FsBackend {
  public:
    // Says what is no folder, and what the host lacks: openat2 (Linux 5.6), /proc.
    static Result<std::unique_ptr<LocalFolder>> open(const SharedFolderConfig& config);

    FsDevices other_devices() const override { return config_.other_devices; }
    FsResult<struct stat> attributes(const FsPath& path) override;
    FsResult<> change(const FsPath& path, const FsChanges& changes) override;
    FsResult<struct statfs> file_system(const FsPath& path) override;
    FsResult<std::unique_ptr<FsFile>> open(const FsPath& path, int flags) override;
    FsResult<std::unique_ptr<FsFile>> create(const FsPath& path, int flags, uint32_t mode,
                                             FsOwner owner) override;
    FsResult<> make_folder(const FsPath& path, uint32_t mode, FsOwner owner) override;
    FsResult<> make_node(const FsPath& path, uint32_t mode, dev_t device, FsOwner owner) override;
    FsResult<> make_symlink(const FsPath& path, const std::string& target, FsOwner owner) override;
    FsResult<> link(const FsPath& existing, const FsPath& path) override;
    FsResult<> rename(const FsPath& from, const FsPath& to) override;
    FsResult<> remove_file(const FsPath& path) override;
    FsResult<> remove_folder(const FsPath& path) override;
    FsResult<std::string> read_symlink(const FsPath& path) override;
    FsResult<std::vector<uint8_t>> xattr(const FsPath& path, const std::string& name) override;
    FsResult<std::vector<uint8_t>> xattr_list(const FsPath& path) override;
    FsResult<> set_xattr(const FsPath& path, const std::string& name, std::span<const uint8_t> value,
                         int flags) override;
    FsResult<> remove_xattr(const FsPath& path, const std::string& name) override;

  private:
    // A name in a folder, for calls that take both.
    struct Place {
        UniqueFd opened;  // none: the folder is the root
        int folder;
        std::string name;
    };

    LocalFolder(SharedFolderConfig config, UniqueFd root)
        : config_(std::move(config)), root_(std::move(root)) {}

    bool mapped() const { return config_.security == FsSecurity::mapped_xattr; }
    // The file itself, a symbolic link too, opened with O_PATH.
    FsResult<UniqueFd> handle(const FsPath& path) const;
    // Of what is to be made, renamed or removed: not the root (EBUSY), and nothing at all where nothing may change (EROFS).
    FsResult<Place> place_to_change(const FsPath& path) const;
    FsResult<std::unique_ptr<FsFile>> open_handle(const UniqueFd& handle, int flags) const;
    FsResult<> remove(const FsPath& path, int flags);
    // Gives what was just made in that place its owner and mode; takes it away where that fails.
    FsResult<> finish(const Place& place, uint32_t mode, dev_t device, FsOwner owner) const;
    FsResult<> set_identity(int handle, uint32_t mode, dev_t device, FsOwner owner) const;

    const SharedFolderConfig config_;
    const UniqueFd root_;
};

}  // namespace weft::backend
