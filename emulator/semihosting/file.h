// What a handle of the guest's stands for.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/unique_fd.h"

namespace weft::semihosting {

// How an access went.
struct FileAccess {
    enum class Outcome : uint8_t {
        done,  // `count` bytes; 0 of a read: the end
        wait,  // nothing was done: there is nothing to read yet, or no room
        failed,
    };
    Outcome outcome = Outcome::done;
    size_t count = 0;
    int error = 0;  // failed: an errno
};

// Any thread; several may be within it, as with a descriptor of the host's. Nothing here blocks for longer than a disk does, so that
// the machine can be stopped at any time: what would is Outcome::wait, after a millisecond at most.
class File {
  public:
    virtual ~File() = default;

    virtual FileAccess read(std::span<uint8_t> bytes) = 0;
    virtual FileAccess write(std::span<const uint8_t> bytes) = 0;
    // From the start, or (from_here) from where it is. 0 or an errno.
    virtual int seek(int64_t offset, bool from_here) = 0;
    // In bytes; or an errno, negated.
    virtual int64_t length() = 0;
    // 0, or an errno that says why it is none.
    virtual int terminal() = 0;
};

// SYS_OPEN's mode (5.10), which is that of fopen(): 0 to 11, "r", "rb", "r+", "r+b", and the same with "w" and "a".
inline constexpr uint64_t kOpenModes = 12;

// A file of the host's, or one of the three that the emulator was given.
class HostFile final : public File {
  public:
    struct Opened {
        std::shared_ptr<File> file;  // null: `error`
        int error = 0;
    };
    // `mode` is below kOpenModes. Relative paths begin at the emulator's working folder.
    static Opened open(const std::string& path, uint64_t mode);
    // Standard input, output or error, which stays open.
    static std::shared_ptr<File> standard(int fd) { return std::make_shared<HostFile>(fd, UniqueFd()); }

    HostFile(int fd, UniqueFd owned);

    FileAccess read(std::span<uint8_t> bytes) override;
    FileAccess write(std::span<const uint8_t> bytes) override;
    int seek(int64_t offset, bool from_here) override;
    int64_t length() override;
    int terminal() override;

  private:
    bool ready(short events) const;

    const int fd_;
    const UniqueFd owned_;
    const bool regular_;  // accesses do not wait for another end
};

// ":semihosting-features" (chapter 4): bytes that say what there is. Can be read alone.
class FeaturesFile final : public File {
  public:
    FileAccess read(std::span<uint8_t> bytes) override;
    FileAccess write(std::span<const uint8_t> bytes) override;
    int seek(int64_t offset, bool from_here) override;
    int64_t length() override;
    int terminal() override;

  private:
    // One CPU at a time reads a byte; each moves on by what it took.
    std::atomic<size_t> position_{0};
};

}  // namespace weft::semihosting
