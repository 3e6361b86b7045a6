// Makes the vDSO: an ELF shared object of one page, and the same as a C++ source.
//
//   make-vdso OBJECT SOURCE
//
// The host needs no compiler for RISC-V for it. Sections lie in the order of kSections; the whole file is one segment.
#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "base/assert.h"
#include "emulator/linux-user/loader/vdso/bytes.h"
#include "emulator/linux-user/loader/vdso/frames.h"
#include "emulator/linux-user/loader/vdso/functions.h"

using namespace weft::user::vdso;

namespace {

enum SectionId : unsigned {
    kNull,
    kHash,
    kSymbols,
    kStrings,
    kVersions,
    kDefinitions,
    kHeader,
    kFrames,
    kDynamic,
    kText,
    kNames
};

struct SectionDesc {
    const char* name;
    Elf64_Word type;
    Elf64_Xword flags;
    Elf64_Word link, info;
    Elf64_Xword alignment, entry_size;
};

// By SectionId.
constexpr auto kSections = std::to_array<SectionDesc>({
    {"", SHT_NULL, 0, 0, 0, 0, 0},
    {".hash", SHT_HASH, SHF_ALLOC, kSymbols, 0, 8, 4},
    {".dynsym", SHT_DYNSYM, SHF_ALLOC, kStrings, 1, 8, sizeof(Elf64_Sym)},
    {".dynstr", SHT_STRTAB, SHF_ALLOC, 0, 0, 1, 0},
    {".gnu.version", SHT_GNU_versym, SHF_ALLOC, kSymbols, 0, 2, 2},
    {".gnu.version_d", SHT_GNU_verdef, SHF_ALLOC, kStrings, 2, 8, 0},
    {".eh_frame_hdr", SHT_PROGBITS, SHF_ALLOC, 0, 0, 4, 0},
    {".eh_frame", SHT_PROGBITS, SHF_ALLOC, 0, 0, 8, 0},
    {".dynamic", SHT_DYNAMIC, SHF_ALLOC, kStrings, 0, 8, sizeof(Elf64_Dyn)},
    {".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0, 0, 16, 0},
    {".shstrtab", SHT_STRTAB, 0, 0, 0, 1, 0},
});

constexpr size_t kPage = 4096;
constexpr unsigned kSegments = 3;
constexpr uint16_t kOwnVersion = 2;  // 1 is the object's own name

// System V ABI, "Hash Table".
uint32_t elf_hash(std::string_view name) {
    uint32_t hash = 0;
    for (const char c : name) {
        hash = (hash << 4) + static_cast<unsigned char>(c);
        const uint32_t high = hash & 0xf0000000;
        hash = (hash ^ (high >> 24)) & ~high;
    }
    return hash;
}

struct Code {
    std::string bytes;
    std::vector<uint64_t> starts;  // by function, from the section's start
    std::vector<FrameRange> frames;
};

Code make_code() {
    Code code;
    for (const Function& function : kFunctions) {
        // Unwinders look up the byte before an address to return to: before rt_sigreturn there has to be code of its frame.
        const uint64_t frame = code.bytes.size();
        if (!function.returns) {
            append(code.bytes, no_operation());
        }
        code.starts.push_back(code.bytes.size());
        for (const uint32_t word : instructions(function)) {
            append(code.bytes, word);
        }
        code.frames.push_back({frame, code.bytes.size() - frame, !function.returns});
    }
    return code;
}

// A string table in the making.
struct Strings {
    std::string bytes = std::string(1, '\0');

    Elf64_Word add(std::string_view text) {
        const auto at = static_cast<Elf64_Word>(bytes.size());
        bytes += text;
        bytes += '\0';
        return at;
    }
};

std::string hash_table() {
    constexpr uint32_t kBuckets = 4;
    std::array<uint32_t, kBuckets> first{};
    std::array<uint32_t, kFunctions.size() + 1> next{};
    for (uint32_t symbol = 1; symbol <= kFunctions.size(); ++symbol) {
        uint32_t& bucket = first[elf_hash(kFunctions[symbol - 1].name) % kBuckets];
        next[symbol] = bucket;
        bucket = symbol;
    }
    std::string table;
    append(table, kBuckets);
    append(table, static_cast<uint32_t>(next.size()));
    append(table, first);
    append(table, next);
    return table;
}

// The versions: the object's name, and the functions' one.
std::string version_definitions(Elf64_Word own_name, Elf64_Word version) {
    std::string table;
    const auto add = [&table](uint16_t flags, uint16_t index, std::string_view name, Elf64_Word text,
                              bool last) {
        append(table, Elf64_Verdef{VER_DEF_CURRENT, flags, index, 1, elf_hash(name), sizeof(Elf64_Verdef),
                                   last ? 0u : Elf64_Word{sizeof(Elf64_Verdef) + sizeof(Elf64_Verdaux)}});
        append(table, Elf64_Verdaux{text, 0});
    };
    add(VER_FLG_BASE, 1, kName, own_name, false);
    add(0, kOwnVersion, kVersion, version, true);
    return table;
}

struct Image {
    std::string bytes;
    uint64_t rt_sigreturn = 0;
};

Image make_image() {
    std::array<std::string, kSections.size()> contents;
    std::array<uint64_t, kSections.size()> offsets{};
    const Code code = make_code();
    Strings strings, names;
    const Elf64_Word own_name = strings.add(kName);
    const Elf64_Word version = strings.add(kVersion);
    std::array<Elf64_Word, kFunctions.size()> function_names{};
    for (size_t i = 0; i < kFunctions.size(); ++i) {
        function_names[i] = strings.add(kFunctions[i].name);
    }
    std::array<Elf64_Word, kSections.size()> section_names{};
    for (size_t i = 1; i < kSections.size(); ++i) {
        section_names[i] = names.add(kSections[i].name);
    }

    // Twice: contents hold offsets, which follow from sizes, which do not change.
    const auto lay_out = [&] {
        uint64_t at = sizeof(Elf64_Ehdr) + kSegments * sizeof(Elf64_Phdr);
        for (size_t i = 1; i < kSections.size(); ++i) {
            at = (at + kSections[i].alignment - 1) / kSections[i].alignment * kSections[i].alignment;
            offsets[i] = at;
            at += contents[i].size();
        }
        return (at + 7) / 8 * 8;
    };
    uint64_t headers_at = 0;
    for (int pass = 0; pass < 2; ++pass) {
        contents[kHash] = hash_table();
        contents[kStrings] = strings.bytes;
        contents[kDefinitions] = version_definitions(own_name, version);
        contents[kText] = code.bytes;
        contents[kNames] = names.bytes;
        std::string symbols, versions;
        append(symbols, Elf64_Sym{});
        append(versions, uint16_t{0});
        for (size_t i = 0; i < kFunctions.size(); ++i) {
            const auto size = instructions(kFunctions[i]).size() * 4;
            append(symbols, Elf64_Sym{function_names[i], ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), STV_DEFAULT,
                                      kText, offsets[kText] + code.starts[i], size});
            append(versions, kOwnVersion);
        }
        contents[kSymbols] = symbols;
        contents[kVersions] = versions;
        std::vector<FrameRange> ranges = code.frames;
        for (FrameRange& range : ranges) {
            range.start += offsets[kText];
        }
        const FrameSections frames = frame_sections(ranges, offsets[kHeader], offsets[kFrames]);
        contents[kHeader] = frames.header;
        contents[kFrames] = frames.frames;
        std::string dynamic;
        for (const auto& [tag, value] :
             std::initializer_list<std::pair<Elf64_Sxword, Elf64_Xword>>{{DT_SONAME, own_name},
                                                                         {DT_HASH, offsets[kHash]},
                                                                         {DT_STRTAB, offsets[kStrings]},
                                                                         {DT_SYMTAB, offsets[kSymbols]},
                                                                         {DT_STRSZ, strings.bytes.size()},
                                                                         {DT_SYMENT, sizeof(Elf64_Sym)},
                                                                         {DT_VERSYM, offsets[kVersions]},
                                                                         {DT_VERDEF, offsets[kDefinitions]},
                                                                         {DT_VERDEFNUM, 2},
                                                                         {DT_NULL, 0}}) {
            append(dynamic, tag);
            append(dynamic, value);
        }
        contents[kDynamic] = dynamic;
        headers_at = lay_out();
    }

    Elf64_Ehdr header{};
    std::ranges::copy(std::string_view(ELFMAG, SELFMAG), header.e_ident);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_DYN;
    header.e_machine = EM_RISCV;
    header.e_version = EV_CURRENT;
    header.e_phoff = sizeof(Elf64_Ehdr);
    header.e_shoff = headers_at;
    header.e_ehsize = sizeof(Elf64_Ehdr);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = kSegments;
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = kSections.size();
    header.e_shstrndx = kNames;
    Image image;
    append(image.bytes, header);
    const uint64_t size = headers_at + kSections.size() * sizeof(Elf64_Shdr);
    append(image.bytes, Elf64_Phdr{PT_LOAD, PF_R | PF_X, 0, 0, 0, size, size, kPage});
    const auto part = [&](Elf64_Word type, SectionId id) {
        append(image.bytes, Elf64_Phdr{type, PF_R, offsets[id], offsets[id], offsets[id], contents[id].size(),
                                       contents[id].size(), kSections[id].alignment});
    };
    part(PT_DYNAMIC, kDynamic);
    part(PT_GNU_EH_FRAME, kHeader);
    for (size_t i = 1; i < kSections.size(); ++i) {
        image.bytes.resize(offsets[i]);
        image.bytes += contents[i];
    }
    pad(image.bytes, 8);
    for (size_t i = 0; i < kSections.size(); ++i) {
        const SectionDesc& section = kSections[i];
        const bool loaded = (section.flags & SHF_ALLOC) != 0;
        append(image.bytes, Elf64_Shdr{section_names[i], section.type, section.flags, loaded ? offsets[i] : 0,
                                       offsets[i], contents[i].size(), section.link, section.info,
                                       section.alignment, section.entry_size});
    }
    WEFT_ASSERT(image.bytes.size() == size && size <= kPage);
    image.rt_sigreturn = offsets[kText] + code.starts[0];
    return image;
}

std::string make_source(const Image& image) {
    std::string source =
        "// Made by make-vdso.\n#include \"emulator/linux-user/loader/vdso.h\"\n\nnamespace weft::user {\n\n"
        "static constexpr unsigned char kBytes[] = {";
    for (size_t i = 0; i < image.bytes.size(); ++i) {
        source +=
            fmt::format("{}{:#x},", i % 20 == 0 ? "\n" : "", static_cast<unsigned char>(image.bytes[i]));
    }
    return source + fmt::format(
                        "\n}};\n\nconst VdsoImage kVdsoImage{{std::as_bytes(std::span(kBytes)), {:#x}}};\n\n"
                        "}}  // namespace weft::user\n",
                        image.rt_sigreturn);
}

bool write(const char* path, const std::string& bytes) {
    std::ofstream file(path, std::ios::binary);
    file << bytes;
    file.close();
    return !file.fail();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        fmt::print(stderr, "usage: make-vdso OBJECT SOURCE\n");
        return 2;
    }
    const Image image = make_image();
    if (!write(argv[1], image.bytes) || !write(argv[2], make_source(image))) {
        fmt::print(stderr, "make-vdso: cannot write\n");
        return 1;
    }
    return 0;
}
