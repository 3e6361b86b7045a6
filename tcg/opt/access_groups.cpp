#include "tcg/opt/access_groups.h"

#include <algorithm>

#include "tcg/ir/outputs.h"
#include "weft/ir_info.h"

namespace weft::tcg {

using ir::MemOp;
using ir::Opcode;

void AccessGroups::plan(const ir::Unit& unit, std::span<const HelperDesc> helpers, bool enabled) {
    of_.assign(unit.op_count, kNone);
    groups_.clear();
    close_all();
    if (!enabled) {
        return;
    }
    for (uint32_t i = 0; i < unit.op_count; ++i) {
        const ir::Op& op = unit.ops[i];
        if (op.code == Opcode::guest_ld || op.code == Opcode::guest_st) {
            join(op, i);
        }
        // Control comes to a label from elsewhere; what a helper writes nobody knows.
        if ((ir::shape(op.code).flags & (ir::flag_block_start | ir::flag_call)) != 0) {
            close_all();
        }
        for (unsigned output = output_count(op, helpers); output-- > 0;) {
            close(static_cast<ir::TempIndex>(op.args[output]));
        }
    }
    for (uint16_t& number : of_) {
        if (number != kNone && groups_[number].accesses == 1) {
            number = kNone;
        }
    }
}

// The value in `base` is another from here on.
void AccessGroups::close(ir::TempIndex base) {
    for (uint16_t& number : open_) {
        if (number != kNone && groups_[number].base == base) {
            number = kNone;
        }
    }
}

void AccessGroups::join(const ir::Op& op, uint32_t index) {
    const MemOp memop(op.aux);
    const bool store = op.code == Opcode::guest_st;
    if (memop.aligned() || memop.release()) {
        return;  // they test and order more than a probe does
    }
    const auto base = static_cast<ir::TempIndex>(op.args[1]);
    const int32_t low = memop.displacement();
    const int32_t high = low + static_cast<int32_t>(memop.size());
    for (const uint16_t number : open_) {
        if (number == kNone) {
            continue;
        }
        AccessGroup& group = groups_[number];
        if (group.base != base || group.mmu_mode != memop.mmu_mode() || (store && !group.store) ||
            std::max(group.high, high) - std::min(group.low, low) > kMaxWindow) {
            continue;
        }
        group.low = std::min(group.low, low);
        group.high = std::max(group.high, high);
        group.last = index;
        ++group.accesses;
        of_[index] = number;
        return;
    }
    const auto number = static_cast<uint16_t>(groups_.size());
    groups_.push_back({base, store, static_cast<uint8_t>(memop.mmu_mode()), 1, index, low, high});
    of_[index] = number;
    // In the place of one that is closed, else of the one that was opened first.
    const auto closed = std::find(open_.begin(), open_.end(), kNone);
    if (closed != open_.end()) {
        *closed = number;
    } else {
        open_[next_] = number;
        next_ = (next_ + 1) % kOpen;
    }
}

}  // namespace weft::tcg
