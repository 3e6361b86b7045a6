// A hart's semihosting calls, handed to the host that the board was given.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "emulator/guest/riscv/cpu/semihosting.h"
#include "emulator/hw/boot/boot_image.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/semihosting/host.h"

namespace weft::hw {

// Belongs to the thread of the hart's vCPU, but for reset().
class HartSemihosting final : public riscv::SemihostingCalls {
  public:
    // Both outlive it. `heap` is the same for all harts.
    HartSemihosting(semihosting::Host& host, MachineControl& control, semihosting::Guest::Heap heap)
        : host_(host), control_(control), heap_(heap), made_ns_(control.now_ns()) {}

    bool in_user_mode() const override { return host_.user_mode(); }
    std::optional<uint64_t> call(riscv::State& state, uint64_t operation, uint64_t parameter) override;
    // The hart is paused.
    void reset() { error_ = 0; }

  private:
    class Caller;

    semihosting::Host& host_;
    MachineControl& control_;
    const semihosting::Guest::Heap heap_;
    const uint64_t made_ns_;
    int error_ = 0;  // SYS_ERRNO
};

namespace virt {

// The largest part of RAM, from `base` to `end`, that no segment lies in; whole multiples of 16 bytes. Where two are as large, the lower.
semihosting::Guest::Heap largest_gap(uint64_t base, uint64_t end, std::span<const LoadSegment> segments);

}  // namespace virt

}  // namespace weft::hw
