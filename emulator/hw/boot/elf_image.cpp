#include "emulator/hw/boot/elf_image.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace weft::hw {

namespace {

Result<> check_header(std::span<const uint8_t> bytes) {
    if (bytes.size() < sizeof(Elf64_Ehdr)) {
        return fail("ELF header is truncated");
    }
    const auto header = read_field<Elf64_Ehdr>(bytes, 0);
    if (header.e_ident[EI_CLASS] != ELFCLASS64) {
        return fail("not a 64-bit ELF file");
    }
    if (header.e_ident[EI_DATA] != ELFDATA2LSB) {
        return fail("not a little-endian ELF file");
    }
    if (header.e_machine != EM_RISCV) {
        return fail(fmt::format("ELF file for machine {}, not for RISC-V ({})", header.e_machine, EM_RISCV));
    }
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN) {  // ET_DYN: position-independent executables
        return fail(fmt::format("ELF file of type {} is not an executable", header.e_type));
    }
    if (header.e_phnum != 0 && header.e_phentsize != sizeof(Elf64_Phdr)) {
        return fail(fmt::format("ELF program headers of {} bytes", header.e_phentsize));
    }
    if (!lies_within(header.e_phoff, uint64_t{header.e_phnum} * sizeof(Elf64_Phdr), bytes.size())) {
        return fail("ELF program headers lie outside the file");
    }
    return {};
}

}  // namespace

bool is_elf(std::span<const uint8_t> bytes) { return has_text(bytes, 0, std::string_view(ELFMAG, SELFMAG)); }

Result<LoadedImage> load_elf(const BootFile& file) {
    const std::span<const uint8_t> bytes(file.bytes);
    if (!is_elf(bytes)) {
        return fail(fmt::format("{}: not an ELF file", file.name));
    }
    if (const auto checked = check_header(bytes); !checked) {
        return std::unexpected(checked.error().within(file.name));
    }
    const auto header = read_field<Elf64_Ehdr>(bytes, 0);
    LoadedImage image;
    image.entry = header.e_entry;
    image.low = UINT64_MAX;
    for (unsigned i = 0; i < header.e_phnum; ++i) {
        const auto segment =
            read_field<Elf64_Phdr>(bytes, static_cast<size_t>(header.e_phoff) + i * sizeof(Elf64_Phdr));
        if (segment.p_type != PT_LOAD || segment.p_memsz == 0) {
            continue;
        }
        if (!lies_within(segment.p_offset, segment.p_filesz, bytes.size())) {
            return fail(fmt::format("{}: ELF segment {} lies outside the file", file.name, i));
        }
        if (segment.p_filesz > segment.p_memsz || segment.p_paddr > UINT64_MAX - segment.p_memsz) {
            return fail(fmt::format("{}: ELF segment {} has impossible sizes", file.name, i));
        }
        image.segments.push_back(LoadSegment{
            segment.p_paddr, segment.p_memsz,
            file.bytes.part(static_cast<size_t>(segment.p_offset), static_cast<size_t>(segment.p_filesz))});
        image.low = std::min(image.low, segment.p_paddr);
        image.high = std::max(image.high, segment.p_paddr + segment.p_memsz);
    }
    if (image.segments.empty()) {
        return fail(fmt::format("{}: ELF file has nothing to load", file.name));
    }
    return image;
}

Result<LoadedImage> load_elf_from(const BootFile& file, uint64_t base) {
    auto image = load_elf(file);
    if (!image || image->low != 0 || read_field<Elf64_Ehdr>(file.bytes, 0).e_type != ET_DYN) {
        return image;
    }
    if (image->high > UINT64_MAX - base) {
        return fail(fmt::format("{}: ELF file of {:#x} bytes does not fit above {:#x}", file.name,
                                image->high, base));
    }
    for (LoadSegment& segment : image->segments) {
        segment.paddr += base;
    }
    image->low = base;
    image->high += base;
    image->entry += base;
    return image;
}

}  // namespace weft::hw
