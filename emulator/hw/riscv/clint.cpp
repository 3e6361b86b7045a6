#include "emulator/hw/riscv/clint.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "emulator/hw/riscv/deliver_latest.h"

namespace weft::hw {

namespace {

constexpr mem::MemoryRegionOps kOps = mmio_ops<Clint>({4, 8, false});

}  // namespace

Clint::Clint(mem::Topology& topology, MachineControl& control, std::span<riscv::Hart* const> harts)
    : control_(control),
      hart_count_(harts.size()),
      targets_(std::make_unique<Target[]>(harts.size())),
      region_(topology.io("riscv.clint", kSize, kOps, this, nullptr)) {
    WEFT_ASSERT(hart_count_ != 0 && kMtimecmp + 8 * hart_count_ <= kMtime);
    for (size_t i = 0; i < hart_count_; ++i) {
        targets_[i].hart = harts[i];
    }
}

void Clint::reset() {
    for (size_t i = 0; i < hart_count_; ++i) {
        write_msip(targets_[i], 0);
        write_mtimecmp(targets_[i], UINT64_MAX, UINT64_MAX);
    }
    write_mtime(UINT64_MAX, 0);
}

void Clint::visit_state(StateVisitor& visitor) {
    const uint64_t mtime = visitor.value("mtime", targets_[0].hart->time());
    if (visitor.loads()) {
        write_mtime(UINT64_MAX, mtime);
    }
    for (size_t i = 0; i < hart_count_; ++i) {
        const uint32_t msip = visitor.value("msip", targets_[i].msip.load(), uint32_t{1});
        const uint64_t mtimecmp = visitor.value("mtimecmp", targets_[i].mtimecmp.load());
        if (visitor.loads()) {
            write_msip(targets_[i], msip);
            write_mtimecmp(targets_[i], UINT64_MAX, mtimecmp);
        }
    }
}

void Clint::write_msip(Target& target, uint32_t value) {
    target.msip.store(value & 1);
    deliver_latest(target.msip, [&](uint32_t msip) {
        target.hart->set_interrupt(riscv::Interrupt::machine_software, msip != 0);
    });
}

void Clint::write_mtimecmp(Target& target, uint64_t mask, uint64_t value) {
    uint64_t old = target.mtimecmp.load();
    while (!target.mtimecmp.compare_exchange_weak(old, (old & ~mask) | (value & mask))) {
    }
    deliver_latest(target.mtimecmp, [&](uint64_t ticks) { target.hart->set_mtimecmp(ticks); });
}

void Clint::write_mtime(uint64_t mask, uint64_t value) {
    uint64_t old = time_offset_.load();
    uint64_t offset = 0;
    do {
        const uint64_t clock = targets_[0].hart->clock_ticks();
        offset = (((clock + old) & ~mask) | (value & mask)) - clock;
    } while (!time_offset_.compare_exchange_weak(old, offset));
    deliver_latest(time_offset_, [&](uint64_t ticks) {
        for (size_t i = 0; i < hart_count_; ++i) {
            targets_[i].hart->set_time_offset(ticks);
        }
    });
}

void Clint::guest_error(const char* access, uint64_t offset) {
    control_.guest_error(fmt::format("clint: {} {:#x}, where no register is", access, offset).c_str());
}

// The 64-bit register that `offset` lies in; 32-bit registers are combined in twos.
uint64_t Clint::read_word(uint64_t offset) {
    if (offset / 4 < hart_count_) {
        const size_t first = offset / 8 * 2;
        uint64_t word = targets_[first].msip.load();
        if (first + 1 < hart_count_) {
            word |= uint64_t{targets_[first + 1].msip.load()} << 32;
        }
        return word;
    }
    if (offset - kMtimecmp < 8 * hart_count_) {
        return targets_[(offset - kMtimecmp) / 8].mtimecmp.load();
    }
    if (offset - kMtime < 8) {
        return targets_[0].hart->time();
    }
    guest_error("read of", offset);
    return 0;
}

uint64_t Clint::mmio_read(uint64_t offset, unsigned size) {
    const uint64_t word = read_word(offset);
    return size == 8 ? word : word >> 8 * (offset & 4) & 0xffffffff;
}

void Clint::mmio_write(uint64_t offset, unsigned size, uint64_t value) {
    if (offset / 4 < hart_count_) {
        write_msip(targets_[offset / 4], static_cast<uint32_t>(value));
        if (size == 8 && offset / 4 + 1 < hart_count_) {
            write_msip(targets_[offset / 4 + 1], static_cast<uint32_t>(value >> 32));
        }
    } else if (offset - kMtimecmp < 8 * hart_count_) {
        const unsigned shift = 8 * (offset & 4);
        const uint64_t mask = size == 8 ? UINT64_MAX : uint64_t{0xffffffff} << shift;
        write_mtimecmp(targets_[(offset - kMtimecmp) / 8], mask, value << shift);
    } else if (offset - kMtime < 8) {
        const unsigned shift = 8 * (offset & 4);
        write_mtime(size == 8 ? UINT64_MAX : uint64_t{0xffffffff} << shift, value << shift);
    } else {
        guest_error("write to", offset);
    }
}

}  // namespace weft::hw
