// Address spaces for the loader's tests.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "emulator/linux-user/loader/place.h"

namespace weft::user {

// Keeps account of what is taken, writes down each call, and fails where it is told to.
class RecordingMapper : public ImageMapper {
  public:
    int reserve(Range range) override;
    std::expected<uint64_t, int> reserve_anywhere(uint64_t size, uint64_t alignment,
                                                  uint64_t remainder) override;
    int map_file(Range range, uint64_t offset, unsigned prot) override;
    int map_anonymous(Range range, unsigned prot) override;
    int protect(Range range, unsigned prot) override;
    int zero(Range range) override;
    void release(Range range) override;

    std::vector<std::string> calls;      // "file 10000-12000 @0 r-x"
    std::map<uint64_t, uint64_t> taken;  // start: end, apart from each other
    int fail_at = -1;                    // the call, counted from 0, that fails with ENOMEM
    uint64_t top = uint64_t{1} << 32;    // reserve_anywhere() goes below it

  protected:
    // Writes the call down; whether it fails.
    bool note(std::string call);
    bool is_free(Range range) const;
    bool is_taken(Range range) const;
};

// The same with memory behind it: guest address 0 is at base().
class HostMapper final : public RecordingMapper {
  public:
    explicit HostMapper(const std::string& file);
    ~HostMapper() override;
    HostMapper(const HostMapper&) = delete;
    HostMapper& operator=(const HostMapper&) = delete;

    int map_file(Range range, uint64_t offset, unsigned prot) override;
    int map_anonymous(Range range, unsigned prot) override;
    int protect(Range range, unsigned prot) override;
    int zero(Range range) override;
    void release(Range range) override;

    const char* at(uint64_t address) const { return base_ + address; }
    // Protection of the host's page as the host has it: "r--", of /proc/self/maps.
    std::string host_protection(uint64_t address) const;

    // The end of its space.
    static constexpr uint64_t kSize = uint64_t{1} << 32;

  private:
    char* base_;
    UniqueFd file_;
    UniqueFd zeros_;
};

std::string protection_text(unsigned prot);

}  // namespace weft::user
