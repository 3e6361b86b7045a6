// The instructions weft knows: one row each, from the lists in insns_*.h. Decoder, disassembler, translator
// and the random programs of the tests are all driven by these rows.
//
// guest/riscv/isa is what the specifications say as tables: instructions, extensions, CPU models, the names of registers; decoder
// and disassembler read them. Everything in guest/riscv and the device tree's writer use it. No state: it knows no hart.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "emulator/guest/riscv/isa/insn_format.h"
#include "emulator/guest/riscv/isa/insns_a.h"
#include "emulator/guest/riscv/isa/insns_c.h"
#include "emulator/guest/riscv/isa/insns_fd.h"
#include "emulator/guest/riscv/isa/insns_m.h"
#include "emulator/guest/riscv/isa/insns_rv64i.h"
#include "emulator/guest/riscv/isa/insns_system.h"
#include "emulator/guest/riscv/isa/insns_zb.h"
#include "emulator/guest/riscv/isa/insns_zf.h"
#include "emulator/guest/riscv/isa/insns_zi.h"
#include "emulator/guest/riscv/isa/insns_zk.h"

// All rows that are 32 bits wide.
#define WEFT_RISCV_INSNS_32(X)        \
    WEFT_RISCV_INSNS_I(X)             \
    WEFT_RISCV_INSNS_M(X)             \
    WEFT_RISCV_INSNS_A(X)             \
    WEFT_RISCV_INSNS_ZABHA(X)         \
    WEFT_RISCV_INSNS_ZACAS(X)         \
    WEFT_RISCV_INSNS_F(X)             \
    WEFT_RISCV_INSNS_D(X)             \
    WEFT_RISCV_INSNS_ZFHMIN(X)        \
    WEFT_RISCV_INSNS_ZFH(X)           \
    WEFT_RISCV_INSNS_ZFA_CONSTANTS(X) \
    WEFT_RISCV_INSNS_ZFA(X)           \
    WEFT_RISCV_INSNS_ZBA(X)           \
    WEFT_RISCV_INSNS_ZBB(X)           \
    WEFT_RISCV_INSNS_ZBC(X)           \
    WEFT_RISCV_INSNS_ZBKB(X)          \
    WEFT_RISCV_INSNS_ZBKX(X)          \
    WEFT_RISCV_INSNS_ZBS(X)           \
    WEFT_RISCV_INSNS_ZKNE_ZKND(X)     \
    WEFT_RISCV_INSNS_ZKNH(X)          \
    WEFT_RISCV_INSNS_ZKS(X)           \
    WEFT_RISCV_INSNS_ZICOND(X)        \
    WEFT_RISCV_INSNS_ZIMOP(X)         \
    WEFT_RISCV_INSNS_ZAWRS(X)         \
    WEFT_RISCV_INSNS_ZICBOM(X)        \
    WEFT_RISCV_INSNS_ZICBOZ(X)        \
    WEFT_RISCV_INSNS_ZICSR(X)         \
    WEFT_RISCV_INSNS_PRIV(X)

// All rows that are 16 bits wide.
#define WEFT_RISCV_INSNS_16(X) \
    WEFT_RISCV_INSNS_C(X)      \
    WEFT_RISCV_INSNS_ZCB(X)    \
    WEFT_RISCV_INSNS_ZCMOP(X)

namespace weft::riscv {

enum class InsnId : uint16_t {
#define WEFT_RISCV_ID(id, ...) id,
    WEFT_RISCV_INSNS_32(WEFT_RISCV_ID) WEFT_RISCV_INSNS_16(WEFT_RISCV_ID)
#undef WEFT_RISCV_ID
};

#define WEFT_RISCV_ONE(...) +1
inline constexpr unsigned kInsn32Count = 0 WEFT_RISCV_INSNS_32(WEFT_RISCV_ONE);
inline constexpr unsigned kInsnCount = kInsn32Count WEFT_RISCV_INSNS_16(WEFT_RISCV_ONE);
#undef WEFT_RISCV_ONE

struct InsnDesc {
    InsnId id;
    InsnId semantic;  // what it does: its own id, or the instruction that a compressed one stands for
    std::string_view mnemonic;
    uint32_t mask;   // the bits that are fixed ...
    uint32_t match;  // ... and their values
    uint8_t size;    // bytes: 2 or 4
    Format format;
    Extension extension;
    uint16_t rules;  // InsnRule
    uint8_t weight;  // in random programs
};

namespace detail {

struct BitPattern {
    uint32_t mask = 0;
    uint32_t match = 0;
    unsigned width = 0;
};

consteval BitPattern parse_bits(std::string_view text) {
    BitPattern pattern;
    for (char c : text) {
        if (c == ' ') {
            continue;
        }
        if (c != '0' && c != '1' && c != '.') {
            throw "an instruction's bits are 0, 1 and .";  // stops the compiler: this never runs
        }
        pattern.mask = pattern.mask << 1 | (c != '.' ? 1u : 0u);
        pattern.match = pattern.match << 1 | (c == '1' ? 1u : 0u);
        ++pattern.width;
    }
    if (pattern.width != 16 && pattern.width != 32) {
        throw "an instruction is 16 or 32 bits wide";
    }
    return pattern;
}

consteval InsnDesc make_insn(InsnId id, InsnId semantic, std::string_view mnemonic, std::string_view bits,
                             Format format, Extension extension, unsigned rules, unsigned weight) {
    const BitPattern pattern = parse_bits(bits);
    return InsnDesc{id,
                    semantic,
                    mnemonic,
                    pattern.mask,
                    pattern.match,
                    static_cast<uint8_t>(pattern.width / 8),
                    format,
                    extension,
                    static_cast<uint16_t>(rules),
                    static_cast<uint8_t>(weight)};
}

}  // namespace detail

// By InsnId.
inline constexpr std::array<InsnDesc, kInsnCount> kInsns = {{
#define WEFT_RISCV_ROW(id, mnemonic, bits, format, extension, rules, weight)                               \
    detail::make_insn(InsnId::id, InsnId::id, mnemonic, bits, Format::format, Extension::extension, rules, \
                      weight),
    WEFT_RISCV_INSNS_32(WEFT_RISCV_ROW)
#undef WEFT_RISCV_ROW
#define WEFT_RISCV_ROW(id, mnemonic, bits, format, expands, extension, rules, weight)                    \
    detail::make_insn(InsnId::id, InsnId::expands, mnemonic, bits, Format::format, Extension::extension, \
                      rules, weight),
        WEFT_RISCV_INSNS_16(WEFT_RISCV_ROW)
#undef WEFT_RISCV_ROW
}};

constexpr const InsnDesc& insn_desc(InsnId id) { return kInsns[static_cast<unsigned>(id)]; }

}  // namespace weft::riscv
