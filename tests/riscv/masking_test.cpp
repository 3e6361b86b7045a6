// Pointer masking: which mask holds for which accesses, as TB flags have it, and what a walk makes of addresses.
#include <catch2/catch.hpp>

#include "emulator/guest/riscv/cpu/tb_flags.h"
#include "tests/riscv/fake_hart.h"

namespace weft::riscv {
namespace {

constexpr uint64_t kSeven = uint64_t{2} << 32;
constexpr uint64_t kSixteen = uint64_t{3} << 32;
constexpr uint64_t kSv39 = uint64_t{8} << 60;
constexpr uint64_t kMxr = 1 << 19;
constexpr uint64_t kMprv = 1 << 17;

PointerMask mask_of(const FakeHart& fake) {
    return TbFlags(guest_arch(kMax).tb_flags(&const_cast<FakeHart&>(fake).state())).pointer_mask();
}

struct Expected {
    unsigned length;
    bool extends_sign;
};
bool operator==(const PointerMask& mask, const Expected& expected) {
    return mask.length == expected.length && mask.extends_sign == expected.extends_sign;
}

TEST_CASE("each mode has the mask of the register of the one above it", "[masking]") {
    FakeHart fake;
    State& state = fake.state();
    state.mseccfg = kSeven;
    CHECK(mask_of(fake) == Expected{7, false});
    state.satp = kSv39;  // not M mode's
    CHECK(mask_of(fake) == Expected{7, false});
    state.priv = Priv::supervisor;
    CHECK(mask_of(fake) == Expected{0, false});
    state.menvcfg = kSixteen;
    CHECK(mask_of(fake) == Expected{16, true});
    state.satp = 0;
    CHECK(mask_of(fake) == Expected{16, false});
    state.priv = Priv::user;
    CHECK(mask_of(fake) == Expected{0, false});
    state.senvcfg = kSeven;
    CHECK(mask_of(fake) == Expected{7, false});
    state.satp = kSv39;
    CHECK(mask_of(fake) == Expected{7, true});
    // MXR takes it away below M mode.
    state.mstatus = kMxr;
    CHECK(mask_of(fake) == Expected{0, false});
    state.priv = Priv::machine;
    CHECK(mask_of(fake) == Expected{7, false});
    // MPRV: MPP is U.
    state.mstatus = kMprv;
    state.senvcfg = kSixteen;
    CHECK(mask_of(fake) == Expected{16, true});
    state.mstatus = kMprv | kMxr;
    CHECK(mask_of(fake) == Expected{0, false});
}

TEST_CASE("without S mode it is menvcfg that U mode's accesses go by", "[masking]") {
    const auto model = parse_cpu_model("rva22u64,smnpm=on");
    REQUIRE(model.has_value());
    FakeHart fake(0, *model);
    fake.csr_write(0x30a, kSeven);
    fake.state().priv = Priv::user;
    CHECK(TbFlags(guest_arch(*model).tb_flags(&fake.state())).pointer_mask() == Expected{7, false});
}

TEST_CASE("an address without its upper bits", "[masking]") {
    constexpr uint64_t kAddress = 0xfedc'ba98'7654'3210;
    CHECK(PointerMask{}.apply(kAddress) == kAddress);
    CHECK(PointerMask{7, false}.apply(kAddress) == 0x00dc'ba98'7654'3210);
    CHECK(PointerMask{7, true}.apply(kAddress) == 0x00dc'ba98'7654'3210);
    CHECK(PointerMask{16, false}.apply(kAddress) == 0x0000'ba98'7654'3210);
    CHECK(PointerMask{16, true}.apply(kAddress) == 0xffff'ba98'7654'3210);
    CHECK(PointerMask{7, true}.apply(uint64_t{1} << 56) == 0xff00'0000'0000'0000);
}

TEST_CASE("a change of a mask forgets what TLBs hold", "[masking]") {
    constexpr unsigned kRegisters[] = {0x747, 0x30a, 0x10a};
    for (const unsigned number : kRegisters) {
        FakeHart fake;
        const uint64_t others = fake.csr_read(number);
        fake.csr_write(number, others | kSeven);
        CHECK(fake.flushes.size() == 1);
        fake.csr_write(number, others | kSeven);
        CHECK(fake.flushes.size() == 1);
        fake.csr_write(number, others);
        CHECK(fake.flushes.size() == 2);
    }
}

TEST_CASE("the part of an access beyond the last address is masked as well, and a fault says so",
          "[masking]") {
    FakeHart fake;
    fake.open_pmp();
    State& state = fake.state();
    state.priv = Priv::supervisor;
    state.satp = uint64_t{10} << 60 | kRamBase >> 12;  // Sv57, no pages
    const auto tval = [&](uint64_t address, Access access) {
        const WalkRequest request{address, access, static_cast<uint8_t>(MmuMode::supervisor), 1, false};
        WalkResult result{};
        CHECK_FALSE(walk(&state, &request, &result));
        return state.exception_tval;
    };
    constexpr uint64_t kBeyond = uint64_t{1} << 56;
    CHECK(tval(kBeyond, Access::load) == kBeyond);
    state.menvcfg = kSeven;
    CHECK(tval(kBeyond, Access::load) == 0xff00'0000'0000'0000);
    CHECK(tval(kBeyond, Access::store) == 0xff00'0000'0000'0000);
    CHECK(tval(kBeyond, Access::fetch) == kBeyond);
}

}  // namespace
}  // namespace weft::riscv
