// What the optimizer knows of each temp while it walks over a unit.
//
// A clock counts writes. A temp's version is the clock at its last write, or at the last event that made everything known
// of it void (a label; for globals a helper that writes them). A statement about a temp holds while the temp has the
// version it was made for, so that a write takes all of them back at once. The clock goes on from unit to unit: what was known in
// an earlier one is void without being cleared.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "tcg/opt/facts.h"
#include "weft/ir.h"

namespace weft::tcg {

inline constexpr uint16_t kNoTemp = 0xffff;
// A place in the ops written so far, as its index plus 1.
using OpPlace = uint32_t;
inline constexpr OpPlace kNoOp = 0;

// What is known of a temp. All zeros: nothing.
struct Value {
    Facts facts;
    uint32_t version;
    // This temp equals `copy` while that has version `copy_version`.
    uint16_t copy;
    // An f64: funbox of it, while the two have these versions.
    uint16_t single;
    uint32_t copy_version;
    uint32_t single_version;
    uint32_t single_self;
    // The written op that made the value, when the clock said `made_at`.
    OpPlace made_by;
    uint32_t made_at;
};

// Who reads and writes a temp in this unit.
struct Uses {
    OpPlace last_use;
    OpPlace last_def;
    // In the whole unit, kept up to date while ops change.
    uint32_t reads;
    uint32_t writes;
};

class Values {
  public:
    void begin(ir::Unit& unit);

    Value& operator[](ir::TempIndex t) { return values_[t]; }
    const Value& operator[](ir::TempIndex t) const { return values_[t]; }
    Uses& uses(ir::TempIndex t) { return uses_[t]; }
    const Uses& uses(ir::TempIndex t) const { return uses_[t]; }
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
    // All that is known of a value; of what is no integer, nothing.
    KnownValue known_value(ir::TempIndex t) const;
    void set_copy(ir::TempIndex t, ir::TempIndex of);
    void set_single(ir::TempIndex of, ir::TempIndex single);
    // The f32 temp that holds funbox of `t`, or kNoTemp.
    ir::TempIndex single_of(ir::TempIndex t) const;

    // A constant temp with this value; kNoTemp if the unit can have no more temps.
    ir::TempIndex constant(ir::Type type, uint64_t value);

  private:
    struct CachedConstant {
        uint64_t value;
        uint32_t unit;  // unit_began_ of the unit that has it
        ir::Type type;
        uint16_t index;
    };
    static constexpr unsigned kConstantCache = 128;

    CachedConstant& cached(ir::Type type, uint64_t value) {
        return constants_[(value ^ value >> 7 ^ value >> 32 ^ static_cast<unsigned>(type)) % kConstantCache];
    }

    ir::Unit* unit_ = nullptr;
    // By temp; of the first, there may be more.
    std::vector<Value> values_;
    std::vector<Uses> uses_;
    std::array<CachedConstant, kConstantCache> constants_{};
    uint32_t clock_ = 0;
    uint32_t unit_began_ = 0;  // by the clock
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

inline KnownValue Values::known_value(ir::TempIndex t) const {
    t = resolve(t);
    const ir::Temp& resolved = temp(t);
    const bool constant = resolved.kind == ir::TempKind::constant;
    if (!ir::is_int(resolved.type)) {
        return {Facts::unknown(ir::Type::i64), constant, resolved.value};
    }
    if (constant) {
        return {Facts::of_constant(resolved.type, resolved.value), true, resolved.value};
    }
    return {known(t) ? values_[t].facts : Facts::unknown(resolved.type), false, 0};
}

}  // namespace weft::tcg
