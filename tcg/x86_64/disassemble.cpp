#include "tcg/x86_64/disassemble.h"

#include <capstone/capstone.h>
#include <fmt/format.h>

// The library names each architecture that it knows in one table, by functions of its own. Those that are defined here are not taken
// from its archive, nor are the tables that they would use: a position-independent program relocates all of them whenever it
// starts (85,000 places in 1.4 MB, two thirds of it for the M68000). A library that is shared, or that has architectures which are
// not named here, works as well.
// clang-format off
#define WEFT_OTHER_ARCHITECTURES(X) \
    X(AArch64) X(ARM) X(EVM) X(M680X) X(M68K) X(Mips) X(PPC) X(Sparc) X(SystemZ) X(TMS320C64x) X(XCore)
// clang-format on
#define WEFT_LEAVE_OUT(name)                                                               \
    extern "C" {                                                                           \
    [[gnu::used]] cs_err name##_global_init(void*) { return CS_ERR_ARCH; }                 \
    [[gnu::used]] cs_err name##_option(void*, cs_opt_type, size_t) { return CS_ERR_ARCH; } \
    }
WEFT_OTHER_ARCHITECTURES(WEFT_LEAVE_OUT)

namespace weft::tcg::x86_64 {

std::string disassemble(CodeWindow code) {
    csh handle = 0;
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle) != CS_ERR_OK) {
        return "(no disassembler)\n";
    }
    cs_option(handle, CS_OPT_SKIPDATA, CS_OPT_ON);
    cs_insn* insns = nullptr;
    const size_t count = cs_disasm(handle, code.bytes(), code.size, code.rx.value(), 0, &insns);
    std::string text;
    for (size_t i = 0; i < count; ++i) {
        text += fmt::format("0x{:016x}:  {} {}\n", insns[i].address, insns[i].mnemonic, insns[i].op_str);
    }
    if (count != 0) {
        cs_free(insns, count);
    }
    cs_close(&handle);
    return text;
}

}  // namespace weft::tcg::x86_64
