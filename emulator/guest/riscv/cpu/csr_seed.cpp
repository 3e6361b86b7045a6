// seed, unprivileged specification, "Zkr": 16 bits of entropy at each access. It stands for a physical source, which the host's
// getrandom(2) is.
#include <sys/random.h>

#include "emulator/guest/riscv/cpu/csr_fields.h"
#include "emulator/guest/riscv/cpu/hart.h"

namespace weft::riscv {

uint64_t read_seed(const State& state, unsigned) {
    if (const std::optional<uint16_t> fixed = hart_of(state).next_fixed_entropy()) {
        return kSeedEs16 | *fixed;
    }
    uint16_t entropy = 0;
    return getrandom(&entropy, sizeof(entropy), GRND_NONBLOCK) == sizeof(entropy) ? kSeedEs16 | entropy
                                                                                  : kSeedWait;
}

// "The Access Control to the seed CSR": M mode always, the others where mseccfg lets them.
bool seed_allowed(const State& state, unsigned) {
    switch (state.priv) {
        case Priv::machine:
            return true;
        case Priv::supervisor:
            return (state.mseccfg & kSecSseed) != 0;
        case Priv::user:
            break;
    }
    return (state.mseccfg & kSecUseed) != 0;
}

}  // namespace weft::riscv
