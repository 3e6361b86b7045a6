// The CPU of a guest thread, from the state that its vCPU has in the accelerator.
#pragma once

#include "emulator/linux-user/cpu.h"

namespace weft::user {

// `state` is ProcessOps::attach's, of riscv::guest_arch_user(); it outlives the CPU.
class RiscvCpu final : public Cpu {
  public:
    explicit RiscvCpu(void* state) : state_(state) {}

    uint64_t pc() const override;
    void set_pc(uint64_t pc) override;
    uint64_t x(unsigned index) const override;
    void set_x(unsigned index, uint64_t value) override;
    FrameRegisters get() override;
    void set(const FrameRegisters& registers) override;
    CpuException exception() const override;

  private:
    void* const state_;
};

}  // namespace weft::user
