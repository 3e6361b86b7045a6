// Direct guest memory: an access is one instruction of the host, in the segment gs where guest address 0 is not the host's.
//
// Nothing stands before it but what the host does not check by itself: alignment, where the guest wants it, and the bounds.
// What the host refuses faults, and the fault leaves the unit (Backend::redirect): so there are no slow paths, no groups
// and no records for the rest.
#include "tcg/x86_64/unit_compiler.h"

namespace weft::tcg::x86_64 {

using ir::MemOp;

Mem UnitCompiler::begin_direct(Gpr base, HostReg value, MemOp memop, bool is_store) {
    slow_ = nullptr;
    if (is_checked(memop)) {
        slow_ = &stub(Stub::Kind::access);
        slow_->access = AccessRecord(host(base), value, memop, is_store);
        check_direct(base, memop, slow_->entry);
    }
    return direct_place(base, memop.displacement());
}

Mem UnitCompiler::begin_direct_atomic(Gpr address, MemOp memop) {
    slow_ = nullptr;
    if (is_checked(memop)) {
        slow_ = &stub(Stub::Kind::atomic);
        check_direct(address, memop, slow_->entry);
    }
    return direct_place(address, 0);
}

Mem UnitCompiler::direct_place(Gpr base, int32_t displacement) const {
    const Mem place(base, displacement);
    return target_.memory.base != 0 ? place.in_gs() : place;
}

bool UnitCompiler::is_checked(MemOp memop) const {
    return target_.memory.bounds != 0 || (memop.aligned() && memop.size() > 1);
}

void UnitCompiler::check_direct(Gpr base, MemOp memop, Label& refused) {
    const int32_t first = memop.displacement();
    const auto size = static_cast<int32_t>(memop.size());
    if (target_.memory.bounds != 0) {
        // By the last byte: whatever begins above the limit ends there as well, but for the few bytes below address 0, for
        // which MemoryModel::bounds has a rule.
        const Gpr last = scratch();
        if (first + size == 1) {
            as_->mov(Width::q64, last, base);
        } else {
            as_->lea(Width::q64, last, Mem(base, first + size - 1));
        }
        as_->shr(Width::q64, last, target_.memory.bounds);
        as_->jcc(Cond::ne, refused);
    }
    if (memop.aligned() && size > 1) {
        Gpr tested = base;
        if (first != 0) {
            tested = scratch();
            as_->lea(Width::d32, tested, Mem(base, first));
        }
        as_->test(Width::b8, tested, size - 1);
        as_->jcc(Cond::ne, refused);
    }
}

}  // namespace weft::tcg::x86_64
