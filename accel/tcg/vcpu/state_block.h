// The memory of a vCPU's state: the accelerator's prefix and the architecture's part, see weft/state.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "tcg/exec_state.h"

namespace weft::accel {

class StateBlock {
  public:
    // `size`: bytes of the architecture's part. All zero.
    explicit StateBlock(uint32_t size);

    void* state() const { return memory_.get() + sizeof(tcg::ExecState); }
    tcg::ExecState& exec() const { return tcg::exec_state(state()); }
    StateHeader& header() const { return state_header(state()); }

  private:
    struct Free {
        void operator()(std::byte* memory) const {
            ::operator delete(memory, std::align_val_t{alignof(tcg::ExecState)});
        }
    };
    std::unique_ptr<std::byte, Free> memory_;
};

}  // namespace weft::accel
