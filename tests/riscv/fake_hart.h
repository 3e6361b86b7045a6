// A hart on fake accelerator services: RAM is a byte array, the clock a variable, and calls are recorded.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "emulator/guest/riscv/cpu/exception.h"
#include "emulator/guest/riscv/cpu/hart.h"
#include "emulator/guest/riscv/cpu/mmu.h"
#include "emulator/guest/riscv/cpu/reset.h"
#include "emulator/guest/riscv/cpu/state.h"
#include "emulator/guest/riscv/guest_arch.h"
#include "emulator/guest/riscv/translate/helpers.h"
#include "weft/guest.h"

namespace weft::riscv {
class FakeHart;
}

namespace weft {
struct Vcpu {
    riscv::FakeHart* owner;
};
}  // namespace weft

namespace weft::riscv {

inline constexpr uint64_t kRamBase = 0x8000'0000;
inline constexpr uint64_t kRamSize = 0x40'0000;

class FakeHart {
  public:
    // The model outlives the hart.
    explicit FakeHart(uint64_t hart_id = 0, const CpuModel& model = kMax)
        : hart(hart_id, 0x1000), ram_(kRamSize), vcpu_{this} {
        block_.header.vcpu = &vcpu_;
        block_.header.services = &kServices;
        block_.header.guest = &hart;
        reset(&block_.state, &model);
        hart.attach(&block_.state);
    }
    FakeHart(const FakeHart&) = delete;
    FakeHart& operator=(const FakeHart&) = delete;

    State& state() { return block_.state; }
    StateHeader& header() { return block_.header; }

    uint64_t load64(uint64_t paddr) const {
        uint64_t value = 0;
        std::memcpy(&value, &ram_.at(paddr - kRamBase), sizeof(value));
        return value;
    }
    void store64(uint64_t paddr, uint64_t value) {
        std::memcpy(&ram_.at(paddr - kRamBase), &value, sizeof(value));
    }

    // Allows S and U mode everything, in entry 15, so that tests of other things need not think of
    // protection.
    void open_pmp() {
        state().pmpcfg[15] = 0x1f;
        state().pmpaddr[15] = ~uint64_t{0} >> 10;
    }

    // Calls a helper of the table by its id, as generated code does.
    template <class R, class... Args>
    R call(HelperId id, Args... args) {
        header().raised = 0;
        return reinterpret_cast<R (*)(State*, Args...)>(helper_table()[id].function)(&state(), args...);
    }
    // Whether the last helper raised exactly this.
    bool raised(Exception cause, uint64_t tval) {
        return header().raised == 1 && state().exception_cause == static_cast<uint64_t>(cause) &&
               state().exception_tval == tval;
    }
    uint64_t csr(unsigned number, uint64_t operand, CsrOp op) {
        return call<uint64_t, uint32_t, uint64_t, uint32_t, uint32_t>(kHelperCsr, number, operand,
                                                                      static_cast<uint32_t>(op), kInsn);
    }
    uint64_t csr_read(unsigned number) { return csr(number, 0, CsrOp::read); }
    void csr_write(unsigned number, uint64_t value) { csr(number, value, CsrOp::write); }
    bool csr_illegal() { return raised(Exception::illegal_insn, kInsn); }

    static constexpr uint32_t kInsn = 0x3400'12f3;

    Hart hart;
    uint64_t now = 0;
    std::vector<TlbFlush> flushes;
    std::vector<uint64_t> deadlines;
    std::atomic<unsigned> kicks{0};
    unsigned log_item = 0;  // the one that is enabled
    std::string log_text;
    unsigned fence_is = 0;
    unsigned stores = 0;
    std::function<void()> before_cmpxchg;

  private:
    struct Block {
        alignas(64) StateHeader header;
        State state;
    };
    static_assert(offsetof(Block, state) == sizeof(StateHeader));

    bool in_ram(uint64_t paddr, unsigned size) const {
        return paddr >= kRamBase && paddr - kRamBase <= kRamSize - size && paddr % size == 0;
    }

    static void tlb_flush(Vcpu* vcpu, const TlbFlush* flush) { vcpu->owner->flushes.push_back(*flush); }
    static void fence_i(Vcpu* vcpu) { ++vcpu->owner->fence_is; }
    static uint64_t now_ns(Vcpu* vcpu) { return vcpu->owner->now; }
    static void set_deadline(Vcpu* vcpu, uint64_t deadline) { vcpu->owner->deadlines.push_back(deadline); }
    static void kick(Vcpu* vcpu) { ++vcpu->owner->kicks; }
    static MemoryStatus phys_load(Vcpu* vcpu, uint64_t paddr, unsigned size, uint64_t* value) {
        if (!vcpu->owner->in_ram(paddr, size)) {
            return MemoryStatus::unassigned;
        }
        *value = 0;
        std::memcpy(value, &vcpu->owner->ram_[paddr - kRamBase], size);
        return MemoryStatus::ok;
    }
    static MemoryStatus phys_store(Vcpu* vcpu, uint64_t paddr, unsigned size, uint64_t value) {
        if (!vcpu->owner->in_ram(paddr, size)) {
            return MemoryStatus::unassigned;
        }
        ++vcpu->owner->stores;
        std::memcpy(&vcpu->owner->ram_[paddr - kRamBase], &value, size);
        return MemoryStatus::ok;
    }
    static MemoryStatus phys_cmpxchg(Vcpu* vcpu, uint64_t paddr, uint64_t expected, uint64_t desired,
                                     bool* swapped) {
        FakeHart& self = *vcpu->owner;
        if (self.before_cmpxchg) {
            self.before_cmpxchg();
        }
        uint64_t value = 0;
        if (phys_load(vcpu, paddr, 8, &value) != MemoryStatus::ok) {
            return MemoryStatus::unassigned;
        }
        *swapped = value == expected;
        return *swapped ? phys_store(vcpu, paddr, 8, desired) : MemoryStatus::ok;
    }
    static bool no_access(Vcpu*, uint64_t, uint32_t, uint64_t*) { return false; }
    static bool no_atomic(Vcpu*, ir::Opcode, uint64_t, uint32_t, uint64_t, uint64_t, uint64_t*) {
        return false;
    }
    static bool no_pair(Vcpu*, uint64_t, uint32_t, const std::array<uint64_t, 2>&,
                        const std::array<uint64_t, 2>&, std::array<uint64_t, 2>*) {
        return false;
    }
    static bool no_store(Vcpu*, uint64_t, uint32_t, uint64_t) { return false; }
    static bool log_enabled(Vcpu* vcpu, unsigned item) { return item == vcpu->owner->log_item; }
    static void log(Vcpu* vcpu, unsigned, const char* text) { vcpu->owner->log_text += text; }

    static constexpr VcpuServices kServices = {
        tlb_flush,  fence_i,      now_ns,    now_ns,   now_ns,    set_deadline, kick,        phys_load,
        phys_store, phys_cmpxchg, no_access, no_store, no_atomic, no_pair,      log_enabled, log};

    std::vector<uint8_t> ram_;
    Vcpu vcpu_;
    Block block_{};
};

}  // namespace weft::riscv
