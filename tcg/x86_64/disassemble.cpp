#include "tcg/x86_64/disassemble.h"

#include <capstone/capstone.h>
#include <fmt/format.h>

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
