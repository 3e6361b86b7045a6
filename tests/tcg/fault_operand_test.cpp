// The decoder of faulting operands against the processor itself: random instructions are executed that access a place without
// memory, and the kernel says what that place was.
#include <sys/mman.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>
#include <functional>
#include <random>
#include <vector>

#include "backend_harness.h"
#include "base/host_context.h"
#include "tcg/x86_64/assembler.h"
#include "tcg/x86_64/fault_operand.h"

namespace weft::tcg::x86_64 {
namespace {

constexpr size_t kHole = size_t{1} << 40;  // of addresses, where nothing is mapped
constexpr size_t kStack = size_t{64} << 10;

using Registers = std::array<uint64_t, kGprCount>;

struct Fault {
    uint64_t pc;
    uint64_t address;
    bool store;
    Registers regs;
};

// What the handler gives and takes: one thread runs this test.
struct Exchange {
    Fault fault;
    uint64_t resume;
    Registers own;  // of the test, while random values are in the registers
};
Exchange* exchange = nullptr;

void on_fault(int, siginfo_t* info, void* ucontext) {
    HostContext context(ucontext);
    exchange->fault.pc = context.pc();
    exchange->fault.address = reinterpret_cast<uintptr_t>(info->si_addr);
    exchange->fault.store = context.access() == HostContext::Access::store;
    for (unsigned i = 0; i < kGprCount; ++i) {
        exchange->fault.regs[i] = context.reg(i);
    }
    context.set_pc(exchange->resume);
}

// Catches SIGSEGV on a stack of its own: rsp is random too.
class Catcher {
  public:
    Catcher() : stack_(kStack) {
        const stack_t stack{.ss_sp = stack_.data(), .ss_flags = 0, .ss_size = stack_.size()};
        sigaltstack(&stack, &old_stack_);
        struct sigaction action{};
        action.sa_sigaction = &on_fault;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        sigaction(SIGSEGV, &action, &old_);
    }
    ~Catcher() {
        sigaction(SIGSEGV, &old_, nullptr);
        sigaltstack(&old_stack_, nullptr);
    }
    Catcher(const Catcher&) = delete;
    Catcher& operator=(const Catcher&) = delete;

  private:
    std::vector<uint8_t> stack_;
    struct sigaction old_{};
    stack_t old_stack_{};
};

void* map(size_t size, int protection) {
    void* const mapping = mmap(nullptr, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(mapping != MAP_FAILED);
    return mapping;
}

struct Random {
    std::mt19937_64 next;
    uint64_t below(uint64_t limit) { return next() % limit; }
    bool chance(unsigned percent) { return below(100) < percent; }
    Gpr gpr() { return static_cast<Gpr>(below(kGprCount)); }
    int32_t displacement() {
        switch (below(4)) {
            case 0:
                return 0;
            case 1:
                return static_cast<int8_t>(next());
            case 2:
                return static_cast<int16_t>(next());
            default:
                return static_cast<int32_t>(next());
        }
    }
};

// A random operand, and registers with which it names a place in the hole.
Mem random_operand(Random& random, uint64_t hole, Registers* regs) {
    for (uint64_t& reg : *regs) {
        reg = random.next();
    }
    // The kernel may not go on with a stack pointer that is not canonical.
    (*regs)[number_of(Gpr::rsp)] >>= 20;
    const uint64_t target = hole + (uint64_t{1} << 33) + random.below(kHole - (uint64_t{1} << 34));
    const int32_t disp = random.displacement();
    const auto wanted = target - static_cast<uint64_t>(int64_t{disp});
    const Gpr base = random.gpr();
    Gpr index = random.gpr();
    const unsigned scale = 1u << random.below(4);
    if (random.chance(50) || index == Gpr::rsp) {
        (*regs)[number_of(base)] = wanted;
        return Mem(base, disp);
    }
    if (random.chance(20)) {
        (*regs)[number_of(index)] = wanted / scale;
        return Mem::scaled(index, scale, disp);
    }
    if (index == base) {
        (*regs)[number_of(base)] = wanted / (1 + scale);
    } else if (base == Gpr::rsp) {
        (*regs)[number_of(index)] = (wanted - (*regs)[number_of(base)]) / scale;
    } else {
        (*regs)[number_of(base)] = wanted - (*regs)[number_of(index)] * scale;
    }
    return Mem(base, index, scale, disp);
}

// One of the instructions that access guest memory; whether it is to be taken for a store.
bool emit(Assembler& as, Random& random, const Mem& mem) {
    const auto width = static_cast<Width>(random.below(4));
    const auto wide = random.chance(50) ? Width::q64 : Width::d32;
    const Gpr reg = random.gpr();
    const auto xmm = static_cast<Xmm>(random.below(kXmmCount));
    switch (random.below(12)) {
        case 0:
            as.mov(width, reg, mem);
            return false;
        case 1:
            as.mov(width, mem, reg);
            return true;
        case 2:
            as.mov(width, mem, 0);
            return true;
        case 3:
            as.movzx(static_cast<Width>(random.below(2)), reg, mem);
            return false;
        case 4:
            as.movsx(wide, static_cast<Width>(random.below(2)), reg, mem);
            return false;
        case 5:
            as.movsx(Width::q64, Width::d32, reg, mem);
            return false;
        case 6:
            as.sse(random.chance(50) ? SimdMove::movsd : SimdMove::movss, xmm, mem);
            return false;
        case 7:
            as.sse(random.chance(50) ? SimdMove::movsd : SimdMove::movss, mem, xmm);
            return true;
        case 8:
            as.xchg(width, mem, reg);
            return true;
        case 9:
            as.lock_xadd(width, mem, reg);
            return true;
        case 10:
            as.lock_cmpxchg(width, mem, reg);
            return true;
        default:
            as.alu(Alu::add, wide, reg, mem);
            return false;
    }
}

// Code that has `regs` in all registers when it comes to what `middle` emits, and the test's own again where the handler
// makes it go on. The offsets of both places.
struct Places {
    uint32_t middle;
    uint32_t resume;
};
Places emit_around(Assembler& as, const Registers& regs, const std::function<void()>& middle) {
    const auto own = reinterpret_cast<uint64_t>(&exchange->own);
    as.mov_imm(Gpr::rax, own);
    for (unsigned i = 1; i < kGprCount; ++i) {
        as.mov(Width::q64, Mem(Gpr::rax, static_cast<int32_t>(8 * i)), static_cast<Gpr>(i));
    }
    for (unsigned i = 0; i < kGprCount; ++i) {
        as.mov_imm(static_cast<Gpr>(i), regs[i]);
    }
    const uint32_t at = as.offset();
    middle();
    as.ud2();
    const uint32_t resume = as.offset();
    as.mov_imm(Gpr::rax, own);
    for (unsigned i = 1; i < kGprCount; ++i) {
        as.mov(Width::q64, static_cast<Gpr>(i), Mem(Gpr::rax, static_cast<int32_t>(8 * i)));
    }
    as.ret();
    return {at, resume};
}

TEST_CASE("the address of a faulting operand is the one the processor used") {
    const uint64_t seed = tcg::test::test_seed(1);
    INFO("WEFT_TEST_SEED=" << seed);
    Random random{std::mt19937_64(seed)};
    void* const hole = map(kHole, PROT_NONE);
    constexpr size_t kCode = 4096;
    auto* const code = static_cast<uint8_t*>(map(kCode, PROT_READ | PROT_WRITE | PROT_EXEC));
    const auto own_exchange = std::make_unique<Exchange>();
    exchange = own_exchange.get();

    const unsigned cases = tcg::test::test_cases(20'000);
    unsigned wrong = 0;
    {
        const Catcher catcher;
        for (unsigned i = 0; i < cases; ++i) {
            Registers regs;
            const Mem operand = random_operand(random, reinterpret_cast<uint64_t>(hole), &regs);
            const bool gs = random.chance(30);  // whose base is 0 here
            bool store = false;
            Assembler as({code, kCode});
            const Places places =
                emit_around(as, regs, [&] { store = emit(as, random, gs ? operand.in_gs() : operand); });
            exchange->resume = reinterpret_cast<uint64_t>(code) + places.resume;
            exchange->fault = Fault{};
            reinterpret_cast<void (*)()>(code)();

            const Fault& fault = exchange->fault;
            const auto found =
                fault_operand({code + places.middle, places.resume - places.middle}, fault.regs);
            const bool has_base = operand.kind() != Mem::Kind::index_only;
            const bool right = fault.pc == reinterpret_cast<uint64_t>(code) + places.middle && found &&
                               found->address == fault.address && found->store == store &&
                               fault.store == store && found->gs == gs &&
                               found->base.has_value() == has_base &&
                               (!has_base || found->base == operand.base());
            wrong += right ? 0 : 1;
            if (!right && wrong < 5) {
                WARN("case " << i << ": " << std::hex << fault.address << " at " << fault.pc << ", decoded "
                             << (found ? found->address : 0));
            }
            // Cut short it is nothing, and nothing beyond its end is read.
            const uint32_t length = places.resume - places.middle - 2;
            const std::vector<uint8_t> bytes(code + places.middle, code + places.middle + length);
            for (size_t cut = 0; cut + 1 < bytes.size(); ++cut) {
                const auto part = fault_operand({bytes.data(), cut}, regs);
                wrong += part && part->address != found->address ? 1 : 0;
            }
        }
    }
    exchange = nullptr;
    munmap(hole, kHole);
    munmap(code, kCode);
    CHECK(wrong == 0);
}

TEST_CASE("what is no access to guest memory has no operand") {
    std::array<uint8_t, 64> buffer{};
    const Registers regs{};
    const auto none = [&](auto emit_one) {
        Assembler as(buffer);
        emit_one(as);
        return !fault_operand(as.bytes(), regs).has_value();
    };
    CHECK(none([](Assembler& as) { as.mov(Width::q64, Gpr::rax, Gpr::rcx); }));
    CHECK(none([](Assembler& as) { as.mov(Width::q64, Gpr::rax, Mem::rip(16)); }));
    CHECK(none([](Assembler& as) { as.lea(Width::q64, Gpr::rax, Mem(Gpr::rcx)); }));
    CHECK(none([](Assembler& as) { as.ret(); }));
    CHECK(none([](Assembler& as) { as.push(Gpr::rax); }));
    CHECK(none([](Assembler& as) { as.ud2(); }));
    CHECK(none([](Assembler& as) { as.jmp(Mem(Gpr::rax)); }));
    CHECK(none([](Assembler& as) { as.lock_alu(Alu::add, Width::q64, Mem(Gpr::rax), 1); }));
    CHECK_FALSE(fault_operand({}, regs).has_value());
}

}  // namespace
}  // namespace weft::tcg::x86_64
