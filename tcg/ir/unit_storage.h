// The memory behind a unit of IR.
//
// One UnitMemory belongs to one translation context and is used by one thread at a time. Its arrays grow by doubling
// while a front end writes, and stay for the next unit, so that translating allocates nothing once they are large enough.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "weft/guest.h"
#include "weft/ir.h"

namespace weft::tcg {

// How large a unit may become before the front end is told to translate fewer instructions (UnitError::too_big).
struct UnitLimits {
    uint32_t max_ops = 1u << 15;
    uint32_t max_temps = ir::kMaxTemps;  // at most ir::kMaxTemps, and more than there are globals
};

class UnitMemory {
  public:
    // `globals` is the guest's table (GuestArch::globals); it is read here and not kept.
    explicit UnitMemory(std::span<const GlobalDesc> globals, const UnitLimits& limits = {});
    UnitMemory(const UnitMemory&) = delete;
    UnitMemory& operator=(const UnitMemory&) = delete;

    // An empty unit with the globals as its first temps: what ir::Builder starts from. What unit() held is gone.
    // Unit::error is out_of_memory if not even the globals fit.
    ir::Unit& begin_unit();
    // The unit since the last begin_unit().
    ir::Unit& unit() { return unit_; }
    const ir::Unit& unit() const { return unit_; }

  private:
    struct Free {
        void operator()(void* memory) const { std::free(memory); }
    };

    static bool grow_ops(ir::Unit* unit);
    static bool grow_temps(ir::Unit* unit);
    static const ir::UnitStorage kStorage;

    const UnitLimits limits_;
    std::vector<ir::Temp> globals_;
    // Plain memory rather than vectors: the elements in use are counted by the unit, which front ends write.
    std::unique_ptr<ir::Op[], Free> ops_;
    std::unique_ptr<ir::Temp[], Free> temps_;
    ir::Unit unit_{};
};

}  // namespace weft::tcg
