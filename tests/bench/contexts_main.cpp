// Transitions between contexts: S mode goes round n address spaces and calls, in each, code that is mapped there alone. Each
// line: a name, how many transitions, and ticks of `time` (100 ns), in hexadecimal.
#include "probe.h"

// a0: satp and what to call, of each space; a1: how many; a2: rounds. Runs in S mode, mapped in all spaces alike.
extern "C" const char go_round[];
asm(R"(
    .balign 8
go_round:
0:  mv      t0, a0
    mv      t1, a1
1:  ld      t2, 0(t0)
    csrw    satp, t2
    ld      t2, 8(t0)
    jalr    t2
    addi    t0, t0, 16
    addi    t1, t1, -1
    bnez    t1, 1b
    addi    a2, a2, -1
    bnez    a2, 0b
    ecall
)");

namespace {

using namespace guest;

constexpr uint64_t kMostSpaces = 32;
constexpr uint64_t kTransitions = 32768;
constexpr uint64_t kRoutines = 32;  // 64 bytes each, of a page; each jumps to the next one

// As go_round takes it. No two spaces have code at one virtual address, or at addresses that differ by a multiple of 32 KiB:
// a table by addresses has room for the code of all.
struct Space {
    uint64_t satp;
    uint64_t code;
};
Space spaces[kMostSpaces];
constexpr uint64_t virtual_code(uint64_t i) { return 0x40000000 + i * 4096 + i / 8 * 16; }

void put_insn(uint64_t address, uint64_t insn) {
    *reinterpret_cast<volatile uint32_t*>(address) = static_cast<uint32_t>(insn);
}

// The code of space `i`: adds i + 1 to a4 in each routine.
void put_code(uint64_t start, uint64_t i) {
    for (uint64_t r = 0; r < kRoutines; ++r) {
        const uint64_t at = start + r * 64;
        put_insn(at, (i + 1) << 20 | 14 << 15 | 14 << 7 | 0x13);  // addi a4, a4, i + 1
        if (r + 1 < kRoutines) {
            put_insn(at + 4, 28 << 7 | 0x17);              // auipc t3, 0
            put_insn(at + 8, 60 << 20 | 28 << 15 | 0x67);  // jr 60(t3)
        } else {
            put_insn(at + 4, 0x00008067);  // ret
        }
    }
}

// An address space of its own root and ASID, with a page of code of its own; the rest is mapped in all alike.
void make_space(uint64_t i) {
    const uint64_t tables = kTables + i * 3 * 4096;
    const uint64_t code = kData + i * 4096;
    clear_pages(tables, 3);
    word(tables + 8) = leaf(tables + 4096, kPteV);
    word(tables + 16) = leaf(kGigapage, kPteAll | kPteG);
    word(tables + 4096) = leaf(tables + 8192, kPteV);
    word(tables + 8192 + i * 8) = leaf(code, kPteV | kPteR | kPteX | kPteA);
    put_code(code + virtual_code(i) % 4096, i);
    spaces[i] = {satp_of(kSv39, tables, i + 1), virtual_code(i)};
}

void measure(const char* name, uint64_t count) {
    Probe p{};
    p.pc = reinterpret_cast<uint64_t>(go_round);
    p.status = uint64_t{supervisor} << kMppShift | kFsInitial;
    p.satp = spaces[0].satp;
    const uint64_t rounds = kTransitions / count;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; ++i) {
        sum += (i + 1) * kRoutines * rounds;
    }
    p.a[0] = reinterpret_cast<uint64_t>(spaces);
    p.a[1] = count;
    p.a[2] = rounds;
    const uint64_t begin = GUEST_CSR_READ(time);
    probe_run(&p);
    const uint64_t ticks = GUEST_CSR_READ(time) - begin;
    if (p.cause != 9 || p.a[4] != sum) {
        put_text("wrong: ");
        put_text(name);
        put_char('\n');
        guest_end();
    }
    put_text(name);
    put_char(' ');
    put_hex(rounds * count);
    put_char(' ');
    put_word(ticks);
}

}  // namespace

// probe.h's, of tests/isa/guest/probe.cpp, which reports and is not used here.
void guest::clear_pages(uint64_t address, uint64_t count) {
    for (uint64_t at = address; at < address + count * 4096; at += 8) {
        word(at) = 0;
    }
}

void guest_main() {
    for (uint64_t i = 0; i < kMostSpaces; ++i) {
        make_space(i);
    }
    asm volatile("fence.i" ::: "memory");
    measure("spaces-1", 1);
    measure("spaces-2", 2);
    measure("spaces-4", 4);
    measure("spaces-8", 8);
    measure("spaces-16", 16);
    measure("spaces-32", 32);
}
