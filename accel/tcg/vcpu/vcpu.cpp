#include "accel/tcg/vcpu/vcpu.h"

#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/run/cpu_thread.h"
#include "accel/tcg/vcpu/services.h"

namespace weft {

namespace {

// So that everything made after it may use the state.
accel::StateBlock make_block(const GuestArch& guest, Vcpu& vcpu, void* guest_object,
                             tcg::JumpCacheEntry* jump_cache) {
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
      insn_clock(parts.insn_clock),
      index(parts.vcpu->index),
      block(make_block(guest, *this, parts.vcpu->guest, jump_cache.entries())),
      reader(memory, parts.vcpu->address_space),
      mmu(*this, cache.pages()),
      visits(cache.settings().translate_after),
      alarm(*parts.timer, [](void* vcpu) { static_cast<Vcpu*>(vcpu)->kick(); }, this) {
    if (insn_clock != nullptr) {
        alarm.set_own(true);  // there is no other clock to watch it by
    }
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
    const accel::SoftMmu::Fetched fetched = mmu.flush(flush);
    if (fetched == accel::SoftMmu::Fetched::page) {
        jump_cache.clear_page(flush.vaddr);
    } else if (fetched == accel::SoftMmu::Fetched::anywhere && flush.all_asids) {
        contexts.renew();
    } else if (fetched == accel::SoftMmu::Fetched::anywhere) {
        contexts.renew_asid(flush.asid);
    }
}

void Vcpu::forget_memory() {
    mmu.flush_all();
    contexts.renew();
}

void Vcpu::out_of_memory() {
    failed = true;
    header().exit_request.store(1, std::memory_order_seq_cst);
    host.fatal(host.opaque, "out of memory: a vCPU cannot go on");
}

void Vcpu::reset() {
    forget_memory();
    rounding_known = false;
    halted = false;
    look_at_interrupts = true;
    header().raised = 0;
    guest.reset(state());
}

}  // namespace weft
