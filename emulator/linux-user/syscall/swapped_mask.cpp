#include "emulator/linux-user/syscall/swapped_mask.h"

namespace weft::user {

SwappedMask::SwappedMask(CallContext& call, uint64_t address, uint64_t size)
    : thread_(call.thread), address_(call.pointer(address, sizeof(uint64_t))) {
    if (address_ == 0 || size != sizeof(uint64_t)) {
        return;  // the host judges the size first
    }
    if (const auto guest = call.read<uint64_t>(address)) {
        mask_ = *guest & ~kNeverBlocked;
        address_ = reinterpret_cast<uint64_t>(&*mask_);
    }
}

}  // namespace weft::user
