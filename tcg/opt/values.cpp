#include "tcg/opt/values.h"

#include <algorithm>

namespace weft::tcg {

using ir::TempIndex;
using ir::TempKind;

void Values::begin(ir::Unit& unit) {
    unit_ = &unit;
    values_.assign(unit.temp_count, Value{});
    constants_.fill(CachedConstant{});
    clock_ = 0;
    globals_version_ = 0;
    forget_all();
    for (uint32_t i = unit.global_count; i < unit.temp_count; ++i) {
        const ir::Temp& temp = unit.temps[i];
        if (temp.kind == TempKind::constant) {
            cached(temp.type, temp.value) = CachedConstant{temp.value, temp.type, static_cast<uint16_t>(i)};
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
    if (entry.index != kNoTemp && entry.type == type && entry.value == value) {
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
    values_.emplace_back();
    entry = CachedConstant{value, type, index};
    return index;
}

}  // namespace weft::tcg
