// Control and status registers: which there are in each mode, and what remains of what is written to them. Only fields
// that both sides have are compared; the tables say why something is left out.
#include "probe.h"

namespace {

using namespace guest;

constexpr uint64_t kCode = kData;  // code that is put together here
constexpr uint64_t kAll = ~uint64_t{0};

// rd is a0 or a1; both instructions of the Zicsr kind.
constexpr uint32_t csrrw(uint32_t rd, uint32_t csr, uint32_t rs1) {
    return csr << 20 | rs1 << 15 | 1 << 12 | rd << 7 | 0x73;
}
constexpr uint32_t csrrs(uint32_t rd, uint32_t csr, uint32_t rs1) {
    return csr << 20 | rs1 << 15 | 2 << 12 | rd << 7 | 0x73;
}
constexpr uint32_t csrrc(uint32_t rd, uint32_t csr, uint32_t rs1) {
    return csr << 20 | rs1 << 15 | 3 << 12 | rd << 7 | 0x73;
}

void put_code(const uint32_t* insns, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
        *reinterpret_cast<volatile uint32_t*>(kCode + 4 * i) = insns[i];
    }
    *reinterpret_cast<volatile uint32_t*>(kCode + 4 * count) = 0x00000073;
    asm volatile("fence.i" ::: "memory");
}

Probe run(Mode mode, uint64_t a0, uint64_t a1 = 0) {
    return probe(reinterpret_cast<const char*>(kCode), mode, 0, 0, a0, a1);
}

// The peer can make U and S mode 32 bits wide; weft's are 64.
constexpr uint64_t kUxl = uint64_t{3} << 32;
constexpr uint64_t kSxl = uint64_t{3} << 34;

struct Field {
    const char* name;
    uint32_t number;
    uint64_t compared;
};
constexpr Field kFields[] = {
    {"fflags", 0x001, kAll},
    {"frm", 0x002, kAll},
    {"fcsr", 0x003, kAll},
    {"sstatus", 0x100, kAll & ~kUxl},
    {"sie", 0x104, kAll},
    {"stvec", 0x105, kAll},
    {"scounteren", 0x106, 7},  // programmable counters: the peer has none here, weft's are zero
    {"senvcfg", 0x10a, 1},     // FIOM; the others belong to extensions that weft has not
    {"sscratch", 0x140, kAll},
    {"sepc", 0x141, kAll},
    {"scause", 0x142, kAll},
    {"stval", 0x143, kAll},
    {"satp", 0x180, kAll},
    {"mstatus", 0x300, kAll & ~(kUxl | kSxl)},
    {"misa", 0x301, kAll & ~uint64_t{2}},  // not bit 1, B: whether Zba, Zbb and Zbs show there
    {"medeleg", 0x302, 0xb3fe},            // of exceptions that both can have
    {"mideleg", 0x303, 0x2aaa},
    {"mie", 0x304, 0x2aaa},
    {"mtvec", 0x305, kAll},
    {"mcounteren", 0x306, 0xffffffff},
    {"menvcfg", 0x30a, uint64_t{1} << 63 | 1},  // STCE, FIOM
    {"mstateen0", 0x30c, uint64_t{3} << 62},    // SE0, ENVCFG; the others guard what weft has not
    {"mstateen1", 0x30d, kAll},
    {"mstateen2", 0x30e, kAll},
    {"mstateen3", 0x30f, kAll},
    {"mcountinhibit", 0x320, kAll},
    {"mepc", 0x341, kAll},
    {"mcause", 0x342, kAll},
    {"mtval", 0x343, kAll},
    {"mip", 0x344, 0x2aaa},
    {"pmpaddr0", 0x3b0, kAll},
    {"pmpaddr1", 0x3b1, kAll},
    {"pmpaddr14", 0x3be, kAll},
    {"stimecmp", 0x14d, kAll},
};

constexpr uint64_t kPatterns[] = {0, kAll, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa, 0x0123456789abcdef};

// Writes, reads back, sets some bits, clears some, and restores; all in one piece of code, since some of these registers
// change what loads and stores do.
void write_and_read(const Field& field, uint64_t value) {
    constexpr uint32_t a0 = 10, a1 = 11, a2 = 12, a3 = 13, a4 = 14;
    const uint32_t n = field.number;
    const uint32_t insns[] = {csrrw(a2, n, a0), csrrs(a3, n, 0), csrrs(0, n, a1), csrrs(a4, n, 0),
                              csrrc(0, n, a1),  csrrs(a1, n, 0), csrrw(0, n, a2)};
    put_code(insns, 7);
    const Probe p = run(machine, value, 0x00f0f0f0f0f0f0f0);
    out_text(field.name);
    const uint64_t results[] = {p.cause, p.a[2] & field.compared, p.a[3] & field.compared,
                                p.a[4] & field.compared, p.a[1] & field.compared};
    for (const uint64_t result : results) {
        out_char(' ');
        out_short(result);
    }
    out_char('\n');
}

void fields() {
    for (const Field& field : kFields) {
        for (const uint64_t pattern : kPatterns) {
            write_and_read(field, pattern);
        }
        for (unsigned bit = 0; bit < 64; ++bit) {
            write_and_read(field, uint64_t{1} << bit);
            write_and_read(field, ~(uint64_t{1} << bit));
        }
    }
    for (uint64_t mode = 0; mode < 16; ++mode) {
        write_and_read({"satp by mode", 0x180, kAll}, mode << 60 | 0x00012340000abcde);
    }
    for (uint64_t mpp = 0; mpp < 4; ++mpp) {
        write_and_read({"mstatus by MPP", 0x300, kAll & ~(kUxl | kSxl)}, mpp << kMppShift);
    }
}

void existence() {
    constexpr Mode kModes[] = {machine, supervisor, user};
    GUEST_CSR_WRITE(mcounteren, kAll);
    GUEST_CSR_WRITE(scounteren, kAll);
    GUEST_CSR_WRITE(0x30a, uint64_t{1} << 63);
    for (const Mode mode : kModes) {
        for (uint32_t number = 0; number < 4096; ++number) {
            const uint32_t insns[] = {csrrs(10, number, 0)};
            put_code(insns, 1);
            const Probe p = run(mode, 0);
            if (p.cause != 2) {
                out_line("readable: mode, number", uint64_t{mode} << 12 | number);
            }
        }
    }
    // Without another effect than a trap or none: setting no bits.
    for (uint32_t number = 0; number < 4096; ++number) {
        const uint32_t insns[] = {0x00000513, csrrs(11, number, 10)};  // li a0, 0
        put_code(insns, 2);
        if (run(machine, 0).cause != 2) {
            out_line("writable: number", number);
        }
    }
    GUEST_CSR_WRITE(0x30a, 0);
}

// Views of one register through another.
void views() {
    constexpr uint64_t kDelegated[] = {0, 0x222, 0x002, 0x020, 0x200};
    for (const uint64_t delegated : kDelegated) {
        GUEST_CSR_WRITE(mideleg, delegated);
        out_line("mideleg", GUEST_CSR_READ(mideleg) & 0xaaa);
        for (const uint64_t pattern : kPatterns) {
            GUEST_CSR_WRITE(mie, pattern & 0xaaa);
            out_line("sie of mie", GUEST_CSR_READ(sie));
            GUEST_CSR_WRITE(mie, 0);
            GUEST_CSR_WRITE(sie, pattern);
            out_line("mie of sie", GUEST_CSR_READ(mie) & 0xaaa);
            GUEST_CSR_WRITE(mie, 0);
            GUEST_CSR_WRITE(mip, pattern);
            out_line("mip", GUEST_CSR_READ(mip) & 0xaaa);
            out_line("sip of mip", GUEST_CSR_READ(sip));
            GUEST_CSR_WRITE(mip, 0);
            GUEST_CSR_WRITE(sip, pattern);
            out_line("mip of sip", GUEST_CSR_READ(mip) & 0xaaa);
            GUEST_CSR_WRITE(mip, 0);
        }
    }
    GUEST_CSR_WRITE(mideleg, 0);
    for (unsigned bit = 0; bit < 64; ++bit) {
        constexpr uint32_t a0 = 10, a1 = 11, a2 = 12;
        const uint32_t insns[] = {csrrw(a2, 0x100, a0), csrrs(a1, 0x300, 0), csrrw(0, 0x100, a2)};
        put_code(insns, 3);
        out_line("mstatus of sstatus", run(machine, uint64_t{1} << bit).a[1] & ~(kUxl | kSxl));
        const uint32_t back[] = {csrrw(a2, 0x300, a0), csrrs(a1, 0x100, 0), csrrw(0, 0x300, a2)};
        put_code(back, 3);
        out_line("sstatus of mstatus", run(machine, uint64_t{1} << bit).a[1] & ~(kUxl | kSxl));
    }
    for (uint64_t value = 0; value < 256; ++value) {
        GUEST_CSR_WRITE(fcsr, value);
        out_line("frm, fflags of fcsr", GUEST_CSR_READ(frm) << 8 | GUEST_CSR_READ(fflags));
    }
}

// What mstateen lets S and U mode at.
void state_enables() {
    constexpr uint32_t kGuarded[] = {0x10a, 0x10c, 0x10d, 0x10e, 0x10f};
    constexpr Mode kModes[] = {machine, supervisor, user};
    for (uint32_t index = 0; index < 4; ++index) {
        for (unsigned bit = 0; bit < 64; bit += bit == 0 ? 57 : 1) {
            const uint32_t enable[] = {csrrw(0, 0x30c + index, 10), csrrs(10, 0x30c + index, 0)};
            put_code(enable, 2);
            run(machine, uint64_t{1} << bit);
            for (const uint32_t number : kGuarded) {
                for (const Mode mode : kModes) {
                    const uint32_t insns[] = {csrrs(10, number, 0), csrrs(11, number, 11),
                                              csrrw(11, number, 10)};
                    put_code(insns, 3);
                    out_line("state enable: index, bit, guarded, mode",
                             index << 28 | bit << 20 | number << 4 | static_cast<uint32_t>(mode));
                    out_line("cause", run(mode, 0).cause);
                }
            }
        }
        const uint32_t disable[] = {csrrw(0, 0x30c + index, 10)};
        put_code(disable, 1);
        run(machine, 0);
    }
}

// seed: who may have it, by which instructions. Of what it gives, its state.
void seeds() {
    constexpr uint32_t kSeed = 0x015;
    constexpr uint32_t kCsrrsi = csrrs(10, kSeed, 0) | 4 << 12;
    constexpr uint32_t kAccesses[] = {csrrw(10, kSeed, 0), csrrs(10, kSeed, 11), csrrc(10, kSeed, 11),
                                      csrrs(10, kSeed, 0), csrrc(10, kSeed, 0),  kCsrrsi,
                                      kCsrrsi | 1 << 15,   csrrw(0, kSeed, 11)};
    constexpr Mode kModes[] = {machine, supervisor, user};
    for (uint64_t bits = 0; bits < 4; ++bits) {
        GUEST_CSR_WRITE(0x747, bits << 8);
        out_line("mseccfg", GUEST_CSR_READ(0x747));
        for (const uint32_t access : kAccesses) {
            for (const Mode mode : kModes) {
                const uint32_t insns[] = {access};
                put_code(insns, 1);
                const Probe p = run(mode, 0, 0);
                out_line("seed: cause, state", p.cause << 4 | p.a[0] >> 30);
            }
        }
    }
    GUEST_CSR_WRITE(0x747, 0);
}

// Whether a counter shows more some time later. A clock may be coarse: many instructions, but not for ever.
bool advances(uint64_t (*read)()) {
    constexpr uint64_t kPatience = 100'000'000;
    const uint64_t first = read();
    uint64_t later = first;
    for (uint64_t i = 0; i < kPatience && later == first; ++i) {
        later = read();
    }
    return later > first;
}

// Counters: they advance, keep what is written, and stand still where they are told to.
void counters() {
    constexpr uint64_t kFar = uint64_t{1} << 50;
    GUEST_CSR_WRITE(mcycle, kFar);
    GUEST_CSR_WRITE(minstret, kFar);
    const uint64_t cycle = GUEST_CSR_READ(cycle);
    const uint64_t instret = GUEST_CSR_READ(instret);
    out_line("mcycle near what was written", cycle >= kFar && cycle < kFar + (kFar >> 10));
    out_line("minstret near what was written", instret >= kFar && instret < kFar + (kFar >> 10));
    out_line("cycle advances", advances([] { return GUEST_CSR_READ(cycle); }));
    out_line("instret advances", advances([] { return GUEST_CSR_READ(instret); }));
    out_line("time advances", advances([] { return GUEST_CSR_READ(time); }));
    GUEST_CSR_WRITE(mcountinhibit, 5);
    const uint64_t stopped = GUEST_CSR_READ(mcycle);
    const uint64_t stopped_instret = GUEST_CSR_READ(minstret);
    for (unsigned i = 0; i < 100; ++i) {
        asm volatile("nop");
    }
    out_line("mcycle stands", GUEST_CSR_READ(mcycle) == stopped);
    out_line("minstret stands", GUEST_CSR_READ(minstret) == stopped_instret);
    GUEST_CSR_WRITE(mcountinhibit, 0);
    const uint64_t time = GUEST_CSR_READ(time);
    while (GUEST_CSR_READ(time) == time) {
    }
    const uint64_t mtime = device(0x0200bff8);
    const uint64_t later = GUEST_CSR_READ(time);
    out_line("time follows mtime", later >= mtime && later - mtime < 10'000'000);
}

}  // namespace

void system_main() {
    device(0x02004000) = kAll;  // mtimecmp: no timer interrupt pending
    while ((GUEST_CSR_READ(mip) & 0x80) != 0) {
    }
    GUEST_CSR_WRITE(0x14d, 0);  // stimecmp has no value until one is written
    fields();
    existence();
    state_enables();
    seeds();
    views();
    counters();
}
