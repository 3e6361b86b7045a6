// Page walks over tables written by hand.
#include "emulator/guest/riscv/cpu/mmu.h"

#include <catch2/catch.hpp>

#include "emulator/guest/riscv/cpu/tb_flags.h"
#include "tests/riscv/fake_hart.h"

namespace weft::riscv {
namespace {

constexpr uint64_t V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128;
constexpr uint64_t kLeaf = V | R | W | X | A | D;

constexpr uint64_t kRoot = kRamBase;
constexpr uint64_t kTable1 = kRamBase + 0x3000;
constexpr uint64_t kTable0 = kRamBase + 0x4000;
constexpr uint64_t kPage = kRamBase + 0x10'0000;

constexpr uint64_t pte(uint64_t paddr, uint64_t bits) { return paddr >> 12 << 10 | bits; }

// One address, mapped through all levels; tests change entries.
class Tables {
  public:
    explicit Tables(unsigned levels, const CpuModel& model = kMax) : fake(0, model), levels_(levels) {
        fake.open_pmp();
        fake.state().satp = uint64_t{levels + 5} << 60 | kRoot >> 12;
        for (unsigned level = levels; level-- > 1;) {
            fake.store64(entry(level), pte(table(level - 1), V));
        }
        fake.store64(entry(0), pte(kPage, kLeaf));
    }

    uint64_t table(unsigned level) const { return level == levels_ - 1 ? kRoot : kTable0 - 0x1000 * level; }
    uint64_t entry(unsigned level) const { return table(level) + (vaddr >> (12 + 9 * level) & 511) * 8; }

    bool go(Access access, MmuMode mode = MmuMode::supervisor, bool probe = false) {
        return go_to(vaddr, access, mode, probe);
    }
    bool go_to(uint64_t address, Access access, MmuMode mode = MmuMode::supervisor, bool probe = false) {
        fake.state().exception_cause = 99;
        fake.state().exception_tval = 0;
        result = {};
        const WalkRequest request{address, access, static_cast<uint8_t>(mode), 1, probe};
        const bool ok = walk(&fake.state(), &request, &result);
        if (ok) {
            CHECK(fake.state().exception_cause == 99);
        }
        return ok;
    }
    // What go gave: the cause of the fault.
    uint64_t cause() { return fake.state().exception_cause; }
    uint64_t tval() { return fake.state().exception_tval; }

    FakeHart fake;
    uint64_t vaddr = 0x12'3456'7abc;
    WalkResult result{};

  private:
    unsigned levels_;
};

constexpr Access kAccesses[] = {Access::load, Access::store, Access::fetch};
constexpr uint64_t page_cause(Access access) {
    return access == Access::load ? 13 : access == Access::store ? 15 : 12;
}
constexpr uint64_t access_cause(Access access) {
    return access == Access::load ? 5 : access == Access::store ? 7 : 1;
}

void check_page_fault(Tables& t, MmuMode mode = MmuMode::supervisor) {
    for (const Access access : kAccesses) {
        CAPTURE(static_cast<int>(access));
        CHECK_FALSE(t.go(access, mode));
        CHECK(t.cause() == page_cause(access));
        CHECK(t.tval() == t.vaddr);
    }
}

void check_access_fault(Tables& t) {
    for (const Access access : kAccesses) {
        CAPTURE(static_cast<int>(access));
        CHECK_FALSE(t.go(access));
        CHECK(t.cause() == access_cause(access));
        CHECK(t.tval() == t.vaddr);
    }
}

TEST_CASE("Sv39, Sv48 and Sv57 map a page", "[mmu]") {
    const unsigned levels = GENERATE(3u, 4u, 5u);
    Tables t(levels);
    for (const Access access : kAccesses) {
        REQUIRE(t.go(access));
        CHECK(t.result.paddr == (kPage | 0xabc));
        CHECK(t.result.prot == (kProtRead | kProtWrite | kProtExec));
        CHECK(t.result.page_shift == 12);
        CHECK_FALSE(t.result.global);
        CHECK_FALSE(t.result.once);
    }
    CHECK(t.fake.stores == 0);
}

TEST_CASE("superpages map at every level and must be aligned", "[mmu]") {
    const unsigned levels = GENERATE(3u, 4u, 5u);
    for (unsigned level = 1; level < levels; ++level) {
        Tables t(levels);
        const uint64_t size = uint64_t{1} << (12 + 9 * level);
        const uint64_t frame = level >= 3 ? 0 : 0x40'0000'0000 & ~(size - 1);
        t.fake.store64(t.entry(level), pte(frame, kLeaf));
        CAPTURE(levels, level);
        REQUIRE(t.go(Access::load));
        CHECK(t.result.paddr == (frame | (t.vaddr & (size - 1))));
        CHECK(t.result.page_shift == 12 + 9 * level);
        for (unsigned bit = 12; bit < 12 + 9 * level; ++bit) {
            t.fake.store64(t.entry(level), pte(frame | uint64_t{1} << bit, kLeaf));
            check_page_fault(t);
        }
    }
}

TEST_CASE("addresses are sign-extended", "[mmu]") {
    for (const unsigned levels : {3u, 4u, 5u}) {
        Tables t(levels);
        const unsigned bits = 12 + 9 * levels;
        const uint64_t upper_half = ~uint64_t{0} << (bits - 1);
        // The last entry of the root table maps the end of the upper half.
        const uint64_t top = kRoot + 511 * 8;
        t.fake.store64(top, pte(0, kLeaf));
        CHECK(t.go_to(~uint64_t{0}, Access::load));
        CHECK(t.go_to(upper_half | (uint64_t{511} << (bits - 9)), Access::load));
        for (unsigned bit = bits; bit < 64; ++bit) {
            CHECK_FALSE(t.go_to(t.vaddr | uint64_t{1} << bit, Access::load));
            CHECK(t.cause() == 13);
            CHECK(t.tval() == (t.vaddr | uint64_t{1} << bit));
        }
        CHECK_FALSE(t.go_to(t.vaddr | upper_half << 1, Access::load));
    }
}

TEST_CASE("invalid and reserved entries fault", "[mmu]") {
    const unsigned levels = GENERATE(3u, 4u, 5u);
    Tables t(levels);
    t.fake.csr_write(0x30a, uint64_t{1} << 61);  // ADUE, but not PBMTE
    for (unsigned level = 0; level < levels; ++level) {
        const uint64_t good = t.fake.load64(t.entry(level));
        CAPTURE(levels, level);
        t.fake.store64(t.entry(level), good & ~V);
        check_page_fault(t);
        t.fake.store64(t.entry(level), V | W | A | D);
        check_page_fault(t);
        t.fake.store64(t.entry(level), V | W | X | A | D);
        check_page_fault(t);
        for (unsigned bit = 54; bit < 64; ++bit) {  // bit 63 asks for another page number
            t.fake.store64(t.entry(level), good | uint64_t{1} << bit);
            check_page_fault(t);
        }
        if (level > 0) {
            for (const uint64_t bit : {A, D, U}) {
                t.fake.store64(t.entry(level), good | bit);
                check_page_fault(t);
            }
            // The two bits for software mean nothing.
            t.fake.store64(t.entry(level), good | 0x300);
            CHECK(t.go(Access::load));
        } else {
            t.fake.store64(t.entry(0), pte(kTable0, V));  // a pointer where the last level must be a leaf
            check_page_fault(t);
        }
        t.fake.store64(t.entry(level), good);
        CHECK(t.go(Access::load));
    }
}

TEST_CASE("permissions of a leaf by mode, SUM and MXR", "[mmu]") {
    Tables t(3);
    for (const uint64_t rwx : {R, R | W, X, R | X, R | W | X}) {
        for (const bool user : {false, true}) {
            for (const bool mxr : {false, true}) {
                for (const MmuMode mode : {MmuMode::user, MmuMode::supervisor, MmuMode::supervisor_sum}) {
                    t.fake.store64(t.entry(0), pte(kPage, V | A | D | rwx | (user ? U : 0)));
                    t.fake.state().mstatus = mxr ? 1u << 19 : 0;
                    const bool supervisor = mode != MmuMode::user;
                    // Privileged specification 4.3.1: what U, SUM and MXR mean.
                    const bool data_ok = supervisor ? !user || mode == MmuMode::supervisor_sum : user;
                    const bool fetch_ok = supervisor ? !user : user;
                    const uint8_t expected = static_cast<uint8_t>(
                        (data_ok && ((rwx & R) != 0 || (mxr && (rwx & X) != 0)) ? 1 : 0) |
                        (data_ok && (rwx & W) != 0 ? 2 : 0) | (fetch_ok && (rwx & X) != 0 ? 4 : 0));
                    for (const Access access : kAccesses) {
                        const uint8_t need = access == Access::load ? 1 : access == Access::store ? 2 : 4;
                        CAPTURE(rwx, user, mxr, static_cast<int>(mode), static_cast<int>(access));
                        const bool ok = t.go(access, mode);
                        CHECK(ok == ((expected & need) != 0));
                        if (ok) {
                            CHECK(t.result.prot == expected);
                        } else {
                            CHECK(t.cause() == page_cause(access));
                        }
                    }
                }
            }
        }
    }
}

// Privileged specification, "Svnapot": 64 KiB where the page number ends in 1000, at the last level.
TEST_CASE("one entry maps sixteen pages", "[mmu]") {
    constexpr uint64_t kNapot = uint64_t{1} << 63;
    Tables t(3);
    for (unsigned low = 0; low < 16; ++low) {
        t.fake.store64(t.entry(0), pte(kPage + 0x1000 * low, kLeaf) | kNapot);
        if (low != 8) {
            check_page_fault(t);
            continue;
        }
        REQUIRE(t.go(Access::store));
        CHECK(t.result.paddr == (kPage | (t.vaddr & 0xffff)));
        CHECK(t.result.page_shift == 16);
    }
    t.fake.store64(t.entry(1), pte(0x8020'8000, kLeaf) | kNapot);
    check_page_fault(t);
    Tables without(3, kRv64);
    without.fake.store64(without.entry(0), pte(kPage + 0x8000, kLeaf) | kNapot);
    check_page_fault(without);
}

// Privileged specification, "Svpbmt".
TEST_CASE("memory types of pages", "[mmu]") {
    Tables t(3);
    const uint64_t leaf = t.fake.load64(t.entry(0));
    const uint64_t pointer = t.fake.load64(t.entry(1));
    t.fake.csr_write(0x30a, uint64_t{1} << 62);
    for (uint64_t type = 0; type < 4; ++type) {
        CAPTURE(type);
        t.fake.store64(t.entry(0), leaf | type << 61);
        if (type == 3) {
            check_page_fault(t);
        } else {
            REQUIRE(t.go(Access::load));
            CHECK(t.result.paddr == (kPage | 0xabc));
        }
        t.fake.store64(t.entry(0), leaf);
        t.fake.store64(t.entry(1), pointer | type << 61);
        CHECK(t.go(Access::load) == (type == 0));
        t.fake.store64(t.entry(1), pointer);
    }
    t.fake.csr_write(0x30a, 0);
    t.fake.store64(t.entry(0), leaf | uint64_t{1} << 61);
    check_page_fault(t);
}

TEST_CASE("without marking by hardware an access that would is a page fault", "[mmu]") {
    const uint64_t clean = pte(kPage, V | R | W | X);
    Tables svade(3, kRva22s64);
    svade.fake.store64(svade.entry(0), clean);
    check_page_fault(svade);
    CHECK(svade.fake.load64(svade.entry(0)) == clean);
    svade.fake.store64(svade.entry(0), clean | A);
    CHECK(svade.go(Access::load));
    CHECK_FALSE(svade.go(Access::store));
    CHECK(svade.cause() == page_cause(Access::store));

    Tables t(3);
    t.fake.store64(t.entry(0), clean);
    t.fake.csr_write(0x30a, 0);  // ADUE
    check_page_fault(t);
    t.fake.csr_write(0x30a, uint64_t{1} << 61);
    CHECK(t.go(Access::load));
    CHECK(t.fake.load64(t.entry(0)) == (clean | A));
}

TEST_CASE("accessed and dirty bits are set as accesses need them", "[mmu]") {
    Tables t(3);
    const uint64_t clean = pte(kPage, V | R | W | X);
    t.fake.store64(t.entry(0), clean);
    REQUIRE(t.go(Access::load));
    CHECK(t.fake.load64(t.entry(0)) == (clean | A));
    CHECK(t.result.prot == (kProtRead | kProtExec));  // a store must come back for the dirty bit
    REQUIRE(t.go(Access::fetch));
    CHECK(t.fake.load64(t.entry(0)) == (clean | A));
    REQUIRE(t.go(Access::store));
    CHECK(t.fake.load64(t.entry(0)) == (clean | A | D));
    CHECK(t.result.prot == 7);
    CHECK(t.fake.stores == 2);

    SECTION("not where the access is refused") {
        t.fake.store64(t.entry(0), pte(kPage, V | R));
        CHECK_FALSE(t.go(Access::store));
        CHECK(t.fake.load64(t.entry(0)) == pte(kPage, V | R));
    }
    SECTION("not by a probe") {
        t.fake.store64(t.entry(0), clean);
        CHECK(t.go(Access::store, MmuMode::supervisor, true));
        CHECK(t.result.paddr == (kPage | 0xabc));
        CHECK(t.fake.load64(t.entry(0)) == clean);
    }
    SECTION("in a superpage's entry") {
        t.fake.store64(t.entry(1), pte(0x8020'0000, V | R | W));
        CHECK(t.go(Access::store));
        CHECK(t.fake.load64(t.entry(1)) == pte(0x8020'0000, V | R | W | A | D));
    }
}

TEST_CASE("an entry that changes while it is marked is looked at again", "[mmu]") {
    Tables t(3);
    t.fake.store64(t.entry(0), pte(kPage, V | R | W));
    unsigned races = 0;
    SECTION("another hart set the accessed bit") {
        t.fake.before_cmpxchg = [&] {
            if (races++ == 0) {
                t.fake.store64(t.entry(0), pte(kPage, V | R | W | A));
            }
        };
        REQUIRE(t.go(Access::store));
        CHECK(t.fake.load64(t.entry(0)) == pte(kPage, V | R | W | A | D));
        CHECK(races == 2);
    }
    SECTION("the guest unmapped it") {
        t.fake.before_cmpxchg = [&] {
            ++races;
            t.fake.store64(t.entry(0), 0);
        };
        CHECK_FALSE(t.go(Access::store));
        CHECK(t.cause() == 15);
        CHECK(t.fake.load64(t.entry(0)) == 0);
        CHECK(races == 1);
    }
}

TEST_CASE("a mapping is global where any entry on its path is", "[mmu]") {
    for (unsigned level = 0; level < 5; ++level) {
        Tables t(5);
        t.fake.store64(t.entry(level), t.fake.load64(t.entry(level)) | G);
        REQUIRE(t.go(Access::load));
        CHECK(t.result.global);
    }
}

TEST_CASE("a probe records nothing", "[mmu]") {
    Tables t(3);
    t.fake.store64(t.entry(0), 0);
    CHECK_FALSE(t.go(Access::load, MmuMode::supervisor, true));
    CHECK(t.cause() == 99);
    CHECK(t.tval() == 0);
    t.fake.state().pmpcfg[15] = 0;
    CHECK_FALSE(t.go(Access::load, MmuMode::supervisor, true));
    CHECK(t.cause() == 99);
}

TEST_CASE("page tables that nothing answers for are access faults", "[mmu]") {
    const unsigned level = GENERATE(0u, 1u, 2u);
    Tables t(3);
    if (level == 2) {
        t.fake.state().satp = uint64_t{8} << 60 | 0x1000 >> 12;
    } else {
        t.fake.store64(t.entry(level + 1), pte(0x1000, V));
    }
    check_access_fault(t);
}

TEST_CASE("physical memory protection of page tables and pages", "[mmu]") {
    Tables t(3);
    State& state = t.fake.state();
    const auto deny = [&state](uint64_t page, uint8_t allowed) {
        state.pmpcfg[0] = 0x18 | allowed;
        state.pmpaddr[0] = page >> 2 | 0x1ff;
    };
    SECTION("reading entries is the walker's need, whatever the access") {
        for (const uint64_t table : {kRoot, kTable1, kTable0}) {
            deny(table, 4);
            check_access_fault(t);
            deny(table, 1);
            CHECK(t.go(Access::store));
        }
    }
    SECTION("marking an entry needs write permission") {
        t.fake.store64(t.entry(0), pte(kPage, V | R | W | X));
        deny(kTable0, 1);
        check_access_fault(t);
        CHECK(t.fake.load64(t.entry(0)) == pte(kPage, V | R | W | X));
        // In a table that M mode protects from itself alone, the walker acts as S mode.
        deny(kTable0, 3);
        CHECK(t.go(Access::store));
    }
    SECTION("the page itself") {
        deny(kPage, 0);
        check_access_fault(t);
        deny(kPage, 1);
        REQUIRE(t.go(Access::load));
        CHECK(t.result.prot == kProtRead);
        CHECK_FALSE(t.go(Access::store));
        CHECK(t.cause() == 7);
        CHECK_FALSE(t.go(Access::fetch));
        CHECK(t.cause() == 1);
    }
    SECTION("a boundary within the page") {
        state.pmpcfg[0] = 0x18 | 1;  // 2 KiB from kPage on
        state.pmpaddr[0] = kPage >> 2 | 0xff;
        REQUIRE(t.go(Access::store));  // 0xabc lies behind it
        CHECK(t.result.once);
        CHECK(t.result.prot == 7);
        CHECK_FALSE(t.go_to(t.vaddr & ~uint64_t{0xfff}, Access::store));
        CHECK(t.cause() == 7);
        REQUIRE(t.go_to(t.vaddr & ~uint64_t{0xfff}, Access::load));
        CHECK(t.result.once);
        CHECK(t.result.prot == kProtRead);
    }
}

TEST_CASE("bare addresses are physical ones of 56 bits", "[mmu]") {
    Tables t(3);
    SECTION("satp is bare") { t.fake.state().satp = 0x1234; }
    SECTION("machine mode looks at no satp") {}
    const MmuMode mode = t.fake.state().satp == 0x1234 ? MmuMode::user : MmuMode::machine;
    for (const Access access : kAccesses) {
        REQUIRE(t.go_to(0xff'ffff'ffff'fff0, access, mode));
        CHECK(t.result.paddr == 0xff'ffff'ffff'fff0);
        CHECK(t.result.prot == 7);
        CHECK(t.result.page_shift == 12);
        CHECK_FALSE(t.go_to(0x100'0000'0000'0000, access, mode));
        CHECK(t.cause() == access_cause(access));
        CHECK(t.tval() == 0x100'0000'0000'0000);
    }
}

TEST_CASE("misaligned accesses and bus errors are recorded by kind", "[mmu]") {
    FakeHart fake;
    for (const Access access : kAccesses) {
        unaligned_access(&fake.state(), 0x1001, access);
        CHECK(fake.state().exception_cause == (access == Access::load ? 4 : access == Access::store ? 6 : 0));
        CHECK(fake.state().exception_tval == 0x1001);
        bus_error(&fake.state(), 0x2002, access);
        CHECK(fake.state().exception_cause == access_cause(access));
        CHECK(fake.state().exception_tval == 0x2002);
    }
}

TEST_CASE("an address space is the table, the mode and the ASID", "[mmu]") {
    FakeHart fake;
    State& state = fake.state();
    state.satp = uint64_t{0xabcd} << 44 | 0x8'0000;
    CHECK(address_space(&state) == AddressSpaceKey{0, 0});
    state.satp |= uint64_t{8} << 60;
    CHECK(address_space(&state) == AddressSpaceKey{uint64_t{8} << 60 | 0x8'0000, 0xabcd});
    const AddressSpaceKey sv39 = address_space(&state);
    state.satp |= uint64_t{9} << 60;
    CHECK_FALSE(address_space(&state) == sv39);
}

TEST_CASE("TB flags", "[mmu]") {
    FakeHart fake;
    State& state = fake.state();
    struct Case {
        Priv priv;
        uint64_t mstatus;
        MmuMode fetch, data;
    };
    const uint64_t sum = 1u << 18;
    const uint64_t mprv = 1u << 17;
    for (const Case& c : {
             Case{Priv::user, 0, MmuMode::user, MmuMode::user},
             Case{Priv::user, sum, MmuMode::user, MmuMode::user},
             Case{Priv::supervisor, 0, MmuMode::supervisor, MmuMode::supervisor},
             Case{Priv::supervisor, sum, MmuMode::supervisor, MmuMode::supervisor_sum},
             Case{Priv::machine, sum, MmuMode::machine, MmuMode::machine},
             Case{Priv::machine, 1u << 11, MmuMode::machine, MmuMode::machine},
             Case{Priv::machine, mprv, MmuMode::machine, MmuMode::user},
             Case{Priv::machine, mprv | 1u << 11, MmuMode::machine, MmuMode::supervisor},
             Case{Priv::machine, mprv | 1u << 11 | sum, MmuMode::machine, MmuMode::supervisor_sum},
             Case{Priv::machine, mprv | 3u << 11 | sum, MmuMode::machine, MmuMode::machine},
         }) {
        state.priv = c.priv;
        state.mstatus = c.mstatus;
        const TbFlags flags(tb_flags(&state));
        CAPTURE(static_cast<int>(c.priv), c.mstatus);
        CHECK(flags.priv() == c.priv);
        CHECK(flags.fetch_mode() == c.fetch);
        CHECK(fetch_mmu_mode(flags.bits()) == static_cast<uint8_t>(c.fetch));
        CHECK(flags.data_mode() == c.data);
    }
    state.frm = 3;
    const FpState expected[] = {FpState::off, FpState::clean, FpState::clean, FpState::dirty};
    for (uint64_t fs = 0; fs < 4; ++fs) {
        state.mstatus = fs << 13;
        CHECK(TbFlags(tb_flags(&state)).fp() == expected[fs]);
        CHECK(TbFlags(tb_flags(&state)).frm() == (fs == 0 ? 0 : 3));
        CHECK(fp_rounding(tb_flags(&state)) == (fs == 0 ? ir::Rounding::nearest_even : ir::Rounding::up));
    }
    state.frm = 7;
    CHECK(fp_rounding(tb_flags(&state)) == ir::Rounding::nearest_even);
}

}  // namespace
}  // namespace weft::riscv
