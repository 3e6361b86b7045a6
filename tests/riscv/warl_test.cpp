// Fields that take some values alone (privileged specification 2.3, WARL and WLRL): whatever is written to any register, and by
// whichever instruction, what is read then is what the table says. It is written down from the specifications, apart from weft's
// own constants.
#include <catch2/catch.hpp>

#include <random>
#include <vector>

#include "emulator/guest/riscv/cpu/csr.h"
#include "emulator/guest/riscv/cpu/reset.h"
#include "tests/riscv/fake_hart.h"
#include "tests/riscv/test_seed.h"

namespace weft::riscv {
namespace {

constexpr uint64_t kOnes = ~uint64_t{0};

// What a register holds after `value` was written over `before`.
using After = uint64_t (*)(uint64_t before, uint64_t value);

template <uint64_t kMask>
uint64_t bits(uint64_t, uint64_t value) {
    return value & kMask;
}

template <uint64_t kValue>
uint64_t fixed(uint64_t, uint64_t) {
    return kValue;
}

// 3.1.7 and 4.1.2: MODE is Direct or Vectored, others are reserved.
uint64_t tvec(uint64_t before, uint64_t value) { return (value & 3) < 2 ? value : before; }

// 4.1.11: "if satp is written with an unsupported MODE, the entire write has no effect".
uint64_t satp(uint64_t before, uint64_t value) {
    const uint64_t mode = value >> 60;
    return mode == 0 || (mode >= 8 && mode <= 10) ? value : before;
}

uint64_t with_sd(uint64_t status) { return status | ((status >> 13 & 3) == 3 ? uint64_t{1} << 63 : 0); }

// 3.1.6: TSR to MPRV, FS, MPP, SPP, MPIE, SPIE, MIE, SIE; SXL and UXL are 64. MPP 2 is no mode. No VS, XS, UBE, SBE, MBE.
uint64_t mstatus(uint64_t before, uint64_t value) {
    constexpr uint64_t kMpp = 0x1800;
    uint64_t status = value & 0x7e'79aa;
    if ((status & kMpp) == 0x1000) {
        status = (status & ~kMpp) | (before & kMpp);
    }
    return with_sd(status | 0xa'0000'0000);
}

// 4.1.1: the view of S mode.
uint64_t sstatus(uint64_t, uint64_t value) { return with_sd((value & 0xc'6122) | 0x2'0000'0000); }

// 3.7.1: bits 5 and 6 are zero, a locked entry stays; R=0 W=1 is reserved.
uint64_t pmpcfg(uint64_t before, uint64_t value) {
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 64; shift += 8) {
        const uint64_t old = before >> shift & 0xff;
        uint64_t entry = value >> shift & 0x9f;
        if ((entry & 3) == 2) {
            entry &= ~uint64_t{2};
        }
        result |= ((old & 0x80) != 0 ? old : entry) << shift;
    }
    return result;
}

// "Pointer masking": PMM 1 is reserved.
uint64_t pmm(uint64_t before, uint64_t value) {
    constexpr uint64_t kPmm = uint64_t{3} << 32;
    return (value >> 32 & 3) == 1 ? (value & ~kPmm) | (before & kPmm) : value;
}

// "CMO", 1.2.1: CBIE 2 is reserved.
template <uint64_t kMask>
uint64_t envcfg(uint64_t before, uint64_t value) {
    value = pmm(before, value);
    return (value & 0x30) == 0x20 ? (value & kMask & ~uint64_t{0x30}) | (before & 0x30) : value & kMask;
}

// "Smepmp": MML and MMWP stay; here no entry is locked, so that RLB is free.
uint64_t mseccfg(uint64_t before, uint64_t value) {
    return (pmm(before, value) & 0x3'0000'0307) | (before & 3);
}

struct Rule {
    unsigned first, last;
    const char* name;
    After after;
};

// Every register that a CSR instruction may write.
constexpr Rule kRules[] = {
    {0x001, 0x001, "fflags", bits<0x1f>},
    {0x002, 0x002, "frm", bits<7>},
    {0x003, 0x003, "fcsr", bits<0xff>},
    {0x100, 0x100, "sstatus", sstatus},
    {0x104, 0x104, "sie: what is delegated", bits<0x2222>},
    {0x105, 0x105, "stvec", tvec},
    {0x106, 0x106, "scounteren", bits<0xffff'ffff>},
    {0x10a, 0x10a, "senvcfg: PMM, CBZE, CBCFE, CBIE, FIOM", envcfg<0x3'0000'00f1>},
    {0x10c, 0x10f, "sstateen", fixed<0>},
    {0x140, 0x140, "sscratch", bits<kOnes>},
    {0x141, 0x141, "sepc: IALIGN is 16", bits<kOnes - 1>},
    {0x142, 0x142, "scause", bits<kOnes>},
    {0x143, 0x143, "stval", bits<kOnes>},
    {0x144, 0x144, "sip: LCOFIP, SSIP", bits<0x2002>},
    {0x14d, 0x14d, "stimecmp", bits<kOnes>},
    {0x180, 0x180, "satp", satp},
    {0x300, 0x300, "mstatus", mstatus},
    // A B C D F I M S U; no bit of it can be turned off.
    {0x301, 0x301, "misa", fixed<0x8000'0000'0014'112f>},
    // 3.1.8: exceptions that cannot occur below M mode are read-only zero: misaligned instructions (IALIGN is 16), ECALL from
    // M mode. 10 and 14 are reserved.
    {0x302, 0x302, "medeleg", bits<0xb3fe>},
    {0x303, 0x303, "mideleg: of M mode's own interrupts none", bits<0x2222>},
    {0x304, 0x304, "mie", bits<0x2aaa>},
    {0x305, 0x305, "mtvec", tvec},
    {0x306, 0x306, "mcounteren", bits<0xffff'ffff>},
    {0x30a, 0x30a, "menvcfg: STCE, PBMTE, ADUE, DTE, PMM, CBZE, CBCFE, CBIE, FIOM",
     envcfg<0xe800'0003'0000'00f1>},
    {0x30c, 0x30c, "mstateen0: SE0, ENVCFG", bits<uint64_t{3} << 62>},
    {0x30d, 0x30f, "mstateen: SE", bits<uint64_t{1} << 63>},
    {0x320, 0x320, "mcountinhibit: counters that there are; TM is zero", bits<0x7'fffd>},
    {0x321, 0x322, "mcyclecfg, minstretcfg: MINH, SINH, UINH", bits<uint64_t{7} << 60>},
    {0x323, 0x332, "mhpmevent: OF, MINH, SINH, UINH, event", bits<0xf0ff'ffff'ffff'ffff>},
    {0x333, 0x33f, "mhpmevent of no counter", fixed<0>},
    {0x340, 0x340, "mscratch", bits<kOnes>},
    {0x341, 0x341, "mepc: IALIGN is 16", bits<kOnes - 1>},
    {0x342, 0x342, "mcause", bits<kOnes>},
    {0x343, 0x343, "mtval", bits<kOnes>},
    {0x344, 0x344, "mip: LCOFIP, SEIP, STIP, SSIP", bits<0x2222>},
    {0x34b, 0x34b, "mtval2", bits<kOnes>},
    {0x3a0, 0x3a0, "pmpcfg0", pmpcfg},
    {0x3a2, 0x3a2, "pmpcfg2", pmpcfg},
    {0x3a4, 0x3a4, "pmpcfg4", fixed<0>},
    {0x3a6, 0x3a6, "pmpcfg6", fixed<0>},
    {0x3a8, 0x3a8, "pmpcfg8", fixed<0>},
    {0x3aa, 0x3aa, "pmpcfg10", fixed<0>},
    {0x3ac, 0x3ac, "pmpcfg12", fixed<0>},
    {0x3ae, 0x3ae, "pmpcfg14", fixed<0>},
    // The granularity is 4 bytes: every bit of a 56-bit address above these.
    {0x3b0, 0x3bf, "pmpaddr", bits<0x003f'ffff'ffff'ffff>},
    {0x3c0, 0x3ef, "pmpaddr beyond the entries", fixed<0>},
    {0x747, 0x747, "mseccfg: PMM, SSEED, USEED, RLB, MMWP, MML", mseccfg},
    {0xb00, 0xb00, "mcycle", bits<kOnes>},
    {0xb02, 0xb02, "minstret", bits<kOnes>},
    {0xb03, 0xb12, "mhpmcounter", bits<kOnes>},
    {0xb13, 0xb1f, "mhpmcounter that there is not", fixed<0>},
};

const Rule* rule_of(unsigned number) {
    for (const Rule& rule : kRules) {
        if (number >= rule.first && number <= rule.last) {
            return &rule;
        }
    }
    return nullptr;
}

// After a reset, with FS on and all that can be delegated delegated.
void prepare(FakeHart& fake) {
    reset(&fake.state(), &kMax);
    fake.csr_write(0x300, 0x2000);
    fake.csr_write(0x303, 0x2222);
}

uint64_t written(CsrOp op, uint64_t before, uint64_t operand) {
    return op == CsrOp::set ? before | operand : op == CsrOp::clear ? before & ~operand : operand;
}

std::vector<uint64_t> operands(std::mt19937_64& random) {
    std::vector<uint64_t> values = {0, kOnes};
    for (unsigned bit = 0; bit < 64; ++bit) {
        values.push_back(uint64_t{1} << bit);
        values.push_back(~(uint64_t{1} << bit));
    }
    for (unsigned i = 0; i < 100; ++i) {
        values.push_back(random());
    }
    return values;
}

TEST_CASE("registers hold what is legal, whatever is written to them", "[csr]") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    std::mt19937_64 random(seed);
    const std::vector<uint64_t> values = operands(random);
    FakeHart fake;
    for (unsigned number = 0; number < 4096; ++number) {
        if (number == 0x015) {
            continue;  // seed holds nothing
        }
        prepare(fake);
        fake.csr(number, 0, CsrOp::set);
        const bool writable = !fake.csr_illegal();
        const Rule* const rule = rule_of(number);
        INFO("number " << std::hex << number);
        REQUIRE((rule != nullptr) == writable);
        if (rule == nullptr) {
            continue;
        }
        INFO(rule->name);
        for (const CsrOp op : {CsrOp::write, CsrOp::read_write, CsrOp::set, CsrOp::clear}) {
            for (const uint64_t value : values) {
                prepare(fake);
                fake.csr_write(number, random());
                const uint64_t before = fake.csr_read(number);
                fake.csr(number, value, op);
                const uint64_t expected = rule->after(before, written(op, before, value));
                const uint64_t after = fake.csr_read(number);
                if (after != expected) {
                    FAIL("operation " << static_cast<int>(op) << " with " << std::hex << value << " on "
                                      << before << ": " << after << ", not " << expected);
                }
            }
        }
    }
}

}  // namespace
}  // namespace weft::riscv
