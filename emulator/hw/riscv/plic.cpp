#include "emulator/hw/riscv/plic.h"

#include <fmt/format.h>

#include <bit>

#include "base/assert.h"

namespace weft::hw {

namespace {

constexpr mem::MemoryRegionOps kOps = mmio_ops<Plic>({4, 4, false});

constexpr uint32_t bit_of(unsigned source) { return uint32_t{1} << source % 32; }

}  // namespace

Plic::Plic(mem::Topology& topology, MachineControl& control, std::span<riscv::Hart* const> harts)
    : control_(control), region_(topology.io("riscv.sifive.plic", kSize, kOps, this, &mutex_)) {
    WEFT_ASSERT(2 * harts.size() <= kMaxContexts);
    for (riscv::Hart* hart : harts) {
        contexts_.push_back(Context{hart, riscv::Interrupt::machine_external});
        contexts_.push_back(Context{hart, riscv::Interrupt::supervisor_external});
    }
}

void Plic::reset() {
    const MutexLock lock(mutex_);
    priority_.fill(0);
    pending_.fill(0);
    forwarded_.fill(0);
    for (Context& context : contexts_) {
        context.enabled.fill(0);
        context.threshold = 0;
        context.raised = false;
        context.hart->set_interrupt(context.interrupt, false);
    }
    for (unsigned source = 1; source < kSources; ++source) {
        run_gateway(source);
    }
}

void Plic::visit_state(StateVisitor& visitor) {
    const MutexLock lock(mutex_);
    visitor.numbers("priority", std::span(priority_), kMaxPriority);
    visitor.numbers("level", std::span(level_));
    visitor.numbers("pending", std::span(pending_));
    visitor.numbers("forwarded", std::span(forwarded_));
    for (Context& context : contexts_) {
        visitor.numbers("enabled", std::span(context.enabled));
        visitor.number("threshold", context.threshold, kMaxPriority);
        visitor.flag("raised", context.raised);
        if (visitor.loads()) {
            context.hart->set_interrupt(context.interrupt, context.raised);
        }
    }
    // There is no source 0, whose priority and bits stand for "none".
    if (visitor.loads()) {
        priority_[0] = 0;
        pending_[0] &= ~1u;
    }
}

void Plic::set_input(unsigned source, bool level) {
    WEFT_ASSERT(source != 0 && source < kSources);
    const MutexLock lock(mutex_);
    uint32_t& word = level_[source / 32];
    const uint32_t changed = level ? word | bit_of(source) : word & ~bit_of(source);
    if (word == changed) {
        return;
    }
    word = changed;
    // A request that was passed on stays pending even when the level falls (PLIC specification, "Interrupt Gateways").
    run_gateway(source);
}

void Plic::run_gateway(unsigned source) {
    const unsigned word = source / 32;
    if ((level_[word] & ~forwarded_[word] & bit_of(source)) != 0) {
        forwarded_[word] |= bit_of(source);
        pending_[word] |= bit_of(source);
        update_for(source);
    }
}

unsigned Plic::best(const Context& context) {
    unsigned found = 0;
    for (unsigned word = 0; word < kWords; ++word) {
        for (uint32_t bits = pending_[word] & context.enabled[word]; bits != 0; bits &= bits - 1) {
            const unsigned source = 32 * word + static_cast<unsigned>(std::countr_zero(bits));
            // Priority 0 means never; among equals the lowest number wins. priority_[0] is 0.
            if (priority_[source] > priority_[found]) {
                found = source;
            }
        }
    }
    return found;
}

void Plic::update(Context& context) {
    const bool raised = priority_[best(context)] > context.threshold;
    if (raised != context.raised) {
        context.raised = raised;
        context.hart->set_interrupt(context.interrupt, raised);
    }
}

void Plic::update_for(unsigned source) {
    for (Context& context : contexts_) {
        if ((context.enabled[source / 32] & bit_of(source)) != 0) {
            update(context);
        }
    }
}

// Not affected by the threshold (PLIC specification, "Interrupt Claim Process").
unsigned Plic::claim(Context& context) {
    const unsigned source = best(context);
    if (source != 0) {
        pending_[source / 32] &= ~bit_of(source);
        update_for(source);
    }
    return source;
}

void Plic::complete(Context& context, uint64_t source) {
    // Ignored unless the source is enabled for this context (PLIC specification, "Interrupt Completion").
    if (source >= kSources || (context.enabled[source / 32] & bit_of(static_cast<unsigned>(source))) == 0) {
        return;
    }
    const auto number = static_cast<unsigned>(source);
    if ((pending_[number / 32] & bit_of(number)) == 0) {
        forwarded_[number / 32] &= ~bit_of(number);
        run_gateway(number);
    }
}

void Plic::guest_error(const char* access, uint64_t offset) {
    control_.guest_error(fmt::format("plic: {} {:#x}, where no register is", access, offset).c_str());
}

uint64_t Plic::mmio_read(uint64_t offset, unsigned) {
    if (offset < 4 * kSources) {
        return priority_[offset / 4];
    }
    if (offset - kPending < 4 * kWords) {
        return pending_[(offset - kPending) / 4];
    }
    if (offset - kEnable < kEnableStride * contexts_.size()) {
        const uint64_t word = (offset - kEnable) % kEnableStride / 4;
        return word < kWords ? contexts_[(offset - kEnable) / kEnableStride].enabled[word] : 0;
    }
    if (offset - kContext < kContextStride * contexts_.size()) {
        Context& context = contexts_[(offset - kContext) / kContextStride];
        switch ((offset - kContext) % kContextStride) {
            case 0:
                return context.threshold;
            case 4:
                return claim(context);
            default:
                break;
        }
    }
    guest_error("read of", offset);
    return 0;
}

void Plic::mmio_write(uint64_t offset, unsigned, uint64_t value) {
    if (offset < 4 * kSources) {
        // Source 0 does not exist.
        if (offset != 0) {
            priority_[offset / 4] = static_cast<uint32_t>(value) & kMaxPriority;
            update_for(static_cast<unsigned>(offset / 4));
        }
        return;
    }
    if (offset - kPending < 4 * kWords) {
        return;  // read-only
    }
    if (offset - kEnable < kEnableStride * contexts_.size()) {
        Context& context = contexts_[(offset - kEnable) / kEnableStride];
        const uint64_t word = (offset - kEnable) % kEnableStride / 4;
        if (word < kWords) {
            context.enabled[word] = static_cast<uint32_t>(value) & ~uint32_t{word == 0 ? 1u : 0u};
            update(context);
        }
        return;
    }
    if (offset - kContext < kContextStride * contexts_.size()) {
        Context& context = contexts_[(offset - kContext) / kContextStride];
        switch ((offset - kContext) % kContextStride) {
            case 0:
                context.threshold = static_cast<uint32_t>(value) & kMaxPriority;
                update(context);
                return;
            case 4:
                complete(context, value & 0xffffffff);
                return;
            default:
                break;
        }
    }
    guest_error("write to", offset);
}

}  // namespace weft::hw
