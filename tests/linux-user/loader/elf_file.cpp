#include "elf_file.h"

#include <algorithm>
#include <cerrno>

namespace weft::user {

std::expected<size_t, int> BytesInMemory::read_at(uint64_t offset, std::span<std::byte> out) const {
    if (offset > INT64_MAX) {
        return std::unexpected(EINVAL);
    }
    if (offset >= broken_from_) {
        return std::unexpected(EIO);
    }
    if (offset >= bytes_.size()) {
        return 0;
    }
    const size_t count = std::min<uint64_t>(out.size(), bytes_.size() - offset);
    std::memcpy(out.data(), bytes_.data() + offset, count);
    return count;
}

ElfFile::ElfFile(uint16_t type) {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = type;
    header.e_machine = EM_RISCV;
    header.e_version = EV_CURRENT;
    header.e_phoff = sizeof(Elf64_Ehdr);
    header.e_ehsize = sizeof(Elf64_Ehdr);
    header.e_phentsize = sizeof(Elf64_Phdr);
}

Elf64_Phdr& ElfFile::add(uint32_t type, uint32_t flags, uint64_t offset, uint64_t vaddr, uint64_t file_size,
                         uint64_t memory_size) {
    program.push_back({type, flags, offset, vaddr, vaddr, file_size, memory_size, kGuestPageSize});
    return program.back();
}

std::string ElfFile::bytes() const {
    Elf64_Ehdr written = header;
    if (written.e_phnum == 0) {
        written.e_phnum = static_cast<Elf64_Half>(program.size());
    }
    std::string file(sizeof(written), '\0');
    std::memcpy(file.data(), &written, sizeof(written));
    const auto put = [&file](uint64_t offset, const void* data, size_t size) {
        file.resize(std::max<size_t>(file.size(), offset + size));
        std::memcpy(file.data() + offset, data, size);
    };
    // Where a hostile e_phoff points elsewhere, the headers are where they would be.
    put(sizeof(written), program.data(), program.size() * sizeof(Elf64_Phdr));
    for (const auto& [offset, text] : contents) {
        put(offset, text.data(), text.size());
    }
    return file;
}

}  // namespace weft::user
