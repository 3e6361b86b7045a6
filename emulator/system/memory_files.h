// What the board's RAM lies in, opened: -object memory-backend-*, -mem-path.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "emulator/memory/ram_backing.h"
#include "emulator/system/options.h"

namespace weft::sys {

// Outlives the making of the board, which maps what is here. The main thread.
class MemoryFiles {
  public:
    // Files that are not there are made, with their size, and empty ones get it; those that have bytes are large enough, or that is an
    // error. In a folder a temporary file is made, which has no name.
    static Result<MemoryFiles> open(const Options& options);
    // Takes files that were made away again, unless they are kept.
    ~MemoryFiles();
    MemoryFiles(MemoryFiles&&) = default;
    MemoryFiles& operator=(MemoryFiles&&) = delete;

    // There is a machine that has its RAM in them.
    void keep() { made_.clear(); }

    // In the order of Options::memory.
    const std::vector<mem::RamBacking>& backings() const { return backings_; }

  private:
    MemoryFiles() = default;
    Result<UniqueFd> open_path(const std::string& path);
    Result<UniqueFd> open_file(const MemoryChoice& memory);
    Result<UniqueFd> open_memory(const MemoryChoice& memory);

    std::vector<UniqueFd> files_;
    std::vector<mem::RamBacking> backings_;
    std::vector<std::string> made_;  // paths
};

}  // namespace weft::sys
