// GuestArch::run: where a run of instructions stops, and with what. What the instructions compute is compared with an
// independent emulator in tests/isa.
#include <catch2/catch.hpp>

#include <array>
#include <cstring>
#include <set>
#include <string_view>
#include <vector>

#include "emulator/guest/riscv/translate/interpreted_execution.h"
#include "tests/riscv/fake_hart.h"
#include "tests/riscv/random_program.h"

namespace weft::riscv {
namespace {

constexpr uint64_t kPc = kRamBase + 0x3000;
constexpr uint16_t kNop = 0x0001;       // c.nop
constexpr uint32_t kAddi = 0x00150513;  // addi a0, a0, 1
constexpr uint32_t kLoad = 0x00053583;  // ld a1, 0(a0)
constexpr uint32_t kEcall = 0x00000073;
constexpr uint32_t kEbreak = 0x00100073;
constexpr uint32_t kCsrr = 0x34002573;    // csrr a0, mscratch
constexpr uint32_t kBranch = 0x00050463;  // beqz a0, 8
constexpr uint32_t kJump = 0x0100006f;    // j 16
constexpr uint32_t kReturn = 0x00008067;  // ret

// A page with instructions at an offset, and nothing that is one elsewhere.
class Page {
  public:
    Page(unsigned offset, std::vector<uint32_t> insns) {
        for (const uint32_t insn : insns) {
            const unsigned size = (insn & 3) == 3 ? 4 : 2;
            std::memcpy(bytes_.data() + offset, &insn, std::min<size_t>(size, bytes_.size() - offset));
            offset += size;
        }
    }
    const uint8_t* data() const { return bytes_.data(); }

  private:
    alignas(8) std::array<uint8_t, kPageSize> bytes_{};
};

struct Ran {
    RunResult result;
    uint64_t pc;
};

Ran run_at(FakeHart& fake, unsigned offset, const Page& page) {
    fake.header().pc = kPc + offset;
    const RunResult result = run(&fake.state(), guest_arch(kMax).tb_flags(&fake.state()),
                                 page.data() + offset, static_cast<uint32_t>(kPageSize) - offset);
    return {result, fake.header().pc};
}

TEST_CASE("a run goes on over branches that are not taken, and ends behind one that is", "[run]") {
    FakeHart fake;
    gpr(fake.state(), 10) = 5;
    const Ran on = run_at(fake, 0x100, Page(0x100, {kAddi, kBranch, kNop, kJump}));
    CHECK(on.result.stop == RunStop::jump);
    CHECK(on.result.insns == 4);
    CHECK(on.pc == kPc + 0x100 + 4 + 4 + 2 + 16);
    CHECK(gpr(fake.state(), 10) == 6);

    gpr(fake.state(), 10) = ~uint64_t{0};
    const Ran taken = run_at(fake, 0x100, Page(0x100, {kAddi, kBranch, kNop, kJump}));
    CHECK(taken.result.stop == RunStop::jump);
    CHECK(taken.result.insns == 2);
    CHECK(taken.pc == kPc + 0x100 + 4 + 8);

    gpr(fake.state(), 1) = 0x1234'5679;
    const Ran indirect = run_at(fake, 0, Page(0, {kReturn}));
    CHECK(indirect.result.stop == RunStop::jump);
    CHECK(indirect.pc == 0x1234'5678);
}

TEST_CASE("a run stops before what has to be translated", "[run]") {
    for (const uint32_t insn : {kEbreak, kCsrr, uint32_t{0}}) {
        FakeHart fake;
        const Ran first = run_at(fake, 0x10, Page(0x10, {insn}));
        CHECK(first.result.stop == RunStop::translate);
        CHECK(first.result.insns == 0);
        CHECK(first.pc == kPc + 0x10);
        const Ran later = run_at(fake, 0x10, Page(0x10, {kAddi, kNop, insn}));
        CHECK(later.result.stop == RunStop::translate);
        CHECK(later.result.insns == 2);
        CHECK(later.pc == kPc + 0x16);
        CHECK(gpr(fake.state(), 10) == 1);
    }
}

TEST_CASE("instructions are told apart by all of their bits, however many were run before", "[run]") {
    FakeHart fake;
    // addi a0, a0, N and the same in two bytes: more of them than a hart remembers, each met again after all the others.
    for (unsigned round = 0; round < 2; ++round) {
        for (uint32_t immediate = 0; immediate < 4096; ++immediate) {
            const int64_t value = static_cast<int64_t>(immediate ^ 0x800) - 0x800;
            gpr(fake.state(), 10) = 1000;
            std::vector<uint32_t> insns{immediate << 20 | 0x00050513};
            int64_t sum = 1000 + value;
            if (value >= -32 && value < 32 && value != 0) {
                insns.push_back(0x0501 | (immediate >> 5 & 1) << 12 | (immediate & 31) << 2);
                sum += value;
            }
            insns.push_back(kJump);
            const Ran ran = run_at(fake, 0x100, Page(0x100, insns));
            REQUIRE(ran.result.stop == RunStop::jump);
            REQUIRE(static_cast<int64_t>(gpr(fake.state(), 10)) == sum);
        }
    }
    // Nor is what may not be run taken for something that may.
    for (const uint32_t insn : {kEbreak, kCsrr, uint32_t{0}, kEbreak}) {
        CHECK(run_at(fake, 0x10, Page(0x10, {insn})).result.insns == 0);
    }
}

TEST_CASE("an access that fails stops the run at its instruction", "[run]") {
    FakeHart fake;  // whose loads all fail
    gpr(fake.state(), 11) = 77;
    const Ran ran = run_at(fake, 0x20, Page(0x20, {kAddi, kLoad, kAddi}));
    CHECK(ran.result.stop == RunStop::exception);
    CHECK(ran.result.insns == 1);
    CHECK(ran.pc == kPc + 0x24);
    CHECK(gpr(fake.state(), 10) == 1);
    CHECK(gpr(fake.state(), 11) == 77);
}

TEST_CASE("a system call stops the run at its instruction, with the cause of its mode", "[run]") {
    FakeHart fake;
    for (const auto& [priv, cause] : {std::pair{Priv::user, Exception::ecall_user},
                                      {Priv::supervisor, Exception::ecall_supervisor},
                                      {Priv::machine, Exception::ecall_machine}}) {
        fake.state().priv = priv;
        const Ran ran = run_at(fake, 0x20, Page(0x20, {kNop, kEcall, kAddi}));
        CHECK(ran.result.stop == RunStop::exception);
        CHECK(ran.result.insns == 1);
        CHECK(ran.pc == kPc + 0x22);
        CHECK(fake.state().exception_cause == static_cast<uint64_t>(cause));
        CHECK(fake.state().exception_tval == 0);
    }
}

// A word or two of memory, and what was asked of it.
struct Memory {
    uint64_t address = 0x8000'2000;
    uint64_t value = 0;
    uint32_t last_memop = 0;
    VcpuServices services;

    static Memory*& current() {
        static Memory* memory = nullptr;
        return memory;
    }
    explicit Memory(FakeHart& fake) : services(*fake.header().services) {
        current() = this;
        services.load = [](Vcpu*, uint64_t vaddr, uint32_t memop, uint64_t* loaded) {
            Memory& memory = *current();
            memory.last_memop = memop;
            const bool is_word = ir::MemOp(memop).size_log2() == 2;
            *loaded = is_word ? static_cast<uint32_t>(memory.value) : memory.value;
            return vaddr == memory.address;
        };
        services.atomic = [](Vcpu*, ir::Opcode op, uint64_t vaddr, uint32_t memop, uint64_t a, uint64_t b,
                             uint64_t* old) {
            Memory& memory = *current();
            memory.last_memop = memop;
            const uint64_t mask = ir::MemOp(memop).size_log2() == 2 ? 0xffff'ffff : ~uint64_t{0};
            *old = memory.value & mask;
            if (op == ir::Opcode::atomic_cmpxchg && *old == (a & mask)) {
                memory.value = (memory.value & ~mask) | (b & mask);
            }
            return vaddr == memory.address;
        };
        fake.header().services = &services;
    }
};

constexpr uint32_t kLrW = 0x1005a52f;    // lr.w a0, (a1)
constexpr uint32_t kLrDAq = 0x1405b52f;  // lr.d.aq a0, (a1)
constexpr uint32_t kScW = 0x18c5a6af;    // sc.w a3, a2, (a1)
constexpr uint32_t kScDRl = 0x1ac5b6af;  // sc.d.rl a3, a2, (a1)

TEST_CASE("a store succeeds where its reservation is, and only there", "[run]") {
    FakeHart fake;
    Memory memory(fake);
    memory.value = 0x1234'5678'8000'0001;
    gpr(fake.state(), 11) = memory.address;
    gpr(fake.state(), 12) = 0xffff'ffff'0000'0077;
    const auto run_pair = [&](std::vector<uint32_t> insns) {
        gpr(fake.state(), 13) = 99;
        return run_at(fake, 0, Page(0, std::move(insns)));
    };
    SECTION("words") {
        CHECK(run_pair({kLrW, kScW, kJump}).result.insns == 3);
        CHECK(gpr(fake.state(), 10) == 0xffff'ffff'8000'0001);
        CHECK(gpr(fake.state(), 13) == 0);
        CHECK(memory.value == 0x1234'5678'0000'0077);
        // It is over with that.
        run_pair({kScW, kJump});
        CHECK(gpr(fake.state(), 13) == 1);
    }
    SECTION("doublewords, with what they order") {
        run_pair({kLrDAq, kJump});
        const auto mode =
            static_cast<unsigned>(TbFlags(guest_arch(kMax).tb_flags(&fake.state())).data_mode());
        CHECK(memory.last_memop ==
              ir::MemOp(3, mode, ir::MemOp::kAligned | ir::MemOp::kAcquire | ir::MemOp::kReserve).bits());
        run_pair({kScDRl, kJump});
        CHECK(memory.last_memop == ir::MemOp(3, mode, ir::MemOp::kAligned | ir::MemOp::kRelease).bits());
        CHECK(gpr(fake.state(), 10) == 0x1234'5678'8000'0001);
        CHECK(gpr(fake.state(), 13) == 0);
        CHECK(memory.value == 0xffff'ffff'0000'0077);
    }
    SECTION("another size") {
        run_pair({kLrW, kScDRl, kJump});
        CHECK(gpr(fake.state(), 13) == 1);
        CHECK(memory.value == 0x1234'5678'8000'0001);
    }
    SECTION("another value") {
        run_pair({kLrDAq, kJump});
        memory.value = 5;
        run_pair({kScDRl, kJump});
        CHECK(gpr(fake.state(), 13) == 1);
        CHECK(memory.value == 5);
    }
    SECTION("none") {
        run_pair({kScW, kJump});
        CHECK(gpr(fake.state(), 13) == 1);
        CHECK(memory.value == 0x1234'5678'8000'0001);
    }
    SECTION("an access that fails changes nothing") {
        run_pair({kLrW, kJump});
        const uint64_t reserved = fake.state().res_address;
        memory.address += 8;
        CHECK(run_pair({kScW, kJump}).result.stop == RunStop::exception);
        CHECK(gpr(fake.state(), 13) == 99);
        CHECK(fake.state().res_address == reserved);
        gpr(fake.state(), 10) = 98;
        CHECK(run_pair({kLrW, kJump}).result.stop == RunStop::exception);
        CHECK(gpr(fake.state(), 10) == 98);
        CHECK(fake.state().res_address == reserved);
    }
}

TEST_CASE("a run ends at the page's end, and leaves what reaches over it", "[run]") {
    FakeHart fake;
    const Ran whole = run_at(fake, 0xffa, Page(0xffa, {kAddi, kNop}));
    CHECK(whole.result.stop == RunStop::jump);
    CHECK(whole.result.insns == 2);
    CHECK(whole.pc == kPc + 0x1000);
    const Ran straddling = run_at(fake, 0xffc, Page(0xffc, {kNop, kAddi}));
    CHECK(straddling.result.stop == RunStop::translate);
    CHECK(straddling.result.insns == 1);
    CHECK(straddling.pc == kPc + 0xffe);
}

TEST_CASE("a run ends where its bytes end, and leaves what they do not hold whole", "[run]") {
    // What lies behind the bytes would go on, so that reading it shows.
    const Page page(0x100, {kAddi, kNop, kAddi, kNop, kNop});
    const auto run_bytes = [&](FakeHart& fake, uint32_t size) -> Ran {
        gpr(fake.state(), 10) = 0;
        fake.header().pc = kPc + 0x100;
        const RunResult result =
            run(&fake.state(), guest_arch(kMax).tb_flags(&fake.state()), page.data() + 0x100, size);
        return {result, fake.header().pc};
    };
    struct Row {
        uint32_t size;
        RunStop stop;
        uint32_t insns;
        uint64_t pc;
        uint64_t a0;
    };
    for (const Row& row : {Row{0, RunStop::translate, 0, 0x100, 0}, Row{1, RunStop::translate, 0, 0x100, 0},
                           Row{2, RunStop::translate, 0, 0x100, 0}, Row{3, RunStop::translate, 0, 0x100, 0},
                           Row{4, RunStop::jump, 1, 0x104, 1}, Row{5, RunStop::jump, 1, 0x104, 1},
                           Row{6, RunStop::jump, 2, 0x106, 1}, Row{8, RunStop::translate, 2, 0x106, 1},
                           Row{9, RunStop::translate, 2, 0x106, 1}, Row{10, RunStop::jump, 3, 0x10a, 2},
                           Row{12, RunStop::jump, 4, 0x10c, 2}}) {
        INFO("size " << row.size);
        FakeHart fake;
        const Ran ran = run_bytes(fake, row.size);
        CHECK(ran.result.stop == row.stop);
        CHECK(ran.result.insns == row.insns);
        CHECK(ran.pc == kPc + row.pc);
        CHECK(gpr(fake.state(), 10) == row.a0);
    }
}

TEST_CASE("what an instruction says of the pc holds wherever the run began", "[run]") {
    constexpr uint32_t kAuipc = 0xfffff597;  // auipc a1, -1
    constexpr uint32_t kCall = 0xff9ff0ef;   // jal ra, -8
    FakeHart fake;
    for (const unsigned offset : {0u, 0x104u, 0xff2u}) {
        const Ran ran = run_at(fake, offset, Page(offset, {kNop, kAuipc, kNop, kCall}));
        CHECK(ran.result.stop == RunStop::jump);
        CHECK(ran.pc == kPc + offset + 8 - 8);
        CHECK(gpr(fake.state(), 11) == kPc + offset + 2 - 0x1000);
        CHECK(gpr(fake.state(), 1) == kPc + offset + 12);
    }
}

TEST_CASE("x0 stays zero, also as the destination of a load's neighbours", "[run]") {
    FakeHart fake;
    constexpr uint32_t kLuiZero = 0xfffff037;   // lui zero, 0xfffff
    constexpr uint32_t kJalZero = 0x0000006f;   // jal zero, 0
    constexpr uint32_t kSltuZero = 0x00a03033;  // sltu zero, zero, a0
    gpr(fake.state(), 10) = 1;
    run_at(fake, 0, Page(0, {kLuiZero, kSltuZero, kJalZero}));
    CHECK(gpr(fake.state(), 0) == 0);
}

// What is left to translations is left on purpose.
TEST_CASE("all integer instructions run, those that need a translation do not", "[run]") {
    const std::set<std::string_view> translated = {"ebreak",    "c.ebreak",  "pause",    "fence.i",
                                                   "wrs.nto",   "wrs.sto",   "amocas.q", "cbo.inval",
                                                   "cbo.clean", "cbo.flush", "cbo.zero"};
    for (const InsnDesc& desc : kInsns) {
        INFO(desc.mnemonic);
        const Extension extension = insn_desc(desc.semantic).extension;
        const bool special = extension == Extension::f || extension == Extension::d ||
                             extension == Extension::zicsr || extension == Extension::priv ||
                             extension == Extension::svinval || extension == Extension::s ||
                             (families_of(insn_desc(desc.semantic)) & kFamilyFloating) != 0;
        CHECK(runs_untranslated(desc) == !(special || translated.contains(desc.mnemonic)));
    }
}

}  // namespace
}  // namespace weft::riscv
