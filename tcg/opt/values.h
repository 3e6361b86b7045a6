// What the optimizer knows of each temp while it walks over a unit.
//
// A clock counts writes. A temp's version is the clock at its last write, or at the last event that made everything known
// of it void (a label; for globals a helper that writes them). A statement about a temp holds while the temp has the
// version it was made for, so that a write takes all of them back at once.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "tcg/opt/facts.h"
#include "weft/ir.h"

namespace weft::tcg {

inline constexpr uint16_t kNoTemp = 0xffff;
inline constexpr int32_t kNoOp = -1;

struct Value {
    Facts facts;
    uint32_t version = 0;
    // This temp equals `copy` while that has version `copy_version`.
    uint16_t copy = kNoTemp;
    // An f64: funbox of it, while the two have these versions.
    uint16_t single = kNoTemp;
    uint32_t copy_version = 0;
    uint32_t single_version = 0;
    uint32_t single_self = 0;
    // The written op that made the value, when the clock said `made_at`.
    int32_t made_by = kNoOp;
    uint32_t made_at = 0;
    // Places in the ops written so far.
    int32_t last_use = kNoOp;
    int32_t last_def = kNoOp;
    // Reads and writes in the whole unit, kept up to date while ops change.
    uint32_t uses = 0;
    uint32_t defs = 0;
};

class Values {
  public:
    void begin(ir::Unit& unit);

    Value& operator[](ir::TempIndex t) { return values_[t]; }
    const Value& operator[](ir::TempIndex t) const { return values_[t]; }
    const ir::Temp& temp(ir::TempIndex t) const { return unit_->temps[t]; }
    bool is_global(ir::TempIndex t) const { return t < unit_->global_count; }

    void forget_all() { block_version_ = ++clock_; }
    void forget_globals() { globals_version_ = ++clock_; }
    // `t` gets a new value of which nothing is known yet.
    Value& write(ir::TempIndex t);

    uint32_t version(ir::TempIndex t) const;
    // Whether `t` was written since everything was forgotten, so that its Value holds.
    bool known(ir::TempIndex t) const;
    // The temp that stands for all that are known to be equal to `t`.
    ir::TempIndex resolve(ir::TempIndex t) const;
    bool constant_value(ir::TempIndex t, uint64_t* value) const;
    Facts facts(ir::TempIndex t) const;
    void set_copy(ir::TempIndex t, ir::TempIndex of);
    void set_single(ir::TempIndex of, ir::TempIndex single);
    // The f32 temp that holds funbox of `t`, or kNoTemp.
    ir::TempIndex single_of(ir::TempIndex t) const;

    // A constant temp with this value; kNoTemp if the unit can have no more temps.
    ir::TempIndex constant(ir::Type type, uint64_t value);

  private:
    struct CachedConstant {
        uint64_t value = 0;
        ir::Type type = ir::Type::none;
        uint16_t index = kNoTemp;
    };
    static constexpr unsigned kConstantCache = 128;

    CachedConstant& cached(ir::Type type, uint64_t value) {
        return constants_[(value ^ value >> 7 ^ value >> 32 ^ static_cast<unsigned>(type)) % kConstantCache];
    }

    ir::Unit* unit_ = nullptr;
    std::vector<Value> values_;
    std::array<CachedConstant, kConstantCache> constants_{};
    uint32_t clock_ = 0;
    uint32_t block_version_ = 0;
    uint32_t globals_version_ = 0;
};

// Asked for every argument of every op: worth being compiled into the walk.

inline Value& Values::write(ir::TempIndex t) {
    Value& value = values_[t];
    value.version = ++clock_;
    value.copy = kNoTemp;
    value.single = kNoTemp;
    value.made_by = kNoOp;
    value.facts = Facts::unknown(temp(t).type);
    return value;
}

inline uint32_t Values::version(ir::TempIndex t) const {
    const uint32_t version = std::max(values_[t].version, block_version_);
    return is_global(t) ? std::max(version, globals_version_) : version;
}

inline bool Values::known(ir::TempIndex t) const {
    return values_[t].version > block_version_ && (!is_global(t) || values_[t].version > globals_version_);
}

inline ir::TempIndex Values::resolve(ir::TempIndex t) const {
    while (known(t)) {
        const Value& value = values_[t];
        if (value.copy == kNoTemp || version(value.copy) != value.copy_version) {
            break;
        }
        t = value.copy;
    }
    return t;
}

inline bool Values::constant_value(ir::TempIndex t, uint64_t* value) const {
    const ir::Temp& resolved = temp(resolve(t));
    *value = resolved.value;
    return resolved.kind == ir::TempKind::constant;
}

inline Facts Values::facts(ir::TempIndex t) const {
    t = resolve(t);
    const ir::Temp& resolved = temp(t);
    if (resolved.kind == ir::TempKind::constant) {
        return Facts::of_constant(resolved.type, resolved.value);
    }
    return known(t) ? values_[t].facts : Facts::unknown(resolved.type);
}

}  // namespace weft::tcg
