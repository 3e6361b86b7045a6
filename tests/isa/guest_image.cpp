#include "tests/isa/guest_image.h"

#include <elf.h>

#include <cstring>

#include "tests/isa/program_format.h"

namespace weft::isa_test {
namespace {

Elf64_Phdr segment(uint64_t address, uint64_t offset, uint64_t size) {
    Elf64_Phdr header{};
    header.p_type = PT_LOAD;
    header.p_flags = PF_R | PF_W | PF_X;
    header.p_offset = offset;
    header.p_vaddr = header.p_paddr = address;
    header.p_filesz = header.p_memsz = size;
    header.p_align = 8;
    return header;
}

}  // namespace

std::string make_image(const std::string& runtime, const std::string& program) {
    constexpr uint64_t kHeaders = 256;
    const uint64_t program_offset = (kHeaders + runtime.size() + 7) & ~uint64_t{7};
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_EXEC;
    header.e_machine = EM_RISCV;
    header.e_version = EV_CURRENT;
    header.e_entry = isa::kRamBase;
    header.e_phoff = sizeof header;
    header.e_flags = EF_RISCV_RVC;
    header.e_ehsize = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = program.empty() ? 1 : 2;

    std::string bytes;
    append(&bytes, header);
    append(&bytes, segment(isa::kRamBase, kHeaders, runtime.size()));
    append(&bytes, segment(isa::kProgramBase, program_offset, program.size()));
    bytes.resize(kHeaders);
    bytes += runtime;
    bytes.resize(program_offset);
    bytes += program;
    return bytes;
}

}  // namespace weft::isa_test
