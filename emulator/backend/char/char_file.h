// A serial line into a file.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "base/mutex.h"
#include "base/unique_fd.h"
#include "emulator/backend/char/char_backend.h"

namespace weft::backend {

class CharFile final : public CharBackend {
  public:
    // Makes the file, or empties it unless `append` says to write after what it holds.
    static Result<std::unique_ptr<CharFile>> open(const std::string& path, bool append = false);

    // Straight into the file. The first failure is told as a warning; nothing is written after it.
    void write(std::span<const uint8_t> data) override;
    // A file is always there.
    void set_receiver(Receiver* receiver) override {
        if (receiver != nullptr) {
            receiver->opened();
        }
    }
    void accept_input() override {}

  private:
    CharFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

    const std::string path_;
    const UniqueFd fd_;
    Mutex mutex_;  // a leaf
    bool failed_ WEFT_GUARDED_BY(mutex_) = false;
};

}  // namespace weft::backend
