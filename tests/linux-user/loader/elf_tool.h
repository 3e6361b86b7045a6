// What binutils' readelf says of an ELF file: the oracle of the loader's tests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weft::user {

// The lines that `readelf OPTIONS FILE` prints. Aborts if it complains.
std::vector<std::string> readelf(const std::string& options, const std::string& file);
std::vector<std::string> words(const std::string& line);

struct ElfHeaders {
    struct Program {
        std::string type;
        uint64_t offset, vaddr, file_size, memory_size;
        std::string flags;  // of "RWE", without blanks
        uint64_t align;
    };
    std::string type;  // "EXEC" or "DYN"
    uint64_t entry = 0;
    uint64_t phoff = 0;
    std::vector<Program> program;
    std::string interpreter;
};
ElfHeaders readelf_headers(const std::string& file);

struct ElfSection {
    std::string name, type, flags;
    uint64_t address, offset, size;
};
std::vector<ElfSection> readelf_sections(const std::string& file);

// Programs to look at: those built for the tests, the cross compiler's dynamic linker, and the benchmarks if they are there.
std::vector<std::string> real_programs();
std::string test_program(const std::string& name);

}  // namespace weft::user
