#include "accel/tcg/final_state.h"

#include <new>

#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/vcpu/vcpu.h"

namespace weft::accel {

namespace {

// FNV-1a, by words.
constexpr uint64_t kHashStart = 0xcbf29ce484222325;
constexpr uint64_t hash_step(uint64_t hash, uint64_t value) { return (hash ^ value) * 0x100000001b3; }

}  // namespace

void FinalState::note(Vcpu& vcpu) noexcept {
    vcpu.cache.backend().collect_fp_flags(vcpu.state());
    uint64_t hash = kHashStart;
    const TextSink sink{[](void* opaque, const char* text, size_t length) {
                            auto& sum = *static_cast<uint64_t*>(opaque);
                            for (size_t i = 0; i < length; ++i) {
                                sum = hash_step(sum, static_cast<uint8_t>(text[i]));
                            }
                        },
                        &hash};
    try {
        vcpu.guest.dump_registers(vcpu.state(), &sink);
    } catch (const std::bad_alloc&) {
        complete_ = false;
    }
    registers_[vcpu.index] = hash;
}

std::optional<uint64_t> FinalState::hash(uint64_t ram) const {
    if (!complete_) {
        return std::nullopt;
    }
    uint64_t hash = hash_step(kHashStart, ram);
    for (uint32_t index = 0; index < registers_.size(); ++index) {
        if (registers_[index]) {
            hash = hash_step(hash_step(hash, index), *registers_[index]);
        }
    }
    return hash;
}

}  // namespace weft::accel
