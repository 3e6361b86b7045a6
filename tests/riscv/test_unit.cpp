#include "tests/riscv/test_unit.h"

#include "emulator/guest/riscv/translate/helpers.h"

namespace weft::riscv {

using ir::Op;
using ir::Opcode;

std::vector<Op> TestUnit::ops_of(Opcode code) const {
    std::vector<Op> found;
    for (const Op& op : ops()) {
        if (op.code == code) {
            found.push_back(op);
        }
    }
    return found;
}

uint64_t TestUnit::constant(const Op& op, unsigned index) const {
    const ir::Temp& t = temp(op.args[index]);
    return t.kind == ir::TempKind::constant ? t.value : ~uint64_t{0};
}

int64_t TestUnit::exit_offset(const Op& exit) const {
    for (const Op& op : ops()) {
        if (op.code == Opcode::pc_add && op.args[0] == exit.args[0]) {
            return static_cast<int32_t>(op.aux);
        }
    }
    return -1;
}

std::string TestUnit::faults(tcg::RedoRule redo) const {
    const Result<> result = tcg::verify(unit(), helper_table(), redo);
    return result ? std::string() : result.error().message();
}

TranslateStatus translate_code(TestUnit* unit, const Code& code, const TranslateOptions& options) {
    const std::vector<uint8_t>& bytes = code.bytes();
    const TranslateRequest request{options.model,
                                   options.flags.bits(),
                                   bytes.data(),
                                   static_cast<uint32_t>(bytes.size()),
                                   options.page_offset,
                                   options.max_insns,
                                   options.one_insn_per_tb,
                                   options.fixed_pages,
                                   options.return_points,
                                   options.inline_csrs,
                                   options.inner_branches};
    return translate(&request, &unit->unit());
}

}  // namespace weft::riscv
