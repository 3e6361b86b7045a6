// The guest's mmap, munmap, mprotect and mremap: the answers of a RISC-V kernel, over the host's calls.
//
// Each function takes the guest's arguments as they are and returns what the guest gets. Any thread; it takes the map's lock, and
// returns when code that went is out of use. Rules M, U, P, R, E, G of docs/user-memory.md; mmap(2), mprotect(2), mremap(2), remap_file_pages(2).
#pragma once

#include "emulator/linux-user/memory/fragments.h"
#include "emulator/linux-user/memory/memory_core.h"

namespace weft::user {

// Flags of mmap that differ between architectures or that hosts' headers may lack, as riscv64 has them (asm-generic).
inline constexpr uint64_t kX86OnlyFlags = 0x40 | 0x80;  // MAP_32BIT, MAP_ABOVE4G: nothing on RISC-V

class Mapper {
  public:
    explicit Mapper(MemoryCore& core) : core_(core) {}

    // Protections and flags are words: the kernel looks at the upper half of some.
    SysResult map(uint64_t address, uint64_t length, uint64_t protection, uint64_t flags, int fd,
                  uint64_t offset);
    SysResult unmap(uint64_t address, uint64_t length);
    SysResult protect(uint64_t address, uint64_t length, uint64_t protection);
    // RISC-V has no keys: -1 or an error.
    SysResult protect_with_key(uint64_t address, uint64_t length, uint64_t protection, int key);
    SysResult allocate_key() const;
    SysResult remap(uint64_t address, uint64_t length, uint64_t new_length, uint64_t flags,
                    uint64_t new_address);
    // remap_file_pages(2): the shared mapping shows its file from `page` on, in pages of the guest's. Rule R14.
    SysResult remap_file_pages(uint64_t address, uint64_t length, uint64_t protection, uint64_t page,
                               uint64_t flags);

    // Takes [start, end) out of the map and gives its host pages back; the call's edit is `call`'s, and it is committed. What
    // munmap, brk and shmdt share. -EPERM for sealed intervals.
    static SysResult remove(MemoryCore& core, MemoryCore::Call& call, uint64_t start, uint64_t end);

  private:
    SysResult grow_host(const Attributes& attributes, uint64_t end, uint64_t new_end);
    SysResult grow_in_place(MemoryCore::Call& call, const Interval& whole, uint64_t end, uint64_t new_end);

    MemoryCore& core_;
};

}  // namespace weft::user
