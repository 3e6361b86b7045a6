// Which CSRs random operations access, with which values, and what of them is compared: what weft and QEMU both have.
#pragma once

#include <cstdint>

#include "tests/isa/privileged_format.h"
#include "tests/support/random.h"

namespace weft::isa_test {

inline constexpr uint32_t kStvec = 0x105;
inline constexpr uint32_t kSatp = 0x180;
inline constexpr uint32_t kSeccfg = 0x747;

// One whose new value stays.
struct KeptCsr {
    uint32_t number;
    uint64_t values;  // bits that may be set
};
inline constexpr KeptCsr kKeptCsrs[] = {
    {0x302, ~uint64_t{0x200}},  // medeleg; an ECALL from S mode ends what S mode's handler does
    {0x302, ~uint64_t{0x200}},
    {0x303, ~uint64_t{0}},  // mideleg
    {0x306, ~uint64_t{0}},  // mcounteren
    {0x106, ~uint64_t{0}},  // scounteren
    {0x30a, ~uint64_t{0}},  // menvcfg
    {0x30a, ~uint64_t{0}},
    {0x10a, ~uint64_t{0}},  // senvcfg
    {0x30c, ~uint64_t{0}},  // mstateen0
    {0x30d, ~uint64_t{0}},  // mstateen1
    {0x320, ~uint64_t{0}},  // mcountinhibit
    {0x140, ~uint64_t{0}},  // sscratch
    {0x141, ~uint64_t{0}},  // sepc
    {0x142, ~uint64_t{0}},  // scause
    {0x143, ~uint64_t{0}},  // stval
    {0x747, 0x304},         // mseccfg, without MML and MMWP
    {kStvec, 1},            // of which the base stays
};

// The value to write.
uint64_t kept_value(test::Random& random, const KeptCsr& csr);
// Any number but those whose existence or values are left open, or that the guest's program cannot do without.
uint32_t random_csr(test::Random& random);
uint64_t random_value(test::Random& random);
// Keeps what an operation writes to a CSR from ending the guest's program.
void limit_values(uint32_t number, bool lockdown, uint64_t (*values)[isa::kOpArguments]);
uint64_t compared_bits(uint32_t number);

}  // namespace weft::isa_test
