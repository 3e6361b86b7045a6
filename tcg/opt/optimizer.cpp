// The walk: what is kept, in which form, and what becomes known by it. The rules are in the files beside.
#include "tcg/opt/optimizer.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "tcg/ir/outputs.h"
#include "weft/ir_info.h"

namespace weft::tcg {

using ir::Op;
using ir::Opcode;
using ir::TempIndex;
using ir::TempKind;
using ir::Type;

namespace {

// Temps stand for their copies in this order: constants cost nothing, globals live on anyway.
unsigned rank(const ir::Temp& temp) {
    switch (temp.kind) {
        case TempKind::constant:
            return 3;
        case TempKind::global:
            return 2;
        case TempKind::unit:
            return 1;
        default:
            return 0;
    }
}

// Ops that only compute, from their operands alone: those that may be looked through.
bool is_computation(const Op& op) {
    return (ir::shape(op.code).flags & ~uint32_t{ir::flag_commutes}) == ir::flag_none;
}

// Whether globals may be looked at there.
bool observes(const Op& op, uint32_t helper_effects) {
    constexpr uint16_t kLooks =
        ir::flag_may_fault | ir::flag_block_end | ir::flag_cond_branch | ir::flag_exit;
    return (ir::shape(op.code).flags & kLooks) != 0 || op.code == Opcode::exit_check ||
           (helper_effects & (kHelperReadsGlobals | kHelperWritesGlobals | kHelperMayRaise)) != 0;
}

// Most inputs of ops that make integers, helper calls apart.
consteval size_t max_int_inputs() {
    size_t most = 0;
    for (const ir::OpInfo& info : ir::kOpInfo) {
        most = std::max(most, info.inputs.size());
    }
    return most;
}
constexpr size_t kMaxIntInputs = max_int_inputs();

// Removed by compact(): stands for an op that turned out to be superfluous after it was written.
constexpr Op kTombstone{Opcode::discard, Type::none, 0, 0, 0, {}};

}  // namespace

unsigned Optimizer::outputs(const Op& op) const { return output_count(op, helpers_); }

void Optimizer::count_inputs(const Op& op, int change) {
    for (unsigned i = outputs(op); i < op.arg_count; ++i) {
        values_.uses(op.args[i]).reads += static_cast<uint32_t>(change);
    }
}

void Optimizer::count(const ir::Unit& unit) {
    label_refs_.assign(unit.label_count, 0);
    for (uint32_t i = 0; i < unit.op_count; ++i) {
        const Op& op = unit.ops[i];
        const unsigned results = outputs(op);
        for (unsigned j = 0; j < results; ++j) {
            ++values_.uses(op.args[j]).writes;
        }
        for (unsigned j = results; j < op.arg_count; ++j) {
            ++values_.uses(op.args[j]).reads;
        }
        if (op.code == Opcode::br) {
            ++label_refs_[op.aux];
        } else if (op.code == Opcode::brcond) {
            ++label_refs_[op.args[ir::kBrcondLabelArg]];
        }
    }
}

void Optimizer::optimize(ir::Unit& unit, std::span<const HelperDesc> helpers) {
    unit_ = &unit;
    helpers_ = helpers;
    values_.begin(unit);
    count(unit);
    written_ = 0;
    last_observed_ = kNoOp;
    unreachable_ = false;
    slot_dropped_ = false;
    tombstones_ = false;
    const uint32_t op_count = unit.op_count;
    for (uint32_t i = 0; i < op_count; ++i) {
        // Ops are written back in place: never more of them than were read.
        const Op& op = unit.ops[i];
        if (op.code == Opcode::insn_start && !unreachable_) {  // two of five
            pass(op);
            continue;
        }
        next_ = i + 1 < op_count ? &op + 1 : nullptr;
        visit(op);
    }
    unit.op_count = written_;
    if (tombstones_ || slot_dropped_) {
        compact();
    }
}

void Optimizer::compact() {
    uint32_t to = 0;
    uint8_t slot_count = 0;
    for (uint32_t i = 0; i < unit_->op_count; ++i) {
        Op op = unit_->ops[i];
        if (op.code == Opcode::discard) {
            continue;
        }
        if (op.code == Opcode::goto_tb || op.code == Opcode::return_point) {
            op.cond = slot_count++;
        }
        unit_->ops[to++] = op;
    }
    unit_->op_count = to;
    unit_->goto_tb_count = slot_count;
}

void Optimizer::drop_unreachable(const Op& op) {
    count_inputs(op, -1);
    for (unsigned i = 0; i < outputs(op); ++i) {
        --values_.uses(op.args[i]).writes;
    }
    if (op.code == Opcode::br) {
        --label_refs_[op.aux];
    } else if (op.code == Opcode::brcond) {
        --label_refs_[op.args[ir::kBrcondLabelArg]];
    } else if (op.code == Opcode::goto_tb || op.code == Opcode::return_point) {
        slot_dropped_ = true;
    }
}

// A branch to where control arrives anyway.
void Optimizer::remove_branch_to(uint32_t label) {
    if (written_ == 0 || !options_.unreachable) {
        return;
    }
    const Op& last = unit_->ops[written_ - 1];
    const bool jumps = last.code == Opcode::br && last.aux == label;
    const bool branches = last.code == Opcode::brcond && last.args[ir::kBrcondLabelArg] == label;
    if (!jumps && !(branches && !unreachable_)) {
        return;
    }
    count_inputs(last, -1);
    --label_refs_[label];
    --written_;
    unreachable_ = false;
}

void Optimizer::visit_label(const Op& op) {
    remove_branch_to(op.aux);
    if (options_.unreachable && label_refs_[op.aux] == 0) {
        return;  // nobody comes here but from above
    }
    unreachable_ = false;
    unit_->ops[written_++] = op;
    last_observed_ = written_;
    values_.forget_all();
}

// An op without arguments, which no rule changes: half of all ops.
void Optimizer::pass(const Op& op) {
    unit_->ops[written_++] = op;
    if (observes(op, 0)) {
        last_observed_ = written_;
    }
    unreachable_ = ir::has_flag(op.code, ir::flag_block_end);
}

void Optimizer::visit(const Op& read) {
    if (read.code == Opcode::set_label) {
        visit_label(read);
        return;
    }
    if (unreachable_ && options_.unreachable) {
        drop_unreachable(read);
        return;
    }
    if (read.arg_count == 0 && read.code != Opcode::call) {
        pass(read);
        return;
    }
    if (read.code == Opcode::discard) {
        count_inputs(read, -1);
        return;
    }
    Op op = read;
    if (options_.propagate_copies) {
        for (unsigned i = outputs(op); i < op.arg_count; ++i) {
            op.args[i] = values_.resolve(op.args[i]);
        }
    }
    if (apply_rules(op) == Step::drop) {
        count_inputs(read, -1);
        --label_refs_[read.args[ir::kBrcondLabelArg]];
        return;
    }
    if (op.code == Opcode::mov) {
        count_inputs(read, -1);
        emit_mov(op);
        return;
    }
    recount(read, op);
    emit(op);
    unreachable_ = ir::has_flag(op.code, ir::flag_block_end);
}

Optimizer::Step Optimizer::apply_rules(Op& op) {
    // A rule may make another one applicable; the number of rounds bounds the work.
    constexpr int kRounds = 4;
    for (int round = 0; round < kRounds && has_rules(op.code); ++round) {
        const Step step = simplify(op);
        if (step != Step::changed) {
            return step;
        }
    }
    return Step::keep;
}

// The op that was read becomes another one.
void Optimizer::recount(const Op& before, const Op& after) {
    if (before.arg_count != after.arg_count ||
        std::memcmp(before.args, after.args, sizeof(before.args)) != 0) {
        count_inputs(before, -1);
        count_inputs(after, 1);
    }
}

// `op` is counted already.
void Optimizer::emit(const Op& op) {
    const uint32_t effects = op.code == Opcode::call ? helpers_[op.aux].effects : 0;
    const uint32_t index = written_++;
    const OpPlace place = written_;
    unit_->ops[index] = op;
    const unsigned results = outputs(op);
    for (unsigned i = results; i < op.arg_count; ++i) {
        values_.uses(op.args[i]).last_use = place;
    }
    if (observes(op, effects)) {
        last_observed_ = place;
    }
    if ((effects & kHelperWritesGlobals) != 0) {
        values_.forget_globals();
    }
    if (results != 0) {
        emit_results(op, place, results);
    }
}

// What the op says of its result.
Facts Optimizer::facts_of_result(const Op& op, Type type, unsigned results) const {
    if (!options_.known_bits || !ir::is_int(type) || op.code == Opcode::call) {
        return Facts::unknown(type);
    }
    if (ir::has_flag(op.code, ir::flag_may_fault)) {
        return result_facts(op, type, {});  // what is read from memory does not follow from the operands
    }
    std::array<KnownValue, kMaxIntInputs> inputs;
    const unsigned count = op.arg_count - results;
    for (unsigned i = 0; i < count; ++i) {
        inputs[i] = values_.known_value(op.args[results + i]);
    }
    return result_facts(op, type, {inputs.data(), count});
}

void Optimizer::emit_results(const Op& op, OpPlace place, unsigned results) {
    const TempIndex d = op.args[0];
    const Facts made = facts_of_result(op, values_.temp(d).type, results);
    Value& value = values_.write(d);
    value.facts = made;
    values_.uses(d).last_def = place;
    if (is_computation(op)) {
        value.made_by = place;
        value.made_at = value.version;
    }
    if (options_.unbox) {
        if (op.code == Opcode::fbox) {
            values_.set_single(d, op.args[1]);
        } else if (op.code == Opcode::funbox) {
            values_.set_single(op.args[1], d);
        }
    }
}

// Lets the op that made `from` write `to` instead, if nobody can tell.
bool Optimizer::coalesce(TempIndex to, TempIndex from) {
    const Uses& source = values_.uses(from);
    const Uses& target = values_.uses(to);
    // visit() has taken this mov's own use out already.
    if (!options_.coalesce || values_.temp(from).kind != TempKind::ebb || source.reads != 0 ||
        source.writes != 1 || !values_.known(from) || source.last_def == kNoOp) {
        return false;
    }
    const OpPlace maker = source.last_def;
    Op& op = unit_->ops[maker - 1];
    // A helper's result arrives after the helper wrote globals of its own, and is void if it raised.
    if (op.code == Opcode::call || outputs(op) != 1 || op.args[0] != from) {
        return false;
    }
    if (target.last_use > maker || target.last_def >= maker || last_observed_ > maker) {
        return false;
    }
    op.args[0] = to;
    return true;
}

void Optimizer::emit_mov(const Op& op) {
    const TempIndex d = op.args[0];
    const TempIndex s = op.args[1];
    const TempIndex root = values_.resolve(s);
    if (options_.propagate_copies && values_.resolve(d) == root) {
        return;  // it has that value already
    }
    const bool merged = coalesce(d, s);
    OpPlace place = values_.uses(s).last_def;
    if (!merged) {
        unit_->ops[written_++] = op;
        place = written_;
        count_inputs(op, 1);
        values_.uses(s).last_use = place;
    }
    uint64_t ignored = 0;
    const Facts facts = ir::is_int(op.type) ? values_.facts(s) : Facts::unknown(op.type);
    const bool source_known = values_.known(root) && !is_constant(root, &ignored);
    const Value source = values_[root];
    const TempIndex single = op.type == Type::f64 ? values_.single_of(root) : kNoTemp;
    // If the f32 `s` is what funbox of another temp was known to be, `d` is it now.
    const TempIndex boxed =
        merged && unit_->ops[place - 1].code == Opcode::funbox ? unit_->ops[place - 1].args[1] : kNoTemp;
    const bool is_single = boxed != kNoTemp && values_.single_of(boxed) == s;

    Value& value = values_.write(d);
    value.facts = facts;
    values_.uses(d).last_def = place;
    if (source_known) {
        value.made_by = source.made_by;
        value.made_at = source.made_at;
    }
    if (single != kNoTemp && single != d) {
        values_.set_single(d, single);
    }
    if (merged) {
        values_.write(s);  // nobody may fall back on a temp that is not written any more
        if (is_single) {
            values_.set_single(boxed, d);
        }
        return;
    }
    if (root == d) {
        return;
    }
    if (source_known && rank(values_.temp(d)) > rank(values_.temp(root))) {
        values_.set_copy(root, d);
    } else {
        values_.set_copy(d, root);
    }
}

// ---- what rules ask and say ----

Facts Optimizer::facts(TempIndex t) const {
    return options_.known_bits ? values_.facts(t) : Facts::unknown(values_.temp(t).type);
}

const Op* Optimizer::made_by(TempIndex t, Type type) const {
    t = values_.resolve(t);
    if (!options_.combine || !values_.known(t) || values_[t].made_by == kNoOp) {
        return nullptr;
    }
    const Op& op = unit_->ops[values_[t].made_by - 1];
    return op.type == type || op.type == Type::none ? &op : nullptr;
}

bool Optimizer::still(TempIndex t, unsigned index) const {
    const Value& value = values_[values_.resolve(t)];
    return values_.version(unit_->ops[value.made_by - 1].args[index]) < value.made_at;
}

Optimizer::Step Optimizer::to_mov(Op& op, TempIndex source) {
    op.code = Opcode::mov;
    op.cond = 0;
    op.aux = 0;
    op.arg_count = 2;
    op.args[1] = source;
    return Step::changed;
}

Optimizer::Step Optimizer::to_constant(Op& op, uint64_t value) {
    const Type type = values_.temp(op.args[0]).type;
    const TempIndex constant = values_.constant(type, value);
    if (constant == kNoTemp) {
        return Step::keep;
    }
    op.type = type;
    return to_mov(op, constant);
}

Optimizer::Step Optimizer::to_unary(Op& op, Opcode code, TempIndex a) {
    op.code = code;
    op.type = ir::info(code).types == ir::TypeSet::none ? Type::none : op.type;
    op.cond = 0;
    op.aux = 0;
    op.arg_count = 2;
    op.args[1] = a;
    return Step::changed;
}

Optimizer::Step Optimizer::to_binary(Op& op, Opcode code, TempIndex a, uint64_t value) {
    const TempIndex constant = values_.constant(op.type, value);
    if (constant == kNoTemp) {
        return Step::keep;
    }
    op.code = code;
    op.cond = 0;
    op.aux = 0;
    op.arg_count = 3;
    op.args[1] = a;
    op.args[2] = constant;
    return Step::changed;
}

Optimizer::Step Optimizer::to_field(Op& op, Opcode code, TempIndex a, unsigned position, unsigned length) {
    op.code = code;
    op.cond = 0;
    op.aux = position | length << 8;
    op.arg_count = 2;
    op.args[1] = a;
    return Step::changed;
}

// "d = d << n; d = d >> m" as translated from two instructions on one register: the first is forgotten if only the second
// reads it. The caller then uses the value from before the first.
bool Optimizer::undo_shift_in_place(const Op& op) {
    const TempIndex a = op.args[1];
    const Uses& uses = values_.uses(a);
    const OpPlace maker = values_[a].made_by;
    if (maker == kNoOp || uses.last_def != maker || uses.last_use > maker ||
        (values_.temp(a).kind != TempKind::ebb && last_observed_ > maker)) {
        return false;
    }
    Op& shift = unit_->ops[maker - 1];
    if (shift.args[0] != a || shift.args[1] != a) {
        return false;
    }
    // The shifted value must be gone at once: overwritten by this op, or by a mov of its result.
    const bool overwritten = op.args[0] == a || (next_ != nullptr && next_->code == Opcode::mov &&
                                                 next_->args[0] == a && next_->args[1] == op.args[0]);
    if (!overwritten) {
        return false;
    }
    count_inputs(shift, -1);
    shift = kTombstone;
    tombstones_ = true;
    values_.write(a);
    return true;
}

}  // namespace weft::tcg
