#include "accel/tcg/final_state.h"

#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/vcpu/vcpu.h"

namespace weft::accel {

namespace {

// FNV-1a, by words.
constexpr uint64_t kHashStart = 0xcbf29ce484222325;
constexpr uint64_t hash_step(uint64_t hash, uint64_t value) { return (hash ^ value) * 0x100000001b3; }

}  // namespace

void FinalState::note(Vcpu& vcpu) {
    vcpu.cache.backend().collect_fp_flags(vcpu.state());
    uint64_t hash = kHashStart;
    const TextSink sink{[](void* opaque, const char* text, size_t length) {
                            auto& sum = *static_cast<uint64_t*>(opaque);
                            for (size_t i = 0; i < length; ++i) {
                                sum = hash_step(sum, static_cast<uint8_t>(text[i]));
                            }
                        },
                        &hash};
    vcpu.guest.dump_registers(vcpu.state(), &sink);
    registers_[vcpu.index] = hash;
}

uint64_t FinalState::hash(uint64_t ram) const {
    uint64_t hash = hash_step(kHashStart, ram);
    for (const auto& [index, registers] : registers_) {
        hash = hash_step(hash_step(hash, index), registers);
    }
    return hash;
}

}  // namespace weft::accel
