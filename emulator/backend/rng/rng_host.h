// Random bytes of the host: the kernel's own, or those of a file that the user names.
#pragma once

#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "emulator/backend/rng/rng_backend.h"

namespace weft::backend {

// getrandom(2): needs no file, and so also works in a chroot (rng-builtin).
class RngKernel final : public RngBackend {
  public:
    Result<size_t> fill(std::span<uint8_t> data) override;
};

// A device such as /dev/urandom or /dev/hwrng, a pipe, or a file, which comes to an end (rng-random).
class RngFile final : public RngBackend {
  public:
    static Result<std::unique_ptr<RngFile>> open(const std::string& path);

    Result<size_t> fill(std::span<uint8_t> data) override;

  private:
    RngFile(std::string path, UniqueFd fd, bool ends)
        : path_(std::move(path)), fd_(std::move(fd)), ends_(ends) {}

    const std::string path_;
    const UniqueFd fd_;
    const bool ends_;  // a regular file; of others, reading nothing means that nobody writes now
};

}  // namespace weft::backend
