// Atomic guest accesses by the slow path, by the host's atomics.

#include "accel/tcg/mmu/access_width.h"
#include "accel/tcg/mmu/ram_store.h"
#include "accel/tcg/mmu/softmmu.h"
#include "weft/guest_ram.h"

namespace weft::accel {

using ir::MemOp;
using ir::Opcode;
using tcg::TlbEntry;

namespace {

template <class T>
T next_value(Opcode op, T old, T operand) {
    using Signed = std::make_signed_t<T>;
    switch (op) {
        case Opcode::atomic_xchg:
            return operand;
        case Opcode::atomic_add:
            return static_cast<T>(old + operand);
        case Opcode::atomic_and:
            return static_cast<T>(old & operand);
        case Opcode::atomic_or:
            return static_cast<T>(old | operand);
        case Opcode::atomic_xor:
            return static_cast<T>(old ^ operand);
        case Opcode::atomic_smin:
            return static_cast<Signed>(old) < static_cast<Signed>(operand) ? old : operand;
        case Opcode::atomic_smax:
            return static_cast<Signed>(old) > static_cast<Signed>(operand) ? old : operand;
        case Opcode::atomic_umin:
            return old < operand ? old : operand;
        default:
            return old > operand ? old : operand;
    }
}

template <class T>
T perform(Opcode op, uint8_t* host, T a, T b) {
    if (op == Opcode::atomic_cmpxchg) {
        return guest_ram::compare_exchange(host, a, b);
    }
    T old = guest_ram::load<T>(host);
    for (;;) {
        const T seen = guest_ram::compare_exchange(host, old, next_value(op, old, a));
        if (seen == old) {
            return old;
        }
        old = seen;
    }
}

}  // namespace

template <class Made>
bool SoftMmu::make_atomic(uint64_t vaddr, unsigned size, unsigned mmu_mode, Made&& access) {
    // Naturally aligned whatever the op says: the host would tear it otherwise.
    if ((vaddr & (size - 1)) != 0) {
        guest_.unaligned_access(state_, vaddr, Access::store);
        return false;
    }
    TlbEntry once{};
    TlbEntry* entry = entry_for(vaddr, size, mmu_mode, Access::store, &once);
    if (entry == nullptr) {
        return false;
    }
    if ((entry->write & tcg::kTlbDevice) != 0) {
        // Devices are memory without atomics (RISC-V privileged specification, "Atomicity PMAs": AMONone).
        guest_.bus_error(state_, vaddr, Access::store);
        return false;
    }
    if (stopped_before(entry->write, vaddr, size, true, true)) {
        return false;
    }
    RamStore store(code_pages_, user_, *entry, vaddr, size);
    access(reinterpret_cast<uint8_t*>(entry->addend + vaddr));
    store.made();
    return true;
}

bool SoftMmu::atomic(Opcode op, uint64_t vaddr, uint32_t memop_bits, uint64_t a, uint64_t b, uint64_t* old) {
    const MemOp memop(memop_bits);
    return with_width(memop.size(), [&]<class T>(T) {
        return make_atomic(vaddr, sizeof(T), memop.mmu_mode(), [&](uint8_t* host) {
            *old = extend(perform<T>(op, host, static_cast<T>(a), static_cast<T>(b)), memop);
        });
    });
}

bool SoftMmu::compare_exchange_pair(uint64_t vaddr, unsigned mmu_mode,
                                    const std::array<uint64_t, 2>& expected,
                                    const std::array<uint64_t, 2>& desired, std::array<uint64_t, 2>* old) {
    return make_atomic(vaddr, 16, mmu_mode, [&](uint8_t* host) {
        *old = guest_ram::compare_exchange_pair(host, expected, desired);
    });
}

}  // namespace weft::accel
