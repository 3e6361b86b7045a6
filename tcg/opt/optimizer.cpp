// The walk: what is kept, in which form, and what becomes known by it. The rules are in the files beside.
#include "tcg/opt/optimizer.h"

#include <algorithm>
#include <array>

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
    return ir::info(op.code).flags == ir::flag_none || ir::info(op.code).flags == ir::flag_commutes;
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
        values_[op.args[i]].uses += static_cast<uint32_t>(change);
    }
}

void Optimizer::count(const ir::Unit& unit) {
    label_refs_.assign(unit.label_count, 0);
    for (uint32_t i = 0; i < unit.op_count; ++i) {
        const Op& op = unit.ops[i];
        count_inputs(op, 1);
        for (unsigned j = 0; j < outputs(op); ++j) {
            ++values_[op.args[j]].defs;
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
        next_ = i + 1 < op_count ? &unit.ops[i + 1] : nullptr;
        visit(unit.ops[i]);
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
            op.aux = slot_count++ | op.aux >> 8 << 8;
        }
        unit_->ops[to++] = op;
    }
    unit_->op_count = to;
    unit_->goto_tb_count = slot_count;
}

void Optimizer::drop_unreachable(const Op& op) {
    count_inputs(op, -1);
    for (unsigned i = 0; i < outputs(op); ++i) {
        --values_[op.args[i]].defs;
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
    last_observed_ = static_cast<int32_t>(written_);
    unit_->ops[written_++] = op;
    values_.forget_all();
}

void Optimizer::visit(Op op) {
    if (op.code == Opcode::set_label) {
        visit_label(op);
        return;
    }
    if (unreachable_ && options_.unreachable) {
        drop_unreachable(op);
        return;
    }
    if (op.code == Opcode::discard) {
        count_inputs(op, -1);
        return;
    }
    count_inputs(op, -1);
    if (options_.propagate_copies) {
        for (unsigned i = outputs(op); i < op.arg_count; ++i) {
            op.args[i] = values_.resolve(op.args[i]);
        }
    }
    // A rule may make another one applicable; the number of rounds bounds the work.
    constexpr int kRounds = 4;
    const uint32_t label = op.code == Opcode::brcond ? op.args[ir::kBrcondLabelArg] : 0;
    for (int round = 0; round < kRounds; ++round) {
        const Step step = simplify(op);
        if (step == Step::drop) {
            --label_refs_[label];
            return;
        }
        if (step == Step::keep) {
            break;
        }
    }
    if (op.code == Opcode::mov) {
        emit_mov(op);
    } else {
        emit(op);
    }
    if ((ir::info(op.code).flags & ir::flag_block_end) != 0) {
        unreachable_ = true;
    }
}

void Optimizer::emit(const Op& op) {
    const uint16_t flags = ir::info(op.code).flags;
    const uint32_t effects = op.code == Opcode::call ? helpers_[op.aux].effects : 0;
    const auto index = written_++;
    const auto place = static_cast<int32_t>(index);
    unit_->ops[index] = op;
    count_inputs(op, 1);
    const unsigned results = outputs(op);
    for (unsigned i = results; i < op.arg_count; ++i) {
        values_[op.args[i]].last_use = place;
    }
    constexpr uint16_t kLooks =
        ir::flag_may_fault | ir::flag_block_end | ir::flag_cond_branch | ir::flag_exit;
    if ((flags & kLooks) != 0 || op.code == Opcode::exit_check ||
        (effects & (kHelperReadsGlobals | kHelperWritesGlobals | kHelperMayRaise)) != 0) {
        last_observed_ = place;
    }
    if ((effects & kHelperWritesGlobals) != 0) {
        values_.forget_globals();
    }
    emit_results(op, index, results);
}

void Optimizer::emit_results(const Op& op, uint32_t index, unsigned results) {
    if (results == 0) {
        return;
    }
    const TempIndex d = op.args[0];
    const Type type = values_.temp(d).type;
    Facts made = Facts::unknown(type);
    if (options_.known_bits && ir::is_int(type) && op.code != Opcode::call) {
        std::array<KnownValue, kMaxIntInputs> inputs;
        const unsigned count = op.arg_count - results;
        for (unsigned i = 0; i < count; ++i) {
            KnownValue& input = inputs[i];
            const TempIndex t = op.args[results + i];
            input.constant = is_constant(t, &input.value);
            input.facts = ir::is_int(values_.temp(t).type) ? values_.facts(t) : Facts::unknown(Type::i64);
        }
        made = result_facts(op, type, {inputs.data(), count});
    }
    Value& value = values_.write(d);
    value.facts = made;
    value.last_def = static_cast<int32_t>(index);
    if (is_computation(op)) {
        value.made_by = static_cast<int32_t>(index);
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
    const Value& source = values_[from];
    const Value& target = values_[to];
    // visit() has taken this mov's own use out already.
    if (!options_.coalesce || values_.temp(from).kind != TempKind::ebb || source.uses != 0 ||
        source.defs != 1 || !values_.known(from) || source.last_def == kNoOp) {
        return false;
    }
    const int32_t maker = source.last_def;
    Op& op = unit_->ops[maker];
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
    int32_t place = values_[s].last_def;
    if (!merged) {
        place = static_cast<int32_t>(written_);
        unit_->ops[written_++] = op;
        count_inputs(op, 1);
        values_[s].last_use = place;
    }
    uint64_t ignored = 0;
    const Facts facts = ir::is_int(op.type) ? values_.facts(s) : Facts::unknown(op.type);
    const bool source_known = values_.known(root) && !is_constant(root, &ignored);
    const Value source = values_[root];
    const TempIndex single = op.type == Type::f64 ? values_.single_of(root) : kNoTemp;
    // If the f32 `s` is what funbox of another temp was known to be, `d` is it now.
    const TempIndex boxed =
        merged && unit_->ops[place].code == Opcode::funbox ? unit_->ops[place].args[1] : kNoTemp;
    const bool is_single = boxed != kNoTemp && values_.single_of(boxed) == s;

    Value& value = values_.write(d);
    value.facts = facts;
    value.last_def = place;
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
    const Op& op = unit_->ops[values_[t].made_by];
    return op.type == type || op.type == Type::none ? &op : nullptr;
}

bool Optimizer::still(TempIndex t, unsigned index) const {
    const Value& value = values_[values_.resolve(t)];
    return values_.version(unit_->ops[value.made_by].args[index]) < value.made_at;
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
    const Value& value = values_[a];
    const int32_t maker = value.made_by;
    if (maker == kNoOp || value.last_def != maker || value.last_use > maker ||
        (values_.temp(a).kind != TempKind::ebb && last_observed_ > maker) || unit_->ops[maker].args[0] != a ||
        unit_->ops[maker].args[1] != a) {
        return false;
    }
    // The shifted value must be gone at once: overwritten by this op, or by a mov of its result.
    const bool overwritten = op.args[0] == a || (next_ != nullptr && next_->code == Opcode::mov &&
                                                 next_->args[0] == a && next_->args[1] == op.args[0]);
    if (!overwritten) {
        return false;
    }
    count_inputs(unit_->ops[maker], -1);
    unit_->ops[maker] = kTombstone;
    tombstones_ = true;
    values_.write(a);
    return true;
}

}  // namespace weft::tcg
