#include "tests/riscv/test_unit.h"

#include <set>
#include <sstream>

#include "emulator/target/riscv/globals.h"

namespace weft::riscv {

using ir::Op;
using ir::Opcode;
using ir::Temp;
using ir::TempKind;
using ir::Type;

TestUnit::TestUnit() {
    const auto globals = global_table();
    for (size_t i = 0; i < globals.size(); ++i) {
        temps_.push_back(
            Temp{globals[i].type, TempKind::global, static_cast<uint16_t>(i), globals[i].offset, 0});
    }
    unit_.version = ir::kIrVersion;
    unit_.global_count = static_cast<uint32_t>(globals.size());
    unit_.temps = temps_.data();
    unit_.temp_count = unit_.temp_capacity = static_cast<uint32_t>(temps_.size());
    unit_.storage = &kStorage;
    unit_.storage_owner = this;
}

bool TestUnit::grow_ops(ir::Unit* unit) {
    auto* self = static_cast<TestUnit*>(unit->storage_owner);
    if (self->ops_.size() + 16 > self->op_limit_) {
        unit->error = ir::UnitError::too_big;
        return false;
    }
    self->ops_.resize(self->ops_.size() + 16);
    unit->ops = self->ops_.data();
    unit->op_capacity = static_cast<uint32_t>(self->ops_.size());
    return true;
}

bool TestUnit::grow_temps(ir::Unit* unit) {
    auto* self = static_cast<TestUnit*>(unit->storage_owner);
    self->temps_.resize(self->temps_.size() + 16);
    unit->temps = self->temps_.data();
    unit->temp_capacity = static_cast<uint32_t>(self->temps_.size());
    return true;
}

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
    const unsigned outputs = static_cast<unsigned>(ir::info(op.code).outputs.size());
    const Temp& t = temp(op.args[(op.code == Opcode::call ? 0 : outputs) + index]);
    return t.kind == TempKind::constant ? t.value : ~uint64_t{0};
}

int64_t TestUnit::exit_offset(const Op& exit) const {
    for (const Op& op : ops()) {
        if (op.code == Opcode::pc_add && op.args[0] == exit.args[0]) {
            return static_cast<int32_t>(op.aux);
        }
    }
    return -1;
}

std::string TestUnit::faults() const {
    std::ostringstream text;
    std::set<unsigned> defined;  // ebb temps
    std::set<unsigned> labels;
    std::set<unsigned> slots;
    bool reachable = true;
    bool checked = false;  // an exit_check stands since the last op that does something
    bool in_insn = false;
    for (uint32_t at = 0; at < unit_.op_count; ++at) {
        const Op& op = unit_.ops[at];
        const ir::OpInfo& info = ir::info(op.code);
        const auto complain = [&](const std::string& what) {
            text << at << " " << info.name << ": " << what << "\n";
        };
        if (op.code == Opcode::set_label) {
            reachable = true;
            defined.clear();
            if (!labels.insert(op.aux).second) {
                complain("label set twice");
            }
        } else if (!reachable) {
            complain("unreachable");
        }
        in_insn = in_insn || op.code == Opcode::insn_start;
        if (!in_insn) {
            complain("before the first insn_start");
        }
        const bool is_polymorphic = info.types != ir::TypeSet::none;
        if (is_polymorphic != (op.type != Type::none) ||
            (info.types == ir::TypeSet::ints && !ir::is_int(op.type)) ||
            (info.types == ir::TypeSet::fps && !ir::is_fp(op.type))) {
            complain("type");
        }
        if (op.code == Opcode::call) {
            for (unsigned i = 0; i < op.arg_count; ++i) {
                if (op.args[i] >= unit_.temp_count) {
                    complain("no such temp");
                } else if (temp(op.args[i]).kind == TempKind::ebb) {
                    defined.insert(op.args[i]);
                }
            }
        } else {
            const std::string letters = std::string(info.outputs) + std::string(info.inputs);
            if (op.arg_count != letters.size()) {
                complain("number of arguments");
                continue;
            }
            for (unsigned k = 0; k < op.arg_count; ++k) {  // inputs first
                const unsigned inputs = static_cast<unsigned>(info.inputs.size());
                const unsigned outputs = static_cast<unsigned>(info.outputs.size());
                const unsigned i = k < inputs ? k + outputs : k - inputs;
                if (op.args[i] >= unit_.temp_count) {
                    complain("no such temp");
                    continue;
                }
                const Temp& t = temp(op.args[i]);
                if (t.type != ir::letter_type(letters[i], op.type)) {
                    complain("type of argument " + std::to_string(i));
                }
                if (i < outputs && t.kind == TempKind::constant) {
                    complain("writes a constant");
                } else if (i < outputs && t.kind == TempKind::ebb) {
                    defined.insert(op.args[i]);
                } else if (t.kind == TempKind::ebb && !defined.contains(op.args[i])) {
                    complain("reads what is not defined here");
                }
            }
        }
        if (info.aux == ir::Aux::field) {
            const unsigned length = op.aux >> 8;
            if (length == 0 || (op.aux & 255) + length > ir::width(op.type)) {
                complain("field");
            }
        }
        if (op.code == Opcode::exit_check) {
            checked = true;
        } else if (op.code == Opcode::goto_tb || op.code == Opcode::lookup_and_goto_ptr) {
            if (!checked) {
                complain("no exit_check");
            }
            checked = false;
        } else if (op.code != Opcode::pc_add) {
            checked = false;
        }
        if (op.code == Opcode::goto_tb &&
            (!slots.insert(op.aux & 255).second || (op.aux & 255) >= ir::kMaxGotoTb)) {
            complain("slot");
        }
        if (ir::has_flag(op.code, ir::flag_block_end)) {
            reachable = false;
        }
    }
    if (reachable) {
        text << "runs off its end\n";
    }
    for (const Op& op : ops()) {
        const bool branches = op.code == Opcode::br || op.code == Opcode::brcond;
        if (branches && !labels.contains(op.code == Opcode::br ? op.aux : op.args[ir::kBrcondLabelArg])) {
            text << "a label that is nowhere\n";
        }
    }
    if (slots.size() != unit_.goto_tb_count) {
        text << "goto_tb_count\n";
    }
    return text.str();
}

TranslateStatus translate_code(const Code& code, TestUnit* unit, const TranslateOptions& options) {
    const std::vector<uint8_t>& bytes = code.bytes();
    const TranslateRequest request{options.flags.bits(),
                                   bytes.data(),
                                   static_cast<uint32_t>(bytes.size()),
                                   options.page_offset,
                                   options.max_insns,
                                   options.one_insn_per_tb,
                                   true};
    return translate(&request, &unit->unit());
}

}  // namespace weft::riscv
