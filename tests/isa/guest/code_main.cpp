// Code that changes: with FENCE.I, within its own page, through another mapping, across a page boundary.
#include "probe.h"

namespace {

using namespace guest;

constexpr uint32_t kRet = 0x00008067;
constexpr uint32_t kEcall = 0x00000073;
constexpr uint32_t kFenceI = 0x0000100f;
constexpr uint32_t li_a0(uint32_t value) { return value << 20 | 10 << 7 | 0x13; }
constexpr uint32_t add_a0(uint32_t value) { return value << 20 | 10 << 15 | 10 << 7 | 0x13; }
constexpr uint32_t sw(uint32_t rs2, uint32_t rs1, uint32_t offset) {
    return offset >> 5 << 25 | rs2 << 20 | rs1 << 15 | 2 << 12 | (offset & 31) << 7 | 0x23;
}

void put_insn(uint64_t address, uint32_t insn) {
    *reinterpret_cast<volatile uint16_t*>(address) = static_cast<uint16_t>(insn);
    *reinterpret_cast<volatile uint16_t*>(address + 2) = static_cast<uint16_t>(insn >> 16);
}
void fence_i() { asm volatile("fence.i" ::: "memory"); }

uint64_t call(uint64_t address) { return reinterpret_cast<uint64_t (*)()>(address)(); }

// Rewritten, fenced and called, many times; at different places of a page and across its end.
void rewrite() {
    constexpr uint64_t kOffsets[] = {0, 2, 4090, 4092, 4094};
    for (const uint64_t offset : kOffsets) {
        uint64_t h = kHashStart;
        for (uint32_t i = 0; i < 500; ++i) {
            put_insn(kData + offset, li_a0(i));
            put_insn(kData + offset + 4, kRet);
            fence_i();
            h = hash(h, call(kData + offset));
            if (i % 16 == 0) {
                put_insn(kData + offset + 4, add_a0(1));
                put_insn(kData + offset + 8, kRet);
                fence_i();
                h = hash(h, call(kData + offset));
            }
        }
        out_line("rewritten", h);
    }
}

// Code that stores its own next instruction: a0 += 1 becomes a0 += 0x55. With the fence, the new one is run.
void own_page() {
    for (uint64_t distance = 12; distance < 256; distance += 4) {
        put_insn(kData, sw(11, 12, 0));
        put_insn(kData + 4, kFenceI);
        for (uint64_t at = 8; at < distance + 8; at += 4) {
            put_insn(kData + at, add_a0(1));
        }
        put_insn(kData + distance + 8, kEcall);
        fence_i();
        for (unsigned i = 0; i < 3; ++i) {
            const Probe p = probe(reinterpret_cast<const char*>(kData), supervisor, 0, 0, 0, add_a0(0x55 + i),
                                  kData + distance);
            out_probe("own page", p);
        }
    }
}

// A loop that rewrites the instruction behind it on each round.
void loop() {
    // a0: sum, a1: instruction, a2: its address, a3: rounds, a4: what is added to a1
    static const uint32_t kLoop[] = {sw(11, 12, 0), kFenceI,
                                     0x00000013,  // the one that is rewritten
                                     0x00e585b3,  // add a1, a1, a4
                                     0xfff68693,  // addi a3, a3, -1
                                     0xfe0696e3,  // bnez a3, the beginning
                                     kEcall};
    for (uint64_t i = 0; i < 7; ++i) {
        put_insn(kData + 4 * i, kLoop[i]);
    }
    fence_i();
    Probe p{};
    p.pc = kData;
    p.status = uint64_t{machine} << kMppShift | kFsInitial;
    p.a[1] = add_a0(0);
    p.a[2] = kData + 8;
    p.a[3] = 500;
    p.a[4] = uint64_t{1} << 20;
    probe_run(&p);
    out_state("loop", p);
}

// Written through one mapping, run through another, in S mode.
void alias() {
    clear_pages(kTables, 3);
    word(kTables + 8) = leaf(kTables + 4096, kPteV);
    word(kTables + 16) = leaf(kGigapage, kPteAll);
    word(kTables + 4096) = leaf(kTables + 8192, kPteV);
    word(kTables + 8192) = leaf(kData, kPteAll & ~kPteW);
    word(kTables + 8192 + 8) = leaf(kData, kPteAll & ~kPteX);
    word(kTables + 8192 + 16) = leaf(kData + 4096, kPteAll);
    constexpr uint64_t kExecuted = 0x40000000;
    constexpr uint64_t kWritten = 0x40001000;
    // A routine that stores a1 to a2, fences and jumps to a0.
    const uint64_t writer = kData + 4096;
    put_insn(writer, sw(11, 12, 0));
    put_insn(writer + 4, kFenceI);
    put_insn(writer + 8, 0x00050067);  // jr a0
    const uint64_t satp = satp_of(kSv39, kTables);
    for (uint32_t i = 0; i < 100; ++i) {
        put_insn(kData + 68, kEcall);
        fence_i();
        const Probe p = probe(reinterpret_cast<const char*>(writer), supervisor, 0, satp, kExecuted + 64,
                              li_a0(i), kWritten + 64);
        out_probe("alias", p);
    }
    // The same virtual page becomes another physical one.
    put_insn(kData, li_a0(1));
    put_insn(kData + 4, kEcall);
    put_insn(kData + 8192, li_a0(2));
    put_insn(kData + 8196, kEcall);
    fence_i();
    for (uint32_t i = 0; i < 10; ++i) {
        word(kTables + 8192) = leaf(kData + i % 2 * 8192, kPteAll);
        out_probe("remapped", probe(f_call_through, supervisor, 0, satp, kExecuted));
    }
}

// An instruction over the end of a page, run a few times; then one of the pages is another one, or none, and that page is
// fenced, by each form of SFENCE.VMA (f_remap).
void over_page_end() {
    clear_pages(kTables, 3);
    word(kTables + 8) = leaf(kTables + 4096, kPteV);
    word(kTables + 16) = leaf(kGigapage, kPteAll);
    word(kTables + 4096) = leaf(kTables + 8192, kPteV);
    uint64_t* const ptes = &word(kTables + 8192);
    constexpr uint64_t kFlags = kPteV | kPteR | kPteX | kPteA;
    constexpr uint64_t kEnd = 4094;
    constexpr uint64_t kFirst[] = {kData, kData + 4096};           // the beginning of li t0, N and li t1, N
    constexpr uint64_t kSecond[] = {kData + 8192, kData + 12288};  // N is 100 and 200
    for (uint64_t i = 0; i < 2; ++i) {
        *reinterpret_cast<uint16_t*>(kFirst[i] + kEnd) = static_cast<uint16_t>(0x0293 + i * 0x80);
        *reinterpret_cast<uint16_t*>(kSecond[i]) = static_cast<uint16_t>(0x0640 + i * 0x640);
        put_insn(kSecond[i] + 2, kRet);
    }
    fence_i();
    constexpr uint64_t kVirtual = 0x40000000;
    constexpr unsigned kFenceKinds = 4;
    for (uint64_t kind = 0; kind < kFenceKinds; ++kind) {
        for (uint64_t page = 0; page < 2; ++page) {
            const uint64_t others[] = {leaf(page == 0 ? kFirst[1] : kSecond[1], kFlags), 0};
            for (const uint64_t other : others) {
                for (uint64_t times = 1; times <= 64; times *= 4) {
                    ptes[0] = leaf(kFirst[0], kFlags);
                    ptes[1] = leaf(kSecond[0], kFlags);
                    Probe p{};
                    p.pc = reinterpret_cast<uint64_t>(f_remap);
                    p.status = uint64_t{supervisor} << kMppShift | kFsInitial;
                    p.satp = satp_of(kSv39, kTables);
                    const uint64_t arguments[] = {kVirtual + kEnd, reinterpret_cast<uint64_t>(&ptes[page]),
                                                  other,           kVirtual + page * 4096,
                                                  times,           kind};
                    for (unsigned i = 0; i < 6; ++i) {
                        p.a[i] = arguments[i];
                    }
                    probe_run(&p);
                    out_state("over the end", p);
                }
            }
        }
    }
}

}  // namespace

void system_main() {
    rewrite();
    own_page();
    loop();
    alias();
    over_page_end();
}
