// The extensions weft knows. Instructions, CSRs and CPU models name them; ISA strings and misa are made of this table.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace weft::riscv {

// How an extension shows.
enum class Naming : uint8_t {
    listed,   // ISA strings name it, and -cpu has a property of its name
    hidden,   // -cpu has a property of its name
    derived,  // neither: it follows from others (extension_rules.h), as what an instruction asks for
};

// Name, bit of misa (privileged specification 3.1.1; 0: none), how it shows. In the order of ISA strings (unprivileged
// specification, "ISA Extension Naming Conventions"; Linux' binding riscv/extensions.yaml).
// clang-format off
#define WEFT_RISCV_EXTENSIONS(X)                                               \
    X(i,            'I', listed)                                               \
    X(m,            'M', listed)                                               \
    X(a,            'A', listed)                                               \
    X(f,            'F', listed)                                               \
    X(d,            'D', listed)                                               \
    X(c,            'C', listed)                                               \
    X(zic64b,       0,   listed)                                               \
    X(zicbom,       0,   listed)                                               \
    X(zicbop,       0,   listed)                                               \
    X(zicboz,       0,   listed)                                               \
    X(ziccamoa,     0,   listed)                                               \
    X(zicclsm,      0,   listed)                                               \
    X(ziccrse,      0,   listed)                                               \
    X(zicond,       0,   listed)                                               \
    X(zicntr,       0,   listed)                                               \
    X(zicsr,        0,   listed)                                               \
    X(zifencei,     0,   listed)                                               \
    X(zihintntl,    0,   listed)                                               \
    X(zihintpause,  0,   listed)                                               \
    X(zihpm,        0,   listed)                                               \
    X(zimop,        0,   listed)                                               \
    X(zmmul,        0,   listed)                                               \
    X(za64rs,       0,   listed)                                               \
    X(zaamo,        0,   listed)                                               \
    X(zabha,        0,   listed)                                               \
    X(zacas,        0,   listed)                                               \
    X(zalrsc,       0,   listed)                                               \
    X(zawrs,        0,   listed)                                               \
    X(zfa,          0,   listed)                                               \
    X(zfh,          0,   listed)                                               \
    X(zfhmin,       0,   listed)                                               \
    X(zca,          0,   listed)                                               \
    X(zcb,          0,   listed)                                               \
    X(zcd,          0,   listed)                                               \
    X(zcmop,        0,   listed)                                               \
    X(zba,          0,   listed)                                               \
    X(zbb,          0,   listed)                                               \
    X(zbc,          0,   listed)                                               \
    X(zbkb,         0,   listed)                                               \
    X(zbkc,         0,   listed)                                               \
    X(zbkx,         0,   listed)                                               \
    X(zbs,          0,   listed)                                               \
    X(zkn,          0,   listed)                                               \
    X(zknd,         0,   listed)                                               \
    X(zkne,         0,   listed)                                               \
    X(zknh,         0,   listed)                                               \
    X(zkr,          0,   listed)                                               \
    X(zks,          0,   listed)                                               \
    X(zksed,        0,   listed)                                               \
    X(zksh,         0,   listed)                                               \
    X(smcntrpmf,    0,   listed)                                               \
    X(smdbltrp,     0,   listed)                                               \
    X(smepmp,       0,   listed)                                               \
    X(smmpm,        0,   listed)                                               \
    X(smnpm,        0,   listed)                                               \
    X(smstateen,    0,   listed)                                               \
    X(ssccptr,      0,   listed)                                               \
    X(sscofpmf,     0,   listed)                                               \
    X(sscounterenw, 0,   listed)                                               \
    X(ssdbltrp,     0,   listed)                                               \
    X(ssnpm,        0,   listed)                                               \
    X(sspm,         0,   listed)                                               \
    X(ssstateen,    0,   listed)                                               \
    X(ssstrict,     0,   listed)                                               \
    X(sstc,         0,   listed)                                               \
    X(sstvala,      0,   listed)                                               \
    X(sstvecd,      0,   listed)                                               \
    X(ssu64xl,      0,   listed)                                               \
    X(supm,         0,   listed)                                               \
    X(svade,        0,   listed)                                               \
    X(svadu,        0,   listed)                                               \
    X(svinval,      0,   listed)                                               \
    X(svnapot,      0,   listed)                                               \
    X(svpbmt,       0,   listed)                                               \
    X(svvptc,       0,   listed)                                               \
    X(b,            'B', hidden)  /* Zba, Zbb and Zbs together */              \
    X(s,            'S', hidden)  /* S mode */                                 \
    X(u,            'U', hidden)  /* U mode */                                 \
    X(sv39,         0,   hidden)  /* the translation schemes of S mode */      \
    X(sv48,         0,   hidden)                                               \
    X(sv57,         0,   hidden)                                               \
    X(pmp,          0,   hidden)  /* physical memory protection */             \
    X(zbb_zbkb,     0,   derived) /* what both have */                         \
    X(zbc_zbkc,     0,   derived)                                              \
    X(zkne_zknd,    0,   derived)                                              \
    X(zfa_d,        0,   derived) /* what one has for the other */             \
    X(zfa_zfh,      0,   derived)                                              \
    X(zfh_d,        0,   derived)                                              \
    X(zcb_zmmul,    0,   derived)                                              \
    X(zabha_zacas,  0,   derived)                                              \
    X(zcb_zba,      0,   derived)                                              \
    X(zcb_zbb,      0,   derived)                                              \
    X(mseccfg,      0,   derived) /* those that have the register */           \
    X(mtval2,       0,   derived) /* the same */                               \
    X(priv,         0,   derived) /* the rest of the privileged architecture */
// clang-format on

enum class Extension : uint8_t {
#define WEFT_RISCV_EXTENSION(name, letter, naming) name,
    WEFT_RISCV_EXTENSIONS(WEFT_RISCV_EXTENSION)
#undef WEFT_RISCV_EXTENSION
};

struct ExtensionDesc {
    Extension id;
    std::string_view name;
    char misa_letter;  // 0: none
    Naming naming;

    constexpr bool listed() const { return naming == Naming::listed; }
};

// By Extension.
inline constexpr auto kExtensions = std::to_array<ExtensionDesc>({
#define WEFT_RISCV_EXTENSION(name, letter, naming) {Extension::name, #name, letter, Naming::naming},
    WEFT_RISCV_EXTENSIONS(WEFT_RISCV_EXTENSION)
#undef WEFT_RISCV_EXTENSION
});

constexpr std::string_view extension_name(Extension extension) {
    return kExtensions[static_cast<unsigned>(extension)].name;
}

class ExtensionSet {
  public:
    constexpr ExtensionSet() = default;
    constexpr ExtensionSet(std::initializer_list<Extension> extensions) {
        for (const Extension extension : extensions) {
            add(extension);
        }
    }
    constexpr void add(Extension extension) { words_[index(extension)] |= bit(extension); }
    constexpr void remove(Extension extension) { words_[index(extension)] &= ~bit(extension); }
    constexpr void add(const ExtensionSet& others) {
        for (unsigned i = 0; i < kWords; ++i) {
            words_[i] |= others.words_[i];
        }
    }
    constexpr bool has(Extension extension) const { return (words_[index(extension)] & bit(extension)) != 0; }
    constexpr bool has_all(const ExtensionSet& others) const {
        for (unsigned i = 0; i < kWords; ++i) {
            if ((others.words_[i] & ~words_[i]) != 0) {
                return false;
            }
        }
        return true;
    }
    constexpr bool has_any(const ExtensionSet& others) const {
        for (unsigned i = 0; i < kWords; ++i) {
            if ((others.words_[i] & words_[i]) != 0) {
                return true;
            }
        }
        return false;
    }
    constexpr bool operator==(const ExtensionSet&) const = default;

    static constexpr unsigned kWords = 2;
    // Its bits, for hashes.
    constexpr uint64_t word(unsigned i) const { return words_[i]; }

  private:
    static constexpr unsigned index(Extension extension) { return static_cast<unsigned>(extension) / 64; }
    static constexpr uint64_t bit(Extension extension) {
        return uint64_t{1} << (static_cast<unsigned>(extension) % 64);
    }

    std::array<uint64_t, kWords> words_{};
};
static_assert(kExtensions.size() <= 64 * ExtensionSet::kWords);

// All there are: what tables and disassemblers of no particular model go by.
inline constexpr ExtensionSet kAllExtensions = [] {
    ExtensionSet all;
    for (const ExtensionDesc& extension : kExtensions) {
        all.add(extension.id);
    }
    return all;
}();

}  // namespace weft::riscv
