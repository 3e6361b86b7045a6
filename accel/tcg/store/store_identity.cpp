#include "accel/tcg/store/store_identity.h"

#include <span>

#include "base/build_id.h"
#include "base/hash.h"

namespace weft::accel {

namespace {

uint64_t add_bytes(uint64_t hash, std::span<const uint8_t> bytes) {
    hash = hash_step(hash, bytes.size());
    for (const uint8_t byte : bytes) {
        hash = hash_step(hash, byte);
    }
    return hash;
}

}  // namespace

uint64_t store_identity(const tcg::Backend& backend, const GuestArch& guest, const Settings& settings,
                        bool in_process) {
    const std::span<const uint8_t> accelerator = build_id_of(reinterpret_cast<const void*>(&store_identity));
    const std::span<const uint8_t> translator = build_id_of(reinterpret_cast<const void*>(guest.translate));
    const uint64_t code = backend.code_identity();
    if (code == 0 || accelerator.empty() || translator.empty()) {
        return 0;
    }
    const tcg::OptimizeOptions& optimize = settings.optimize;
    uint64_t hash =
        hash_words(code, in_process, settings.link_pages, settings.return_stack, settings.one_insn_per_tb,
                   settings.inline_csrs, settings.inner_branches, settings.carry_where_hot);
    hash = hash_step(hash, guest.model_id);
    hash = hash_step(hash, hash_words(optimize.propagate_copies, optimize.fold_constants, optimize.simplify,
                                      optimize.known_bits, optimize.combine, optimize.unbox,
                                      optimize.coalesce, optimize.unreachable));
    return hash_mix(add_bytes(add_bytes(hash, accelerator), translator)) | 1;
}

}  // namespace weft::accel
