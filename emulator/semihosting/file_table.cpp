#include "emulator/semihosting/file_table.h"

#include <utility>

namespace weft::semihosting {

std::optional<uint64_t> FileTable::add(std::shared_ptr<File> file) {
    MutexLock lock(mutex_);
    if (files_.size() == kMaxFiles) {
        return std::nullopt;
    }
    uint64_t handle = 1;
    while (files_.contains(handle)) {
        ++handle;
    }
    files_.emplace(handle, std::move(file));
    return handle;
}

std::shared_ptr<File> FileTable::find(uint64_t handle) {
    MutexLock lock(mutex_);
    const auto found = files_.find(handle);
    return found != files_.end() ? found->second : nullptr;
}

bool FileTable::remove(uint64_t handle) {
    std::shared_ptr<File> file;  // is closed without the lock
    MutexLock lock(mutex_);
    const auto found = files_.find(handle);
    if (found == files_.end()) {
        return false;
    }
    file = std::move(found->second);
    files_.erase(found);
    return true;
}

void FileTable::clear() {
    std::map<uint64_t, std::shared_ptr<File>> files;
    MutexLock lock(mutex_);
    files.swap(files_);
}

}  // namespace weft::semihosting
