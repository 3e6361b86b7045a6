#include "tcg/ir/unit_storage.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/assert.h"

namespace weft::tcg {

namespace {

constexpr uint32_t kFirstOps = 256;
constexpr uint32_t kFirstTemps = 256;

// Doubles `array`, up to `limit` elements. On failure the array is as it was.
template <class T, class Deleter>
ir::UnitError grow(std::unique_ptr<T[], Deleter>& array, uint32_t* capacity, uint32_t first, uint32_t limit) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (*capacity >= limit) {
        return ir::UnitError::too_big;
    }
    const uint32_t wanted = std::min(std::max(first, *capacity * 2), limit);
    void* memory = std::realloc(array.get(), size_t{wanted} * sizeof(T));
    if (memory == nullptr) {
        return ir::UnitError::out_of_memory;
    }
    static_cast<void>(array.release());
    array.reset(static_cast<T*>(memory));
    *capacity = wanted;
    return ir::UnitError::none;
}

}  // namespace

const ir::UnitStorage UnitMemory::kStorage = {&UnitMemory::grow_ops, &UnitMemory::grow_temps};

UnitMemory::UnitMemory(std::span<const GlobalDesc> globals, const UnitLimits& limits) : limits_(limits) {
    WEFT_ASSERT(limits.max_temps <= ir::kMaxTemps && globals.size() < limits.max_temps);
    globals_.reserve(globals.size());
    for (const GlobalDesc& global : globals) {
        globals_.push_back(ir::Temp{global.type, ir::TempKind::global, static_cast<uint16_t>(globals_.size()),
                                    global.offset, 0});
    }
    unit_.storage = &kStorage;
    unit_.storage_owner = this;
}

ir::Unit& UnitMemory::begin_unit() {
    const auto global_count = static_cast<uint32_t>(globals_.size());
    unit_.version = ir::kIrVersion;
    unit_.op_count = 0;
    unit_.temp_count = 0;
    unit_.label_count = 0;
    unit_.error = ir::UnitError::none;
    unit_.uses_fp = false;
    unit_.ungrouped = false;
    unit_.uncarried = 0;
    unit_.fp_rounding = ir::Rounding::nearest_even;
    unit_.goto_tb_count = 0;
    unit_.fixed_pages = false;
    unit_.insn_count = 0;
    unit_.guest_size = 0;
    unit_.global_count = 0;
    while (unit_.temp_capacity < global_count) {
        if (!grow_temps(&unit_)) {
            return unit_;
        }
    }
    if (global_count != 0) {
        std::memcpy(unit_.temps, globals_.data(), globals_.size() * sizeof(ir::Temp));
    }
    unit_.global_count = global_count;
    unit_.temp_count = global_count;
    return unit_;
}

bool UnitMemory::grow_ops(ir::Unit* unit) {
    auto& self = *static_cast<UnitMemory*>(unit->storage_owner);
    const ir::UnitError error = grow(self.ops_, &unit->op_capacity, kFirstOps, self.limits_.max_ops);
    if (error != ir::UnitError::none) {
        unit->error = error;
        return false;
    }
    unit->ops = self.ops_.get();
    return true;
}

bool UnitMemory::grow_temps(ir::Unit* unit) {
    auto& self = *static_cast<UnitMemory*>(unit->storage_owner);
    const ir::UnitError error = grow(self.temps_, &unit->temp_capacity, kFirstTemps, self.limits_.max_temps);
    if (error != ir::UnitError::none) {
        unit->error = error;
        return false;
    }
    unit->temps = self.temps_.get();
    return true;
}

}  // namespace weft::tcg
