// A tree of files that a guest is shown: what a file server in a device asks for, by paths below the tree's root.
//
// backend/fs holds what lies behind devices that share files. Devices know this interface alone.
//
// Paths are made of names that were checked (FsName), so that they have neither "..", nor empty or absolute parts. No symbolic link is ever
// followed: a guest resolves those of the tree itself. All functions block; those of one tree and its files are called by one thread
// at a time.
#pragma once

#include <sys/stat.h>
#include <sys/statfs.h>

#include <cstdint>
#include <ctime>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::backend {

// What a call of the host gave: a value, or its error number (errno.h).
template <class T = void>
using FsResult = std::expected<T, int>;

// The name of one file in its folder: 1 to 255 bytes, none of them '/' or 0, neither "." nor "..".
class FsName {
  public:
    static constexpr size_t kMaxSize = 255;

    static std::optional<FsName> make(std::string_view text) {
        if (text.empty() || text.size() > kMaxSize || text == "." || text == ".." ||
            text.find('/') != std::string_view::npos || text.find('\0') != std::string_view::npos) {
            return std::nullopt;
        }
        return FsName(text);
    }
    const std::string& text() const { return text_; }

  private:
    explicit FsName(std::string_view text) : text_(text) {}
    std::string text_;
};

// A file of the tree, by the names that lead to it; without any it is the root.
class FsPath {
  public:
    FsPath() = default;

    bool is_root() const { return text_.empty(); }
    // The names with '/' between them; empty: the root.
    const std::string& text() const { return text_; }
    FsPath child(const FsName& name) const {
        FsPath path = *this;
        path.text_ += (is_root() ? "" : "/") + name.text();
        return path;
    }
    // The folder that it is in; the root's is the root.
    FsPath parent() const {
        FsPath path;
        const size_t slash = text_.rfind('/');
        path.text_ = slash == std::string::npos ? std::string() : text_.substr(0, slash);
        return path;
    }
    // The name in that folder; empty: the root.
    std::string last() const {
        const size_t slash = text_.rfind('/');
        return slash == std::string::npos ? text_ : text_.substr(slash + 1);
    }
    // What it is called after `from`, which is it or leads to it, was renamed to `to`; nullopt: that does not concern it.
    std::optional<FsPath> moved(const FsPath& from, const FsPath& to) const {
        const bool below = text_.size() > from.text_.size() && text_.starts_with(from.text_) &&
                           text_[from.text_.size()] == '/';
        if (from.is_root() || (!below && text_ != from.text_)) {
            return std::nullopt;
        }
        FsPath path;
        path.text_ = to.text_ + text_.substr(from.text_.size());
        return path;
    }
    bool operator==(const FsPath&) const = default;

  private:
    std::string text_;
};

// Whose a new file is to be.
struct FsOwner {
    uint32_t uid, gid;
};

// What is to be changed of a file; what is not set stays.
struct FsChanges {
    std::optional<uint32_t> mode;  // permissions, 07777 at most
    std::optional<uint32_t> uid, gid;
    std::optional<uint64_t> size;
    // tv_nsec may be UTIME_NOW.
    timespec accessed{0, UTIME_OMIT}, modified{0, UTIME_OMIT};
};

struct FsEntry {
    std::string name;  // "." and ".." among them
    uint64_t inode;
    uint8_t type;   // DT_REG and so on (dirent.h); DT_UNKNOWN
    uint64_t next;  // the position behind it, for seek_entry()
};

// A file or folder that is open. It stays open where its name goes.
class FsFile {
  public:
    virtual ~FsFile() = default;

    // Fewer bytes than asked for: the end of the file.
    virtual FsResult<size_t> read(uint64_t offset, std::span<uint8_t> data) = 0;
    virtual FsResult<size_t> write(uint64_t offset, std::span<const uint8_t> data) = 0;
    // Returns when what was written is on the disk: fdatasync(2), fsync(2).
    virtual FsResult<> sync(bool data_only) = 0;
    virtual FsResult<struct stat> attributes() = 0;
    virtual FsResult<> change(const FsChanges& changes) = 0;

    // A folder's entries from a position on, which an entry had as `next`; 0: the first one.
    virtual FsResult<> seek_entry(uint64_t position) = 0;
    // nullopt: there is none left.
    virtual FsResult<std::optional<FsEntry>> next_entry() = 0;
};

// What is done about files of other file systems than the root's, which may be mounted in the tree: their inodes may have the
// same numbers.
enum class FsDevices {
    warn,    // nothing: the inode is the number that the guest sees. The first one is told of
    forbid,  // they are not to be had
    remap,   // they get other numbers
};

class FsBackend {
  public:
    virtual ~FsBackend() = default;

    // The rule that a server is to follow.
    virtual FsDevices other_devices() const = 0;

    virtual FsResult<struct stat> attributes(const FsPath& path) = 0;
    virtual FsResult<> change(const FsPath& path, const FsChanges& changes) = 0;
    virtual FsResult<struct statfs> file_system(const FsPath& path) = 0;

    // `flags` as open(2) has them: the access mode, O_TRUNC, O_APPEND, O_SYNC, O_DSYNC and O_DIRECTORY; others are left out. Regular
    // files and folders alone can be opened (others: ENXIO).
    virtual FsResult<std::unique_ptr<FsFile>> open(const FsPath& path, int flags) = 0;
    // A regular file. One that is there is opened; with O_EXCL it is EEXIST.
    virtual FsResult<std::unique_ptr<FsFile>> create(const FsPath& path, int flags, uint32_t mode,
                                                     FsOwner owner) = 0;
    virtual FsResult<> make_folder(const FsPath& path, uint32_t mode, FsOwner owner) = 0;
    // `mode` with the file's kind; `device` is a device's number.
    virtual FsResult<> make_node(const FsPath& path, uint32_t mode, dev_t device, FsOwner owner) = 0;
    virtual FsResult<> make_symlink(const FsPath& path, const std::string& target, FsOwner owner) = 0;
    virtual FsResult<> link(const FsPath& existing, const FsPath& path) = 0;
    virtual FsResult<> rename(const FsPath& from, const FsPath& to) = 0;
    virtual FsResult<> remove_file(const FsPath& path) = 0;
    virtual FsResult<> remove_folder(const FsPath& path) = 0;
    virtual FsResult<std::string> read_symlink(const FsPath& path) = 0;

    // Extended attributes: setxattr(2) and its like. A list has a 0 behind each name.
    virtual FsResult<std::vector<uint8_t>> xattr(const FsPath& path, const std::string& name) = 0;
    virtual FsResult<std::vector<uint8_t>> xattr_list(const FsPath& path) = 0;
    virtual FsResult<> set_xattr(const FsPath& path, const std::string& name, std::span<const uint8_t> value,
                                 int flags) = 0;
    virtual FsResult<> remove_xattr(const FsPath& path, const std::string& name) = 0;
};

}  // namespace weft::backend
