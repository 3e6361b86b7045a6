#include "accel/tcg/vcpu.h"

#include "accel/tcg/code_cache.h"
#include "accel/tcg/cpu_thread.h"
#include "accel/tcg/services.h"

namespace weft {

namespace {

// So that everything made after it may use the state.
accel::StateBlock make_block(const GuestArch& guest, Vcpu& vcpu, void* guest_object, tcg::JumpCacheEntry* jump_cache) {
    accel::StateBlock block(guest.state_size);
    StateHeader& header = block.header();
    header.vcpu = &vcpu;
    header.services = &accel::vcpu_services();
    header.guest = guest_object;
    header.jump_cache = jump_cache;
    return block;
}

}  // namespace

Vcpu::Vcpu(const accel::VcpuParts& parts)
    : guest(*parts.config->guest),
      memory(*parts.config->memory),
      host(*parts.config->host),
      cache(*parts.cache),
      thread(*parts.thread),
      clock(*parts.clock),
      index(parts.vcpu->index),
      block(make_block(guest, *this, parts.vcpu->guest, jump_cache.entries())),
      reader(memory, parts.vcpu->address_space),
      mmu(*this, cache.pages()),
      alarm(*parts.timer, [](void* vcpu) { static_cast<Vcpu*>(vcpu)->kick(); }, this) {
    if (const accel::Profile* profile = cache.profile()) {
        exec().profile.unit_entries = profile->counters();
    }
    guest.reset(state());
}

void Vcpu::kick() {
    header().exit_request.store(1, std::memory_order_seq_cst);
    thread.wake(*this);
}

void Vcpu::flush_translations(const TlbFlush& flush) {
    const bool one_page = mmu.flush(flush) && !large_code.covers(flush.vaddr);
    if (one_page) {
        jump_cache.clear_page(flush.vaddr);
    } else if (flush.all_asids) {
        contexts.renew();
        if (flush.all_addresses) {
            large_code.clear();
        }
    } else {
        contexts.renew_asid(flush.asid);
    }
}

void Vcpu::forget_memory() {
    mmu.flush_all();
    contexts.renew();
    large_code.clear();
}

void Vcpu::reset() {
    forget_memory();
    rounding_known = false;
    halted = false;
    header().raised = 0;
    guest.reset(state());
}

}  // namespace weft
