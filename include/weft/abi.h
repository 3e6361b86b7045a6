// Versions and checks of the accelerator boundary.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/guest.h"
#include "weft/ir.h"
#include "weft/memory.h"
#include "weft/state.h"
#include "weft/user_memory.h"

namespace weft {

// Raised when weft/accel.h changes its meaning or layout.
inline constexpr uint32_t kAccelAbiVersion = 9;

// A module and an emulator built with different sanitizers cannot share a process.
enum class SanitizerMode : uint32_t { none, address, thread };

constexpr SanitizerMode sanitizer_mode() {
#if defined(__SANITIZE_ADDRESS__)
    return SanitizerMode::address;
#elif defined(__SANITIZE_THREAD__)
    return SanitizerMode::thread;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    return SanitizerMode::address;
#elif __has_feature(thread_sanitizer)
    return SanitizerMode::thread;
#else
    return SanitizerMode::none;
#endif
#else
    return SanitizerMode::none;
#endif
}

// Changes when the layout of anything that crosses the boundary changes, whether or not a version was raised.
constexpr uint64_t layout_hash() {
    uint64_t hash = 0xcbf29ce484222325;  // FNV-1a over sizes and a few offsets
    const size_t kParts[] = {sizeof(StateHeader),      offsetof(StateHeader, services),
                             sizeof(GuestArch),        offsetof(GuestArch, translate),
                             sizeof(VcpuServices),     sizeof(MemoryOps),
                             sizeof(ir::Op),           sizeof(ir::Temp),
                             sizeof(ir::Unit),         ir::kOpcodeCount,
                             sizeof(TranslateRequest), sizeof(WalkRequest),
                             sizeof(WalkResult),       sizeof(GlobalDesc),
                             sizeof(HelperDesc),       sizeof(UserMemoryOps)};
    for (size_t part : kParts) {
        hash = (hash ^ part) * 0x100000001b3;
    }
    return hash;
}

}  // namespace weft
