// Harts without 16-bit instructions (-cpu ...,c=off): jumps to addresses that are no multiples of 4, 16-bit encodings, and the registers
// that hold addresses of instructions. This program has no 16-bit instruction.
#include "probe.h"

namespace {

using namespace guest;

constexpr uint32_t a0 = 10, a1 = 11, a2 = 12;
constexpr Mode kModes[] = {machine, supervisor, user};

constexpr uint32_t field(int32_t value, unsigned high, unsigned low, unsigned position) {
    return (static_cast<uint32_t>(value) >> low & ((1u << (high - low + 1)) - 1)) << position;
}
constexpr uint32_t jal(uint32_t rd, int32_t d) {
    return field(d, 20, 20, 31) | field(d, 10, 1, 21) | field(d, 11, 11, 20) | field(d, 19, 12, 12) |
           rd << 7 | 0x6f;
}
constexpr uint32_t jalr(uint32_t rd, uint32_t rs1, int32_t d) {
    return field(d, 11, 0, 20) | rs1 << 15 | rd << 7 | 0x67;
}
constexpr uint32_t branch(uint32_t kind, uint32_t rs1, uint32_t rs2, int32_t d) {
    return field(d, 12, 12, 31) | field(d, 10, 5, 25) | field(d, 4, 1, 8) | field(d, 11, 11, 7) | rs2 << 20 |
           rs1 << 15 | kind << 12 | 0x63;
}
constexpr uint32_t auipc(uint32_t rd) { return rd << 7 | 0x17; }
constexpr uint32_t addi(uint32_t rd, uint32_t rs1, int32_t d) {
    return field(d, 11, 0, 20) | rs1 << 15 | rd << 7 | 0x13;
}
constexpr uint32_t csrrw(uint32_t rd, uint32_t csr, uint32_t rs1) {
    return csr << 20 | rs1 << 15 | 1 << 12 | rd << 7 | 0x73;
}

// Runs it often enough that code which may be kept is, in each mode. Around it are ECALLs.
void run(const char* name, const uint32_t* insns, uint64_t count, uint64_t first, uint64_t second) {
    constexpr uint64_t kCode = kData + 2048;
    fill_with_ecalls(kData, 4096);
    for (uint64_t i = 0; i < count; ++i) {
        *reinterpret_cast<volatile uint32_t*>(kCode + 4 * i) = insns[i];
    }
    asm volatile("fence.i" ::: "memory");
    for (const Mode mode : kModes) {
        for (unsigned i = 0; i < 6; ++i) {
            out_state(name, probe(reinterpret_cast<const char*>(kCode), mode, 0, 0, first, second, 7));
        }
    }
}

void jumps() {
    constexpr int32_t kDistances[] = {-8, -6, -2, 2, 6, 8, 10, 1026, -1026, 4098};  // none is a loop
    for (const int32_t distance : kDistances) {
        const uint32_t direct[] = {addi(a2, a2, 1), jal(a1, distance)};
        run("jal", direct, 2, 1, 2);
        for (uint32_t kind = 0; kind < 8; ++kind) {
            if (kind == 2 || kind == 3) {
                continue;
            }
            const uint32_t insns[] = {addi(a2, a2, 1), branch(kind, a0, a1, distance & 0xfff),
                                      addi(a2, a2, 2)};
            run("branch", insns, 3, 1, 2);
            run("branch", insns, 3, 2, 1);
            run("branch", insns, 3, 2, 2);
            const uint32_t same[] = {addi(a2, a2, 1), branch(kind, a0, a0, distance & 0xfff),
                                     addi(a2, a2, 2)};
            run("branch on itself", same, 3, 1, 2);
        }
        // By a register that the code made itself.
        const uint32_t known[] = {auipc(a2), jalr(a1, a2, distance & 0x7ff)};
        run("auipc, jalr", known, 2, 1, 2);
    }
    for (uint64_t low = 0; low < 8; ++low) {
        for (int32_t offset = -4; offset < 5; ++offset) {
            const uint32_t other[] = {addi(a2, a2, 1), jalr(a1, a0, offset)};
            run("jalr", other, 2, kData + 64 + low, 2);
            const uint32_t same[] = {addi(a2, a2, 1), jalr(a0, a0, offset)};
            run("jalr to itself", same, 2, kData + 64 + low, 2);
        }
    }
}

void narrow_encodings() {
    constexpr uint16_t kNarrow[] = {0x0001, 0x0505, 0x8082, 0x9002, 0x4501, 0x6501, 0x0000, 0x6108, 0xa001};
    for (const uint16_t narrow : kNarrow) {
        for (unsigned second = 0; second < 2; ++second) {
            const uint32_t insns[] = {addi(a2, a2, 1),
                                      second == 0 ? uint32_t{0x0001} << 16 | narrow : 0xffff0000u | narrow};
            run("16 bits", insns, 2, 1, 2);
        }
    }
}

void registers() {
    constexpr uint32_t kRegisters[] = {0x141, 0x341, 0x302};
    for (const uint32_t number : kRegisters) {
        for (unsigned bit = 0; bit < 16; ++bit) {
            if (number == 0x302 && bit == 10) {
                continue;  // calls from VS mode, which the peer can delegate without having it
            }
            const uint32_t insns[] = {csrrw(a1, number, a0), csrrw(a2, number, a1)};
            run("register", insns, 2, uint64_t{1} << bit, 0);
        }
    }
    out_line("misa", GUEST_CSR_READ(misa) & 1 << 2);
    for (uint64_t low = 0; low < 4; ++low) {
        GUEST_CSR_WRITE(sepc, kData + low);
        out_probe("sret", probe(f_sret, supervisor, kSpp, 0));
    }
}

}  // namespace

void system_main() {
    jumps();
    narrow_encodings();
    registers();
}
