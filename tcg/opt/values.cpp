#include "tcg/opt/values.h"

namespace weft::tcg {

using ir::TempIndex;
using ir::TempKind;

void Values::begin(ir::Unit& unit) {
    unit_ = &unit;
    constexpr uint32_t kLate = ~uint32_t{0} / 2;  // more than the writes of one unit are left
    if (clock_ > kLate) {
        clock_ = 0;
        values_.clear();
        constants_.fill(CachedConstant{});
    }
    if (values_.size() < unit.temp_count) {
        values_.resize(unit.temp_count);
    }
    uses_.assign(unit.temp_count, Uses{});
    globals_version_ = 0;
    forget_all();
    unit_began_ = clock_;
    for (uint32_t i = unit.global_count; i < unit.temp_count; ++i) {
        const ir::Temp& temp = unit.temps[i];
        if (temp.kind == TempKind::constant) {
            cached(temp.type, temp.value) =
                CachedConstant{temp.value, unit_began_, temp.type, static_cast<uint16_t>(i)};
        }
    }
}

void Values::set_copy(TempIndex t, TempIndex of) {
    values_[t].copy = of;
    values_[t].copy_version = version(of);
}

void Values::set_single(TempIndex of, TempIndex single) {
    values_[of].single = single;
    values_[of].single_version = version(single);
    values_[of].single_self = version(of);
}

TempIndex Values::single_of(TempIndex t) const {
    const Value& value = values_[t];
    const bool holds = value.single != kNoTemp && version(t) == value.single_self &&
                       version(value.single) == value.single_version;
    return holds ? value.single : kNoTemp;
}

TempIndex Values::constant(ir::Type type, uint64_t value) {
    if (ir::Type::i32 == type || ir::Type::f32 == type) {
        value = static_cast<uint32_t>(value);
    }
    CachedConstant& entry = cached(type, value);
    if (entry.unit == unit_began_ && entry.type == type && entry.value == value) {
        return entry.index;
    }
    if (unit_->temp_count == ir::kMaxTemps) {
        return kNoTemp;
    }
    if (unit_->temp_count == unit_->temp_capacity) {
        const ir::UnitError error = unit_->error;
        if (!unit_->storage->grow_temps(unit_)) {
            unit_->error = error;  // the unit is as good without the new constant
            return kNoTemp;
        }
    }
    const auto index = static_cast<uint16_t>(unit_->temp_count++);
    unit_->temps[index] = ir::Temp{type, TempKind::constant, 0, 0, value};
    uses_.emplace_back();
    if (values_.size() < uses_.size()) {
        values_.emplace_back();
    }
    entry = CachedConstant{value, unit_began_, type, index};
    return index;
}

}  // namespace weft::tcg
