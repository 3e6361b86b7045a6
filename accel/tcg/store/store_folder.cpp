#include "accel/tcg/store/store_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::accel {

namespace {

constexpr std::string_view kPrefix = "weft-tbs-";
// That stay: a few builds and settings side by side.
constexpr size_t kMostFiles = 8;

struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
};

}  // namespace

std::optional<std::string> not_ours(const struct stat& status) {
    if (status.st_uid != ::geteuid()) {
        return "it is another user's";
    }
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return "others may write to it";
    }
    return std::nullopt;
}

Result<UniqueFd> open_store_folder(const std::string& path, StoreFolder kind) {
    if (kind == StoreFolder::make && ::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
        return fail_errno(path);
    }
    UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat status{};
    if (!folder || ::fstat(folder.get(), &status) != 0) {
        return fail_errno(path);
    }
    if (const auto reason = not_ours(status)) {
        return fail(fmt::format("{}: {}", path, *reason));
    }
    return folder;
}

std::string store_name(uint64_t identity) { return fmt::format("{}{:016x}", kPrefix, identity); }

std::string old_store_name(const std::string& name) { return name + ".old"; }

void remove_unused_stores(int folder) {
    // Read by a descriptor of its own, which closedir() closes.
    UniqueFd again(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const std::unique_ptr<DIR, CloseFolder> entries(again ? ::fdopendir(again.get()) : nullptr);
    if (entries == nullptr) {
        return;
    }
    again.release();
    std::vector<std::pair<int64_t, std::string>> files;
    while (const dirent* entry = ::readdir(entries.get())) {
        struct stat status{};
        if (std::string_view(entry->d_name).starts_with(kPrefix) &&
            ::fstatat(folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode)) {
            files.emplace_back(status.st_mtim.tv_sec, entry->d_name);
        }
    }
    std::ranges::sort(files, std::greater<>());
    for (size_t i = kMostFiles; i < files.size(); ++i) {
        ::unlinkat(folder, files[i].second.c_str(), 0);
    }
}

}  // namespace weft::accel
