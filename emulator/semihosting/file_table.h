// The guest's handles, and what they stand for.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "base/mutex.h"
#include "emulator/semihosting/file.h"

namespace weft::semihosting {

// Any thread.
class FileTable {
  public:
    // That may be open at a time: a guest that never closes does not use up the emulator's descriptors.
    static constexpr uint64_t kMaxFiles = 256;

    // The lowest handle that is free, from 1 on; nothing where all are in use.
    std::optional<uint64_t> add(std::shared_ptr<File> file) WEFT_EXCLUDES(mutex_);
    // Null: there is none. Stays usable where another CPU closes it meanwhile.
    std::shared_ptr<File> find(uint64_t handle) WEFT_EXCLUDES(mutex_);
    // Whether there was one.
    bool remove(uint64_t handle) WEFT_EXCLUDES(mutex_);
    void clear() WEFT_EXCLUDES(mutex_);

  private:
    Mutex mutex_;  // a leaf: files are accessed without it
    std::map<uint64_t, std::shared_ptr<File>> files_ WEFT_GUARDED_BY(mutex_);
};

}  // namespace weft::semihosting
