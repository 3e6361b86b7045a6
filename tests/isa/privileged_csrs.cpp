#include "tests/isa/privileged_csrs.h"

#include <algorithm>
#include <iterator>

namespace weft::isa_test {
namespace {

using test::Random;

constexpr uint64_t kAll = ~uint64_t{0};
constexpr uint64_t kEnvironment = uint64_t{7} << 61 | 0xf1;
constexpr uint64_t kInvalidation = 0x30;  // CBIE, of which the value 2 is reserved: the peer keeps it
constexpr uint64_t kInterrupts = 0xaaa;
constexpr uint64_t kStatusXlen = uint64_t{15} << 32;  // the peer can make U and S mode 32 bits wide

// Those with a meaning come up often.
constexpr uint32_t kKnown[] = {0x001, 0x002, 0x003, 0x015, 0x100, 0x104, 0x105, 0x106, 0x10a, 0x10c,
                               0x10d, 0x140, 0x141, 0x142, 0x143, 0x144, 0x14d, 0x180, 0x300, 0x301,
                               0x302, 0x303, 0x304, 0x305, 0x306, 0x30a, 0x30c, 0x30d, 0x30e, 0x30f,
                               0x320, 0x340, 0x341, 0x342, 0x343, 0x344, 0x747, 0x7a0, 0x7a1, 0xb00,
                               0xb02, 0xc00, 0xc01, 0xc02, 0xf11, 0xf12, 0xf13, 0xf14, 0xf15};

struct Compared {
    uint32_t number;
    uint64_t bits;
};
constexpr Compared kCompared[] = {
    {0x015, 0},  // seed: random
    {0x100, ~kStatusXlen},
    {0x300, ~kStatusXlen},
    {0x104, kInterrupts},
    {0x144, kInterrupts},
    {0x303, kInterrupts},
    {0x304, kInterrupts},
    {0x344, kInterrupts},
    {0x106, 7},
    {0x306, 7},
    {0x320, 5},  // programmable counters: the peer's number of them is its own choice
    {0x10a, kEnvironment},
    {0x30a, kEnvironment},
    // Without a meaning, and so read-only zero (Smstateen); the peer has it.
    {0x10c, ~(uint64_t{1} << 63)},
    {0x10d, ~(uint64_t{1} << 63)},
    {0x10e, ~(uint64_t{1} << 63)},
    {0x10f, ~(uint64_t{1} << 63)},
    {0x301, ~uint64_t{2}},  // misa.B: whether Zba, Zbb and Zbs show there
    {0x302, 0xb3fe},        // exceptions that both can have
    {0x30c, uint64_t{3} << 62},
    {0xb00, 0},
    {0xb02, 0},
    {0xc00, 0},
    {0xc01, 0},
    {0xc02, 0},  // counters
    {0xf11, 0},
    {0xf12, 0},
    {0xf13, 0},  // who made it
};

bool has_invalidation(uint32_t number) { return number == 0x10a || number == 0x30a; }

// None of these makes the reserved value when it is written, set or cleared.
uint64_t without_reserved_invalidation(uint64_t value) {
    return (value & kInvalidation) == 0 ? value : value | kInvalidation;
}

bool left_out(uint32_t number) {
    const auto within = [number](uint32_t first, uint32_t last) { return number >= first && number <= last; };
    return within(0x3a0, 0x3ef) ||  // the PMP has operations of its own
           within(0xb03, 0xb1f) || within(0xc03, 0xc1f) || within(0x323, 0x33f);  // programmable counters
}

}  // namespace

uint64_t kept_value(Random& random, const KeptCsr& csr) {
    const uint64_t value = random.below(3) == 0 ? kAll : random_value(random);
    if (csr.number == kStvec) {
        return isa::kLowerCode | random.below(2);
    }
    return has_invalidation(csr.number) ? without_reserved_invalidation(value) : value & csr.values;
}

uint32_t random_csr(Random& random) {
    for (;;) {
        const uint32_t number = random.below(3) == 0 ? static_cast<uint32_t>(random.below(4096))
                                                     : kKnown[random.below(std::size(kKnown))];
        if (!left_out(number)) {
            return number;
        }
    }
}

uint64_t random_value(Random& random) {
    switch (random.below(6)) {
        case 0:
            return uint64_t{1} << random.below(64);
        case 1:
            return kAll;
        case 2:
            return random.next() & random.next() & random.next();
        case 3:
            return random.below(4096);
        default:
            return random.next();
    }
}

void limit_values(uint32_t number, bool lockdown, uint64_t (*values)[isa::kOpArguments]) {
    for (uint64_t& value : *values) {
        if (number == kSeccfg) {
            value &= lockdown ? 0x307 : 0x304;
        } else if (number == 0x14d) {
            value |= uint64_t{1} << 62;  // stimecmp: far from now
        } else if (has_invalidation(number)) {
            value = without_reserved_invalidation(value);
        }
    }
}

uint64_t compared_bits(uint32_t number) {
    const auto* const row = std::ranges::find(kCompared, number, &Compared::number);
    return row == std::end(kCompared) ? kAll : row->bits;
}

}  // namespace weft::isa_test
