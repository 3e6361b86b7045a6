// Instructions over the end of a page, while what either page is mapped to changes: after a flush that covers the change, the
// instruction is what the page tables now say, both halves of it, or its fault. (RISC-V privileged, SFENCE.VMA: no
// translation that the fence covers is used for later fetches, of whichever page of an instruction.)
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "tests/accel/toy_machine.h"
#include "tests/support/random.h"

using namespace toy;
using weft::kPageSize;
using weft::TlbFlush;
using weft::VcpuWork;
using weft::test::Random;
using weft::test::test_seed;

namespace {

constexpr uint64_t kIdle = 0x1000;
constexpr uint64_t kVector = 0x3000;
constexpr uint64_t kCode = 0x100000;  // physical pages that are mapped
constexpr unsigned kCodePages = 32;

constexpr uint64_t kVirtual = uint64_t{1} << 36;
constexpr unsigned kGroupPages = 4;  // one larger mapping, or pages of their own
constexpr unsigned kGroups = 6;
constexpr unsigned kPages = kGroups * kGroupPages;
constexpr unsigned kSpaces = 3;
// Mapped in all address spaces alike; with neighbours on both sides that are not.
constexpr bool is_global(unsigned group) { return group == 2 || group == 3; }

// Two instructions lie over each page's end, one of them inside the other:
//   0xffc  li r1, N     two bytes of N on this page, two on the next
//   0xffe  li rR, N     R on this page, N on the next
// Page n tells who it is in both, and each goes on to an ecall.
constexpr uint64_t kLonger = 0xffc;
constexpr uint64_t kShorter = 0xffe;
constexpr unsigned kLi = static_cast<unsigned>(Opcode::li);
constexpr unsigned kEcallOpcode = static_cast<unsigned>(Opcode::ecall);
constexpr unsigned reg_of(unsigned page) { return 2 + page % 8; }
constexpr unsigned second_byte(unsigned page) { return reg_of(page) | page / 8 << 4; }
// Other ways to them, from the page's beginning.
constexpr uint64_t kByRegister = 8;      // jr r14
constexpr uint64_t kJumpToLonger = 16;   // jmp
constexpr uint64_t kJumpToShorter = 24;  // jmp

void load_code(Machine& machine) {
    for (unsigned page = 0; page < kCodePages; ++page) {
        const uint64_t start = kCode + page * kPageSize;
        machine.poke(start, {static_cast<uint8_t>(page), 0x5a, static_cast<uint8_t>(kEcallOpcode), 0,
                             kEcallOpcode, 0});
        Assembler by_register(start + kByRegister);
        by_register.op(Opcode::jr, 14);
        machine.load(by_register);
        Assembler to_longer(start + kJumpToLonger);
        to_longer.jmp(start + kLonger);
        machine.load(to_longer);
        Assembler to_shorter(start + kJumpToShorter);
        to_shorter.jmp(start + kShorter);
        machine.load(to_shorter);
        machine.poke(start + kLonger, {kLi, 1, kLi, static_cast<uint8_t>(second_byte(page))});
    }
    Assembler idle(kIdle);
    idle.op(Opcode::ei);
    const uint64_t end = idle.pc();
    idle.op(Opcode::halt);
    idle.jmp(end);
    machine.load(idle);
    // An interrupt begins a trial: r15 times to r10 in space r11. An exception ends each.
    Assembler vector(kVector);
    const auto ended = vector.bne_later(12, 0);
    vector.li(12, 1);
    const uint64_t again = vector.pc();
    for (unsigned reg = 1; reg < 10; ++reg) {
        vector.li(reg, 0);
    }
    vector.op(Opcode::enter, 10, 11);
    vector.land(ended);
    vector.addi(15, -1);
    vector.bne(15, 0, again);
    vector.li(12, 0);
    vector.li(13, static_cast<int64_t>(kDevice));
    vector.op(Opcode::st, 12, 13);
    vector.jmp(kIdle);
    machine.load(vector);
}

// What a page table says: a mapping of a whole group, or of single pages. Numbers are those of pages of code.
struct Group {
    bool large = false;
    std::array<std::optional<unsigned>, kGroupPages> pages{};

    bool operator==(const Group&) const = default;
};
using Table = std::array<Group, kGroups>;

struct Trial {
    unsigned space;  // from 0
    unsigned page;
    bool longer;
    unsigned way;  // 0: straight, 1: by a register, 2: by a jump
    unsigned times;

    uint64_t pc() const { return kVirtual + page * kPageSize + (longer ? kLonger : kShorter); }
    uint64_t begin() const {
        const uint64_t start = kVirtual + page * kPageSize;
        return way == 0 ? pc() : start + (way == 1 ? kByRegister : longer ? kJumpToLonger : kJumpToShorter);
    }
};

struct Outcome {
    uint64_t cause = 0;
    uint64_t epc = 0;
    uint64_t tval = 0;
    std::array<uint64_t, 9> regs{};  // r1 to r9

    bool operator==(const Outcome&) const = default;
};

std::string text(const Outcome& outcome) {
    std::string result = "cause " + std::to_string(outcome.cause) + " epc " + std::to_string(outcome.epc) +
                         " tval " + std::to_string(outcome.tval) + " regs";
    for (const uint64_t reg : outcome.regs) {
        result += " " + std::to_string(reg);
    }
    return result;
}

class World {
  public:
    explicit World(uint64_t seed) : random_(seed), machine_(1) {
        load_code(machine_);
        machine_.add(kIdle, kVector);
        machine_.cpu(0).walk = [this](const weft::WalkRequest& request, weft::WalkResult* result) {
            return walk(request, result);
        };
        machine_.resume();
        for (unsigned group = 0; group < kGroups; ++group) {
            for (unsigned space = 0; space < kSpaces; ++space) {
                tables_[space][group] = space != 0 && is_global(group) ? tables_[0][group] : any_group();
            }
        }
        trial_ = any_trial();
    }

    void step() {
        const Outcome expected = expect(trial_);
        const Outcome got = run(trial_);
        INFO("space " << trial_.space << " page " << trial_.page << (trial_.longer ? " longer" : " shorter")
                      << " way " << trial_.way << "\nexpected " << text(expected) << "\ngot      "
                      << text(got) << "\nafter " << history_);
        REQUIRE(got == expected);
        if (random_.below(2) == 0) {
            change();
        } else {
            history_ += "; other trials";
        }
        // Most often the same is run again, perhaps in another address space.
        switch (random_.below(4)) {
            case 0:
                trial_ = any_trial();
                break;
            case 1:
                trial_.space = static_cast<unsigned>(random_.below(kSpaces));
                break;
            default:
                break;
        }
        seen_changes += expect(trial_) == expected ? 0 : 1;
    }

    unsigned seen_changes = 0;

  private:
    Trial any_trial() {
        return {static_cast<unsigned>(random_.below(kSpaces)), static_cast<unsigned>(random_.below(kPages)),
                random_.below(2) != 0, static_cast<unsigned>(random_.below(3)),
                1 + static_cast<unsigned>(random_.below(3))};
    }

    std::optional<unsigned> any_page() {
        if (random_.below(4) == 0) {
            return std::nullopt;
        }
        return static_cast<unsigned>(random_.below(kCodePages));
    }
    Group any_group() {
        Group group;
        group.large = random_.below(3) == 0;
        const auto first = static_cast<unsigned>(random_.below(kCodePages / kGroupPages) * kGroupPages);
        for (unsigned i = 0; i < kGroupPages; ++i) {
            group.pages[i] = group.large ? first + i : any_page();
        }
        return group;
    }

    std::optional<unsigned> mapped(unsigned space, unsigned page) const {
        return page < kPages ? tables_[space][page / kGroupPages].pages[page % kGroupPages] : std::nullopt;
    }

    // On the vCPU's thread.
    bool walk(const weft::WalkRequest& request, weft::WalkResult* result) const {
        const uint64_t page = (request.vaddr - kVirtual) / kPageSize;
        const auto space = static_cast<unsigned>(state_of(machine_.state(0)).space) - 1;
        if (page >= kPages || space >= kSpaces) {
            return false;
        }
        const Group& group = tables_[space][page / kGroupPages];
        const std::optional<unsigned> code = group.pages[page % kGroupPages];
        if (!code) {
            return false;
        }
        *result = {kCode + *code * kPageSize + request.vaddr % kPageSize, weft::kProtExec,
                   static_cast<uint8_t>(group.large ? 14 : 12),
                   is_global(static_cast<unsigned>(page) / kGroupPages), false};
        return true;
    }

    Outcome expect(const Trial& trial) const {
        Outcome outcome;
        const auto first = mapped(trial.space, trial.page);
        const auto second = mapped(trial.space, trial.page + 1);
        if (!first || !second) {
            outcome.cause = kFetchFault;
            outcome.epc = first ? trial.pc() : trial.begin();
            outcome.tval = first ? (trial.pc() | (kPageSize - 1)) + 1 : trial.begin();
            return outcome;
        }
        outcome.cause = kEcall;
        outcome.epc = trial.pc() + 6;
        const uint64_t halfword = *second | 0x5a00;
        if (trial.longer) {
            outcome.regs[0] = kLi | second_byte(*first) << 8 | halfword << 16;
        } else {
            outcome.regs[reg_of(*first) - 1] = halfword | kEcallOpcode << 16;
        }
        return outcome;
    }

    // Runs fn() on the vCPU's thread.
    template <class Fn>
    void on_vcpu(Fn fn) {
        machine_.ops().vcpu_run(
            machine_.instance(), machine_.vcpu(0), VcpuWork::sync,
            [](void* opaque, void*) { (*static_cast<Fn*>(opaque))(); }, &fn);
    }

    Outcome run(const Trial& trial) {
        State& state = state_of(machine_.state(0));
        on_vcpu([&] {
            state.gpr[10] = trial.begin();
            state.gpr[11] = trial.space + 1;
            state.gpr[14] = trial.pc();
            state.gpr[15] = trial.times;
        });
        interrupt(machine_.state(0));
        machine_.await_events(++trials_);
        Outcome outcome;
        on_vcpu([&] {
            outcome.cause = state.cause;
            outcome.epc = state.epc;
            outcome.tval = state.tval;
            std::copy_n(state.gpr + 1, outcome.regs.size(), outcome.regs.begin());
        });
        return outcome;
    }

    // Maps something else at one of the pages of the last trial, or anywhere, and flushes what is gone.
    void change() {
        const bool close = random_.below(4) != 0;
        const auto space = close ? trial_.space : static_cast<unsigned>(random_.below(kSpaces));
        const unsigned page =
            close ? std::min<unsigned>(trial_.page + (random_.below(4) != 0 ? 1 : 0), kPages - 1)
                  : static_cast<unsigned>(random_.below(kPages));
        const unsigned number = page / kGroupPages;
        Group group = tables_[space][number];
        if (group.large || random_.below(3) == 0) {
            group = any_group();
        } else {
            group.pages[page % kGroupPages] = any_page();
        }
        const Group before = tables_[space][number];
        on_vcpu([&] {
            for (unsigned i = 0; i < kSpaces; ++i) {
                if (i == space || is_global(number)) {
                    tables_[i][number] = group;
                }
            }
            flush(space, number, before, group);
        });
    }

    // On the vCPU's thread. What was valid, or invalid, before: RISC-V lets a hart remember either.
    void flush(unsigned space, unsigned number, const Group& before, const Group& after) {
        // Global mappings are kept by flushes of one address space.
        const bool one_space = !is_global(number) && random_.below(2) != 0;
        const uint32_t asid = space + 1;
        history_ = "group " + std::to_string(number) + " of space " + std::to_string(space) +
                   (after.large ? " is one mapping" : " is pages") + (before.large ? ", was one" : "") +
                   (one_space ? ", its ASID flushed" : ", all flushed");
        if (random_.below(4) == 0) {
            tell({true, !one_space, 0, asid});
            return;
        }
        history_ += " by address";
        const uint64_t start = kVirtual + number * kGroupPages * kPageSize;
        if (before.large) {
            tell({false, !one_space, start + random_.below(kGroupPages * kPageSize), asid});
            return;
        }
        for (unsigned i = 0; i < kGroupPages; ++i) {
            if (after.large || before.pages[i] != after.pages[i]) {
                tell({false, !one_space, start + i * kPageSize + random_.below(kPageSize), asid});
            }
        }
    }
    void tell(const TlbFlush& flush) {
        weft::Vcpu* const vcpu = machine_.vcpu(0);
        weft::state_header(machine_.state(0)).services->tlb_flush(vcpu, &flush);
    }

    Random random_;
    Machine machine_;
    std::array<Table, kSpaces> tables_;
    Trial trial_{};
    size_t trials_ = 0;
    std::string history_;
};

}  // namespace

TEST_CASE("an instruction over a page's end is never of a page that was flushed", "[straddle]") {
    const uint64_t seed = test_seed();
    INFO("WEFT_TEST_SEED=" << seed);
    World world(seed);
    for (unsigned i = 0; i < 4000; ++i) {
        INFO("step " << i);
        world.step();
    }
    // Or there was nothing to see.
    CHECK(world.seen_changes > 500);
}
