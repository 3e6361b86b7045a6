// Makes units smaller and faster without changing what they do: not their results, not which accesses happen in which
// order, not which guest instruction faults, not the floating-point exceptions they accumulate.
//
// One walk forwards over the ops, in place. What is known of values holds within an extended basic block and is forgotten
// at labels. Ops whose results nobody needs are left to the backend's liveness pass.
#pragma once

#include <cstdint>
#include <span>

#include "tcg/opt/values.h"
#include "weft/guest.h"
#include "weft/ir.h"

namespace weft::tcg {

// Switches, for measuring. Names as in docs/performance.md.
struct OptimizeOptions {
    bool propagate_copies = true;  // uses of a copy become uses of what it was copied from
    bool fold_constants = true;    // compute what is known; decide branches
    bool simplify = true;          // identities, cheaper forms, constants second
    bool known_bits = true;        // use what is known of zero bits and of sign extension
    bool combine = true;           // look through the op that made an operand
    bool unbox = true;             // funbox of what fbox made
    bool coalesce = true;          // "t = op; mov g, t" becomes "g = op"
    bool unreachable = true;       // remove what no branch leads to
};

// Keeps its memory from unit to unit; used by one thread at a time.
class Optimizer {
  public:
    explicit Optimizer(const OptimizeOptions& options = {}) : options_(options) {}
    Optimizer(const Optimizer&) = delete;
    Optimizer& operator=(const Optimizer&) = delete;

    // `unit` was accepted by verify(), and is afterwards. New constants come from the unit's storage; where that is
    // exhausted, fewer simplifications are made. `helpers` is GuestArch::helpers.
    void optimize(ir::Unit& unit, std::span<const HelperDesc> helpers);

  private:
    using Op = ir::Op;
    using TempIndex = ir::TempIndex;

    // What to do with an op after a rule was tried.
    enum class Step : uint8_t { keep, changed, drop };

    // ---- the walk (optimizer.cpp) ----
    void count(const ir::Unit& unit);
    void visit(const Op& read);
    void visit_label(const Op& op);
    void pass(const Op& op);
    void recount(const Op& before, const Op& after);
    Step apply_rules(Op& op);
    void remove_branch_to(uint32_t label);
    void drop_unreachable(const Op& op);
    void emit(const Op& op);
    void emit_results(const Op& op, OpPlace place, unsigned results);
    Facts facts_of_result(const Op& op, ir::Type type, unsigned results) const;
    void emit_mov(const Op& op);
    bool coalesce(TempIndex to, TempIndex from);
    void count_inputs(const Op& op, int change);
    void compact();
    unsigned outputs(const Op& op) const;

    // ---- rules (integer_rules.cpp, field_rules.cpp, condition_rules.cpp) ----
    // Whether there is a rule for such an op at all.
    static bool has_rules(ir::Opcode code);
    Step simplify(Op& op);
    Step fold(Op& op);
    Step arithmetic_rules(Op& op);
    Step logic_rules(Op& op);
    Step and_rules(Op& op, uint64_t c);
    Step shift_rules(Op& op);
    Step shift_of_shift(Op& op, unsigned shift_count);
    bool undo_shift_in_place(const Op& op);
    Step extract_rules(Op& op);
    Step sextract_rules(Op& op);
    Step field_of_made(Op& op);
    Step deposit_rules(Op& op);
    Step conversion_rules(Op& op);
    Step condition_rules(Op& op);
    Step boolean_rules(Op& op);
    Step movcond_rules(Op& op);
    // 1 or 0 if the condition is decided, else -1; may rewrite the condition and its operands.
    int decide(ir::Type type, uint8_t* cond, uint16_t* a, uint16_t* b, bool* changed);
    int decide_against_constant(ir::Type type, ir::Cond* cond, TempIndex a, uint64_t c,
                                uint64_t* new_c) const;
    bool look_through_condition(ir::Type type, ir::Cond* cond, uint16_t* a, uint16_t* b);

    // ---- what rules ask and say ----
    bool is_constant(TempIndex t, uint64_t* value) const { return values_.constant_value(t, value); }
    // The same of an operand of an op that stands further up: what it was then.
    bool is_constant_temp(TempIndex t, uint64_t* value) const {
        *value = values_.temp(t).value;
        return values_.temp(t).kind == ir::TempKind::constant;
    }
    bool same(TempIndex a, TempIndex b) const { return values_.resolve(a) == values_.resolve(b); }
    // Bits that may be set.
    uint64_t possible(TempIndex t) const { return ~facts(t).zeros; }
    Facts facts(TempIndex t) const;
    // The op that made `t`, if it is an integer op of type `type` and may be looked through; else null.
    const Op* made_by(TempIndex t, ir::Type type) const;
    // Whether operand `index` of that op still has the value it had then.
    bool still(TempIndex t, unsigned index) const;

    static Step to_mov(Op& op, TempIndex source);
    Step to_constant(Op& op, uint64_t value);
    static Step to_unary(Op& op, ir::Opcode code, TempIndex a);
    Step to_binary(Op& op, ir::Opcode code, TempIndex a, uint64_t constant);
    static Step to_field(Op& op, ir::Opcode code, TempIndex a, unsigned position, unsigned length);

    const OptimizeOptions options_;
    std::span<const HelperDesc> helpers_;
    ir::Unit* unit_ = nullptr;
    Values values_;
    std::vector<uint16_t> label_refs_;
    const Op* next_ = nullptr;       // the op that follows the visited one, as it was; null at the end
    uint32_t written_ = 0;           // ops written so far
    OpPlace last_observed_ = kNoOp;  // the last written op at which globals may be looked at
    bool unreachable_ = false;
    bool slot_dropped_ = false;
    bool tombstones_ = false;
};

}  // namespace weft::tcg
