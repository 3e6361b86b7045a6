#include "emulator/backend/fs/local_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <climits>

#include "base/text_values.h"
#include "emulator/backend/fs/handles.h"
#include "emulator/backend/fs/local_file.h"
#include "emulator/backend/fs/mapped_identity.h"

namespace weft::backend {

namespace {

constexpr int kFileFlags = O_ACCMODE | O_TRUNC | O_APPEND | O_SYNC | O_DSYNC | O_DIRECTORY;

bool writes(int flags) { return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0; }

bool is_symlink(const FsResult<struct stat>& attributes) {
    return attributes && S_ISLNK(attributes->st_mode);
}

// Access control lists speak of the host's users.
bool is_host_access_list(std::string_view name) { return name.starts_with("system.posix_acl_"); }

}  // namespace

Result<std::unique_ptr<LocalFolder>> LocalFolder::open(const SharedFolderConfig& config) {
    // The user's own path may have symbolic links.
    UniqueFd root(::open(config.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root) {
        return fail_errno("folder " + in_quotes(config.path));
    }
    if (const auto beneath = open_beneath(root.get(), ".", O_PATH); !beneath) {
        return fail_errno("openat2 (Linux 5.6), which keeps guests within a shared folder", beneath.error());
    }
    if (const auto again = reopen(root.get(), O_PATH); !again) {
        return fail_errno("/proc/self/fd, which shared folders need", again.error());
    }
    return std::unique_ptr<LocalFolder>(new LocalFolder(config, std::move(root)));
}

FsResult<UniqueFd> LocalFolder::handle(const FsPath& path) const {
    return open_beneath(root_.get(), path.is_root() ? "." : path.text().c_str(), O_PATH | O_NOFOLLOW);
}

FsResult<LocalFolder::Place> LocalFolder::place_to_change(const FsPath& path) const {
    if (config_.read_only) {
        return std::unexpected(EROFS);
    }
    if (path.is_root()) {
        return std::unexpected(EBUSY);
    }
    const FsPath folder = path.parent();
    if (folder.is_root()) {
        return Place{{}, root_.get(), path.last()};
    }
    FsResult<UniqueFd> opened = open_beneath(root_.get(), folder.text().c_str(), O_PATH | O_DIRECTORY);
    if (!opened) {
        return std::unexpected(opened.error());
    }
    const int fd = opened->get();
    return Place{std::move(*opened), fd, path.last()};
}

FsResult<struct stat> LocalFolder::attributes(const FsPath& path) {
    const FsResult<UniqueFd> file = handle(path);
    return file ? guest_attributes(file->get(), mapped()) : std::unexpected(file.error());
}

FsResult<> LocalFolder::change(const FsPath& path, const FsChanges& changes) {
    if (config_.read_only) {
        return std::unexpected(EROFS);
    }
    const FsResult<UniqueFd> file = handle(path);
    return file ? change_for_guest(file->get(), mapped(), changes) : std::unexpected(file.error());
}

FsResult<struct statfs> LocalFolder::file_system(const FsPath& path) {
    const FsResult<UniqueFd> file = handle(path);
    struct statfs facts{};
    if (!file) {
        return std::unexpected(file.error());
    }
    if (fstatfs(file->get(), &facts) < 0) {
        return last_error();
    }
    return facts;
}

// A device or FIFO of the host's is not even opened: that alone could do something, or block.
FsResult<std::unique_ptr<FsFile>> LocalFolder::open_handle(const UniqueFd& handle, int flags) const {
    const FsResult<struct stat> attributes = guest_attributes(handle.get(), mapped());
    if (!attributes) {
        return std::unexpected(attributes.error());
    }
    const FsResult<struct stat> real = handle_attributes(handle.get());
    const bool usual = S_ISREG(attributes->st_mode) || S_ISDIR(attributes->st_mode);
    if (!real || !usual || (real->st_mode & S_IFMT) != (attributes->st_mode & S_IFMT)) {
        return std::unexpected(is_symlink(real) || is_symlink(attributes) ? ELOOP : ENXIO);
    }
    // Files of the kernel's (/proc/kmsg) would have the thread wait for what may never come.
    FsResult<UniqueFd> file = reopen(handle.get(), (flags & kFileFlags) | O_NONBLOCK);
    if (!file) {
        return std::unexpected(file.error());
    }
    return std::make_unique<LocalFile>(std::move(*file), config_);
}

FsResult<std::unique_ptr<FsFile>> LocalFolder::open(const FsPath& path, int flags) {
    if (config_.read_only && writes(flags)) {
        return std::unexpected(EROFS);
    }
    const FsResult<UniqueFd> file = handle(path);
    return file ? open_handle(*file, flags) : std::unexpected(file.error());
}

FsResult<std::unique_ptr<FsFile>> LocalFolder::create(const FsPath& path, int flags, uint32_t mode,
                                                      FsOwner owner) {
    const FsResult<Place> place = place_to_change(path);
    if (!place) {
        return std::unexpected(place.error());
    }
    const uint32_t first_mode = mapped() ? config_.file_mode : mode & 0777;
    UniqueFd file(openat(place->folder, place->name.c_str(),
                         (flags & kFileFlags & ~O_DIRECTORY) | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                         first_mode));
    if (!file && errno == EEXIST && (flags & O_EXCL) == 0) {
        return open(path, flags);
    }
    if (!file) {
        return last_error();
    }
    if (FsResult<> finished = finish(*place, S_IFREG | (mode & 07777), 0, owner); !finished) {
        return std::unexpected(finished.error());
    }
    return std::make_unique<LocalFile>(std::move(file), config_);
}

FsResult<> LocalFolder::make_folder(const FsPath& path, uint32_t mode, FsOwner owner) {
    const FsResult<Place> place = place_to_change(path);
    if (!place) {
        return std::unexpected(place.error());
    }
    if (mkdirat(place->folder, place->name.c_str(), mapped() ? config_.folder_mode : mode & 0777) < 0) {
        return last_error();
    }
    return finish(*place, S_IFDIR | (mode & 07777), 0, owner);
}

FsResult<> LocalFolder::make_node(const FsPath& path, uint32_t mode, dev_t device, FsOwner owner) {
    const uint32_t kind = mode & S_IFMT;
    if (kind != S_IFREG && kind != S_IFCHR && kind != S_IFBLK && kind != S_IFIFO && kind != S_IFSOCK) {
        return std::unexpected(EINVAL);
    }
    const FsResult<Place> place = place_to_change(path);
    if (!place) {
        return std::unexpected(place.error());
    }
    const uint32_t first_mode = mapped() ? S_IFREG | config_.file_mode : kind | (mode & 0777);
    if (mknodat(place->folder, place->name.c_str(), first_mode, mapped() ? 0 : device) < 0) {
        return last_error();
    }
    return finish(*place, kind | (mode & 07777), device, owner);
}

FsResult<> LocalFolder::make_symlink(const FsPath& path, const std::string& target, FsOwner owner) {
    const FsResult<Place> place = place_to_change(path);
    if (!place) {
        return std::unexpected(place.error());
    }
    if (!mapped()) {
        if (symlinkat(target.c_str(), place->folder, place->name.c_str()) < 0) {
            return last_error();
        }
        return finish(*place, S_IFLNK | 0777, 0, owner);
    }
    // On the host a file that holds the target.
    const UniqueFd file(openat(place->folder, place->name.c_str(),
                               O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, config_.file_mode));
    if (!file) {
        return last_error();
    }
    if (::write(file.get(), target.data(), target.size()) != static_cast<ssize_t>(target.size())) {
        const int error = errno;
        unlinkat(place->folder, place->name.c_str(), 0);
        return std::unexpected(error != 0 ? error : EIO);
    }
    return finish(*place, S_IFLNK | 0777, 0, owner);
}

FsResult<> LocalFolder::finish(const Place& place, uint32_t mode, dev_t device, FsOwner owner) const {
    const FsResult<UniqueFd> made = open_beneath(place.folder, place.name.c_str(), O_PATH | O_NOFOLLOW);
    FsResult<> result = made ? set_identity(made->get(), mode, device, owner) : std::unexpected(made.error());
    if (!result) {
        unlinkat(place.folder, place.name.c_str(), S_ISDIR(mode) ? AT_REMOVEDIR : 0);
    }
    return result;
}

FsResult<> LocalFolder::set_identity(int handle, uint32_t mode, dev_t device, FsOwner owner) const {
    if (mapped()) {
        const bool is_device = S_ISCHR(mode) || S_ISBLK(mode);
        return write_identity(handle, {.uid = owner.uid,
                                       .gid = owner.gid,
                                       .mode = mode,
                                       .device = is_device ? std::optional<uint64_t>(device) : std::nullopt});
    }
    if (fchownat(handle, "", owner.uid, owner.gid, AT_EMPTY_PATH) < 0 &&
        config_.security == FsSecurity::passthrough) {
        return last_error();
    }
    // The emulator's mask of permissions is not the guest's. A symbolic link has none.
    return S_ISLNK(mode) ? FsResult<>() : done(::chmod(handle_path(handle).c_str(), mode & 07777));
}

FsResult<> LocalFolder::link(const FsPath& existing, const FsPath& path) {
    const FsResult<Place> place = place_to_change(path);
    const FsResult<Place> from = place_to_change(existing);
    if (!place || !from) {
        return std::unexpected(place ? from.error() : place.error());
    }
    return done(linkat(from->folder, from->name.c_str(), place->folder, place->name.c_str(), 0));
}

FsResult<> LocalFolder::rename(const FsPath& from, const FsPath& to) {
    const FsResult<Place> old_place = place_to_change(from);
    const FsResult<Place> new_place = place_to_change(to);
    if (!old_place || !new_place) {
        return std::unexpected(old_place ? new_place.error() : old_place.error());
    }
    return done(
        renameat(old_place->folder, old_place->name.c_str(), new_place->folder, new_place->name.c_str()));
}

FsResult<> LocalFolder::remove(const FsPath& path, int flags) {
    const FsResult<Place> place = place_to_change(path);
    return place ? done(unlinkat(place->folder, place->name.c_str(), flags)) : std::unexpected(place.error());
}

FsResult<> LocalFolder::remove_file(const FsPath& path) { return remove(path, 0); }
FsResult<> LocalFolder::remove_folder(const FsPath& path) { return remove(path, AT_REMOVEDIR); }

FsResult<std::string> LocalFolder::read_symlink(const FsPath& path) {
    const FsResult<UniqueFd> file = handle(path);
    if (!file) {
        return std::unexpected(file.error());
    }
    std::string target(PATH_MAX, '\0');
    const FsResult<struct stat> real = handle_attributes(file->get());
    ssize_t size = -1;
    if (mapped() && real && S_ISREG(real->st_mode) && is_symlink(guest_attributes(file->get(), true))) {
        const FsResult<UniqueFd> opened = reopen(file->get(), O_RDONLY);
        if (!opened) {
            return std::unexpected(opened.error());
        }
        size = ::read(opened->get(), target.data(), target.size());
    } else if (is_symlink(real)) {
        size = readlinkat(file->get(), "", target.data(), target.size());
    } else {
        return std::unexpected(EINVAL);
    }
    if (size < 0) {
        return last_error();
    }
    target.resize(static_cast<size_t>(size));
    return target;
}

FsResult<std::vector<uint8_t>> LocalFolder::xattr(const FsPath& path, const std::string& name) {
    if (mapped() && (is_identity_attribute(name) || is_host_access_list(name))) {
        return std::unexpected(is_host_access_list(name) ? EOPNOTSUPP : ENODATA);
    }
    const FsResult<UniqueFd> file = handle(path);
    return file ? handle_xattr(file->get(), name.c_str()) : std::unexpected(file.error());
}

FsResult<std::vector<uint8_t>> LocalFolder::xattr_list(const FsPath& path) {
    const FsResult<UniqueFd> file = handle(path);
    FsResult<std::vector<uint8_t>> all =
        file ? handle_xattr_list(file->get()) : std::unexpected(file.error());
    if (!all || !mapped()) {
        return all;
    }
    std::vector<uint8_t> visible;
    for (size_t at = 0; at < all->size();) {
        const std::string_view name(reinterpret_cast<const char*>(all->data()) + at);
        if (!is_identity_attribute(name) && !is_host_access_list(name)) {
            visible.insert(visible.end(), all->begin() + static_cast<ptrdiff_t>(at),
                           all->begin() + static_cast<ptrdiff_t>(at + name.size() + 1));
        }
        at += name.size() + 1;
    }
    return visible;
}

FsResult<> LocalFolder::set_xattr(const FsPath& path, const std::string& name, std::span<const uint8_t> value,
                                  int flags) {
    if (config_.read_only) {
        return std::unexpected(EROFS);
    }
    if (mapped() && (is_identity_attribute(name) || is_host_access_list(name))) {
        return std::unexpected(is_host_access_list(name) ? EOPNOTSUPP : EPERM);
    }
    const FsResult<UniqueFd> file = handle(path);
    return file ? done(setxattr(handle_path(file->get()).c_str(), name.c_str(), value.data(), value.size(),
                                flags))
                : std::unexpected(file.error());
}

FsResult<> LocalFolder::remove_xattr(const FsPath& path, const std::string& name) {
    if (config_.read_only) {
        return std::unexpected(EROFS);
    }
    if (mapped() && (is_identity_attribute(name) || is_host_access_list(name))) {
        return std::unexpected(is_host_access_list(name) ? EOPNOTSUPP : EPERM);
    }
    const FsResult<UniqueFd> file = handle(path);
    return file ? done(removexattr(handle_path(file->get()).c_str(), name.c_str()))
                : std::unexpected(file.error());
}

}  // namespace weft::backend
