#include "emulator/guest/riscv/isa/disassemble.h"

#include <fmt/format.h>

#include <array>
#include <iterator>

#include "emulator/guest/riscv/isa/cpu_model.h"
#include "emulator/guest/riscv/isa/register_names.h"

namespace weft::riscv {

namespace {

constexpr std::string_view kSyntax[] = {
#define WEFT_RISCV_FORMAT_SYNTAX(name, syntax, ...) syntax,
    WEFT_RISCV_FORMATS(WEFT_RISCV_FORMAT_SYNTAX)
#undef WEFT_RISCV_FORMAT_SYNTAX
};

constexpr std::array<const char*, 8> kRoundingNames = {"rne", "rtz", "rdn", "rup", "rmm", "?", "?", "dyn"};

// Unprivileged specification, "Zfa", table of FLI's immediates.
constexpr std::array<const char*, 32> kFliNames = {"-1.0",
                                                   "min",
                                                   "1.52587890625e-05",
                                                   "3.0517578125e-05",
                                                   "0.00390625",
                                                   "0.0078125",
                                                   "0.0625",
                                                   "0.125",
                                                   "0.25",
                                                   "0.3125",
                                                   "0.375",
                                                   "0.4375",
                                                   "0.5",
                                                   "0.625",
                                                   "0.75",
                                                   "0.875",
                                                   "1.0",
                                                   "1.25",
                                                   "1.5",
                                                   "1.75",
                                                   "2.0",
                                                   "2.5",
                                                   "3.0",
                                                   "4.0",
                                                   "8.0",
                                                   "16.0",
                                                   "128.0",
                                                   "256.0",
                                                   "32768.0",
                                                   "65536.0",
                                                   "inf",
                                                   "nan"};

// "iorw" with the letters of the bits that are set; "0" for none.
std::string fence_set(unsigned bits) {
    std::string text;
    for (unsigned i = 0; i < 4; ++i) {
        if ((bits >> (3 - i) & 1) != 0) {
            text += "iorw"[i];
        }
    }
    return text.empty() ? "0" : text;
}

std::string format_operand(char letter, const Insn& insn, std::optional<uint64_t> pc) {
    switch (letter) {
        case 'd':
            return kGprNames[insn.rd];
        case 's':
            return kGprNames[insn.rs1];
        case 't':
            return kGprNames[insn.rs2];
        case 'D':
            return kFprNames[insn.rd];
        case 'S':
            return kFprNames[insn.rs1];
        case 'T':
            return kFprNames[insn.rs2];
        case 'R':
            return kFprNames[insn.rs3];
        case 'i':
            return std::to_string(insn.imm);
        case 'u':
            return std::to_string(static_cast<uint32_t>(insn.imm) >> 12);
        case 'b':
            return pc ? fmt::format("{:#x}", *pc + static_cast<uint64_t>(int64_t{insn.imm}))
                      : std::to_string(insn.imm);
        case 'c':
            return csr_name(static_cast<unsigned>(insn.imm));
        case 'z':
            return std::to_string(insn.rs1);
        case 'k':
            return kFliNames[insn.rs1];
        case 'm':
        case 'n':
            return kRoundingNames[insn.rm];
        case 'p':
            return fence_set(static_cast<unsigned>(insn.imm) >> 4 & 15);
        case 'q':
            return fence_set(static_cast<unsigned>(insn.imm) & 15);
        default:
            return std::string(1, letter);
    }
}

// The operands that are not written: a rounding mode that is the default, and c.nop's immediate unless it is
// a HINT.
bool is_silent(char letter, const Insn& insn) {
    return (letter == 'n' && insn.rm == 0) || (insn.desc->format == Format::c_nop && insn.imm == 0);
}

std::string format_mnemonic(const Insn& insn) {
    std::string text(insn.desc->mnemonic);
    if (insn.desc->format == Format::amo || insn.desc->format == Format::lr) {
        if (insn.aq() && insn.rl()) {
            text += ".aqrl";
        } else if (insn.aq()) {
            text += ".aq";
        } else if (insn.rl()) {
            text += ".rl";
        }
    }
    return text;
}

std::string format_operands(const Insn& insn, std::optional<uint64_t> pc) {
    std::string text;
    std::string separator;
    for (char letter : format_syntax(insn.desc->format)) {
        if (letter == ',' || letter == ' ') {
            separator += letter;  // held back: it goes with the operand that follows
        } else if (!is_silent(letter, insn)) {
            text += separator + format_operand(letter, insn, pc);
            separator.clear();
        }
    }
    return text;
}

uint32_t load_bits(const uint8_t* code, size_t size) {
    uint32_t bits = 0;
    for (size_t i = 0; i < size; ++i) {
        bits |= uint32_t{code[i]} << 8 * i;
    }
    return bits;
}

void write_line(const TextSink* sink, const std::string& line) {
    sink->write(sink->opaque, line.data(), line.size());
}

}  // namespace

std::string_view format_syntax(Format format) { return kSyntax[static_cast<unsigned>(format)]; }

std::string format_insn(const Insn& insn, std::optional<uint64_t> pc) {
    if (insn.desc == nullptr) {
        return insn.size == 2 ? fmt::format(".2byte {:#x}", insn.bits)
                              : fmt::format(".4byte {:#x}", insn.bits);
    }
    const std::string operands = format_operands(insn, pc);
    return operands.empty() ? format_mnemonic(insn) : fmt::format("{} {}", format_mnemonic(insn), operands);
}

void disassemble(const void* model, const uint8_t* code, size_t size, uint64_t pc, const TextSink* sink) {
    const ExtensionSet& extensions = static_cast<const CpuModel*>(model)->extensions;
    size_t at = 0;
    while (at + 2 <= size) {
        const unsigned length = insn_size(static_cast<uint16_t>(load_bits(code + at, 2)));
        if (at + length > size) {
            break;
        }
        const Insn insn = decode(load_bits(code + at, length), extensions);
        const std::string text = format_insn(insn, pc + at);
        const size_t space = text.find(' ');
        const std::string mnemonic = text.substr(0, space);
        const std::string operands = space == std::string::npos ? std::string() : text.substr(space + 1);
        std::string line = fmt::format("{:#018x}:  {:<10}{:<12}{}", pc + at,
                                       fmt::format("{:0{}x}", insn.bits, 2 * length), mnemonic, operands);
        line.erase(line.find_last_not_of(' ') + 1);
        write_line(sink, line + "\n");
        at += length;
    }
    for (; at < size; ++at) {  // the beginning of an instruction whose end is not there
        write_line(sink, fmt::format("{:#018x}:  {:<10}.byte       {:#x}\n", pc + at,
                                     fmt::format("{:02x}", code[at]), code[at]));
    }
}

}  // namespace weft::riscv
