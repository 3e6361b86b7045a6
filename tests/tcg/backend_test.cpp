// Transfers and linking, on every backend. What one unit does by itself is in files/run.
#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

#include "ir_fixture.h"

namespace weft::tcg::test {

using ir::Builder;
using ir::I64;
using ir::MemOp;
using ir::Opcode;

namespace {

constexpr uint64_t kPage = 0x40000;
constexpr uint64_t kTarget = 0x77123456;

// Adds `amount` to r1 and goes on at page_pc + `offset`.
void write_step(UnitUnderTest& t, uint64_t amount, int32_t offset, bool closes_cycle = true) {
    t.b.insn_start(0);
    t.b.op_into(Opcode::add, t.r(1), t.r(1), t.b.imm(amount));
    t.b.exit_check(1, closes_cycle);
    t.b.goto_tb(offset);
}

Input on_page() {
    Input input;
    input.page_pc = kPage;
    return input;
}

template <class Test>
void on_every_backend(const HarnessOptions& options, Test test) {
    for (const auto& harness : all_harnesses_and_memories(options)) {
        INFO(harness->name());
        test(*harness);
    }
}

RwAddress rw(const Harness::Placed& placed) { return placed.window.rw; }

}  // namespace

TEST_CASE("an unlinked goto_tb leaves with its slot") {
    on_every_backend({}, [](Harness& harness) {
        UnitUnderTest t;
        const ir::Label other = t.b.new_label();
        t.b.insn_start(0);
        t.b.brcond(ir::Cond::eq, t.r(1), t.b.imm(0), other);
        t.b.exit_check(1, false);
        t.b.goto_tb(0x123);
        t.b.set_label(other);
        t.b.exit_check(1, false);
        t.b.goto_tb(0xffe);
        REQUIRE(t.error().empty());
        const Harness::Placed placed = harness.compile(t.unit);
        REQUIRE(placed.compiled.jump_count == 2);
        const Outcome outcome = harness.execute(placed, on_page());
        CHECK(outcome.exit == ExitKind::goto_tb);
        CHECK(outcome.pc == kPage + 0xffe);
        CHECK(outcome.exit_page_offset == 0xffe);
        CHECK(outcome.page_pc == kPage);
    });
}

TEST_CASE("linked units run on, unlinked ones leave again") {
    on_every_backend({}, [](Harness& harness) {
        UnitUnderTest first, second;
        write_step(first, 1, 0x10);
        write_step(second, 100, 0x20);
        const Harness::Placed a = harness.compile(first.unit);
        const Harness::Placed b = harness.compile(second.unit);
        const JumpSite& site = a.compiled.jumps[0];
        const RwAddress stub = harness.backend().jump_target(rw(a), site);
        CHECK(stub == rw(a) + site.stub_offset);

        harness.backend().link(rw(a), site, rw(b));
        CHECK(harness.backend().jump_target(rw(a), site) == rw(b));
        const Outcome linked = harness.execute(a, on_page());
        CHECK(linked.state.regs[1] == 101);
        CHECK(linked.exit == ExitKind::goto_tb);
        CHECK(linked.exit_unit == b.index - a.index);
        CHECK(linked.pc == kPage + 0x20);

        harness.backend().unlink(rw(a), site);
        CHECK(harness.backend().jump_target(rw(a), site) == stub);
        CHECK(harness.execute(a, on_page()).state.regs[1] == 1);
    });
}

TEST_CASE("a goto_tb leads to other pages, where they are fixed") {
    const int32_t offset =
        GENERATE(0x1010, 0x1ffe, -2, -0x2ff0, 1 << 23, -(1 << 23) - 2, INT32_MIN, INT32_MAX - 1);
    const bool by_branch = GENERATE(false, true);
    INFO("offset " << offset << (by_branch ? " of a branch" : ""));
    on_every_backend({}, [&](Harness& harness) {
        UnitUnderTest first, second;
        first.unit.fixed_pages = true;
        if (by_branch) {
            const ir::Label taken = first.b.new_label();
            first.b.insn_start(0);
            first.b.brcond(ir::Cond::eq, first.r(1), first.b.imm(0), taken);
            first.leave();
            first.b.set_label(taken);
            first.b.exit_check(1, false);
            first.b.goto_tb(offset);
        } else {
            write_step(first, 0, offset);
        }
        REQUIRE(first.error().empty());
        second.b.insn_start(0);
        second.b.exit_tb(ir::ExitReason::lookup, second.b.pc_add(4));
        const uint64_t target = kPage + static_cast<uint64_t>(int64_t{offset});
        const uint64_t page = target & ~uint64_t{4095};
        const Harness::Placed a = harness.compile(first.unit);
        const Harness::Placed b = harness.compile(second.unit);
        REQUIRE(a.compiled.jumps[0].pc_offset == offset);

        const Outcome unlinked = harness.execute(a, on_page());
        CHECK(unlinked.exit == ExitKind::goto_tb);
        CHECK(unlinked.pc == target);

        harness.backend().link(rw(a), a.compiled.jumps[0], rw(b));
        const Outcome linked = harness.execute(a, on_page());
        CHECK(linked.exit == ExitKind::lookup);
        CHECK(linked.pc == page + 4);
        CHECK(linked.page_pc == page);

        Input input = on_page();
        input.exit_request = 1;
        const Outcome interrupted = harness.execute(a, input);
        CHECK(interrupted.exit == (by_branch ? ExitKind::lookup : ExitKind::goto_tb));
        CHECK(interrupted.pc == (by_branch ? page + 4 : target));
        harness.backend().unlink(rw(a), a.compiled.jumps[0]);
    });
}

TEST_CASE("an exit request ends a cycle of linked units") {
    on_every_backend({}, [](Harness& harness) {
        UnitUnderTest t;
        write_step(t, 1, 0);
        const Harness::Placed placed = harness.compile(t.unit);
        harness.backend().link(rw(placed), placed.compiled.jumps[0], rw(placed));
        Input input = on_page();
        input.exit_request = 1;
        const Outcome outcome = harness.execute(placed, input);
        CHECK(outcome.exit == ExitKind::goto_tb);
        CHECK(outcome.exit_unit == 0);
        CHECK(outcome.state.regs[1] == 1);
        CHECK(outcome.pc == kPage);
        harness.backend().unlink(rw(placed), placed.compiled.jumps[0]);
    });
}

TEST_CASE("an exit request does not stop a transfer that closes no cycle") {
    on_every_backend({}, [](Harness& harness) {
        UnitUnderTest first, second;
        write_step(first, 1, 0x10, false);
        write_step(second, 100, 0x20, true);
        const Harness::Placed a = harness.compile(first.unit);
        const Harness::Placed b = harness.compile(second.unit);
        harness.backend().link(rw(a), a.compiled.jumps[0], rw(b));
        Input input = on_page();
        input.exit_request = 1;
        CHECK(harness.execute(a, input).state.regs[1] == 101);
    });
}

TEST_CASE("an instruction budget ends a cycle") {
    HarnessOptions options;
    options.count_insns = true;
    on_every_backend(options, [](Harness& harness) {
        UnitUnderTest t;
        write_step(t, 1, 0);
        const Harness::Placed placed = harness.compile(t.unit);
        harness.backend().link(rw(placed), placed.compiled.jumps[0], rw(placed));
        Input input = on_page();
        input.insn_budget = 9;
        const Outcome outcome = harness.execute(placed, input);
        CHECK(outcome.exit == ExitKind::goto_tb);
        CHECK(outcome.state.regs[1] == 10);
        CHECK(outcome.insn_budget == -1);
    });
}

TEST_CASE("lookup_and_goto_ptr") {
    on_every_backend({}, [](Harness& harness) {
        UnitUnderTest first, second;
        first.b.insn_start(0);
        first.b.exit_check(1, true);
        first.b.lookup_and_goto_ptr(first.b.imm(kTarget));
        second.b.insn_start(0x456);
        second.b.mov(second.r(1), second.b.pc_add(0x456));
        second.leave();
        REQUIRE(second.error().empty());
        const Harness::Placed a = harness.compile(first.unit);
        const Harness::Placed b = harness.compile(second.unit);

        // The hook knows nothing: the loop must decide.
        const Outcome unknown = harness.execute(a, on_page());
        CHECK(unknown.exit == ExitKind::indirect);
        CHECK(unknown.pc == kTarget);
        CHECK(harness.lookups() == 1);

        // The hook finds it, and sets the page.
        harness.set_lookup(kTarget, b.window.rx);
        CHECK(harness.execute(a, on_page()).state.regs[1] == kTarget);
        CHECK(harness.lookups() == 2);

        // Generated code finds it; the page follows from the pc.
        const auto offset = static_cast<uint32_t>(b.window.rx - harness.code_base());
        harness.jump_cache_entry(kTarget) = JumpCacheEntry{kTarget, 1, offset};
        const Outcome cached = harness.execute(a, on_page());
        CHECK(cached.state.regs[1] == kTarget);
        CHECK(cached.page_pc == (kTarget & ~uint64_t{4095}));
        CHECK(harness.lookups() == 2);

        // An entry of another context, or another pc, does not count.
        harness.jump_cache_entry(kTarget).context_id = 2;
        harness.execute(a, on_page());
        CHECK(harness.lookups() == 3);
        harness.jump_cache_entry(kTarget) = JumpCacheEntry{kTarget + (uint64_t{1} << 32), 1, offset};
        harness.execute(a, on_page());
        CHECK(harness.lookups() == 4);

        // An exit request comes first.
        Input asked = on_page();
        asked.exit_request = 1;
        const Outcome left = harness.execute(a, asked);
        CHECK(left.exit == ExitKind::indirect);
        CHECK(left.pc == kTarget);
        CHECK(harness.lookups() == 4);
    });
}

// Calls a unit in another page, which returns.
TEST_CASE("a return goes to where its call left a return_point") {
    static constexpr int32_t kReturn = 0x124;
    static constexpr uint64_t kCallee = 0x99000;
    const bool direct = GENERATE(false, true);
    on_every_backend({}, [direct](Harness& harness) {
        UnitUnderTest caller, callee, behind;
        const bool native = harness.backend().executes();
        caller.unit.fixed_pages = true;
        caller.b.insn_start(0x120);
        caller.b.mov(caller.r(2), caller.b.pc_add(kReturn));
        caller.b.return_point(caller.r(2), kReturn);
        caller.b.exit_check(1, true);
        if (direct) {
            caller.b.goto_tb(static_cast<int32_t>(kCallee - kPage));
        } else {
            caller.b.lookup_and_goto_ptr(caller.r(3));
        }
        callee.b.insn_start(0);
        callee.b.op_into(Opcode::add, callee.r(1), callee.r(1), callee.b.imm(1));
        callee.b.op_into(Opcode::add, callee.r(2), callee.r(2), callee.r(4));
        callee.b.call(kHelperTrace, callee.r(1));
        callee.b.exit_check(1, true);
        callee.b.lookup_and_goto_ptr(callee.r(2), true);
        behind.b.insn_start(kReturn);
        behind.b.mov(behind.r(5), behind.b.pc_add(0));
        behind.leave();
        REQUIRE(caller.error().empty());
        REQUIRE(callee.error().empty());
        const Harness::Placed from = harness.compile(caller.unit);
        const Harness::Placed to = harness.compile(callee.unit);
        const Harness::Placed back = harness.compile(behind.unit);
        Input input = on_page();
        input.state.regs[3] = kCallee;
        harness.jump_cache_entry(kCallee) =
            JumpCacheEntry{kCallee, 1, static_cast<uint32_t>(to.window.rx - harness.code_base())};
        if (direct) {
            harness.backend().link(rw(from), from.compiled.jumps[1], rw(to));
        }

        // Not linked: back to the loop by the return_point's slot, or by what a look-up finds.
        const Outcome unlinked = harness.execute(from, input);
        CHECK(unlinked.exit == (native ? ExitKind::goto_tb : ExitKind::indirect));
        CHECK(unlinked.pc == kPage + kReturn);
        CHECK(unlinked.state.regs[1] == 1);
        if (native) {
            CHECK(unlinked.exit_unit == 0);
            CHECK(unlinked.exit_page_offset == kReturn);
            harness.backend().link(rw(from), from.compiled.jumps[0], rw(back));
        } else {
            harness.set_lookup(kPage + kReturn, back.window.rx);
        }
        const unsigned before = harness.lookups();
        const Outcome linked = harness.execute(from, input);
        CHECK(linked.exit == ExitKind::lookup);
        CHECK(linked.state.regs[5] == kPage);
        CHECK(linked.page_pc == kPage);
        CHECK(harness.lookups() == before + (native ? 0 : 1));

        // It goes elsewhere, and that is looked up.
        Input elsewhere = input;
        elsewhere.state.regs[4] = 0x1000;
        const Outcome lost = harness.execute(from, elsewhere);
        CHECK(lost.exit == ExitKind::indirect);
        CHECK(lost.pc == kPage + kReturn + 0x1000);

        // A return without a call.
        Input alone = input;
        alone.state.regs[2] = 0x1000;
        const Outcome without = harness.execute(to, alone);
        CHECK(without.exit == ExitKind::indirect);
        CHECK(without.pc == 0x1000);
    });
}

// More calls within each other than the return stack has room for: the outermost returns are looked up.
TEST_CASE("calls to any depth return") {
    static constexpr int32_t kReturn = 0x10;
    static constexpr uint64_t kDepth = 5000;
    on_every_backend({}, [](Harness& harness) {
        UnitUnderTest down, up;
        down.b.insn_start(0);
        const ir::Label deepest = down.b.new_label();
        down.b.op_into(Opcode::add, down.r(1), down.r(1), down.b.imm(1));
        down.b.call(kHelperTrace, down.r(1));
        down.b.brcond(ir::Cond::eq, down.r(1), down.b.imm(kDepth), deepest);
        down.b.mov(down.r(2), down.b.pc_add(kReturn));
        down.b.return_point(down.r(2), kReturn);
        down.b.exit_check(1, true);
        down.b.goto_tb(0);
        down.b.set_label(deepest);
        down.b.exit_check(1, true);
        down.b.lookup_and_goto_ptr(down.r(2), true);
        up.b.insn_start(kReturn);
        const ir::Label done = up.b.new_label();
        up.b.op_into(Opcode::add, up.r(3), up.r(3), up.b.imm(1));
        up.b.brcond(ir::Cond::eq, up.r(3), up.b.imm(kDepth - 1), done);
        up.b.exit_check(1, true);
        up.b.lookup_and_goto_ptr(up.r(2), true);
        up.b.set_label(done);
        up.leave();
        REQUIRE(down.error().empty());
        REQUIRE(up.error().empty());
        const Harness::Placed calls = harness.compile(down.unit);
        const Harness::Placed returns = harness.compile(up.unit);
        harness.backend().link(rw(calls), calls.compiled.jumps[1], rw(calls));
        harness.backend().link(rw(calls), calls.compiled.jumps[0], rw(returns));
        harness.set_lookup(kPage + kReturn, returns.window.rx);
        const Outcome outcome = harness.execute(calls, on_page());
        CHECK(outcome.exit == ExitKind::lookup);
        CHECK(outcome.state.regs[1] == kDepth);
        CHECK(outcome.state.regs[3] == kDepth - 1);
        // By the interpreter each return.
        CHECK(harness.lookups() > 0);
        CHECK(harness.lookups() <= kDepth);
        CHECK((harness.lookups() < kDepth - 1) == harness.backend().executes());
    });
}

TEST_CASE("a unit that does not fit is refused") {
    on_every_backend({}, [](Harness& harness) {
        UnitUnderTest t;
        t.b.insn_start(0);
        for (unsigned i = 0; i < 40; ++i) {
            t.b.guest_st(t.b.imm(i), t.r(1), MemOp(3, 0));
        }
        t.leave();
        const Harness::Placed placed = harness.compile(t.unit);
        const auto compiler = harness.backend().make_compiler();
        CompiledUnit compiled;
        for (const size_t size :
             {size_t{0}, size_t{16}, size_t{256}, size_t{placed.compiled.code_size} - 16}) {
            CodeWindow window = placed.window;
            window.size = size & ~size_t{15};
            CHECK(compiler->compile(t.unit, window, 1, &compiled) == CompileStatus::region_full);
        }
        // Compiled again in the same place: what was refused has overwritten it.
        CHECK(compiler->compile(t.unit, placed.window, 1, &compiled) == CompileStatus::ok);
    });
}

TEST_CASE("code can be shown") {
    on_every_backend({}, [](Harness& harness) {
        UnitUnderTest t;
        write_step(t, 0x1234, 0x10);
        const Harness::Placed placed = harness.compile(t.unit);
        CHECK(!harness.backend().disassemble(placed.window).empty());
    });
}

// With loop registers the unit's jump back is linked to the unit alone.
TEST_CASE("units are linked while others run them") {
    for (const bool loop_registers : {false, true}) {
        HarnessOptions options;
        options.native.loop_registers = loop_registers;
        on_every_backend(options, [&](Harness& harness) {
            UnitUnderTest loop, stop;
            write_step(loop, 1, 0);
            stop.b.insn_start(0);
            stop.leave();
            const Harness::Placed a = harness.compile(loop.unit);
            const Harness::Placed b = harness.compile(stop.unit);
            const JumpSite site = a.compiled.jumps[0];
            CHECK((site.own_entry != 0) == (loop_registers && harness.backend().executes()));
            std::atomic<bool> done{false};
            std::thread linker([&] {
                // Ends where the unit is left, so that the runs below cannot go on forever.
                for (unsigned i = 0; i < 20'000; ++i) {
                    harness.backend().link(rw(a), site, rw(a));
                    harness.backend().unlink(rw(a), site);
                    if (site.own_entry == 0) {
                        harness.backend().link(rw(a), site, rw(b));
                    }
                }
                done.store(true);
            });
            unsigned wrong = 0;
            do {
                const Outcome outcome = harness.execute(a, on_page());
                wrong += outcome.state.regs[1] == 0;
                wrong += outcome.exit != ExitKind::goto_tb && outcome.exit != ExitKind::lookup;
            } while (!done.load());
            linker.join();
            CHECK(wrong == 0);
        });
    }
}

}  // namespace weft::tcg::test
