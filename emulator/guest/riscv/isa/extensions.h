// The extensions weft knows. Instructions, CSRs and CPU models name them; ISA strings and misa are made of this table.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace weft::riscv {

// Name, bit of misa (privileged specification 3.1.1; 0: none), whether ISA strings name it. In the order of ISA strings
// (unprivileged specification, "ISA Extension Naming Conventions"; Linux' binding riscv/extensions.yaml).
// clang-format off
#define WEFT_RISCV_EXTENSIONS(X)                                             \
    X(i,           'I', true)                                                \
    X(m,           'M', true)                                                \
    X(a,           'A', true)                                                \
    X(f,           'F', true)                                                \
    X(d,           'D', true)                                                \
    X(c,           'C', true)                                                \
    X(zicntr,      0,   true)                                                \
    X(zicsr,       0,   true)                                                \
    X(zifencei,    0,   true)                                                \
    X(zihintpause, 0,   true)                                                \
    X(zba,         0,   true)                                                \
    X(zbb,         0,   true)                                                \
    X(zbs,         0,   true)                                                \
    X(sstc,        0,   true)                                                \
    X(svinval,     0,   true)                                                \
    X(b,           'B', false) /* Zba, Zbb and Zbs together */               \
    X(s,           'S', false) /* S mode */                                  \
    X(u,           'U', false) /* U mode */                                  \
    X(priv,        0,   false) /* the rest of the privileged architecture */
// clang-format on

enum class Extension : uint8_t {
#define WEFT_RISCV_EXTENSION(name, letter, listed) name,
    WEFT_RISCV_EXTENSIONS(WEFT_RISCV_EXTENSION)
#undef WEFT_RISCV_EXTENSION
};

struct ExtensionDesc {
    Extension id;
    std::string_view name;
    char misa_letter;  // 0: none
    bool listed;       // in ISA strings
};

// By Extension.
inline constexpr auto kExtensions = std::to_array<ExtensionDesc>({
#define WEFT_RISCV_EXTENSION(name, letter, listed) {Extension::name, #name, letter, listed},
    WEFT_RISCV_EXTENSIONS(WEFT_RISCV_EXTENSION)
#undef WEFT_RISCV_EXTENSION
});

constexpr std::string_view extension_name(Extension extension) {
    return kExtensions[static_cast<unsigned>(extension)].name;
}

class ExtensionSet {
  public:
    constexpr ExtensionSet(std::initializer_list<Extension> extensions) {
        for (const Extension extension : extensions) {
            add(extension);
        }
    }
    constexpr void add(Extension extension) { bits_ |= bit(extension); }
    constexpr bool has(Extension extension) const { return (bits_ & bit(extension)) != 0; }

  private:
    static constexpr uint64_t bit(Extension extension) {
        return uint64_t{1} << static_cast<unsigned>(extension);
    }

    uint64_t bits_ = 0;
};

}  // namespace weft::riscv
