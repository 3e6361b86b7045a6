// A tree of files in memory, behind a file server that is fuzzed. It demands of each path what backend/fs/fs_backend.h says of them.
#pragma once

#include <fcntl.h>
#include <sys/xattr.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/assert.h"
#include "emulator/backend/fs/fs_backend.h"

namespace weft::test {

class MemoryTree final : public backend::FsBackend {
  public:
    template <class T = void>
    using Result = backend::FsResult<T>;
    using Path = backend::FsPath;

    static constexpr uint64_t kMaxFile = 1 << 16;

    struct Node {
        struct stat facts{};
        std::string data;  // a link's target, too
        std::map<std::string, std::vector<uint8_t>> xattrs;
    };

    MemoryTree() { nodes_[""] = make(S_IFDIR | 0755, {0, 0}); }

    backend::FsDevices other_devices() const override { return backend::FsDevices::remap; }
    Result<struct stat> attributes(const Path& path) override {
        const auto node = find(path);
        return node ? Result<struct stat>((*node)->facts) : std::unexpected(node.error());
    }
    Result<> change(const Path& path, const backend::FsChanges& changes) override {
        const auto node = find(path);
        return node ? change_node(**node, changes) : std::unexpected(node.error());
    }
    Result<struct statfs> file_system(const Path& path) override {
        const auto node = find(path);
        return node ? Result<struct statfs>({}) : std::unexpected(node.error());
    }
    Result<std::unique_ptr<backend::FsFile>> open(const Path& path, int flags) override {
        const auto node = find(path);
        if (!node) {
            return std::unexpected(node.error());
        }
        if (!S_ISREG((*node)->facts.st_mode) && !S_ISDIR((*node)->facts.st_mode)) {
            return std::unexpected(ENXIO);
        }
        if ((flags & O_TRUNC) != 0) {
            (*node)->data.clear();
        }
        return std::make_unique<File>(*this, *node, path.text());
    }
    Result<std::unique_ptr<backend::FsFile>> create(const Path& path, int flags, uint32_t mode,
                                                    backend::FsOwner owner) override {
        if (find(path) && (flags & O_EXCL) == 0) {
            return open(path, flags);
        }
        const Result<> added = add(path, S_IFREG | (mode & 07777), owner, {});
        return added ? open(path, 0) : std::unexpected(added.error());
    }
    Result<> make_folder(const Path& path, uint32_t mode, backend::FsOwner owner) override {
        return add(path, S_IFDIR | (mode & 07777), owner, {});
    }
    Result<> make_node(const Path& path, uint32_t mode, dev_t, backend::FsOwner owner) override {
        return S_ISDIR(mode) ? std::unexpected(EINVAL) : add(path, mode, owner, {});
    }
    Result<> make_symlink(const Path& path, const std::string& target, backend::FsOwner owner) override {
        WEFT_ASSERT(!target.empty() && target.find('\0') == std::string::npos);
        return add(path, S_IFLNK | 0777, owner, target);
    }
    Result<> link(const Path& existing, const Path& path) override {
        const auto node = find(existing);
        if (!node || find(path)) {
            return std::unexpected(node ? EEXIST : node.error());
        }
        if (S_ISDIR((*node)->facts.st_mode) || !find(path.parent())) {
            return std::unexpected(EPERM);
        }
        nodes_[path.text()] = *node;
        return {};
    }
    Result<> rename(const Path& from, const Path& to) override {
        if (!find(from) || from.is_root() || to.is_root() || to.moved(from, from) || !find(to.parent())) {
            return std::unexpected(EINVAL);
        }
        std::map<std::string, std::shared_ptr<Node>> moved;
        for (auto at = nodes_.begin(); at != nodes_.end();) {
            const std::string& name = at->first;
            const bool below = name == from.text() || name.starts_with(from.text() + "/");
            if (below) {
                moved[to.text() + name.substr(from.text().size())] = at->second;
            }
            at = below ? nodes_.erase(at) : std::next(at);
        }
        remove_below(to.text());
        nodes_.merge(moved);
        return {};
    }
    Result<> remove_file(const Path& path) override { return remove(path, false); }
    Result<> remove_folder(const Path& path) override { return remove(path, true); }
    Result<std::string> read_symlink(const Path& path) override {
        const auto node = find(path);
        if (!node || !S_ISLNK((*node)->facts.st_mode)) {
            return std::unexpected(node ? EINVAL : node.error());
        }
        return (*node)->data;
    }
    Result<std::vector<uint8_t>> xattr(const Path& path, const std::string& name) override {
        const auto node = find(path);
        if (!node || !(*node)->xattrs.contains(name)) {
            return std::unexpected(node ? ENODATA : node.error());
        }
        return (*node)->xattrs[name];
    }
    Result<std::vector<uint8_t>> xattr_list(const Path& path) override {
        const auto node = find(path);
        if (!node) {
            return std::unexpected(node.error());
        }
        std::vector<uint8_t> names;
        for (const auto& [name, value] : (*node)->xattrs) {
            names.insert(names.end(), name.c_str(), name.c_str() + name.size() + 1);
        }
        return names;
    }
    Result<> set_xattr(const Path& path, const std::string& name, std::span<const uint8_t> value,
                       int flags) override {
        WEFT_ASSERT(!name.empty() && name.find('\0') == std::string::npos);
        WEFT_ASSERT((flags & ~(XATTR_CREATE | XATTR_REPLACE)) == 0 && value.size() <= 65536);
        const auto node = find(path);
        if (!node) {
            return std::unexpected(node.error());
        }
        (*node)->xattrs[name] = {value.begin(), value.end()};
        return {};
    }
    Result<> remove_xattr(const Path& path, const std::string& name) override {
        const auto node = find(path);
        if (!node || (*node)->xattrs.erase(name) == 0) {
            return std::unexpected(node ? ENODATA : node.error());
        }
        return {};
    }

  private:
    class File final : public backend::FsFile {
      public:
        File(MemoryTree& tree, std::shared_ptr<Node> node, std::string path)
            : tree_(tree), node_(std::move(node)), path_(std::move(path)) {}
        Result<size_t> read(uint64_t offset, std::span<uint8_t> data) override {
            const std::string& bytes = node_->data;
            const size_t from = std::min<uint64_t>(offset, bytes.size());
            const size_t count = std::min(data.size(), bytes.size() - from);
            std::memcpy(data.data(), bytes.data() + from, count);
            return count;
        }
        Result<size_t> write(uint64_t offset, std::span<const uint8_t> data) override {
            if (offset > kMaxFile || data.size() > kMaxFile - offset || S_ISDIR(node_->facts.st_mode)) {
                return std::unexpected(EFBIG);
            }
            node_->data.resize(std::max<size_t>(node_->data.size(), offset + data.size()));
            std::ranges::copy(data, node_->data.begin() + static_cast<ptrdiff_t>(offset));
            return data.size();
        }
        Result<> sync(bool) override { return {}; }
        Result<struct stat> attributes() override { return node_->facts; }
        Result<> change(const backend::FsChanges& changes) override { return change_node(*node_, changes); }
        Result<> seek_entry(uint64_t position) override {
            position_ = position;
            return S_ISDIR(node_->facts.st_mode) ? Result<>() : std::unexpected(ENOTDIR);
        }
        Result<std::optional<backend::FsEntry>> next_entry() override {
            const std::string start = path_.empty() ? "" : path_ + "/";
            uint64_t number = 0;
            for (const auto& [name, node] : tree_.nodes_) {
                const bool inside = name.size() > start.size() && name.starts_with(start) &&
                                    name.find('/', start.size()) == std::string::npos;
                if (inside && number++ == position_) {
                    ++position_;
                    return backend::FsEntry{name.substr(start.size()), node->facts.st_ino, 0, position_};
                }
            }
            return std::nullopt;
        }

      private:
        MemoryTree& tree_;
        const std::shared_ptr<Node> node_;
        const std::string path_;
        uint64_t position_ = 0;
    };

    static Result<> change_node(Node& node, const backend::FsChanges& changes) {
        WEFT_ASSERT(!changes.mode || *changes.mode <= 07777);
        for (const timespec& time : {changes.accessed, changes.modified}) {
            WEFT_ASSERT(time.tv_nsec == UTIME_NOW || time.tv_nsec == UTIME_OMIT ||
                        (time.tv_nsec >= 0 && time.tv_nsec < 1'000'000'000));
        }
        if (changes.size && *changes.size > kMaxFile) {
            return std::unexpected(EFBIG);
        }
        if (changes.size) {
            node.data.resize(*changes.size);
        }
        return {};
    }

    std::shared_ptr<Node> make(uint32_t mode, backend::FsOwner owner) {
        auto node = std::make_shared<Node>();
        node->facts.st_mode = mode;
        node->facts.st_uid = owner.uid;
        node->facts.st_gid = owner.gid;
        // Of several file systems, with large numbers among them.
        node->facts.st_dev = next_inode_ % 3;
        node->facts.st_ino = next_inode_ % 5 == 0 ? next_inode_ << 44 : next_inode_;
        ++next_inode_;
        return node;
    }
    Result<std::shared_ptr<Node>> find(const Path& path) {
        const std::string& text = path.text();
        for (size_t at = 0; !text.empty() && at <= text.size();) {
            const size_t end = std::min(text.find('/', at), text.size());
            WEFT_ASSERT(backend::FsName::make(text.substr(at, end - at)));
            at = end + 1;
        }
        const auto found = nodes_.find(text);
        return found != nodes_.end() ? Result<std::shared_ptr<Node>>(found->second) : std::unexpected(ENOENT);
    }
    Result<> add(const Path& path, uint32_t mode, backend::FsOwner owner, const std::string& data) {
        const auto parent = find(path.parent());
        if (!parent || !S_ISDIR((*parent)->facts.st_mode)) {
            return std::unexpected(ENOTDIR);
        }
        if (find(path)) {
            return std::unexpected(EEXIST);
        }
        auto node = make(mode, owner);
        node->data = data;
        nodes_[path.text()] = node;
        return {};
    }
    Result<> remove(const Path& path, bool folder) {
        const auto node = find(path);
        if (!node || path.is_root() || S_ISDIR((*node)->facts.st_mode) != folder) {
            return std::unexpected(node ? EPERM : node.error());
        }
        remove_below(path.text());
        return {};
    }
    void remove_below(const std::string& path) {
        std::erase_if(nodes_, [&](const auto& node) {
            return node.first == path || node.first.starts_with(path + "/");
        });
    }

    std::map<std::string, std::shared_ptr<Node>> nodes_;
    uint64_t next_inode_ = 1;
};

}  // namespace weft::test
