// The guest in process mode: its table, what it is at reset, what of U mode is legal, and how exceptions and registers are told to
// the emulator. Expected values are the specifications' and Linux's, apart from weft's own constants.
#include <catch2/catch.hpp>

#include <array>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <string>

#include "emulator/guest/riscv/cpu/state.h"
#include "emulator/guest/riscv/cpu/tb_flags.h"
#include "emulator/guest/riscv/cpu/user_exception.h"
#include "emulator/guest/riscv/cpu/user_registers.h"
#include "emulator/guest/riscv/guest_arch.h"
#include "emulator/guest/riscv/isa/decode.h"
#include "emulator/guest/riscv/translate/helpers.h"
#include "tests/riscv/test_seed.h"
#include "tests/riscv/test_unit.h"
#include "weft/guest.h"

namespace weft::riscv {
class FakeUser;
}

namespace weft {
struct Vcpu {
    riscv::FakeUser* owner;
};
}  // namespace weft

namespace weft::riscv {

// A vCPU of process mode. What only machines have is not there at all: no Hart, and services that crash whoever calls them.
class FakeUser {
  public:
    FakeUser() : vcpu_{this} {
        std::memset(static_cast<void*>(&block_.state), 0xa5, sizeof(State));
        block_.header.vcpu = &vcpu_;
        block_.header.services = &kServices;
        block_.header.guest = reinterpret_cast<void*>(uintptr_t{1});
        block_.header.fp_flags = 31;
        arch().reset(state(), arch().model);
    }
    FakeUser(const FakeUser&) = delete;
    FakeUser& operator=(const FakeUser&) = delete;

    static const GuestArch& arch() {
        static const GuestArch kArch = guest_arch_user(kMax);
        return kArch;
    }
    void* state() { return &block_.state; }
    State& fields() { return block_.state; }
    StateHeader& header() { return block_.header; }
    TbFlags flags() { return TbFlags(arch().tb_flags(state())); }

    template <class R, class... Args>
    R call(uint32_t id, Args... args) {
        header().raised = 0;
        return reinterpret_cast<R (*)(void*, Args...)>(arch().helpers[id].function)(state(), args...);
    }
    uint64_t csr(uint32_t number, uint64_t operand, CsrOp op) {
        return call<uint64_t, uint32_t, uint64_t, uint32_t, uint32_t>(kHelperCsr, number, operand,
                                                                      static_cast<uint32_t>(op), kInsn);
    }

    // Does the one instruction that the unit of `bits` is, as far as its first helper call, which is all that exceptions depend on.
    void execute(uint32_t bits);
    // What the emulator finds when the accelerator has come back with the exception.
    UserException delivered() {
        CHECK_FALSE(arch().deliver(state()));
        return user_exception(state());
    }

    static constexpr uint32_t kInsn = 0x0000'2573;
    uint64_t now = 0;
    uint64_t cycle = 0;
    uint64_t instret = 0;
    unsigned fence_is = 0;

  private:
    struct Block {
        alignas(64) StateHeader header;
        State state;
    };
    static_assert(offsetof(Block, state) == sizeof(StateHeader));

    static const VcpuServices kServices;

    Vcpu vcpu_;
    Block block_{};
};

const VcpuServices FakeUser::kServices = [] {
    VcpuServices services{};
    services.fence_i = [](Vcpu* vcpu) { ++vcpu->owner->fence_is; };
    services.now_ns = [](Vcpu* vcpu) { return vcpu->owner->now; };
    services.cycles = [](Vcpu* vcpu) { return vcpu->owner->cycle; };
    services.instret = [](Vcpu* vcpu) { return vcpu->owner->instret; };
    return services;
}();

void FakeUser::execute(uint32_t bits) {
    TestUnit unit;
    const Code code = insn_size(static_cast<uint16_t>(bits)) == 2 ? Code().half(static_cast<uint16_t>(bits))
                                                                  : Code().word(bits);
    REQUIRE(translate_code(&unit, code, {.flags = flags()}) == TranslateStatus::ok);
    const std::vector<ir::Op> calls = unit.ops_of(ir::Opcode::call);
    REQUIRE(calls.size() == 1);
    const ir::Op& op = calls[0];
    const auto number = [&](unsigned i) { return unit.constant(op, i); };
    const auto word = [&](unsigned i) { return static_cast<uint32_t>(number(i)); };
    switch (op.aux) {
        case kHelperRaise:
            return call<void, uint32_t, uint64_t>(op.aux, word(0), number(1));
        case kHelperCsr:
            call<uint64_t, uint32_t, uint64_t, uint32_t, uint32_t>(op.aux, word(0), number(1), word(2),
                                                                   word(3));
            return;
        case kHelperMret:
        case kHelperSret:
            call<uint64_t, uint32_t>(op.aux, word(0));
            return;
        case kHelperWfi:
            return call<void, uint32_t>(op.aux, word(0));
        case kHelperSfenceVma:
            return call<void, uint64_t, uint64_t, uint32_t, uint32_t>(op.aux, number(0), number(1), word(2),
                                                                      word(3));
        case kHelperFenceI:
            return call<void>(op.aux);
        default:
            FAIL("helper " << op.aux);
    }
}

namespace {

constexpr uint32_t kEcall = 0x0000'0073;

TEST_CASE("programs may clean, flush and zero blocks, and have a hart of their model", "[user]") {
    FakeUser user;
    CHECK(user.fields().menvcfg == 0xc0);
    CHECK(user.fields().senvcfg == 0xc0);
    CHECK(user.fields().in_process);
    CHECK(user.fields().model == &kMax);
}

TEST_CASE("the table of process mode differs from the machine's where a machine is needed", "[user]") {
    const GuestArch user = guest_arch_user(kMax);
    const GuestArch machine = guest_arch(kMax);
    CHECK(user.abi_version == kGuestAbiVersion);
    CHECK(user.ir_version == ir::kIrVersion);
    CHECK(std::strcmp(user.name, "riscv64") == 0);
    CHECK(user.state_size == machine.state_size);
    CHECK(user.globals == machine.globals);
    CHECK(user.global_count == machine.global_count);
    CHECK(user.helpers == machine.helpers);
    CHECK(user.helper_count == machine.helper_count);
    CHECK(user.translate == machine.translate);
    CHECK(user.run == machine.run);
    CHECK(user.disassemble == machine.disassemble);
    CHECK(user.tb_flags == machine.tb_flags);
    CHECK(user.unaligned_access == machine.unaligned_access);
    CHECK(user.max_insn_size == 4);
    CHECK(user.min_insn_size == 2);
    CHECK(user.mmu_mode_count == 1);
    CHECK(user.space_dependent_modes == 0);
    CHECK(user.walk == nullptr);
    CHECK(user.bus_error == nullptr);
    CHECK(user.address_space == nullptr);
    CHECK(user.take_interrupt == nullptr);
    CHECK(user.interrupt_known == nullptr);
    CHECK(user.has_work == nullptr);
    CHECK(user.memory_fault != nullptr);
    CHECK(machine.memory_fault == nullptr);
    CHECK(user.deliver != machine.deliver);
    CHECK(user.reset != machine.reset);
}

TEST_CASE("at reset a program has zeros in its registers, and floating point", "[user]") {
    FakeUser user;
    CHECK(user_registers(user.state()) == UserRegisters{});
    CHECK(user.fields().priv == Priv::user);
    CHECK(user.fields().res_address == kNoReservation);
    CHECK(user.flags().priv() == Priv::user);
    CHECK(user.flags().fetch_mode() == MmuMode::user);
    CHECK(user.flags().data_mode() == MmuMode::user);
    CHECK(user.flags().fp() == FpState::dirty);
    CHECK(user.flags().frm() == 0);
    CHECK(user.arch().fetch_mmu_mode(user.flags().bits()) == 0);
    CHECK(user.arch().fp_rounding(user.flags().bits()) == ir::Rounding::nearest_even);
}

// Zicntr, and the CSRs of F, which are IR but in the table too.
TEST_CASE("U mode may read three counters and no other CSR", "[user]") {
    FakeUser user;
    const std::set<unsigned> floating = {0x001, 0x002, 0x003};
    const std::set<unsigned> counters = {0xc00, 0xc01, 0xc02};
    for (const CsrOp op : {CsrOp::read, CsrOp::write, CsrOp::read_write, CsrOp::set, CsrOp::clear}) {
        for (unsigned number = 0; number < 4096; ++number) {
            user.csr(number, 0, op);
            const bool legal = floating.contains(number) || (op == CsrOp::read && counters.contains(number));
            if (legal != (user.header().raised == 0)) {
                FAIL("CSR " << std::hex << number << ", op " << static_cast<unsigned>(op) << " is "
                            << (legal ? "refused" : "allowed"));
            }
            if (!legal) {
                REQUIRE(user.delivered().kind == UserExceptionKind::illegal);
            }
        }
    }
}

TEST_CASE("counters: time is the clock's at 10 MHz, the others are the accelerator's", "[user]") {
    FakeUser user;
    user.now = 12'345'678'999;
    user.cycle = 17;
    user.instret = 11;
    CHECK(user.csr(0xc01, 0, CsrOp::read) == 123'456'789);
    CHECK(user.csr(0xc00, 0, CsrOp::read) == 17);
    CHECK(user.csr(0xc02, 0, CsrOp::read) == 11);
}

TEST_CASE("what instructions raise in U mode", "[user]") {
    struct Row {
        const char* text;
        uint32_t bits;
        UserExceptionKind kind;
    };
    constexpr UserExceptionKind kIllegal = UserExceptionKind::illegal;
    const Row rows[] = {
        {"ecall", kEcall, UserExceptionKind::ecall},
        {"ebreak", 0x0010'0073, UserExceptionKind::breakpoint},
        {"c.ebreak", 0x9002, UserExceptionKind::breakpoint},
        {"unimp (csrrw x0, cycle, x0)", 0xc000'1073, kIllegal},
        {"c.unimp", 0x0000, kIllegal},
        {"all ones", 0xffff'ffff, kIllegal},
        {"wfi", 0x1050'0073, kIllegal},
        {"mret", 0x3020'0073, kIllegal},
        {"sret", 0x1020'0073, kIllegal},
        {"sfence.vma", 0x1200'0073, kIllegal},
        {"sinval.vma", 0x1600'0073, kIllegal},
        {"sfence.w.inval", 0x1800'0073, kIllegal},
        {"csrr a0, sstatus", 0x1000'2573, kIllegal},
        {"csrr a0, mhartid", 0xf140'2573, kIllegal},
        {"csrr a0, hpmcounter3", 0xc030'2573, kIllegal},
    };
    for (const Row& row : rows) {
        INFO(row.text);
        FakeUser user;
        user.header().pc = 0x1'0074;
        user.fields().res_address = 0x2001;
        user.execute(row.bits);
        CHECK(user.header().raised == 1);
        const UserException exception = user.delivered();
        CHECK(exception.kind == row.kind);
        CHECK(exception.address == 0x1'0074);
        CHECK(user.header().pc == 0x1'0074);
        CHECK(user.fields().res_address == kNoReservation);
    }
}

TEST_CASE("FENCE.I in U mode is the accelerator's affair, PAUSE a hint", "[user]") {
    FakeUser user;
    user.execute(0x0000'100f);
    CHECK(user.fence_is == 1);
    CHECK(user.header().raised == 0);
    TestUnit pause;
    REQUIRE(translate_code(&pause, Code().word(0x0100'000f), {.flags = user.flags()}) == TranslateStatus::ok);
    CHECK(pause.count(ir::Opcode::call) == 0);
}

TEST_CASE("a memory fault is recorded with address, access and reason", "[user]") {
    FakeUser user;
    user.header().pc = 0x1'0000;
    for (const Access access : {Access::load, Access::store, Access::fetch}) {
        for (const MemoryFault fault : {MemoryFault::bus, MemoryFault::unmapped, MemoryFault::protection}) {
            user.fields().res_address = 0x2001;
            user.arch().memory_fault(user.state(), 0x7fff'ffff'f123, access, fault);
            const UserException exception = user.delivered();
            CHECK(exception.kind == UserExceptionKind::memory_fault);
            CHECK(exception.access == access);
            CHECK(exception.fault == fault);
            CHECK(exception.address == 0x7fff'ffff'f123);
            CHECK(user.fields().res_address == kNoReservation);
            CHECK(user.header().pc == 0x1'0000);
        }
    }
}

TEST_CASE("a misaligned atomic is recorded, and no memory fault", "[user]") {
    FakeUser user;
    user.arch().memory_fault(user.state(), 0x1000, Access::fetch, MemoryFault::bus);
    for (const Access access : {Access::load, Access::store}) {
        user.arch().unaligned_access(user.state(), 0x3002, access);
        const UserException exception = user.delivered();
        CHECK(exception.kind == UserExceptionKind::misaligned);
        CHECK(exception.access == access);
        CHECK(exception.address == 0x3002);
    }
    // SC tests the address itself.
    user.call<void, uint32_t, uint64_t>(kHelperRaise, 6, 0x3006);
    CHECK(user.delivered().kind == UserExceptionKind::misaligned);
    CHECK(user.delivered().access == Access::store);
    CHECK(user.delivered().address == 0x3006);
}

// Linux, arch/riscv/kernel/traps.c: si_addr of SIGBUS is the pc.
TEST_CASE("a jump that is not aligned is at its pc", "[user]") {
    FakeUser user;
    user.header().pc = 0x2'0000;
    user.call<void, uint32_t, uint64_t>(kHelperRaise, 0, 0x3002);
    CHECK(user.delivered().kind == UserExceptionKind::misaligned);
    CHECK(user.delivered().access == Access::fetch);
    CHECK(user.delivered().address == 0x2'0000);
}

TEST_CASE("registers are read and set as a whole, and one by one", "[user]") {
    FakeUser user;
    std::mt19937_64 random(test_seed());
    UserRegisters set;
    set.pc = 0x1'2346;
    set.fcsr = 0x35;  // round toward zero; invalid, overflow, inexact
    for (unsigned n = 0; n < 32; ++n) {
        set.x[n] = n == 0 ? 0 : random();
        set.f[n] = random();
    }
    user.fields().res_address = 0x2001;
    set_user_registers(user.state(), set);
    CHECK(user_registers(user.state()) == set);
    CHECK(user.header().pc == 0x1'2346);
    CHECK(user.header().fp_flags == 0x15);
    CHECK(user.flags().frm() == 1);
    CHECK(user.arch().fp_rounding(user.flags().bits()) == ir::Rounding::toward_zero);
    CHECK(user.fields().res_address == kNoReservation);
    for (unsigned n = 0; n < 32; ++n) {
        CHECK(user_x(user.state(), n) == set.x[n]);
        // Where generated code has them.
        const GlobalDesc* const globals = user.arch().globals;
        uint64_t value = 0;
        std::memcpy(&value, static_cast<char*>(user.state()) + globals[31 + n].offset, 8);
        CHECK(value == set.f[n]);
        if (n != 0) {
            std::memcpy(&value, static_cast<char*>(user.state()) + globals[n - 1].offset, 8);
            CHECK(value == set.x[n]);
        }
    }

    set_user_x(user.state(), 10, 42);
    set_user_x(user.state(), 0, 42);
    set.x[10] = 42;
    CHECK(user_registers(user.state()) == set);

    // What is no bit of a register.
    set.pc |= 1;
    set.x[0] = 99;
    set.fcsr |= 0xffff'ff00;
    FakeUser other;
    set_user_registers(other.state(), set);
    CHECK(user_registers(other.state()) == user_registers(user.state()));
}

TEST_CASE("the emulator sees the registers of a thread in its dump, and none of a machine's", "[user]") {
    FakeUser user;
    user.header().pc = 0x1'2346;
    set_user_x(user.state(), 2, 0x7fff'0000);
    std::string text;
    const TextSink sink{[](void* opaque, const char* line, size_t length) {
                            static_cast<std::string*>(opaque)->append(line, length);
                        },
                        &text};
    user.arch().dump_registers(user.state(), &sink);
    CHECK(text.find("0000000000012346") != std::string::npos);
    CHECK(text.find("x2/sp     000000007fff0000") != std::string::npos);
    CHECK(text.find("fcsr") != std::string::npos);
    CHECK(text.find("f31/ft11") != std::string::npos);
    CHECK(text.find("mstatus") == std::string::npos);
}

TEST_CASE("nothing that a program does changes its TB flags but frm", "[user]") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    std::mt19937_64 random(seed);
    FakeUser user;
    for (unsigned i = 0; i < 100'000; ++i) {
        const TbFlags expected(Priv::user, MmuMode::user, MmuMode::user, FpState::dirty,
                               static_cast<unsigned>(user.csr(0x002, 0, CsrOp::read)));
        REQUIRE(user.flags().bits() == expected.bits());
        const auto number = static_cast<uint32_t>(i % 4 == 0 ? 1 + random() % 3 : random() % 4096);
        user.csr(number, random(), static_cast<CsrOp>(random() % 5));
        if (user.header().raised != 0) {
            user.delivered();
        }
    }
}

// The FP state is dirty from the first instruction on, so that none has to make it so: of the state, but for globals, units write
// frm alone.
TEST_CASE("no instruction writes to mstatus in U mode", "[user]") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    std::mt19937 random(static_cast<uint32_t>(seed));
    FakeUser user;
    for (const InsnDesc& desc : kInsns) {
        INFO(desc.mnemonic);
        for (unsigned i = 0; i < 200; ++i) {
            const uint32_t bits = desc.match | (random() & ~desc.mask & (desc.size == 2 ? 0xffff : ~0u));
            TestUnit unit;
            const Code code = desc.size == 2 ? Code().half(static_cast<uint16_t>(bits)) : Code().word(bits);
            REQUIRE(translate_code(&unit, code, {.flags = user.flags()}) == TranslateStatus::ok);
            for (const ir::Opcode store :
                 {ir::Opcode::st8, ir::Opcode::st16, ir::Opcode::st32, ir::Opcode::st}) {
                for (const ir::Op& op : unit.ops_of(store)) {
                    REQUIRE(op.aux == offsetof(State, frm));
                }
            }
        }
    }
}

}  // namespace
}  // namespace weft::riscv
