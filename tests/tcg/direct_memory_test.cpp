// Direct guest memory: accesses at which the host faults, with the signals of the host. What accesses compute where nothing
// faults is in the tests of all backends (backend_harness.h, all_harnesses).
#include <ucontext.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "base/host_context.h"
#include "ir_fixture.h"

namespace weft::tcg::test {

using ir::Builder;
using ir::I64;
using ir::MemOp;
using ir::Opcode;
using ir::Type;
using Kind = MemoryModel::Kind;

namespace {

constexpr MemoryModel kModels[] = {{Kind::direct, 0, 0},
                                   {Kind::direct, 1, 0},
                                   {Kind::direct, 0, kWindowBits},
                                   {Kind::direct, 1, kWindowBits}};
constexpr uint64_t kEnd = kMemoryBase + kMemorySize;
// Beyond the memory and within the bounds, if there are any.
constexpr uint64_t kHole = kEnd + 0x2000;
constexpr uint64_t kNotCanonical[] = {uint64_t{1} << 47, 0x8000'0000'0000'0001, 0x1234'5678'9abc'def0,
                                      0x7fff'ffff'ffff'fff8, 0xffff'7fff'ffff'fff0};

HarnessOptions with(const MemoryModel& memory) {
    HarnessOptions options;
    options.memory = memory;
    return options;
}

std::string text(const MemoryModel& memory) {
    return std::string(memory.base == 0 ? "base 0" : "a base") + (memory.bounds == 0 ? "" : ", bounds");
}

// A state in which all globals differ.
Input distinct_input() {
    Input input;
    for (unsigned i = 0; i < kIntGlobals; ++i) {
        input.state.regs[i] = 0x1111'0000'0000'0000 + i;
    }
    for (unsigned i = 0; i < kFpGlobals; ++i) {
        input.state.fp_regs[i] = 0x4000'0000'0000'0000 + i;
    }
    for (unsigned i = 0; i < kWordGlobals; ++i) {
        input.state.words[i] = 0x2222'0000 + i;
    }
    return input;
}

enum class Do : uint8_t { load, store, atomic };

// One access, with r(base) as its address and r(value) as its value.
void emit_access(UnitUnderTest& t, Do what, unsigned base, unsigned value, unsigned size_log2,
                 uint32_t flags = 0, Opcode op = Opcode::atomic_add) {
    const MemOp memop(size_log2, 0, flags);
    const ir::TempIndex r = t.r(value).index;
    const ir::TempIndex address = t.r(base).index;
    switch (what) {
        case Do::load:
            t.b.emit(Opcode::guest_ld, Type::i64, 0, memop.bits(), r, address);
            break;
        case Do::store:
            t.b.emit(Opcode::guest_st, Type::i64, 0, memop.bits(), r, address);
            break;
        case Do::atomic:
            if (op == Opcode::atomic_cmpxchg) {
                t.b.emit(op, Type::i64, 0, memop.bits(), r, address, r, r);
            } else {
                t.b.emit(op, Type::i64, 0, memop.bits(), r, address, r);
            }
            break;
    }
}

// That the run left by a fault of the instruction at `pc_offset`, with nothing else done than before it, and what was noted.
void check_fault(const Harness& harness, const Input& input, const Outcome& outcome, int32_t pc_offset,
                 const HostFault& expected) {
    CHECK(outcome.exit == ExitKind::fault);
    CHECK(outcome.fault_pc_offset == pc_offset);
    GuestState state = outcome.state;
    CHECK(state.exception != input.state.exception);
    state.exception = input.state.exception;
    CHECK(state == input.state);
    CHECK(outcome.memory == input.memory);
    CHECK(harness.host_fault().noted == expected.noted);
    if (expected.noted && harness.host_fault().noted) {
        CHECK(harness.host_fault().address == expected.address);
        CHECK(harness.host_fault().access == expected.access);
    }
}

}  // namespace

TEST_CASE(
    "a load or store of any size, by any registers, where no memory is, leaves with every global in place") {
    for (const MemoryModel& memory : kModels) {
        Harness harness(Harness::Kind::x86_64, with(memory));
        for (unsigned size = 0; size < 4; ++size) {
            for (unsigned base = 0; base < kIntGlobals; ++base) {
                for (unsigned value = 0; value < kIntGlobals; ++value) {
                    for (const Do what : {Do::load, Do::store}) {
                        for (const uint32_t sign : {uint32_t{0}, uint32_t{MemOp::kSign}}) {
                            if (sign != 0 && (what == Do::store || size == 3)) {
                                continue;
                            }
                            UnitUnderTest t;
                            t.b.insn_start(0x10);
                            emit_access(t, what, base, value, size, sign);
                            t.leave();
                            REQUIRE(t.error(RedoRule::on).empty());
                            Input input = distinct_input();
                            input.state.regs[base] = kHole;
                            INFO(text(memory)
                                 << ", size " << size << ", r" << value << ", [r" << base << "]");
                            check_fault(harness, input, harness.run(t.unit, input), 0x10,
                                        {kHole, what == Do::store ? Access::store : Access::load, true});
                        }
                    }
                }
            }
        }
    }
}

TEST_CASE("floating-point registers are loaded and stored, and in place after a fault") {
    for (const MemoryModel& memory : kModels) {
        Harness harness(Harness::Kind::x86_64, with(memory));
        for (unsigned number = 0; number < kFpGlobals; ++number) {
            for (const bool store : {false, true}) {
                UnitUnderTest t;
                t.b.insn_start(0);
                t.b.emit(store ? Opcode::guest_st : Opcode::guest_ld, Type::f64, 0, MemOp(3, 0).bits(),
                         t.f(number).index, t.r(2).index);
                t.leave();
                Input input = distinct_input();
                input.state.regs[2] = kHole;
                INFO(text(memory) << ", f" << number);
                check_fault(harness, input, harness.run(t.unit, input), 0,
                            {kHole, store ? Access::store : Access::load, true});
            }
        }
    }
}

TEST_CASE("addresses that are not canonical are known, and what was done there") {
    constexpr uint64_t kOffset = 24;
    for (const MemoryModel& memory : kModels) {
        Harness harness(Harness::Kind::x86_64, with(memory));
        for (const uint64_t address : kNotCanonical) {
            for (unsigned size = 0; size < 4; ++size) {
                for (const Do what : {Do::load, Do::store, Do::atomic}) {
                    UnitUnderTest t;
                    t.b.insn_start(0x20);
                    if (what == Do::atomic) {
                        emit_access(t, what, 2, 3, size);
                    } else {
                        t.b.emit(what == Do::load ? Opcode::guest_ld : Opcode::guest_st, Type::i64, 0,
                                 MemOp(size, 0).at(kOffset).bits(), t.r(3).index, t.r(2).index);
                    }
                    t.leave();
                    Input input = distinct_input();
                    input.state.regs[2] = what == Do::atomic ? address : address - kOffset;
                    INFO(text(memory) << ", size " << size << ", " << std::hex << address);
                    check_fault(
                        harness, input, harness.run(t.unit, input), 0x20,
                        {address, what == Do::load ? Access::load : Access::store, memory.bounds == 0});
                }
            }
        }
    }
}

TEST_CASE("the host's half of the addresses, and accesses that wrap around, fault") {
    for (const MemoryModel& memory : kModels) {
        Harness harness(Harness::Kind::x86_64, with(memory));
        for (const uint64_t address :
             {uint64_t{0xffff'8000'0000'0000}, ~uint64_t{7}, ~uint64_t{3}, ~uint64_t{0}}) {
            UnitUnderTest t;
            t.b.insn_start(0x20);
            emit_access(t, Do::load, 2, 3, 3);
            t.leave();
            Input input = distinct_input();
            input.state.regs[2] = address;
            INFO(text(memory) << ", " << std::hex << address);
            const Outcome outcome = harness.run(t.unit, input);
            CHECK(outcome.exit == ExitKind::fault);
            CHECK(outcome.fault_pc_offset == 0x20);
            CHECK(outcome.state.regs[3] == input.state.regs[3]);
        }
    }
}

TEST_CASE(
    "an access that reaches over the end of memory has no effect, and the first missing byte is noted") {
    for (const MemoryModel& memory : kModels) {
        Harness harness(Harness::Kind::x86_64, with(memory));
        for (unsigned size = 1; size < 4; ++size) {
            for (uint64_t before = 1; before < uint64_t{1} << size; ++before) {
                for (const Do what : {Do::load, Do::store}) {
                    UnitUnderTest t;
                    t.b.insn_start(0);
                    emit_access(t, what, 2, 3, size);
                    t.leave();
                    Input input = distinct_input();
                    input.memory.fill(0x5a);
                    input.state.regs[2] = kEnd - before;
                    INFO(text(memory) << ", size " << size << ", " << before);
                    check_fault(harness, input, harness.run(t.unit, input), 0,
                                {kEnd, what == Do::store ? Access::store : Access::load, true});
                }
            }
        }
    }
}

TEST_CASE("atomics fault as loads or stores, and where memory is read-only as stores, with no effect") {
    using enum Opcode;
    constexpr Opcode kAtomics[] = {atomic_xchg, atomic_cmpxchg, atomic_add,  atomic_and,  atomic_or,
                                   atomic_xor,  atomic_smin,    atomic_smax, atomic_umin, atomic_umax};
    for (const MemoryModel& memory : kModels) {
        Harness harness(Harness::Kind::x86_64, with(memory));
        for (const bool read_only : {false, true}) {
            harness.set_read_only(read_only);
            for (const Opcode op : kAtomics) {
                for (unsigned size = 0; size < 4; ++size) {
                    UnitUnderTest t;
                    t.b.insn_start(0x8);
                    emit_access(t, Do::atomic, 2, 3, size, MemOp::kAligned, op);
                    t.leave();
                    Input input = distinct_input();
                    input.memory.fill(0x5a);
                    const uint64_t address = read_only ? kMemoryBase + 64 : kHole;
                    input.state.regs[2] = address;
                    INFO(text(memory) << ", " << ir::info(op).name << ", size " << size);
                    const bool loads_first = op != atomic_xchg && op != atomic_cmpxchg && op != atomic_add;
                    check_fault(harness, input, harness.run(t.unit, input), 0x8,
                                {address, loads_first && !read_only ? Access::load : Access::store, true});
                }
            }
        }
    }
}

TEST_CASE("a misaligned access that the guest forbids is the guest's exception, not the host's") {
    for (const MemoryModel& memory : kModels) {
        Harness harness(Harness::Kind::x86_64, with(memory));
        for (unsigned size = 1; size < 4; ++size) {
            for (const Do what : {Do::load, Do::atomic}) {
                UnitUnderTest t;
                t.b.insn_start(0x8);
                emit_access(t, what, 2, 3, size, MemOp::kAligned);
                t.leave();
                Input input = distinct_input();
                input.state.regs[2] = kMemoryBase + (uint64_t{1} << (size - 1));
                INFO(text(memory) << ", size " << size);
                check_fault(harness, input, harness.run(t.unit, input), 0x8, {0, Access::load, false});
                input.state.regs[2] = kMemoryBase + 64;
                CHECK(harness.run(t.unit, input).exit == ExitKind::lookup);
            }
        }
    }
}

TEST_CASE("the faulting instruction is found: first, last, and among others that access memory") {
    constexpr unsigned kInsns = 8;
    // All are pinned, so that an instruction's access is its first of the host's.
    constexpr unsigned kGood = 10;
    constexpr unsigned kBad = 8;
    constexpr auto kValue = [](unsigned insn) { return 2 * (insn % 4); };
    for (const MemoryModel& memory : kModels) {
        Harness harness(Harness::Kind::x86_64, with(memory));
        for (unsigned faulting = 0; faulting < kInsns; ++faulting) {
            for (const Do what : {Do::load, Do::store, Do::atomic}) {
                UnitUnderTest t;
                Input input = distinct_input();
                for (unsigned i = 0; i < kInsns; ++i) {
                    t.b.insn_start(4 * i);
                    emit_access(t, what, i == faulting ? kBad : kGood, kValue(i), 3);
                }
                t.leave();
                input.state.regs[kGood] = kMemoryBase + 128;
                input.state.regs[kBad] = kHole;
                INFO(text(memory) << ", instruction " << faulting);
                const Outcome outcome = harness.run(t.unit, input);
                CHECK(outcome.exit == ExitKind::fault);
                CHECK(outcome.fault_pc_offset == static_cast<int32_t>(4 * faulting));
                CHECK(harness.host_fault().address == kHole);
                // Those before it are done, and it and those behind it are not.
                for (unsigned i = 0; what == Do::load && i < 4; ++i) {
                    CHECK(outcome.state.regs[kValue(i)] == (i < faulting ? 0 : input.state.regs[kValue(i)]));
                }
                uint64_t stored = 0;
                std::memcpy(&stored, &outcome.memory[128], sizeof(stored));
                if (what == Do::store) {
                    CHECK(stored == (faulting == 0 ? 0 : input.state.regs[kValue(faulting - 1)]));
                }
            }
        }
    }
}

TEST_CASE("what a unit wrote before the faulting instruction is in place, and flags and rounding are kept") {
    for (const MemoryModel& memory : kModels) {
        Harness harness(Harness::Kind::x86_64, with(memory));
        UnitUnderTest t;
        t.unit.uses_fp = true;
        t.b.insn_start(0);
        for (unsigned i = 0; i < kIntGlobals - 1; ++i) {
            t.b.op_into(Opcode::add, t.r(i), t.r(i), t.b.imm(uint64_t{1000}));
        }
        t.b.emit(Opcode::fdiv, Type::f64, static_cast<uint8_t>(ir::Rounding::nearest_even), 0, t.f(0).index,
                 t.f(1).index, t.f(2).index);
        t.b.insn_start(4);
        emit_access(t, Do::store, 11, 0, 3);
        t.b.insn_start(8);
        t.b.op_into(Opcode::add, t.r(0), t.r(0), t.b.imm(uint64_t{1}));
        t.leave();
        REQUIRE(t.error().empty());
        Input input = distinct_input();
        const double one = 1;
        const double zero = 0;
        std::memcpy(&input.state.fp_regs[1], &one, sizeof(one));
        std::memcpy(&input.state.fp_regs[2], &zero, sizeof(zero));
        input.state.regs[11] = kHole;
        INFO(text(memory));
        const Outcome outcome = harness.run(t.unit, input);
        CHECK(outcome.exit == ExitKind::fault);
        CHECK(outcome.fault_pc_offset == 4);
        for (unsigned i = 0; i < kIntGlobals - 1; ++i) {
            CHECK(outcome.state.regs[i] == input.state.regs[i] + 1000);
        }
        CHECK(outcome.state.fp_regs[0] == 0x7ff0'0000'0000'0000);
        CHECK(outcome.fp_flags == ir::kFpDivByZero);
        const Outcome again = harness.run(t.unit, input);
        CHECK(difference(outcome, again) == "");
    }
}

TEST_CASE("bounds: the last byte decides") {
    constexpr uint64_t kLimit = uint64_t{1} << kWindowBits;
    for (const MemoryModel& memory : kModels) {
        if (memory.bounds == 0) {
            continue;
        }
        Harness harness(Harness::Kind::x86_64, with(memory));
        for (unsigned size = 0; size < 4; ++size) {
            for (const int32_t displacement : {-32, -1, 0, 1, 8}) {
                for (const Do what : {Do::load, Do::store, Do::atomic}) {
                    if (what == Do::atomic && displacement != 0) {
                        continue;
                    }
                    for (int64_t over = -2; over <= 2; ++over) {
                        const auto address = kLimit - (uint64_t{1} << size) + static_cast<uint64_t>(over);
                        UnitUnderTest t;
                        t.b.insn_start(0);
                        if (what == Do::atomic) {
                            emit_access(t, what, 2, 3, size);
                        } else {
                            t.b.emit(what == Do::load ? Opcode::guest_ld : Opcode::guest_st, Type::i64, 0,
                                     MemOp(size, 0).at(displacement).bits(), t.r(3).index, t.r(2).index);
                        }
                        t.leave();
                        Input input = distinct_input();
                        input.state.regs[2] = address - static_cast<uint64_t>(int64_t{displacement});
                        INFO(text(memory) << ", size " << size << displacement << ", over by " << over);
                        const Outcome outcome = harness.run(t.unit, input);
                        CHECK(outcome.exit == ExitKind::fault);
                        // Within the bounds the host faults; beyond them the access is refused before.
                        CHECK(harness.host_fault().noted == (over <= 0));
                    }
                }
            }
        }
    }
}

TEST_CASE("faults of other code, and of a unit's accesses to weft's own memory, are not redirected") {
    for (const uint64_t base : {uint64_t{0}, uint64_t{1}}) {
        Harness harness(Harness::Kind::x86_64, with({Kind::direct, base, 0}));
        UnitUnderTest t;
        t.b.insn_start(0);
        emit_access(t, Do::load, 1, 3, 3);  // r1 is not pinned: its home is read first
        t.leave();
        const Harness::Placed placed = harness.compile(t.unit);
        ucontext_t raw{};
        HostContext context(&raw);
        raw.uc_mcontext.gregs[REG_TRAPNO] = 14;
        const auto redirected = [&](const Backend& backend, RxAddress pc) {
            context.set_pc(pc.value());
            exec_state(harness.state()).fault.noted = false;
            const bool result = backend.redirect(context, 0x1234, 1, harness.state());
            CHECK(exec_state(harness.state()).fault.noted == result);
            CHECK((context.pc() != pc.value()) == result);
            return result;
        };
        const RxAddress unit = placed.window.rx;
        constexpr size_t kHomeLoad = 4;  // mov rax, [rbp + disp8]
        CHECK_FALSE(redirected(harness.backend(), unit));
        CHECK(redirected(harness.backend(), unit + kHomeLoad));
        CHECK_FALSE(redirected(harness.backend(), harness.code_base()));
        CHECK_FALSE(redirected(harness.backend(), harness.code_base() + (size_t{1} << 30)));
        CHECK_FALSE(redirected(harness.backend(), RxAddress(0)));
        // One with the other kind of operand is of no guest access.
        Harness other(Harness::Kind::x86_64, with({Kind::direct, 1 - base, 0}));
        const Harness::Placed elsewhere = other.compile(t.unit);
        std::memcpy(reinterpret_cast<void*>(unit.value()),
                    reinterpret_cast<void*>(elsewhere.window.rx.value()), 16);
        CHECK_FALSE(redirected(harness.backend(), unit + kHomeLoad));
    }
    Harness table(Harness::Kind::x86_64, {});
    UnitUnderTest t;
    t.b.insn_start(0);
    emit_access(t, Do::load, 2, 3, 3);
    t.leave();
    ucontext_t raw{};
    HostContext context(&raw);
    context.set_pc(table.compile(t.unit).window.rx.value());
    CHECK_FALSE(table.backend().redirect(context, 0, 1, table.state()));
    Harness interp(Harness::Kind::interp, {});
    CHECK_FALSE(interp.backend().redirect(context, 0, 1, interp.state()));
}

TEST_CASE("a base that the host refuses is an error") {
    const BackendConfig config{.guest = &test_guest(),
                               .hooks = {},
                               .count_insns = false,
                               .memory = {Kind::direct, uint64_t{1} << 60, 0}};
    const auto backend = make_x86_64_backend(config, {});
    const Result<> prepared = backend->prepare_thread();
    REQUIRE_FALSE(prepared.has_value());
    CHECK(prepared.error().message() ==
          "the host does not set the base of gs to the guest's base: Operation not permitted");
}

}  // namespace weft::tcg::test
