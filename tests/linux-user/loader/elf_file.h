// ELF files that tests write field by field.
#pragma once

#include <elf.h>

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "emulator/linux-user/loader/image.h"

namespace weft::user {

// A file that is in memory. Its bytes may be changed between reads; reads from `broken_from` on fail with EIO.
class BytesInMemory final : public FileBytes {
  public:
    explicit BytesInMemory(std::string bytes, uint64_t broken_from = UINT64_MAX)
        : bytes_(std::move(bytes)), broken_from_(broken_from) {}
    std::expected<size_t, int> read_at(uint64_t offset, std::span<std::byte> out) const override;

  private:
    std::string bytes_;
    uint64_t broken_from_;
};

// An executable in the making: headers first, then what the segments hold.
struct ElfFile {
    Elf64_Ehdr header{};
    std::vector<Elf64_Phdr> program;
    std::map<uint64_t, std::string> contents;  // by offset; over the headers if they meet

    // An executable of the given type without segments.
    explicit ElfFile(uint16_t type);
    Elf64_Phdr& add(uint32_t type, uint32_t flags, uint64_t offset, uint64_t vaddr, uint64_t file_size,
                    uint64_t memory_size);
    // The file; e_phnum as `header` says if it is not 0, else as many as there are.
    std::string bytes() const;
};

}  // namespace weft::user
