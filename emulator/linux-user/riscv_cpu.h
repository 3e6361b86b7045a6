// The CPU of a guest thread, from the state that its vCPU has in the accelerator.
#pragma once

#include "emulator/linux-user/cpu.h"

namespace weft::user {

// `state` is ProcessOps::attach's, of riscv::guest_arch_user(); it outlives the CPU.
class RiscvCpu final : public Cpu {
  public:
    explicit RiscvCpu(void* state) : state_(state) {}

    uint64_t pc() const override;
    CpuCall call() const override;
    void finish_call(uint64_t result) override;
    void set_pointer_mask(unsigned bits) override;
    FrameRegisters get() override;
    void set(const FrameRegisters& registers) override;
    CpuException exception() const override;

  private:
    void* const state_;
};

}  // namespace weft::user
