#include "tcg/ir/verify.h"

#include <fmt/format.h>

#include <iterator>
#include <string>
#include <vector>

#include "tcg/exec_state.h"
#include "tcg/ir/print.h"
#include "weft/ir_info.h"

namespace weft::tcg {

using ir::Aux;
using ir::Op;
using ir::Opcode;
using ir::OpInfo;
using ir::Temp;
using ir::TempKind;
using ir::Type;
using ir::TypeSet;

namespace {

constexpr uint32_t kNotBound = UINT32_MAX;

std::string_view type_name(Type type) {
    constexpr std::string_view kNames[] = {"none", "i32", "i64", "f32", "f64"};
    return static_cast<unsigned>(type) < std::size(kNames) ? kNames[static_cast<unsigned>(type)] : "?";
}

// Sets of unit temps, as bits, that have surely been written.
class WrittenSets {
  public:
    void reset(size_t temps, size_t labels) {
        words_ = (temps + 63) / 64;
        // Everything counts as written at a label until a way to it says otherwise.
        at_label_.assign(labels * words_, ~uint64_t{0});
        now_.assign(words_, 0);
    }
    void clear() { now_.assign(words_, 0); }
    void add(size_t temp) { now_[temp / 64] |= uint64_t{1} << temp % 64; }
    bool has(size_t temp) const { return (now_[temp / 64] >> temp % 64 & 1) != 0; }
    // Control goes from here to `label`. True if the label's set shrank.
    bool flow_to(size_t label) {
        bool changed = false;
        for (size_t i = 0; i < words_; ++i) {
            uint64_t& word = at_label_[label * words_ + i];
            changed = changed || (word & ~now_[i]) != 0;
            word &= now_[i];
        }
        return changed;
    }
    void take(size_t label) {
        for (size_t i = 0; i < words_; ++i) {
            now_[i] = at_label_[label * words_ + i];
        }
    }

  private:
    size_t words_ = 0;
    std::vector<uint64_t> at_label_;
    std::vector<uint64_t> now_;
};

class Verifier {
  public:
    Verifier(const ir::Unit& unit, std::span<const HelperDesc> helpers, RedoRule redo)
        : unit_(unit), helpers_(helpers), redo_(redo) {}

    Result<> run();

  private:
    // Each check gives the reason it fails for, or an empty string.
    std::string check_temps() const;
    std::string check_signature(const Op& op) const;
    std::string check_call(const Op& op) const;
    std::string check_argument(const Op& op, unsigned index, Type type, bool output) const;
    std::string check_aux(const Op& op) const;
    std::string check_memop(const Op& op) const;
    std::string check_state_access(const Op& op) const;
    std::string check_labels();
    std::string check_place(uint32_t index);
    std::string check_reads(uint32_t index, bool report);
    bool pass_written(std::string* reason, uint32_t* index, bool report);
    bool may_raise(const Op& op) const;
    bool has_effect(const Op& op) const;
    bool pass_redo(std::string* reason, uint32_t* index);

    unsigned outputs(const Op& op) const {
        return op.code == Opcode::call ? (helpers_[op.aux].signature.result != Type::none ? 1u : 0u)
                                       : static_cast<unsigned>(ir::info(op.code).outputs.size());
    }
    std::unexpected<Error> at(uint32_t index, const std::string& reason) const {
        return fail(
            fmt::format("op {} ({}): {}", index, print_op(unit_, unit_.ops[index], {{}, helpers_}), reason));
    }

    const ir::Unit& unit_;
    std::span<const HelperDesc> helpers_;
    const RedoRule redo_;
    std::vector<uint32_t> bound_;          // by label: the op that binds it
    std::vector<uint32_t> block_written_;  // by temp: the extended block (plus one) it was last written in
    std::vector<uint32_t> unit_number_;    // by temp: its number among the unit temps
    WrittenSets written_;
    std::vector<bool> effect_at_label_;  // a way leads there on which the guest instruction had an effect
    uint32_t block_ = 0;
    uint32_t slots_seen_ = 0;
    bool ended_ = false;
    bool started_ = false;
};

bool allows(TypeSet set, Type type) {
    switch (set) {
        case TypeSet::none:
            return type == Type::none;
        case TypeSet::ints:
            return ir::is_int(type);
        case TypeSet::fps:
            return ir::is_fp(type);
        case TypeSet::any:
            return ir::is_int(type) || ir::is_fp(type);
    }
    return false;
}

std::string Verifier::check_temps() const {
    if (unit_.version != ir::kIrVersion) {
        return fmt::format("IR version {} instead of {}", unit_.version, ir::kIrVersion);
    }
    if (unit_.error != ir::UnitError::none) {
        return "its storage could not grow";
    }
    if (unit_.temp_count > ir::kMaxTemps || unit_.global_count > unit_.temp_count) {
        return fmt::format("{} temps with {} globals", unit_.temp_count, unit_.global_count);
    }
    for (uint32_t i = 0; i < unit_.temp_count; ++i) {
        const Temp& temp = unit_.temps[i];
        if ((temp.kind == TempKind::global) != (i < unit_.global_count) || temp.kind > TempKind::unit) {
            return fmt::format("temp {} is of kind {}", i, static_cast<unsigned>(temp.kind));
        }
        if (!ir::is_int(temp.type) && !ir::is_fp(temp.type)) {
            return fmt::format("temp {} is of type {}", i, static_cast<unsigned>(temp.type));
        }
        if (temp.kind == TempKind::constant && ir::width(temp.type) == 32 && temp.value >> 32 != 0) {
            return fmt::format("temp {} is a constant of 32 bits with the value {:#x}", i, temp.value);
        }
    }
    return {};
}

std::string Verifier::check_argument(const Op& op, unsigned index, Type type, bool output) const {
    const uint16_t t = op.args[index];
    if (t >= unit_.temp_count) {
        return fmt::format("argument {} names temp {} of {}", index, t, unit_.temp_count);
    }
    const Temp& temp = unit_.temps[t];
    if (temp.type != type) {
        return fmt::format("argument {} is {}, not {}", index, type_name(temp.type), type_name(type));
    }
    if (output && temp.kind == TempKind::constant) {
        return "writes a constant";
    }
    return {};
}

std::string Verifier::check_call(const Op& op) const {
    if (op.aux >= helpers_.size()) {
        return fmt::format("there is no helper {}", op.aux);
    }
    const HelperSignature& signature = helpers_[op.aux].signature;
    const unsigned results = signature.result != Type::none ? 1 : 0;
    if (op.arg_count != results + signature.arg_count) {
        return fmt::format("{} arguments instead of {}", op.arg_count, results + signature.arg_count);
    }
    for (unsigned i = 0; i < op.arg_count; ++i) {
        const Type type = i < results ? signature.result : signature.args[i - results];
        if (std::string reason = check_argument(op, i, type, i < results); !reason.empty()) {
            return reason;
        }
    }
    return {};
}

std::string Verifier::check_signature(const Op& op) const {
    const OpInfo& info = ir::info(op.code);
    if (!allows(info.types, op.type)) {
        return fmt::format("type {} is not among the op's", type_name(op.type));
    }
    if (op.code == Opcode::call) {
        return check_call(op);
    }
    const size_t count = info.outputs.size() + info.inputs.size();
    if (op.arg_count != count) {
        return fmt::format("{} arguments instead of {}", op.arg_count, count);
    }
    for (unsigned i = 0; i < count; ++i) {
        const bool output = i < info.outputs.size();
        const char letter = output ? info.outputs[i] : info.inputs[i - info.outputs.size()];
        if (std::string reason = check_argument(op, i, ir::letter_type(letter, op.type), output);
            !reason.empty()) {
            return reason;
        }
    }
    return {};
}

std::string Verifier::check_memop(const Op& op) const {
    constexpr uint32_t kKnownBits = 3u | ir::MemOp::kSign | ir::MemOp::kAligned | ir::MemOp::kAcquire |
                                    ir::MemOp::kRelease | ir::MemOp::kReserve | (kMmuModes - 1) << 8;
    const ir::MemOp memop(op.aux);
    if (memop.displacement() != 0 && op.code != Opcode::guest_ld && op.code != Opcode::guest_st) {
        return fmt::format("an atomic access has a displacement of {}", memop.displacement());
    }
    if ((memop.at(0).bits() & ~kKnownBits) != 0) {
        return fmt::format("memory operation {:#x} has unknown bits", op.aux);
    }
    if (memop.reserve() && (op.code != Opcode::guest_ld || !memop.aligned() || memop.sign())) {
        return "only an aligned load without sign extension reserves";
    }
    const unsigned bits = 8 * memop.size();
    if (bits > ir::width(op.type) || (ir::is_fp(op.type) && bits != ir::width(op.type))) {
        return fmt::format("an access of {} bytes does not go with {}", memop.size(), type_name(op.type));
    }
    return {};
}

std::string Verifier::check_state_access(const Op& op) const {
    unsigned size = ir::width(op.type) / 8;
    switch (op.code) {
        case Opcode::ld8u:
        case Opcode::ld8s:
        case Opcode::st8:
            size = 1;
            break;
        case Opcode::ld16u:
        case Opcode::ld16s:
        case Opcode::st16:
            size = 2;
            break;
        case Opcode::ld32u:
        case Opcode::ld32s:
        case Opcode::st32:
            size = 4;
            break;
        default:
            break;
    }
    const int64_t first = static_cast<int32_t>(op.aux);
    for (uint32_t i = 0; i < unit_.global_count; ++i) {
        const Temp& global = unit_.temps[i];
        if (first < int64_t{global.offset} + ir::width(global.type) / 8 &&
            int64_t{global.offset} < first + size) {
            return fmt::format("touches the home of global {}", i);
        }
    }
    return {};
}

std::string Verifier::check_aux(const Op& op) const {
    switch (ir::info(op.code).aux) {
        case Aux::cond:
        case Aux::cond_label:
            return op.cond <= static_cast<unsigned>(ir::Cond::tstne) ? ""
                                                                     : fmt::format("condition {}", op.cond);
        case Aux::field: {
            const unsigned position = op.aux & 0xff;
            const unsigned length = op.aux >> 8;
            return length >= 1 && length <= 64 && position + length <= ir::width(op.type)
                       ? ""
                       : fmt::format("field of {} bits at {}", length, position);
        }
        case Aux::offset:
            return check_state_access(op);
        case Aux::memop:
            return check_memop(op);
        case Aux::slot:
            if (ir::goto_tb_slot(op) >= unit_.goto_tb_count || unit_.goto_tb_count > ir::kMaxGotoTb) {
                return fmt::format("slot {} of {}", ir::goto_tb_slot(op), unit_.goto_tb_count);
            }
            return unit_.fixed_pages || op.aux < 4096
                       ? ""
                       : fmt::format("offset {} leads to another page", ir::goto_tb_offset(op));
        case Aux::reason:
            return op.aux <= static_cast<unsigned>(ir::ExitReason::yield) ? ""
                                                                          : fmt::format("reason {}", op.aux);
        case Aux::barrier:
            return (op.aux & ~uint32_t{ir::kBarrierAll}) == 0 ? "" : fmt::format("barrier {:#x}", op.aux);
        case Aux::rounding:
        case Aux::convert:
            if (op.cond > static_cast<unsigned>(ir::Rounding::nearest_away)) {
                return fmt::format("rounding {}", op.cond);
            }
            return ir::info(op.code).aux == Aux::rounding || op.aux <= 3
                       ? ""
                       : fmt::format("conversion {}", op.aux);
        case Aux::insns:
        case Aux::returns:
            return op.cond <= 1 ? "" : fmt::format("flags {:#x}", op.cond);
        default:
            return {};
    }
}

// Binds labels; the references are checked afterwards, for a label may be bound later.
std::string Verifier::check_labels() {
    bound_.assign(unit_.label_count, kNotBound);
    for (uint32_t i = 0; i < unit_.op_count; ++i) {
        const Op& op = unit_.ops[i];
        if (op.code == Opcode::set_label && op.aux < unit_.label_count) {
            if (bound_[op.aux] != kNotBound) {
                return fmt::format("label {} is bound by op {} and by op {}", op.aux, bound_[op.aux], i);
            }
            bound_[op.aux] = i;
        }
    }
    return {};
}

bool Verifier::may_raise(const Op& op) const {
    return ir::has_flag(op.code, ir::flag_may_fault) ||
           (op.code == Opcode::call && (helpers_[op.aux].effects & kHelperMayRaise) != 0);
}

// Whether the op does what doing its guest instruction again would do again.
bool Verifier::has_effect(const Op& op) const {
    for (unsigned i = 0; i < outputs(op); ++i) {
        if (unit_.temps[op.args[i]].kind == TempKind::global) {
            return true;
        }
    }
    switch (op.code) {
        case Opcode::call:
            return (helpers_[op.aux].effects &
                    (kHelperWritesGlobals | kHelperSideEffects | kHelperMayRaise)) != 0;
        case Opcode::guest_ld:
            return false;
        case Opcode::guest_st:  // of a constant: the second time is like the first
            return unit_.temps[op.args[0]].kind != TempKind::constant;
        case Opcode::st8:
        case Opcode::st16:
        case Opcode::st32:
        case Opcode::st:
        case Opcode::fpflags_set:
            return true;
        default:
            return ir::has_flag(op.code, ir::flag_may_fault);
    }
}

// One walk along the flow of control. True: more labels than before are reached with an effect, and the walk must be repeated.
bool Verifier::pass_redo(std::string* reason, uint32_t* index) {
    bool changed = false;
    bool effect = false;
    bool reached = true;
    const auto flow_to = [&](uint32_t label) {
        changed = changed || (effect && !effect_at_label_[label]);
        effect_at_label_[label] = effect_at_label_[label] || effect;
    };
    for (uint32_t i = 0; i < unit_.op_count; ++i) {
        const Op& op = unit_.ops[i];
        if (op.code == Opcode::set_label) {
            if (op.aux < unit_.label_count) {
                if (reached) {
                    flow_to(op.aux);
                }
                effect = effect_at_label_[op.aux];
            }
        } else if (op.code == Opcode::insn_start) {
            effect = false;
        } else if (effect && may_raise(op)) {
            *reason = "may raise an exception when its guest instruction has had an effect";
            *index = i;
            return false;
        }
        effect = effect || has_effect(op);
        if (op.code == Opcode::br) {
            flow_to(op.aux);
        } else if (op.code == Opcode::brcond) {
            flow_to(op.args[ir::kBrcondLabelArg]);
        }
        reached = !ir::has_flag(op.code, ir::flag_block_end);
    }
    return changed;
}

// Where the op stands: blocks, transfers, instructions.
std::string Verifier::check_place(uint32_t index) {
    const Op& op = unit_.ops[index];
    const uint16_t flags = ir::info(op.code).flags;
    const Opcode before = index > 0 ? unit_.ops[index - 1].code : Opcode::discard;
    if (ended_ && op.code != Opcode::set_label) {
        return "stands after the end of a block";
    }
    ended_ = (flags & ir::flag_block_end) != 0;
    if (op.code == Opcode::set_label || op.code == Opcode::br || op.code == Opcode::brcond) {
        const uint32_t label = op.code == Opcode::brcond ? op.args[ir::kBrcondLabelArg] : op.aux;
        if (label >= unit_.label_count) {
            return fmt::format("there is no label {}", label);
        }
        if (bound_[label] == kNotBound) {
            return fmt::format("label {} is not bound", label);
        }
    }
    if ((op.code == Opcode::goto_tb || op.code == Opcode::lookup_and_goto_ptr) &&
        before != Opcode::exit_check) {
        return "no exit_check stands directly before it";
    }
    if (before == Opcode::exit_check && (flags & ir::flag_exit) == 0) {
        return "stands between an exit_check and its transfer";
    }
    if (before == Opcode::return_point && op.code != Opcode::exit_check) {
        return "stands between a return_point and its exit_check";
    }
    const bool returns = op.code == Opcode::lookup_and_goto_ptr && op.cond != 0;
    if ((op.code == Opcode::exit_tb || returns) && index > 1 &&
        unit_.ops[index - 2].code == Opcode::return_point) {
        return "is no call, and a return_point stands before it";
    }
    if (op.code == Opcode::goto_tb || op.code == Opcode::return_point) {
        const uint32_t bit = 1u << ir::goto_tb_slot(op);
        if ((slots_seen_ & bit) != 0) {
            return fmt::format("slot {} is used twice", ir::goto_tb_slot(op));
        }
        slots_seen_ |= bit;
    }
    started_ = started_ || op.code == Opcode::insn_start;
    if (may_raise(op) && !started_) {
        return "may raise an exception, and no insn_start stands before it";
    }
    return {};
}

// Updates what has been written, and says whether the op reads something that may not have been.
std::string Verifier::check_reads(uint32_t index, bool report) {
    const Op& op = unit_.ops[index];
    if (op.code == Opcode::set_label) {
        ++block_;
        return {};
    }
    const unsigned first_input = outputs(op);
    for (unsigned i = first_input; report && i < op.arg_count; ++i) {
        const uint16_t t = op.args[i];
        const TempKind kind = unit_.temps[t].kind;
        if (kind == TempKind::ebb && block_written_[t] != block_ + 1) {
            return fmt::format(
                "argument {} was {}", i,
                block_written_[t] == 0 ? "never written" : "written before a label: it is gone");
        }
        if (kind == TempKind::unit && !written_.has(unit_number_[t])) {
            return fmt::format("argument {} may not have been written", i);
        }
    }
    for (unsigned i = 0; i < first_input; ++i) {
        const uint16_t t = op.args[i];
        block_written_[t] = block_ + 1;
        if (unit_.temps[t].kind == TempKind::unit) {
            written_.add(unit_number_[t]);
        }
    }
    return {};
}

// One walk along the flow of control. True: a label's set shrank, and the walk must be repeated.
bool Verifier::pass_written(std::string* reason, uint32_t* index, bool report) {
    bool changed = false;
    block_written_.assign(unit_.temp_count, 0);
    block_ = 0;
    written_.clear();
    for (uint32_t i = 0; i < unit_.op_count; ++i) {
        const Op& op = unit_.ops[i];
        if (op.code == Opcode::set_label) {
            const bool falls_through =
                i == 0 || (ir::info(unit_.ops[i - 1].code).flags & ir::flag_block_end) == 0;
            changed = (falls_through && written_.flow_to(op.aux)) || changed;
            written_.take(op.aux);
        }
        if (std::string found = check_reads(i, report); !found.empty()) {
            *reason = std::move(found);
            *index = i;
            return false;
        }
        if (op.code == Opcode::br) {
            changed = written_.flow_to(op.aux) || changed;
        } else if (op.code == Opcode::brcond) {
            changed = written_.flow_to(op.args[ir::kBrcondLabelArg]) || changed;
        }
    }
    return changed;
}

Result<> Verifier::run() {
    if (std::string reason = check_temps(); !reason.empty()) {
        return fail("unit: " + reason);
    }
    if (unit_.op_count == 0) {
        return fail("unit: it has no ops");
    }
    for (uint32_t i = 0; i < unit_.op_count; ++i) {
        if (static_cast<unsigned>(unit_.ops[i].code) >= ir::kOpcodeCount) {
            return at(i, "unknown opcode");
        }
    }
    if (std::string reason = check_labels(); !reason.empty()) {
        return fail("unit: " + reason);
    }
    for (uint32_t i = 0; i < unit_.op_count; ++i) {
        const Op& op = unit_.ops[i];
        std::string reason = check_signature(op);
        if (reason.empty()) {
            reason = check_aux(op);
        }
        if (reason.empty()) {
            reason = check_place(i);
        }
        if (!reason.empty()) {
            return at(i, reason);
        }
    }
    if (!ended_) {
        return at(unit_.op_count - 1, "control leaves the unit behind its last op");
    }
    if (slots_seen_ != (1u << unit_.goto_tb_count) - 1) {
        return fail(fmt::format("unit: not all of its {} goto_tb slots are used", unit_.goto_tb_count));
    }

    unit_number_.assign(unit_.temp_count, 0);
    uint32_t unit_temps = 0;
    for (uint32_t i = unit_.global_count; i < unit_.temp_count; ++i) {
        if (unit_.temps[i].kind == TempKind::unit) {
            unit_number_[i] = unit_temps++;
        }
    }
    written_.reset(unit_temps, unit_.label_count);
    std::string reason;
    uint32_t index = 0;
    while (pass_written(&reason, &index, false)) {
    }
    pass_written(&reason, &index, true);
    if (redo_ == RedoRule::on && reason.empty()) {
        effect_at_label_.assign(unit_.label_count, false);
        while (pass_redo(&reason, &index)) {
        }
    }
    return reason.empty() ? Result<>() : at(index, reason);
}

}  // namespace

Result<> verify(const ir::Unit& unit, std::span<const HelperDesc> helpers, RedoRule redo) {
    return Verifier(unit, helpers, redo).run();
}

}  // namespace weft::tcg
