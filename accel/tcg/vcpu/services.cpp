#include "accel/tcg/vcpu/services.h"

#include <cstring>

#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/vcpu/out_of_memory.h"
#include "accel/tcg/vcpu/vcpu.h"

namespace weft::accel {

namespace {

void tlb_flush(Vcpu* vcpu, const TlbFlush* flush) {
    or_fail(*vcpu, [&] { vcpu->flush_translations(*flush); });
}

void fence_i(Vcpu* vcpu) {
    or_fail(*vcpu, [&] {
        vcpu->cache.pages().fence();
        vcpu->jump_cache.process_drops();
    });
}

uint64_t now_ns(Vcpu* vcpu) { return vcpu->now_ns(); }

uint64_t cycles(Vcpu* vcpu) {
    return vcpu->insn_clock != nullptr ? vcpu->insn_clock->insns(vcpu->executor()) : vcpu->clock.now_ns();
}

uint64_t instret(Vcpu* vcpu) {
    return vcpu->insn_clock != nullptr
               ? vcpu->insn_clock->insns(vcpu->executor()) - vcpu->counters.exceptions.get()
               : vcpu->clock.now_ns();
}

void set_deadline(Vcpu* vcpu, uint64_t deadline_ns) {
    vcpu->alarm.set(deadline_ns);
    vcpu->thread().deadline_set(deadline_ns);
}

void kick(Vcpu* vcpu) { vcpu->kick(); }

MemoryStatus phys_load(Vcpu* vcpu, uint64_t paddr, unsigned size, uint64_t* value) {
    return vcpu->softmmu().physical().load(paddr, size, value);
}

MemoryStatus phys_store(Vcpu* vcpu, uint64_t paddr, unsigned size, uint64_t value) {
    return vcpu->softmmu().physical().store(paddr, size, value);
}

MemoryStatus phys_cmpxchg(Vcpu* vcpu, uint64_t paddr, uint64_t expected, uint64_t desired, bool* swapped) {
    return vcpu->softmmu().physical().cmpxchg(paddr, expected, desired, swapped);
}

bool load(Vcpu* vcpu, uint64_t vaddr, uint32_t memop, uint64_t* value) {
    return or_fail(*vcpu, false, [&] { return vcpu->memory.load(vaddr, memop, value); });
}

bool store(Vcpu* vcpu, uint64_t vaddr, uint32_t memop, uint64_t value) {
    return or_fail(*vcpu, false, [&] { return vcpu->memory.store(vaddr, memop, value); });
}

bool atomic(Vcpu* vcpu, ir::Opcode op, uint64_t vaddr, uint32_t memop, uint64_t a, uint64_t b,
            uint64_t* old) {
    return or_fail(*vcpu, false, [&] { return vcpu->memory.atomic(op, vaddr, memop, a, b, old); });
}

bool compare_exchange_pair(Vcpu* vcpu, uint64_t vaddr, uint32_t memop,
                           const std::array<uint64_t, 2>& expected, const std::array<uint64_t, 2>& desired,
                           std::array<uint64_t, 2>* old) {
    return or_fail(*vcpu, false, [&] {
        return vcpu->memory.compare_exchange_pair(vaddr, ir::MemOp(memop).mmu_mode(), expected, desired, old);
    });
}

bool log_enabled(Vcpu* vcpu, unsigned item) { return vcpu->host.log_enabled(vcpu->host.opaque, item); }

void log(Vcpu* vcpu, unsigned item, const char* text) {
    if (log_enabled(vcpu, item)) {
        vcpu->host.log(vcpu->host.opaque, text, std::strlen(text));
    }
}

constexpr VcpuServices kServices = {
    &tlb_flush,  &fence_i,      &now_ns, &cycles, &instret, &set_deadline,          &kick,        &phys_load,
    &phys_store, &phys_cmpxchg, &load,   &store,  &atomic,  &compare_exchange_pair, &log_enabled, &log};

}  // namespace

const VcpuServices& vcpu_services() { return kServices; }

}  // namespace weft::accel
