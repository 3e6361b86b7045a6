// Files without a name, for what does not outlast the program.
#pragma once

#include <cstdint>
#include <span>

#include "base/error.h"
#include "base/unique_fd.h"

namespace weft::backend {

class TemporaryFile {
  public:
    // In the folder of temporary files: TMPDIR, else /var/tmp.
    static Result<TemporaryFile> create();

    // All of the bytes, which were written before.
    Result<> read(uint64_t offset, std::span<uint8_t> data) const;
    Result<> write(uint64_t offset, std::span<const uint8_t> data) const;

  private:
    explicit TemporaryFile(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

}  // namespace weft::backend
