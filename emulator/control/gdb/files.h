// The target's files as the debugger reads them ("Host I/O Packets"): programs and libraries, whose symbols it wants.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <string>

#include "base/unique_fd.h"

namespace weft::control::gdb {

// Numbers of the protocol's own ("Errno Values", "struct stat"). Results are values or an errno of the host's.
class Files {
  public:
    template <class T>
    using Outcome = std::expected<T, int>;

    struct Status {
        uint64_t device, inode, mode, links, owner, group, special_device, size, block_size, blocks;
        uint64_t accessed, modified, changed;  // seconds since 1970
    };

    virtual ~Files() = default;
    // To be read; `path` is the target's.
    virtual Outcome<uint64_t> open(const std::string& path) = 0;
    virtual Outcome<std::string> read(uint64_t file, size_t size, uint64_t offset) = 0;
    virtual Outcome<Status> status(uint64_t file) = 0;
    virtual Outcome<void> close(uint64_t file) = 0;
    // Where a symbolic link leads.
    virtual Outcome<std::string> link(const std::string& path) = 0;
};

// The host's, by names that `lookup` makes of the target's.
class HostFiles final : public Files {
  public:
    using Lookup = std::function<std::string(const std::string& path)>;
    explicit HostFiles(Lookup lookup) : lookup_(std::move(lookup)) {}

    Outcome<uint64_t> open(const std::string& path) override;
    Outcome<std::string> read(uint64_t file, size_t size, uint64_t offset) override;
    Outcome<Status> status(uint64_t file) override;
    Outcome<void> close(uint64_t file) override;
    Outcome<std::string> link(const std::string& path) override;

  private:
    static constexpr size_t kMostFiles = 256;

    const Lookup lookup_;
    std::map<uint64_t, UniqueFd> open_;
    uint64_t next_ = 3;
};

}  // namespace weft::control::gdb
