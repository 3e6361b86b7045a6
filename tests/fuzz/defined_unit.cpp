#include "defined_unit.h"

#include <vector>

#include "tests/tcg/backend_harness.h"
#include "weft/ir_builder.h"

namespace weft::fuzz {

namespace {

using ir::Opcode;

// Whether control may go back to an earlier op.
bool has_loop(const ir::Unit& unit) {
    std::vector<bool> bound(unit.label_count, false);
    for (uint32_t i = 0; i < unit.op_count; ++i) {
        const ir::Op& op = unit.ops[i];
        if (op.code == Opcode::set_label) {
            bound[op.aux] = true;
        } else if ((op.code == Opcode::br && bound[op.aux]) ||
                   (op.code == Opcode::brcond && bound[op.args[ir::kBrcondLabelArg]])) {
            return true;
        }
    }
    return false;
}

bool copy_temps(const ir::Unit& from, ir::Unit& to) {
    while (to.temp_count < from.temp_count) {
        if (to.temp_count == to.temp_capacity && !to.storage->grow_temps(&to)) {
            return false;
        }
        to.temps[to.temp_count] = from.temps[to.temp_count];
        ++to.temp_count;
    }
    return true;
}

class Copier {
  public:
    Copier(const ir::Unit& from, ir::Unit& to) : from_(from), builder_(to) {}

    bool run() {
        for (uint32_t i = 0; i < from_.op_count && builder_.ok(); ++i) {
            copy(from_.ops[i]);
        }
        return builder_.ok();
    }

  private:
    // A fresh temp with `source` put through `code` with `mask`.
    template <class V>
    ir::TempIndex put_through(Opcode code, uint16_t source, V mask) {
        return builder_.op(code, V{source}, mask).index;
    }
    // `op`'s argument within a mask, and with bits that it always has.
    void limit(ir::Op& op, unsigned arg, uint32_t mask, uint32_t always) {
        uint16_t& temp = op.args[arg];
        const bool narrow = ir::width(from_.temps[temp].type) == 32;
        temp = narrow ? put_through(Opcode::and_, temp, builder_.imm32(mask))
                      : put_through(Opcode::and_, temp, builder_.imm(mask));
        if (always != 0) {
            temp = narrow ? put_through(Opcode::or_, temp, builder_.imm32(always))
                          : put_through(Opcode::or_, temp, builder_.imm(always));
        }
    }
    bool constant_below(uint16_t temp, uint64_t limit) const {
        return from_.temps[temp].kind == ir::TempKind::constant && from_.temps[temp].value < limit;
    }

    void copy(ir::Op op) {
        switch (op.code) {
            case Opcode::shl:
            case Opcode::shr:
            case Opcode::sar:
            case Opcode::rotl:
            case Opcode::rotr:
                if (!constant_below(op.args[2], ir::width(op.type))) {
                    limit(op, 2, ir::width(op.type) - 1, 0);
                }
                break;
            case Opcode::divs:
            case Opcode::divu:
            case Opcode::rems:
            case Opcode::remu:
                // Neither zero nor -1.
                limit(op, 2, 0xff, 1);
                break;
            case Opcode::fpflags_set:
                limit(op, 0, 31, 0);
                break;
            case Opcode::discard:
                // What is read after it is not defined.
                return;
            default:
                if (ir::info(op.code).aux == ir::Aux::offset) {
                    op.aux =
                        static_cast<uint32_t>(tcg::test::kAreaOffset) + op.aux % (tcg::test::kAreaSize - 7);
                }
                break;
        }
        builder_.emit(op.code, op.type, op.cond, op.aux) = op;
    }

    const ir::Unit& from_;
    ir::Builder builder_;
};

}  // namespace

bool make_defined(const ir::Unit& from, ir::Unit& to) {
    if (has_loop(from) || !copy_temps(from, to)) {
        return false;
    }
    to.label_count = from.label_count;
    to.goto_tb_count = from.goto_tb_count;
    to.fixed_pages = from.fixed_pages;
    to.insn_count = from.insn_count;
    to.fp_rounding = from.fp_rounding;
    return Copier(from, to).run();
}

}  // namespace weft::fuzz
