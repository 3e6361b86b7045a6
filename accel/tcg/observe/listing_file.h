// A file that tells a profiler of generated code. It is named after the process, so that two machines in one process
// share it: the first one makes or empties it, and records are appended, each by one write.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/unique_fd.h"

namespace weft::accel {

class ListingFile {
  public:
    // Links are not followed: `path` may lie in a folder that everybody may write to.
    static Result<ListingFile> open(std::string path);

    const std::string& path() const { return path_; }
    int fd() const { return fd_.get(); }
    // Whether it was empty, and nobody else had it open.
    bool first() const { return first_; }
    // Appends. False where that is not possible. Any thread.
    bool write(std::string_view record) const;

  private:
    ListingFile(std::string path, UniqueFd fd, bool first)
        : path_(std::move(path)), fd_(std::move(fd)), first_(first) {}

    std::string path_;
    UniqueFd fd_;  // holds a shared flock() on the file: says that it is in use
    bool first_;
};

}  // namespace weft::accel
