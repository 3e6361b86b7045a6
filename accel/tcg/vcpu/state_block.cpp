#include "accel/tcg/vcpu/state_block.h"

#include <cstring>
#include <new>

#include "base/bits.h"

namespace weft::accel {

StateBlock::StateBlock(uint32_t size) {
    constexpr size_t kAlignment = alignof(tcg::ExecState);
    const size_t bytes = align_up(sizeof(tcg::ExecState) + size, kAlignment);
    auto* memory = static_cast<std::byte*>(::operator new(bytes, std::align_val_t{kAlignment}));
    std::memset(memory, 0, bytes);
    memory_.reset(memory);
    new (memory) tcg::ExecState{};
}

}  // namespace weft::accel
