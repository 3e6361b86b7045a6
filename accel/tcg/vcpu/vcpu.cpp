#include "accel/tcg/vcpu/vcpu.h"

#include <utility>

#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/vcpu/services.h"

namespace weft {

namespace {

// So that everything made after it may use the state.
accel::StateBlock make_block(const GuestArch& guest, Vcpu& vcpu, void* guest_object,
                             accel::JumpCache& jump_cache) {
    accel::StateBlock block(guest.state_size);
    StateHeader& header = block.header();
    header.vcpu = &vcpu;
    header.services = &accel::vcpu_services();
    header.guest = guest_object;
    header.jump_cache = jump_cache.entries();
    block.exec().jump_cache_mask = jump_cache.mask();
    return block;
}

}  // namespace

Vcpu::Vcpu(accel::VcpuParts parts)
    : CodeUser(parts.vcpu->index, std::move(parts.arrays.jump_cache)),
      guest(*parts.config->guest),
      host(*parts.config->host),
      cache(*parts.cache),
      clock(*parts.clock),
      insn_clock(parts.insn_clock),
      debug_points(parts.debug_points),
      block(make_block(guest, *this, parts.vcpu->guest, jump_cache)),
      machine_memory(parts.config->user == nullptr
                         ? std::make_unique<accel::MachineMemory>(
                               accel::MmuParts{*this, state(), exec(), nullptr, guest, *parts.config->memory,
                                               host, contexts, cache.pages(), *debug_points},
                               parts.vcpu->address_space)
                         : nullptr),
      process_memory(parts.config->user != nullptr
                         ? std::make_unique<accel::DirectMemory>(state(), guest, *parts.config->user)
                         : nullptr),
      memory(machine_memory != nullptr ? static_cast<accel::GuestMemory&>(machine_memory->softmmu)
                                       : *process_memory),
      // Threads that a process makes run what it has run for long.
      visits(cache.settings().translate_after,
             parts.config->user != nullptr && parts.vcpu->index == 0 ? cache.settings().translate_after_first
                                                                     : cache.settings().translate_after,
             std::move(parts.arrays.visits)),
      protecting{VcpuWork::async,
                 [](void* opaque, void*) {
                     auto& vcpu = *static_cast<Vcpu*>(opaque);
                     vcpu.protect_asked.store(false, std::memory_order_seq_cst);
                     vcpu.cache.pages().write_protect_for(vcpu);
                 },
                 this},
      alarm(
          *parts.timer, [](void* vcpu) { static_cast<Vcpu*>(vcpu)->kick(); }, this),
      thread_(parts.thread) {
    if (insn_clock != nullptr) {
        alarm.set_own(true);  // there is no other clock to watch it by
    }
    exec().profile.unit_entries = parts.unit_entries;
    jump_cache.set_contexts_apart(cache.settings().contexts_apart);
    guest.reset(state(), guest.model);
}

void Vcpu::kick() {
    header().exit_request.store(1, std::memory_order_seq_cst);
    thread().wake(*this);
}

bool Vcpu::same_thread(const accel::CodeUser& other) const {
    return &other == this || (&thread() == &accel::vcpu_of(other).thread() && thread().keeps_vcpus());
}

void Vcpu::ask_to_write_protect() {
    // Else it is queued and has not begun: it will see what the caller has prepared.
    if (!protect_asked.exchange(true, std::memory_order_seq_cst)) {
        work.push(protecting);
    }
    kick();
}

void Vcpu::flush_translations(const TlbFlush& flush) {
    const accel::Fetched fetched = memory.flush(flush);
    if (fetched == accel::Fetched::page) {
        jump_cache.clear_page(flush.vaddr, guest.max_insn_size);
    } else if (fetched == accel::Fetched::anywhere && flush.all_asids) {
        contexts.renew();
    } else if (fetched == accel::Fetched::anywhere) {
        contexts.renew_asid(flush.asid);
    }
}

void Vcpu::forget_memory() {
    memory.flush_all();
    contexts.renew();
}

void Vcpu::out_of_memory() {
    failed = true;
    header().exit_request.store(1, std::memory_order_seq_cst);
    host.fatal(host.opaque, "out of memory: a vCPU cannot go on");
}

void Vcpu::grow_jump_cache() {
    if (jump_cache.grow()) {
        header().jump_cache = jump_cache.entries();
        exec().jump_cache_mask = jump_cache.mask();
        counters.jump_cache_growths.add();
    }
}

void Vcpu::state_replaced() {
    forget_memory();
    rounding_known = false;
    halted = false;
    look_at_interrupts = true;
    short_turn = 0;
    header().raised = 0;
}

void Vcpu::reset() {
    state_replaced();
    guest.reset(state(), guest.model);
}

}  // namespace weft
