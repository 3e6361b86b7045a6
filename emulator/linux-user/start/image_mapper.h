// A loader's view of a process's memory: ImageMapper by the guest's own memory calls.
#pragma once

#include "emulator/linux-user/loader/place.h"
#include "emulator/linux-user/memory/mapper.h"
#include "emulator/linux-user/syscall/guest_memory.h"

namespace weft::user {

class ProcessImageMapper final : public ImageMapper {
  public:
    // `fd` is the image's file. All outlive the mapper.
    ProcessImageMapper(Mapper& mapper, GuestMemory& memory, int fd)
        : mapper_(mapper), memory_(memory), fd_(fd) {}

    int reserve(Range range) override;
    std::expected<uint64_t, int> reserve_anywhere(uint64_t size, uint64_t alignment,
                                                  uint64_t remainder) override;
    int map_file(Range range, uint64_t offset, unsigned prot) override;
    int map_anonymous(Range range, unsigned prot) override;
    int protect(Range range, unsigned prot) override;
    int zero(Range range) override;
    void release(Range range) override;

  private:
    Mapper& mapper_;
    GuestMemory& memory_;
    const int fd_;
};

}  // namespace weft::user
