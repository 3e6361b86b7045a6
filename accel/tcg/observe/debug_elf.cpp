#include "accel/tcg/observe/debug_elf.h"

#include <elf.h>

#include <bit>
#include <cstring>
#include <string_view>

namespace weft::accel {

namespace {

using tcg::FrameRow;
using tcg::RuntimeMap;

constexpr uint8_t kLittleOrBig = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;

// Appends values as they lie in this process's memory: the debugger reads them from there.
class Bytes {
  public:
    template <class T>
    void put(const T& value) {
        text_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    }
    void u8(uint8_t value) { put(value); }
    void u32(uint32_t value) { put(value); }
    void u64(uint64_t value) { put(value); }
    void uleb(uint64_t value) {
        do {
            const auto low = static_cast<uint8_t>(value & 0x7f);
            value >>= 7;
            u8(value != 0 ? low | 0x80 : low);
        } while (value != 0);
    }
    void sleb(int64_t value) {
        bool more = true;
        while (more) {
            const auto low = static_cast<uint8_t>(value & 0x7f);
            value >>= 7;
            more = value != ((low & 0x40) != 0 ? -1 : 0);
            u8(more ? low | 0x80 : low);
        }
    }
    void fill(size_t alignment, uint8_t with) {
        while (text_.size() % alignment != 0) {
            u8(with);
        }
    }
    void append(std::string_view bytes) { text_.append(bytes); }
    size_t size() const { return text_.size(); }
    std::string& text() { return text_; }

  private:
    std::string text_;
};

// ---- .debug_frame ----

// DWARF 5, 7.24: call frame instructions.
enum Cfa : uint8_t {
    kNop = 0x00,
    kAdvanceLoc4 = 0x04,
    kRestoreExtended = 0x06,
    kOffset = 0x80,  // with the register in the low six bits
    kDefCfa = 0x0c,
    kDefCfaExpression = 0x0f,
    kDefCfaOffset = 0x0e,
};
// DWARF 5, 7.7.1: operations.
enum Operation : uint8_t {
    kDeref = 0x06,
    kPlusUconst = 0x23,
    kBreg0 = 0x70,  // and so on, one a register
};
constexpr uint64_t kWord = 8;
constexpr uint8_t kMinusWord = 0x78;  // -8 in signed LEB128: the data alignment factor

// An entry with its length in front, filled up to a whole number of words.
void add_entry(Bytes& section, Bytes& entry) {
    while ((entry.size() + 4) % kWord != 0) {
        entry.u8(kNop);
    }
    section.u32(static_cast<uint32_t>(entry.size()));
    section.append(entry.text());
}

void cfa_rule(Bytes& out, const RuntimeMap& map, const FrameRow& row, bool by_state_before) {
    if (row.by_state) {
        Bytes expression;
        expression.u8(kBreg0 + map.state_register);
        expression.sleb(map.frame_word);
        expression.u8(kDeref);
        expression.u8(kPlusUconst);
        expression.uleb(row.cfa_offset);
        out.u8(kDefCfaExpression);
        out.uleb(expression.size());
        out.append(expression.text());
    } else if (by_state_before) {
        out.u8(kDefCfa);
        out.uleb(map.stack_register);
        out.uleb(row.cfa_offset);
    } else {
        out.u8(kDefCfaOffset);
        out.uleb(row.cfa_offset);
    }
}

void rules(Bytes& out, const RuntimeMap& map, const FrameRow& row, uint32_t saved_before,
           bool by_state_before) {
    cfa_rule(out, map, row, by_state_before);
    for (uint32_t i = 0; i < map.saved_registers.size(); ++i) {
        if (i < row.saved && i >= saved_before) {
            out.u8(kOffset | map.saved_registers[i]);
            out.uleb(i + 2);  // words below the CFA; the return address is the first
        } else if (i >= row.saved && i < saved_before) {
            out.u8(kRestoreExtended);
            out.uleb(map.saved_registers[i]);
        }
    }
}

std::string debug_frame(const RuntimeMap& map, uint64_t start, uint64_t size) {
    Bytes section;
    Bytes cie;
    cie.u32(0xffffffff);  // CIE_id
    cie.u8(1);            // version
    cie.u8(0);            // augmentation: none
    cie.uleb(1);          // code alignment factor
    cie.u8(kMinusWord);
    cie.u8(map.return_register);
    cie.u8(kDefCfa);
    cie.uleb(map.stack_register);
    cie.uleb(kWord);
    cie.u8(kOffset | map.return_register);
    cie.uleb(1);
    add_entry(section, cie);

    Bytes runtime;
    runtime.u32(0);  // the CIE's place in the section
    runtime.u64(start);
    runtime.u64(map.runtime_size);
    uint32_t at = 0;
    uint32_t saved = 0;
    bool by_state = false;
    for (const FrameRow& row : map.runtime) {
        if (row.offset != at) {
            runtime.u8(kAdvanceLoc4);
            runtime.u32(row.offset - at);
            at = row.offset;
        }
        rules(runtime, map, row, saved, by_state);
        saved = row.saved;
        by_state = row.by_state;
    }
    add_entry(section, runtime);

    Bytes units;
    units.u32(0);
    units.u64(start + map.runtime_size);
    units.u64(size - map.runtime_size);
    rules(units, map, map.units, 0, false);
    add_entry(section, units);
    return section.text();
}

// ---- the file ----

class Strings {
  public:
    uint32_t add(std::string_view name) {
        const auto where = static_cast<uint32_t>(text_.size());
        text_.append(name);
        text_ += '\0';
        return where;
    }
    const std::string& text() const { return text_; }

  private:
    std::string text_ = std::string(1, '\0');
};

enum Section : uint16_t { kNull, kText, kFrame, kSymbols, kNames, kSectionNames, kSectionCount };

}  // namespace

std::string make_debug_elf(const RuntimeMap& map, uint64_t start, uint64_t size) {
    Strings names;
    Bytes symbols;
    symbols.put(Elf64_Sym{});
    const auto add_symbol = [&](std::string_view name, uint64_t offset, uint64_t bytes) {
        Elf64_Sym symbol{};
        symbol.st_name = names.add(name);
        symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
        symbol.st_shndx = kText;
        symbol.st_value = start + offset;
        symbol.st_size = bytes;
        symbols.put(symbol);
    };
    for (const tcg::RuntimeSymbol& symbol : map.symbols) {
        add_symbol(symbol.name, symbol.offset, symbol.size);
    }
    add_symbol("weft_generated_code", map.runtime_size, size - map.runtime_size);

    Strings section_names;
    Elf64_Shdr headers[kSectionCount]{};
    Bytes file;
    file.put(Elf64_Ehdr{});  // written last
    const auto add_section = [&](Section section, std::string_view name, uint32_t type,
                                 std::string_view contents) {
        file.fill(kWord, 0);
        headers[section].sh_name = section_names.add(name);
        headers[section].sh_type = type;
        headers[section].sh_offset = file.size();
        headers[section].sh_size = contents.size();
        headers[section].sh_addralign = kWord;
        file.append(contents);
    };
    add_section(kText, ".text", SHT_NOBITS, {});
    headers[kText].sh_flags = SHF_ALLOC | SHF_EXECINSTR;
    headers[kText].sh_addr = start;
    headers[kText].sh_size = size;
    add_section(kFrame, ".debug_frame", SHT_PROGBITS, debug_frame(map, start, size));
    add_section(kSymbols, ".symtab", SHT_SYMTAB, symbols.text());
    headers[kSymbols].sh_link = kNames;
    headers[kSymbols].sh_info = 1;  // the first global symbol
    headers[kSymbols].sh_entsize = sizeof(Elf64_Sym);
    add_section(kNames, ".strtab", SHT_STRTAB, names.text());
    // Its contents have its own name.
    headers[kSectionNames].sh_name = section_names.add(".shstrtab");
    const std::string section_text = section_names.text();
    file.fill(kWord, 0);
    headers[kSectionNames].sh_type = SHT_STRTAB;
    headers[kSectionNames].sh_offset = file.size();
    headers[kSectionNames].sh_size = section_text.size();
    headers[kSectionNames].sh_addralign = 1;
    file.append(section_text);
    file.fill(kWord, 0);

    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = kLittleOrBig;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_EXEC;  // addresses are final
    header.e_machine = map.elf_machine;
    header.e_version = EV_CURRENT;
    header.e_shoff = file.size();
    header.e_ehsize = sizeof(Elf64_Ehdr);
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = kSectionCount;
    header.e_shstrndx = kSectionNames;
    for (const Elf64_Shdr& section : headers) {
        file.put(section);
    }
    std::memcpy(file.text().data(), &header, sizeof(header));
    return std::move(file.text());
}

}  // namespace weft::accel
