// How a hart calls by semihosting (RISC-V Semihosting 1.0), and the memory it calls with.
#include "emulator/guest/riscv/cpu/semihosting.h"

#include <array>
#include <catch2/catch.hpp>
#include <optional>
#include <vector>

#include "emulator/guest/riscv/cpu/csr_bits.h"
#include "emulator/guest/riscv/cpu/trap.h"
#include "tests/riscv/fake_hart.h"

namespace weft::riscv {
namespace {

// As llvm-mc assembles them.
constexpr uint32_t kSlli = 0x01f01013;
constexpr uint32_t kEbreak = 0x00100073;
constexpr uint32_t kSrai = 0x40705013;

struct FakeCalls : SemihostingCalls {
    bool user = false;
    std::optional<uint64_t> answer = 0x1234;
    std::vector<std::array<uint64_t, 2>> calls;
    bool in_user_mode() const override { return user; }
    std::optional<uint64_t> call(State&, uint64_t operation, uint64_t parameter) override {
        calls.push_back({operation, parameter});
        return answer;
    }
};

struct Bench {
    FakeHart fake;
    FakeCalls host;
    State& state = fake.state();

    Bench() {
        fake.open_pmp();
        fake.hart.set_semihosting(&host);
        state.mtvec = 0x8000'1000;
    }
    void put(uint64_t at, uint32_t word) {
        for (unsigned i = 0; i < 4; ++i) {
            const uint64_t byte = at + i;
            const uint64_t old = fake.load64(byte & ~uint64_t{7});
            const unsigned shift = 8 * (byte & 7);
            fake.store64(byte & ~uint64_t{7},
                         (old & ~(uint64_t{0xff} << shift)) | uint64_t{word >> 8 * i & 0xff} << shift);
        }
    }
    // The three, the second at `pc`, and what becomes of it: whether it was a call.
    bool go(uint64_t pc, uint32_t before = kSlli, uint32_t behind = kSrai) {
        put(pc - 4, before);
        put(pc, kEbreak);
        put(pc + 4, behind);
        return go_at(pc);
    }
    bool go_at(uint64_t pc) {
        host.calls.clear();
        state.mcause = 0;
        fake.header().pc = pc;
        gpr(state, 10) = 5;
        gpr(state, 11) = 0x77;
        record_exception(state, Exception::breakpoint, pc);
        CHECK(deliver(&state));
        return !host.calls.empty();
    }
};

TEST_CASE_METHOD(Bench, "the sequence calls, and the hart goes on behind the EBREAK") {
    for (const Priv priv : {Priv::machine, Priv::supervisor}) {
        // Also where it is a multiple of two alone.
        for (const uint64_t pc : {0x8000'0104, 0x8000'0106, 0x8000'0004, 0x8000'0ff8}) {
            CAPTURE(static_cast<int>(priv), pc);
            state.priv = priv;
            REQUIRE(go(pc));
            CHECK(host.calls[0] == std::array<uint64_t, 2>{5, 0x77});
            CHECK(gpr(state, 10) == 0x1234);
            CHECK(fake.header().pc == pc + 4);
            CHECK(state.priv == priv);
            CHECK(state.mcause == 0);
        }
    }
    state.priv = Priv::machine;
    host.answer.reset();
    REQUIRE(go(0x8000'0104));
    CHECK(gpr(state, 10) == 5);
    CHECK(fake.header().pc == 0x8000'0104);
}

TEST_CASE_METHOD(Bench, "anything else is a breakpoint") {
    const auto traps = [&] { return fake.header().pc == 0x8000'1000 && state.mcause == 3; };
    CHECK_FALSE(go(0x8000'0104, kSlli ^ 1u << 20));
    CHECK(traps());
    CHECK_FALSE(go(0x8000'0104, kSlli, kSrai ^ 1u << 20));
    CHECK(traps());
    CHECK(state.mepc == 0x8000'0104);
    // In two pages.
    CHECK_FALSE(go(0x8000'2000));
    CHECK(traps());
    CHECK_FALSE(go(0x8000'2ffc));
    CHECK(traps());
    CHECK_FALSE(go(0x8000'2ffa));
    CHECK(traps());
    // C.EBREAK.
    go(0x8000'0104);
    put(0x8000'0104, 0x0001'9002);
    CHECK_FALSE(go_at(0x8000'0104));
    CHECK(traps());
    // Nothing is there to be looked at.
    CHECK_FALSE(go_at(0x10));
    CHECK(traps());
    // Other exceptions at such a place.
    go(0x8000'0104);
    host.calls.clear();
    fake.header().pc = 0x8000'0104;
    record_exception(state, Exception::illegal_insn, 0);
    deliver(&state);
    CHECK(host.calls.empty());
    // Nobody does calls.
    fake.hart.set_semihosting(nullptr);
    CHECK_FALSE(go(0x8000'0104));
    CHECK(traps());
}

TEST_CASE_METHOD(Bench, "U mode calls where it may") {
    state.priv = Priv::user;
    CHECK_FALSE(go(0x8000'0104));
    CHECK(state.mcause == 3);
    state.priv = Priv::user;
    host.user = true;
    CHECK(go(0x8000'0104));
}

// Sv39: one page at 0x4000'0000 and, where it says so, the next one; the tables lie from 0x8010'0000 on.
struct Paged : Bench {
    static constexpr uint64_t kVirtual = 0x4000'0000;
    static constexpr uint64_t kTable = 0x8010'0000;
    static constexpr uint64_t kPte = kTable + 0x2000;
    static constexpr uint64_t pte(uint64_t address, uint64_t flags) { return address >> 12 << 10 | flags; }
    Paged() {
        fake.store64(kTable + 8, pte(kTable + 0x1000, 1));
        fake.store64(kTable + 0x1000, pte(kPte, 1));
        fake.store64(kPte, pte(0x8020'0000, 0x7));  // V, R, W: A and D are to be set
        state.satp = uint64_t{8} << 60 | kTable >> 12;
        state.priv = Priv::supervisor;
    }
};

TEST_CASE_METHOD(Paged, "memory is the hart's, as far as it goes") {
    std::array<uint8_t, 37> bytes;
    for (unsigned i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<uint8_t>(i + 1);
    }
    const uint64_t tval = state.exception_tval = 0x99;
    CHECK(store_bytes(state, kVirtual + 3, bytes) == bytes.size());
    CHECK(fake.load64(kPte) == pte(0x8020'0000, 0xc7));  // accessed and dirty
    CHECK(fake.load64(0x8020'0008) == 0x0d0c'0b0a'0908'0706);
    std::array<uint8_t, 37> back{};
    CHECK(load_bytes(state, kVirtual + 3, back) == back.size());
    CHECK(back == bytes);
    // The next page is not there.
    CHECK(store_bytes(state, kVirtual + 4096 - 5, bytes) == 5);
    CHECK(load_bytes(state, kVirtual + 4096 - 5, back) == 5);
    CHECK(load_bytes(state, kVirtual - 1, back) == 0);
    CHECK(load_bytes(state, ~uint64_t{0}, back) == 0);
    // Or it may be read alone, and lies elsewhere.
    fake.store64(kPte + 8, pte(0x8030'0000, 0x43));
    fake.store64(0x8030'0000, 0xabcd);
    CHECK(load_bytes(state, kVirtual + 4096 - 5, back) == back.size());
    CHECK(back[5] == 0xcd);
    CHECK(store_bytes(state, kVirtual + 4096 - 5, bytes) == 5);
    CHECK(fake.load64(0x8030'0000) == 0xabcd);
    // No exception is left behind, and of none another's is forgotten.
    CHECK(state.exception_tval == tval);
    // In M mode addresses are physical, unless MPRV says otherwise.
    state.priv = Priv::machine;
    CHECK(load_bytes(state, kVirtual, back) == 0);
    state.mstatus |= kStatusMprv | uint64_t{1} << kStatusMppShift;
    CHECK(load_bytes(state, kVirtual, back) == back.size());
}

TEST_CASE_METHOD(Paged, "memory protection within a page") {
    state.satp = 0;
    std::array<uint8_t, 64> bytes{};
    // Entry 0: nothing for S mode in [0x8020'0020, 0x8020'0040).
    state.pmpaddr[0] = 0x8020'0020 >> 2 | 3;
    state.pmpcfg[0] = 0x18;
    CHECK(load_bytes(state, 0x8020'0000, bytes) == 0x20);
    CHECK(load_bytes(state, 0x8020'0005, bytes) == 0x1b);
    CHECK(store_bytes(state, 0x8020'0040, bytes) == bytes.size());
}

}  // namespace
}  // namespace weft::riscv
