#include "emulator/linux-user/binfmt.h"

#include <elf.h>
#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "emulator/linux-user/options.h"

namespace weft::user {

namespace {

constexpr size_t kLongestInterpreter = 127;  // bytes

// The header's start, to the end of e_machine.
using Pattern = std::array<uint8_t, offsetof(Elf64_Ehdr, e_machine) + sizeof(Elf64_Half)>;

struct Format {
    Pattern magic{};
    Pattern mask{};

    constexpr void require(size_t index, uint8_t value, uint8_t mask_bits = 0xff) {
        magic[index] = value;
        mask[index] = mask_bits;
    }
};

// 64-bit, little-endian, of type ET_EXEC (2) or ET_DYN (3), for RISC-V. EI_OSABI is free: static programs have ELFOSABI_GNU where they
// use what is GNU's. Linux looks at none of what follows it in the identification.
constexpr Format riscv64_format() {
    Format format;
    for (size_t i = 0; i < SELFMAG; ++i) {
        format.require(i, static_cast<uint8_t>(ELFMAG[i]));
    }
    format.require(EI_CLASS, ELFCLASS64);
    format.require(EI_DATA, ELFDATA2LSB);
    format.require(EI_VERSION, EV_CURRENT);
    static_assert((ET_EXEC ^ ET_DYN) == 1);
    format.require(offsetof(Elf64_Ehdr, e_type), ET_EXEC, 0xfe);
    format.require(offsetof(Elf64_Ehdr, e_type) + 1, 0);
    format.require(offsetof(Elf64_Ehdr, e_machine), EM_RISCV & 0xff);
    format.require(offsetof(Elf64_Ehdr, e_machine) + 1, EM_RISCV >> 8);
    return format;
}

// The fields of a line end at a zero byte too, so none is written as itself.
std::string escaped(std::span<const uint8_t> bytes) {
    std::string text;
    for (const uint8_t byte : bytes) {
        text += fmt::format("\\x{:02x}", byte);
    }
    return text;
}

}  // namespace

Result<> check_binfmt_flags(std::string_view flags) {
    const size_t wrong = flags.find_first_not_of("CFOP");
    return wrong == std::string_view::npos ? Result<>()
                                           : fail(fmt::format("{} is not among the flags C, F, O and P",
                                                              in_quotes(flags.substr(wrong, 1))));
}

Result<std::string> binfmt_line(const std::string& interpreter, std::string_view flags) {
    if (!interpreter.starts_with('/') || interpreter.find_first_of(":\n") != std::string::npos ||
        interpreter.size() > kLongestInterpreter) {
        return fail(
            fmt::format("binfmt_misc takes absolute names of {} bytes at most, without ':', and not {}",
                        kLongestInterpreter, in_quotes(interpreter)));
    }
    constexpr Format kFormat = riscv64_format();
    return fmt::format(":{}:M::{}:{}:{}:{}\n", kProgramName, escaped(kFormat.magic), escaped(kFormat.mask),
                       interpreter, flags);
}

}  // namespace weft::user
