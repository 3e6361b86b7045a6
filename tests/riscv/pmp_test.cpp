// Physical memory protection: directed cases, and random ones against an oracle that looks at one byte after
// another.
#include "emulator/guest/riscv/cpu/pmp.h"

#include <catch2/catch.hpp>

#include <random>

#include "tests/riscv/fake_hart.h"
#include "tests/riscv/test_seed.h"

namespace weft::riscv {
namespace {

constexpr uint8_t kR = 1, kW = 2, kX = 4, kTor = 8, kNa4 = 16, kNapot = 24, kLock = 128;

// Whether entry i matches one byte, by comparing address bits under a mask (the implementation compares
// ranges).
bool matches_byte(const State& state, unsigned i, uint64_t byte) {
    const uint64_t word = byte >> 2;
    switch (state.pmpcfg[i] & 0x18) {
        case kTor:
            return word >= (i == 0 ? 0 : state.pmpaddr[i - 1]) && word < state.pmpaddr[i];
        case kNa4:
            return word == state.pmpaddr[i];
        case kNapot: {
            const uint64_t dont_care = state.pmpaddr[i] ^ (state.pmpaddr[i] + 1);
            return ((word ^ state.pmpaddr[i]) & ~dont_care) == 0;
        }
        default:
            return false;
    }
}

// "Smepmp", the table "mseccfg.MML Truth Table", by L, R, W and X, M mode's rights first.
struct Rights {
    uint8_t machine, others;
};
constexpr Rights kLockdown[16] = {
    {0, 0},  {0, kX},      {kR | kW, kR}, {kR | kW, kR | kW},  // 0000 to 0011
    {0, kR}, {0, kR | kX}, {0, kR | kW},  {0, kR | kW | kX},   // 0100 to 0111
    {0, 0},  {kX, 0},      {kX, kX},      {kR | kX, kX},       // 1000 to 1011
    {kR, 0}, {kR | kX, 0}, {kR | kW, 0},  {kR, kR},            // 1100 to 1111
};

uint8_t rights_of(const State& state, unsigned i, Priv priv) {
    const uint8_t cfg = state.pmpcfg[i];
    if ((state.mseccfg & 1) == 0) {
        return priv == Priv::machine && (cfg & kLock) == 0 ? 7 : cfg & 7;
    }
    const Rights& rights = kLockdown[(cfg & kLock) >> 4 | (cfg & kR) << 2 | (cfg & kW) | (cfg & kX) >> 2];
    return priv == Priv::machine ? rights.machine : rights.others;
}

// The permissions of one access.
uint8_t oracle(const State& state, uint64_t paddr, uint64_t size, Priv priv) {
    for (unsigned i = 0; i < 16; ++i) {
        uint64_t matched = 0;
        for (uint64_t byte = paddr; byte < paddr + size; ++byte) {
            matched += matches_byte(state, i, byte) ? 1 : 0;
        }
        if (matched == 0) {
            continue;
        }
        if (matched != size) {
            return 0;
        }
        return rights_of(state, i, priv);
    }
    const uint8_t unmatched[] = {7, kR | kW, 0, 0};  // by MMWP and MML
    return priv == Priv::machine ? unmatched[state.mseccfg & 3] : 0;
}

uint8_t prot(FakeHart& fake, uint64_t paddr, uint64_t size, Priv priv) {
    return pmp_range(fake.state(), paddr, size, priv).prot;
}

void set_entry(FakeHart& fake, unsigned i, uint8_t cfg, uint64_t pmpaddr) {
    fake.state().pmpcfg[i] = cfg;
    fake.state().pmpaddr[i] = pmpaddr;
}

TEST_CASE("without a match M mode passes and the others fail", "[pmp]") {
    FakeHart fake;
    CHECK(prot(fake, 0x8000'0000, 8, Priv::machine) == 7);
    CHECK(prot(fake, 0x8000'0000, 8, Priv::supervisor) == 0);
    CHECK(prot(fake, 0x8000'0000, 8, Priv::user) == 0);
}

TEST_CASE("address matching modes", "[pmp]") {
    FakeHart fake;
    const Priv s = Priv::supervisor;
    SECTION("NA4") {
        set_entry(fake, 0, kNa4 | kR, 0x1000 >> 2);
        CHECK(prot(fake, 0x1000, 4, s) == kR);
        CHECK(prot(fake, 0x1003, 1, s) == kR);
        CHECK(prot(fake, 0x0fff, 1, s) == 0);
        CHECK(prot(fake, 0x1004, 1, s) == 0);
    }
    SECTION("NAPOT of 8 bytes") {
        set_entry(fake, 0, kNapot | kR | kW, 0x1000 >> 2);
        CHECK(prot(fake, 0x1000, 8, s) == (kR | kW));
        CHECK(prot(fake, 0x1008, 1, s) == 0);
    }
    SECTION("NAPOT of everything") {
        set_entry(fake, 0, kNapot | kX, ~uint64_t{0} >> 10);
        CHECK(prot(fake, 0, 8, s) == kX);
        CHECK(prot(fake, (uint64_t{1} << 56) - 8, 8, s) == kX);
    }
    SECTION("TOR begins at zero or at the address before") {
        set_entry(fake, 0, kTor | kR, 0x1000 >> 2);
        set_entry(fake, 1, kTor | kW | kR, 0x3000 >> 2);
        CHECK(prot(fake, 0, 8, s) == kR);
        CHECK(prot(fake, 0x0ff8, 8, s) == kR);
        CHECK(prot(fake, 0x1000, 8, s) == (kR | kW));
        CHECK(prot(fake, 0x2ff8, 8, s) == (kR | kW));
        CHECK(prot(fake, 0x3000, 1, s) == 0);
    }
    SECTION("TOR with its end not above its begin matches nothing") {
        set_entry(fake, 0, 0, 0x2000 >> 2);
        set_entry(fake, 1, kTor | kR, 0x2000 >> 2);
        set_entry(fake, 2, kTor | kR, 0x1000 >> 2);
        CHECK(prot(fake, 0x1800, 1, s) == 0);
        CHECK(prot(fake, 0x2000, 1, s) == 0);
    }
}

TEST_CASE("the lowest entry decides, and must match all bytes", "[pmp]") {
    FakeHart fake;
    set_entry(fake, 3, kNa4 | kX, 0x1000 >> 2);
    set_entry(fake, 5, kNapot | kR | kW, 0x1000 >> 2 | 0x1ff);
    CHECK(prot(fake, 0x1000, 4, Priv::user) == kX);
    CHECK(prot(fake, 0x1008, 8, Priv::user) == (kR | kW));
    CHECK(prot(fake, 0x1000, 8, Priv::user) == 0);
    CHECK(pmp_range(fake.state(), 0x1000, 8, Priv::user).partial);
    // Even where the entry does not bind M mode.
    CHECK(prot(fake, 0x1000, 8, Priv::machine) == 0);
    CHECK(prot(fake, 0x1000, 4, Priv::machine) == 7);
}

TEST_CASE("locked entries bind M mode", "[pmp]") {
    FakeHart fake;
    set_entry(fake, 0, kNapot | kLock | kR, 0x1000 >> 2 | 0x1ff);
    CHECK(prot(fake, 0x1000, 8, Priv::machine) == kR);
    CHECK(prot(fake, 0x2000, 8, Priv::machine) == 7);
}

TEST_CASE("random protection agrees with the byte-wise oracle", "[pmp]") {
    const uint64_t seed = test_seed();
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    FakeHart fake;
    State& state = fake.state();
    const uint64_t base = 0x8000'0000;
    for (unsigned round = 0; round < 4000; ++round) {
        for (unsigned i = 0; i < 16; ++i) {
            // A third off; addresses crowd into two pages.
            const uint64_t word = (base + random() % 0x2000) >> 2;
            const unsigned ones = random() % 11;
            state.pmpcfg[i] = random() % 3 == 0 ? 0 : random() & 0x9f;
            state.pmpaddr[i] = (state.pmpcfg[i] & 0x18) == kNapot ? word | ((uint64_t{1} << ones) - 1) : word;
        }
        state.mseccfg = random() % 4;
        for (unsigned access = 0; access < 20; ++access) {
            const uint64_t paddr = base + random() % 0x2000;
            const uint64_t size = 1 + random() % 16;
            const Priv priv = std::array{Priv::user, Priv::supervisor, Priv::machine}[random() % 3];
            if (prot(fake, paddr, size, priv) != oracle(state, paddr, size, priv)) {
                CAPTURE(round, paddr, size, static_cast<int>(priv));
                FAIL("pmp_range disagrees with the oracle");
            }
        }
    }
}

TEST_CASE("a walk's page protection holds for every byte, or for once", "[pmp]") {
    const uint64_t seed = test_seed();
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    FakeHart fake;
    State& state = fake.state();
    unsigned whole_pages = 0;
    unsigned split_pages = 0;
    for (unsigned round = 0; round < 3000; ++round) {
        for (unsigned i = 0; i < 16; ++i) {
            const bool coarse = random() % 4 != 0;
            const uint64_t word =
                (kRamBase + (random() % 0x3000 & (coarse ? ~uint64_t{0xfff} : ~uint64_t{0}))) >> 2;
            state.pmpcfg[i] = random() % 3 != 0 ? 0 : random() & 0x9f;
            state.pmpaddr[i] = (state.pmpcfg[i] & 0x18) == kNapot ? word | 0x1ff : word;
        }
        state.mseccfg = random() % 4;
        const unsigned mode = random() % 4;
        const Priv priv = mode == 0 ? Priv::user : mode == 3 ? Priv::machine : Priv::supervisor;
        const Access access = std::array{Access::load, Access::store, Access::fetch}[random() % 3];
        const uint8_t need = access == Access::load ? kR : access == Access::store ? kW : kX;
        const uint8_t size = static_cast<uint8_t>(1u << random() % 4);
        const uint64_t paddr = kRamBase + (random() % 0x3000 & ~uint64_t{7});
        const WalkRequest request{paddr, access, static_cast<uint8_t>(mode), size, false};
        WalkResult result{};
        const bool ok = walk(&state, &request, &result);
        CAPTURE(round, paddr, mode);
        if (ok != ((oracle(state, paddr, size, priv) & need) != 0)) {
            FAIL("walk disagrees with the oracle");
        }
        if (!ok) {
            continue;
        }
        if (result.once) {
            ++split_pages;
            if (result.prot != oracle(state, paddr, size, priv)) {
                FAIL("protection of the access is wrong");
            }
            continue;
        }
        ++whole_pages;
        const uint64_t page = paddr & ~uint64_t{0xfff};
        for (uint64_t word = page; word < page + 0x1000; word += 4) {
            if (oracle(state, word, 4, priv) != result.prot) {
                CAPTURE(word);
                FAIL("protection is not that of the whole page");
            }
        }
    }
    CHECK(whole_pages > 100);
    CHECK(split_pages > 100);
}

TEST_CASE("pmpcfg writes", "[pmp]") {
    FakeHart fake;
    // Eight entries a register; bits 5 and 6 are zero; W without R is reserved and becomes neither.
    fake.csr_write(0x3a0, 0x1f'02'06'78'00'09'1b'0f);
    CHECK(fake.csr_read(0x3a0) == 0x1f'00'04'18'00'09'1b'0f);
    CHECK(fake.csr_read(0x3a2) == 0);
    fake.csr_write(0x3a2, 0x0f);
    CHECK(fake.state().pmpcfg[8] == 0x0f);
    CHECK(fake.state().pmpcfg[6] == 0x00);
    CHECK(fake.state().pmpcfg[7] == 0x1f);
    fake.csr_read(0x3a1);
    CHECK(fake.csr_illegal());
    fake.csr_read(0x3a3);
    CHECK(fake.csr_illegal());
}

TEST_CASE("locks hold configuration and addresses until reset", "[pmp]") {
    FakeHart fake;
    fake.csr_write(0x3b0, 0x100);
    fake.csr_write(0x3b1, 0x200);
    fake.csr_write(0x3b2, 0x300);
    fake.csr_write(0x3a0, 0x00'89'00);  // entry 1: locked TOR, R
    fake.flushes.clear();
    fake.csr_write(0x3a0, 0x1f'1f'1f);
    CHECK(fake.csr_read(0x3a0) == 0x1f'89'1f);
    fake.csr_write(0x3b0, 0x111);  // below a locked TOR
    fake.csr_write(0x3b1, 0x222);
    fake.csr_write(0x3b2, 0x333);
    CHECK(fake.csr_read(0x3b0) == 0x100);
    CHECK(fake.csr_read(0x3b1) == 0x200);
    CHECK(fake.csr_read(0x3b2) == 0x333);
    reset(&fake.state(), &kMax);
    CHECK(fake.csr_read(0x3a0) == 0);
}

TEST_CASE("mseccfg: what stays, and when RLB can be set", "[pmp]") {
    FakeHart fake;
    constexpr unsigned kMseccfg = 0x747;
    fake.csr_write(kMseccfg, 4);
    CHECK(fake.csr_read(kMseccfg) == 4);
    CHECK(fake.flushes.empty());  // RLB changes no rights
    fake.csr_write(0x3b0, 0x100);
    fake.csr_write(0x3a0, kLock | kNa4);
    fake.csr_write(0x3b0, 0x200);  // a lock does not hold with RLB
    fake.csr_write(0x3a0, kLock | kNa4 | kR);
    CHECK(fake.csr_read(0x3b0) == 0x200);
    CHECK(fake.csr_read(0x3a0) == (kLock | kNa4 | kR));
    fake.flushes.clear();
    fake.csr_write(kMseccfg, 5);
    CHECK(fake.flushes.size() == 1);
    fake.csr_write(kMseccfg, 2);
    CHECK(fake.flushes.size() == 2);
    CHECK(fake.csr_read(kMseccfg) == 3);  // MML stays, RLB goes
    fake.csr_write(kMseccfg, 7);
    CHECK(fake.csr_read(kMseccfg) == 3);  // an entry is locked
    CHECK(fake.flushes.size() == 2);
    reset(&fake.state(), &kMax);
    CHECK(fake.csr_read(kMseccfg) == 0);
    FakeHart plain(0, kRv64);
    plain.csr_read(kMseccfg);
    CHECK(plain.csr_illegal());
}

TEST_CASE("with MML and without RLB no rule is added by which M mode runs code", "[pmp]") {
    for (unsigned rights = 0; rights < 16; ++rights) {
        FakeHart fake;
        fake.csr_write(0x747, 1);
        const uint64_t cfg = (rights & 8) << 4 | (rights & 4) >> 2 | (rights & 2) | (rights & 1) << 2 | kNa4;
        fake.csr_write(0x3a0, cfg);
        CAPTURE(rights);
        CHECK(fake.csr_read(0x3a0) == ((kLockdown[rights].machine & kX) != 0 ? 0 : cfg));
    }
}

TEST_CASE("the address before a locked entry of another mode stays writable", "[pmp]") {
    FakeHart fake;
    fake.csr_write(0x3a0, 0x99'00);  // entry 1: locked NAPOT
    fake.csr_write(0x3b0, 0x111);
    fake.csr_write(0x3b1, 0x222);
    CHECK(fake.csr_read(0x3b0) == 0x111);
    CHECK(fake.csr_read(0x3b1) == 0);
}

}  // namespace
}  // namespace weft::riscv
