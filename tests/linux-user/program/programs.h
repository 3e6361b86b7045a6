// Programs for riscv64 that tests write byte by byte. They are never executed.
#pragma once

#include <sys/stat.h>

#include <string>

#include "tests/linux-user/loader/elf_file.h"
#include "tests/support/subprocess.h"

namespace weft::test {

inline constexpr uint64_t kCode = 0x10000;  // where a fixed one lies
inline constexpr uint64_t kData = 0x20000;
inline constexpr uint64_t kEntry = 0x100;  // from the code on

// Code, and one page of data that can be written, with `text` in it.
inline user::ElfFile make_elf(uint16_t type, const std::string& text = "") {
    const uint64_t base = type == ET_EXEC ? kCode : 0;
    user::ElfFile file(type);
    file.header.e_entry = base + kEntry;
    file.add(PT_LOAD, PF_R | PF_X, 0, base, 0x1000, 0x1000);
    file.add(PT_LOAD, PF_R | PF_W, 0x1000, base + (kData - kCode), 0x1000, 0x1000);
    file.contents[kEntry] = std::string(16, '\x13');
    std::string data = text;
    data.resize(0x1000);
    file.contents[0x1000] = data;
    return file;
}

inline std::string write_program(const TempDir& folder, const std::string& name, const std::string& contents,
                                 mode_t mode = 0755) {
    std::string path = folder.write(name, contents);
    ::chmod(path.c_str(), mode);
    return path;
}

}  // namespace weft::test
