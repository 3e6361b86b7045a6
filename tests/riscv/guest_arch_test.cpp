// The table that the accelerator gets.
#include <catch2/catch.hpp>

#include <cstring>

#include "tests/riscv/fake_hart.h"

namespace weft::riscv {
namespace {

TEST_CASE("the architecture's table is complete and consistent", "[guest_arch]") {
    const GuestArch arch = guest_arch(kMax);
    CHECK(arch.abi_version == kGuestAbiVersion);
    CHECK(arch.ir_version == ir::kIrVersion);
    CHECK(std::strcmp(arch.name, "riscv64") == 0);
    CHECK(arch.state_size == sizeof(State));
    CHECK(arch.mmu_mode_count == 4);
    CHECK(arch.space_dependent_modes == 0b0111);
    CHECK(arch.global_count == kGlobalCount);
    CHECK(arch.helper_count == kHelperCount);
    for (uint32_t i = 0; i < arch.global_count; ++i) {
        const GlobalDesc& global = arch.globals[i];
        const uint32_t size = global.type == ir::Type::i32 || global.type == ir::Type::f32 ? 4 : 8;
        CHECK(global.offset >= 0);
        CHECK(static_cast<uint32_t>(global.offset) + size <= arch.state_size);
        CHECK(static_cast<uint32_t>(global.offset) % size == 0);
    }
    for (uint32_t i = 0; i < arch.helper_count; ++i) {
        CHECK(arch.helpers[i].function != nullptr);
        CHECK(arch.helpers[i].name != nullptr);
    }
}

TEST_CASE("an ECALL goes through the table to its handler", "[guest_arch]") {
    FakeHart fake;
    const GuestArch arch = guest_arch(kMax);
    fake.open_pmp();
    fake.csr_write(0x302, 1u << 8);
    fake.csr_write(0x105, 0x8000'4000);
    fake.state().priv = Priv::user;
    fake.header().pc = 0x8000'0010;
    const uint64_t flags = arch.tb_flags(&fake.state());
    const WalkRequest fetch{fake.header().pc, Access::fetch, arch.fetch_mmu_mode(flags), 4, false};
    WalkResult result{};
    REQUIRE(arch.walk(&fake.state(), &fetch, &result));
    CHECK(result.paddr == 0x8000'0010);
    fake.call<void, uint32_t, uint64_t>(kHelperRaise, 8, 0);
    arch.deliver(&fake.state());
    CHECK(fake.header().pc == 0x8000'4000);
    CHECK(fake.state().sepc == 0x8000'0010);
    CHECK(arch.tb_flags(&fake.state()) != flags);
    CHECK_FALSE(arch.take_interrupt(&fake.state()));
}

}  // namespace
}  // namespace weft::riscv
