// CSR rules. The expected values are written down from the specifications, apart from weft's own constants.
#include "emulator/guest/riscv/cpu/csr.h"

#include <catch2/catch.hpp>

#include <set>
#include <vector>

#include "emulator/guest/riscv/cpu/pmp.h"
#include "tests/riscv/fake_hart.h"

namespace weft::riscv {
namespace {

constexpr uint64_t kOnes = ~uint64_t{0};

struct NumberRange {
    unsigned first, last;
};

// Every register the hart has.
const std::vector<NumberRange> kExisting = {
    {0x001, 0x003}, {0x015, 0x015}, {0x100, 0x100}, {0x104, 0x106}, {0x10a, 0x10a}, {0x10c, 0x10f},
    {0x140, 0x144}, {0x14d, 0x14d}, {0x180, 0x180}, {0x300, 0x306}, {0x30a, 0x30a}, {0x30c, 0x30f},
    {0x320, 0x322}, {0x323, 0x33f}, {0x340, 0x344}, {0x34b, 0x34b}, {0x3a0, 0x3a0}, {0x3a2, 0x3a2},
    {0x3a4, 0x3a4}, {0x3a6, 0x3a6}, {0x3a8, 0x3a8}, {0x3aa, 0x3aa}, {0x3ac, 0x3ac}, {0x3ae, 0x3ae},
    {0x3b0, 0x3ef}, {0x747, 0x747}, {0xb00, 0xb00}, {0xb02, 0xb1f}, {0xc00, 0xc1f}, {0xda0, 0xda0},
    {0xf11, 0xf15}};

bool exists(unsigned number) {
    for (const NumberRange& range : kExisting) {
        if (number >= range.first && number <= range.last) {
            return true;
        }
    }
    return false;
}

// With everything that can be opened to lower modes opened.
void open_all(FakeHart& fake) {
    State& state = fake.state();
    state.mstatus = 0x6000;  // FS dirty
    state.mcounteren = 0xffff'ffff;
    state.scounteren = 0xffff'ffff;
    state.menvcfg = uint64_t{1} << 63;
    state.mseccfg = 0x300;
    for (uint64_t& enables : state.mstateen) {
        enables = ~uint64_t{0};
    }
}

TEST_CASE("each CSR number exists for the modes its number names", "[csr]") {
    FakeHart fake;
    for (const Priv priv : {Priv::user, Priv::supervisor, Priv::machine}) {
        for (unsigned number = 0; number < 4096; ++number) {
            open_all(fake);
            fake.state().priv = priv;
            const bool legal = exists(number) && static_cast<unsigned>(priv) >= (number >> 8 & 3);
            CAPTURE(number, static_cast<int>(priv));
            fake.csr_read(number);
            const bool only_written = number == 0x015;  // seed
            if (fake.csr_illegal() == (legal && !only_written)) {
                FAIL("read is " << (legal ? "refused" : "allowed"));
            }
            // Bits 11:10 both set: read-only. Set with an operand of zero still counts as a write.
            const bool writable = legal && (number >> 10 & 3) != 3;
            open_all(fake);
            const uint64_t old = fake.csr(number, 0, CsrOp::set);
            if (fake.csr_illegal() == writable) {
                FAIL("write is " << (writable ? "refused" : "allowed"));
            }
            static_cast<void>(old);
        }
    }
    CHECK(find_csr(4096) == nullptr);
}

struct WarlRule {
    const char* name;
    unsigned number;
    uint64_t after_ones;    // read after writing all ones
    uint64_t after_zeroes;  // and then all zeros
};

const WarlRule kWarlRules[] = {
    {"fflags", 0x001, 0x1f, 0},
    {"frm", 0x002, 0x7, 0},
    {"fcsr", 0x003, 0xff, 0},
    {"stvec: reserved mode", 0x105, 0, 0},
    {"scounteren", 0x106, 0xffff'ffff, 0},
    {"senvcfg: PMM, CBZE, CBCFE, CBIE, FIOM", 0x10a, 0x3'0000'00f1, 0},
    {"sscratch", 0x140, kOnes, 0},
    {"sepc", 0x141, kOnes - 1, 0},
    {"scause", 0x142, kOnes, 0},
    {"stval", 0x143, kOnes, 0},
    {"stimecmp", 0x14d, kOnes, 0},
    {"satp: mode 15", 0x180, 0, 0},
    {"medeleg", 0x302, 0xb3fe, 0},
    {"mideleg", 0x303, 0x2222, 0},
    {"mie", 0x304, 0x2aaa, 0},
    {"mtvec: reserved mode", 0x305, 0, 0},
    {"mcounteren", 0x306, 0xffff'ffff, 0},
    {"menvcfg: STCE, PBMTE, ADUE, DTE, PMM, CBZE, CBCFE, CBIE, FIOM", 0x30a, 0xe800'0003'0000'00f1, 0},
    {"mcountinhibit: 18 to 3, IR, CY", 0x320, 0x7fffd, 0},
    {"mcyclecfg", 0x321, uint64_t{7} << 60, 0},
    {"mhpmevent3: OF, MINH, SINH, UINH, event", 0x323, 0xf0ff'ffff'ffff'ffff, 0},
    {"mhpmevent31", 0x33f, 0, 0},
    {"mscratch", 0x340, kOnes, 0},
    {"mepc", 0x341, kOnes - 1, 0},
    {"mcause", 0x342, kOnes, 0},
    {"mtval", 0x343, kOnes, 0},
    {"mtval2", 0x34b, kOnes, 0},
    {"mip: LCOFIP, SEIP, STIP, SSIP", 0x344, 0x2222, 0},
    {"pmpcfg4", 0x3a4, 0, 0},
    {"pmpcfg14", 0x3ae, 0, 0},
    {"pmpaddr0", 0x3b0, 0x003f'ffff'ffff'ffff, 0},
    {"pmpaddr15", 0x3bf, 0x003f'ffff'ffff'ffff, 0},
    {"pmpaddr16", 0x3c0, 0, 0},
    {"pmpaddr63", 0x3ef, 0, 0},
    {"mhpmcounter3", 0xb03, kOnes, 0},
    {"mhpmcounter31", 0xb1f, 0, 0},
    // MXL 2; A B C D F I M S U.
    {"misa", 0x301, 0x8000'0000'0014'112f, 0x8000'0000'0014'112f},
    // SD, SXL, UXL 2; TSR to MPRV, FS, MPP 3, SPP, MPIE, SPIE, MIE, SIE. No VS, XS, UBE, SBE, MBE.
    {"mstatus", 0x300, 0x8000'000a'007e'79aa, 0x0000'000a'0000'0000},
    // The same view from S mode: SD, UXL 2; MXR, SUM, FS, SPP, SPIE, SIE.
    {"sstatus", 0x100, 0x8000'0002'000c'6122, 0x0000'0002'0000'0000},
};

TEST_CASE("WARL fields keep what is legal", "[csr]") {
    for (const WarlRule& rule : kWarlRules) {
        FakeHart fake;
        CAPTURE(rule.name);
        if (rule.number <= 3) {
            fake.state().mstatus = 0x2000;
        }
        fake.csr_write(rule.number, kOnes);
        CHECK_FALSE(fake.csr_illegal());
        CHECK(fake.csr_read(rule.number) == rule.after_ones);
        fake.csr_write(rule.number, 0);
        CHECK(fake.csr_read(rule.number) == rule.after_zeroes);
    }
}

CpuModel model_of(const char* text) {
    const auto model = parse_cpu_model(text);
    REQUIRE(model);
    return *model;
}

// What all ones leave in a register of a hart of this model.
uint64_t all_ones(const CpuModel& model, unsigned number) {
    FakeHart fake(0, model);
    fake.csr_write(number, kOnes);
    return fake.csr_read(number);
}

TEST_CASE("fields of extensions that the model has not are zero", "[csr]") {
    constexpr uint64_t kAdue = uint64_t{1} << 61;
    CHECK(all_ones(kRv64, 0x30a) == 0xa000'0000'0000'00f1);  // no Svpbmt
    CHECK(all_ones(model_of("max,sstc=off"), 0x30a) == 0x6800'0003'0000'00f1);
    CHECK(all_ones(model_of("max,zicbom=off,svadu=off"), 0x30a) == 0xc800'0003'0000'0081);
    CHECK(all_ones(model_of("max,ssdbltrp=off"), 0x30a) == 0xe000'0003'0000'00f1);
    // menvcfg's is Smnpm's, senvcfg's Ssnpm's, mseccfg's Smmpm's.
    CHECK(all_ones(model_of("max,smnpm=off,sspm=off"), 0x30a) == 0xe800'0000'0000'00f1);
    CHECK(all_ones(model_of("max,ssnpm=off,supm=off"), 0x10a) == 0xf1);
    CHECK(all_ones(model_of("max,smmpm=off"), 0x747) == 0x307);
    CHECK(all_ones(model_of("max,zicboz=off"), 0x10a) == 0x3'0000'0071);
    // How it begins: 3.1.18 leaves it open; as QEMU's harts.
    CHECK(FakeHart(0, kRv64).state().menvcfg == kAdue);
    CHECK(FakeHart(0, kRva22s64).state().menvcfg == uint64_t{1} << 62);
    const CpuModel both = model_of("rv64,svade=on");
    CHECK(FakeHart(0, both).state().menvcfg == 0);

    const CpuModel no_fp = model_of("max,f=off,d=off,zfa=off,zfh=off,zfhmin=off");
    CHECK(all_ones(no_fp, 0x300) == 0x0000'000a'007e'19aa);
    CHECK(all_ones(no_fp, 0x301) == 0x8000'0000'0014'1107);
    FakeHart integers(0, no_fp);
    integers.csr_read(0x003);
    CHECK(integers.csr_illegal());
    // Without S mode: MPIE, MIE, MPP, MPRV, TW, FS; UXL alone.
    CHECK(all_ones(kRva22u64, 0x300) == 0x8000'0002'0022'7888);
    CHECK(all_ones(kRva22u64, 0x304) == 0x888);
    CHECK(all_ones(kRva22u64, 0x344) == 0);
    FakeHart user(0, kRva22u64);
    user.csr_write(0x300, 0x0800);
    CHECK((user.csr_read(0x300) & 0x1800) == 0);  // MPP does not become S
    for (const unsigned number : {0x100u, 0x180u, 0x302u, 0x303u, 0x14du}) {
        user.csr_read(number);
        CHECK(user.csr_illegal());
    }
    const CpuModel sv39 = model_of("rv64,sv48=off");
    FakeHart small(0, sv39);
    small.csr_write(0x180, uint64_t{8} << 60);
    small.csr_write(0x180, uint64_t{9} << 60);
    CHECK(small.csr_read(0x180) == uint64_t{8} << 60);
    const CpuModel sv48 = model_of("rv64,sv57=off");
    FakeHart middle(0, sv48);
    middle.csr_write(0x180, uint64_t{9} << 60);
    middle.csr_write(0x180, uint64_t{10} << 60);
    CHECK(middle.csr_read(0x180) == uint64_t{9} << 60);
}

TEST_CASE("CSR instructions give the old value and change what they name", "[csr]") {
    FakeHart fake;
    fake.csr_write(0x340, 0xf0f0);
    CHECK(fake.csr(0x340, 0x1234, CsrOp::read_write) == 0xf0f0);
    CHECK(fake.csr(0x340, 0x00ff, CsrOp::set) == 0x1234);
    CHECK(fake.csr(0x340, 0x0f00, CsrOp::clear) == 0x12ff);
    CHECK(fake.csr_read(0x340) == 0x10ff);
    CHECK(fake.header().raised == 0);
}

TEST_CASE("identity registers", "[csr]") {
    FakeHart fake(7);
    CHECK(fake.csr_read(0xf14) == 7);
    for (const unsigned number : {0xf11u, 0xf12u, 0xf13u, 0xf15u}) {
        CHECK(fake.csr_read(number) == 0);
    }
    fake.csr_write(0xf14, 3);
    CHECK(fake.csr_illegal());
    CHECK(fake.csr_read(0xf14) == 7);
}

TEST_CASE("mstatus.MPP never holds the reserved mode", "[csr]") {
    FakeHart fake;
    for (const uint64_t mpp : {0u, 1u, 3u}) {
        fake.csr_write(0x300, mpp << 11);
        CHECK((fake.csr_read(0x300) >> 11 & 3) == mpp);
        fake.csr_write(0x300, uint64_t{2} << 11);
        CHECK((fake.csr_read(0x300) >> 11 & 3) == mpp);
    }
}

TEST_CASE("sstatus is a view of mstatus", "[csr]") {
    FakeHart fake;
    fake.csr_write(0x300, 0x8 | 0x80 | 0x20000);  // MIE, MPIE, MPRV: not S mode's
    fake.csr_write(0x100, kOnes);
    CHECK(fake.csr_read(0x300) == (0x8000'000a'000c'6122 | 0x8 | 0x80 | 0x20000));
    fake.csr_write(0x100, 0);
    CHECK(fake.csr_read(0x300) == (0x0000'000a'0000'0000 | 0x8 | 0x80 | 0x20000));
}

TEST_CASE("SD says that FS is dirty", "[csr]") {
    FakeHart fake;
    for (uint64_t fs = 0; fs < 4; ++fs) {
        fake.csr_write(0x300, fs << 13);
        CHECK((fake.csr_read(0x300) >> 13 & 3) == fs);
        CHECK(fake.csr_read(0x300) >> 63 == (fs == 3));
        CHECK(fake.csr_read(0x100) >> 63 == (fs == 3));
    }
    // Generated code sets both at once.
    fake.state().mstatus = uint64_t{1} << 63 | 0x6000;
    CHECK(fake.csr_read(0x300) >> 63 == 1);
    fake.csr(0x300, 0x4000, CsrOp::clear);
    CHECK(fake.csr_read(0x300) >> 63 == 0);
}

TEST_CASE("floating-point CSRs need FS", "[csr]") {
    FakeHart fake;
    for (const unsigned number : {1u, 2u, 3u}) {
        fake.state().mstatus = 0;
        fake.csr_read(number);
        CHECK(fake.csr_illegal());
        fake.state().mstatus = 0x2000;
        fake.csr_read(number);
        CHECK_FALSE(fake.csr_illegal());
    }
    fake.state().frm = 2;
    fake.header().fp_flags = 0x11;
    CHECK(fake.csr_read(1) == 0x11);
    CHECK(fake.csr_read(2) == 2);
    CHECK(fake.csr_read(3) == 0x51);
}

// Unprivileged specification, "Zkr".
TEST_CASE("seed gives entropy to who may have it, by instructions that write", "[csr]") {
    constexpr unsigned kSeed = 0x015;
    FakeHart fake;
    for (uint64_t bits = 0; bits < 4; ++bits) {
        for (const Priv priv : {Priv::user, Priv::supervisor, Priv::machine}) {
            fake.state().priv = Priv::machine;
            fake.csr_write(0x747, bits << 8);
            fake.state().priv = priv;
            CAPTURE(bits, static_cast<int>(priv));
            const bool allowed = priv == Priv::machine || (bits >> static_cast<unsigned>(priv) & 1) != 0;
            for (const CsrOp op : {CsrOp::read_write, CsrOp::set, CsrOp::clear}) {
                const uint64_t value = fake.csr(kSeed, 0, op);
                CHECK(fake.csr_illegal() == !allowed);
                CHECK((!allowed || value >> 16 == 0x8000));  // ES16, nothing between it and the entropy
            }
            fake.csr_read(kSeed);
            CHECK(fake.csr_illegal());
        }
    }
    FakeHart plain(0, kRv64);
    plain.csr(kSeed, 0, CsrOp::read_write);
    CHECK(plain.csr_illegal());
}

TEST_CASE("seed can be the same in every run", "[csr]") {
    const auto values_of = [](uint64_t hart, uint64_t seed) {
        FakeHart fake(hart);
        fake.hart.fix_entropy(seed);
        std::vector<uint64_t> values(16);
        for (uint64_t& value : values) {
            value = fake.csr(0x015, 0, CsrOp::read_write);
        }
        return values;
    };
    const std::vector<uint64_t> values = values_of(0, 7);
    CHECK(values == values_of(0, 7));
    CHECK(values != values_of(1, 7));
    CHECK(values != values_of(0, 8));
    CHECK(std::set<uint64_t>(values.begin(), values.end()).size() > 8);
}

// Privileged specification 3.1.8, 3.1.14 and 4.1.7: IALIGN is 32.
TEST_CASE("without 16-bit instructions addresses of instructions are multiples of 4", "[csr]") {
    const CpuModel words = model_of("max,c=off");
    CHECK(all_ones(words, 0x141) == ~uint64_t{3});
    CHECK(all_ones(words, 0x341) == ~uint64_t{3});
    CHECK(all_ones(words, 0x302) == 0xb3ff);
    CHECK(all_ones(kMax, 0x141) == ~uint64_t{1});
}

// Privileged specification, "Smstateen/Ssstateen": senvcfg is ENVCFG's, each sstateen that of SE of the same number.
TEST_CASE("mstateen takes what it guards from S mode", "[csr]") {
    FakeHart fake;
    const auto reachable = [&fake](unsigned number, CsrOp op) {
        fake.csr(number, 0, op);
        return !fake.csr_illegal();
    };
    for (unsigned index = 0; index < 4; ++index) {
        for (unsigned bit = 0; bit < 64; ++bit) {
            fake.state().priv = Priv::machine;
            for (unsigned other = 0; other < 4; ++other) {
                fake.csr_write(0x30c + other, 0);
            }
            fake.csr_write(0x30c + index, uint64_t{1} << bit);
            CHECK(reachable(0x10a, CsrOp::read));
            for (const CsrOp op : {CsrOp::read, CsrOp::write, CsrOp::set}) {
                CAPTURE(index, bit, static_cast<int>(op));
                fake.state().priv = Priv::supervisor;
                CHECK(reachable(0x10a, op) == (index == 0 && bit == 62));
                for (unsigned other = 0; other < 4; ++other) {
                    CHECK(reachable(0x10c + other, op) == (other == index && bit == 63));
                }
                fake.state().priv = Priv::user;
                CHECK_FALSE(reachable(0x10c + index, op));
            }
        }
    }
    FakeHart plain(0, kRv64);
    plain.state().priv = Priv::supervisor;
    plain.csr_read(0x10a);
    CHECK_FALSE(plain.csr_illegal());
    plain.csr_read(0x10c);
    CHECK(plain.csr_illegal());
}

TEST_CASE("satp takes Bare, Sv39, Sv48 and Sv57, and ignores other modes entirely", "[csr]") {
    FakeHart fake;
    const uint64_t rest = uint64_t{0xbeef} << 44 | 0x0fff'ffff'ffff;
    for (uint64_t mode = 0; mode < 16; ++mode) {
        CAPTURE(mode);
        fake.csr_write(0x180, uint64_t{8} << 60 | 0x1234);
        fake.csr_write(0x180, mode << 60 | rest);
        const bool legal = mode == 0 || (mode >= 8 && mode <= 10);
        CHECK(fake.csr_read(0x180) == (legal ? mode << 60 | rest : uint64_t{8} << 60 | 0x1234));
    }
    CHECK(fake.flushes.empty());
}

TEST_CASE("without page tables satp stays Bare", "[csr]") {
    const CpuModel model = model_of("rv64,mmu=off");
    FakeHart fake(0, model);
    fake.csr_write(0x180, uint64_t{8} << 60 | 0x1234);
    CHECK(fake.csr_read(0x180) == 0);
}

TEST_CASE("without protection its registers are not there, and nothing is protected", "[csr]") {
    const CpuModel model = model_of("max,pmp=off");
    FakeHart fake(0, model);
    for (const unsigned number : {0x3a0u, 0x3a2u, 0x3aeu, 0x3b0u, 0x3bfu, 0x3efu}) {
        CAPTURE(number);
        fake.csr_read(number);
        CHECK(fake.csr_illegal());
    }
    for (const Priv priv : {Priv::user, Priv::supervisor, Priv::machine}) {
        CHECK(pmp_allows(fake.state(), 0x8000'0000, 8, priv, 7));
    }
}

TEST_CASE("mstatus.TVM takes satp from S mode", "[csr]") {
    FakeHart fake;
    fake.state().priv = Priv::supervisor;
    fake.csr_read(0x180);
    CHECK_FALSE(fake.csr_illegal());
    fake.state().mstatus = 1u << 20;
    fake.csr_read(0x180);
    CHECK(fake.csr_illegal());
    fake.csr_write(0x180, uint64_t{8} << 60);
    CHECK(fake.csr_illegal());
    CHECK(fake.state().satp == 0);
    fake.state().priv = Priv::machine;
    fake.csr_read(0x180);
    CHECK_FALSE(fake.csr_illegal());
}

TEST_CASE("trap vectors take direct and vectored mode", "[csr]") {
    FakeHart fake;
    for (const unsigned number : {0x105u, 0x305u}) {
        for (const uint64_t value : {0x8000'0100ull, 0x8000'0201ull}) {
            fake.csr_write(number, value);
            CHECK(fake.csr_read(number) == value);
        }
        fake.csr_write(number, 0x9000'0002);
        CHECK(fake.csr_read(number) == 0x8000'0201);
        fake.csr_write(number, 0x9000'0003);
        CHECK(fake.csr_read(number) == 0x8000'0201);
    }
}

TEST_CASE("counters need the enables of the modes above", "[csr]") {
    FakeHart fake;
    struct Case {
        Priv priv;
        bool m, s, legal;
    };
    for (const Case& c : {Case{Priv::machine, false, false, true}, Case{Priv::supervisor, false, true, false},
                          Case{Priv::supervisor, true, false, true}, Case{Priv::user, true, false, false},
                          Case{Priv::user, false, true, false}, Case{Priv::user, true, true, true}}) {
        for (unsigned index = 0; index < 32; ++index) {
            // All other bits the other way round.
            const uint64_t bit = uint64_t{1} << index;
            fake.state().mcounteren = c.m ? bit : 0xffff'ffff & ~bit;
            fake.state().scounteren = c.s ? bit : 0xffff'ffff & ~bit;
            fake.state().priv = c.priv;
            CAPTURE(index, static_cast<int>(c.priv), c.m, c.s);
            fake.csr_read(0xc00 + index);
            CHECK(fake.csr_illegal() == !c.legal);
        }
    }
}

TEST_CASE("stimecmp needs mcounteren.TM and menvcfg.STCE below M mode", "[csr]") {
    FakeHart fake;
    for (const bool tm : {false, true}) {
        for (const bool stce : {false, true}) {
            fake.state().mcounteren = tm ? 2 : 0xffff'fffd;
            fake.state().menvcfg = stce ? uint64_t{1} << 63 : 0;
            fake.state().priv = Priv::supervisor;
            fake.csr_read(0x14d);
            CHECK(fake.csr_illegal() == !(tm && stce));
            fake.state().priv = Priv::machine;
            fake.csr_read(0x14d);
            CHECK_FALSE(fake.csr_illegal());
        }
    }
}

TEST_CASE("counters follow the clock, and stop and start without a jump", "[csr]") {
    FakeHart fake;
    fake.now = 12'345;
    CHECK(fake.csr_read(0xc01) == 123);
    CHECK(fake.csr_read(0xb00) == 12'345);
    CHECK(fake.csr_read(0xb02) == 12'345);
    fake.csr_write(0xb00, 1'000);
    fake.now += 50;
    CHECK(fake.csr_read(0xb00) == 1'050);
    CHECK(fake.csr_read(0xc00) == 1'050);
    CHECK(fake.csr_read(0xc02) == 12'395);
    fake.csr_write(0x320, 1);  // CY stops, IR does not
    fake.now += 50;
    CHECK(fake.csr_read(0xb00) == 1'050);
    CHECK(fake.csr_read(0xb02) == 12'445);
    fake.csr_write(0xb00, 7);
    fake.now += 50;
    CHECK(fake.csr_read(0xc00) == 7);
    fake.csr_write(0x320, 0);
    CHECK(fake.csr_read(0xc00) == 7);
    fake.now += 3;
    CHECK(fake.csr_read(0xc00) == 10);
    CHECK(fake.csr_read(0xc03) == 0);
}

TEST_CASE("mip: software writes SSIP, STIP and SEIP alone", "[csr]") {
    FakeHart fake;
    fake.now = 100;
    fake.hart.set_interrupt(Interrupt::machine_software, true);
    fake.hart.set_interrupt(Interrupt::machine_external, true);
    fake.hart.set_mtimecmp(0);
    CHECK(fake.csr_read(0x344) == 0x888);
    fake.csr_write(0x344, 0);
    CHECK(fake.csr_read(0x344) == 0x888);
    fake.csr_write(0x344, kOnes);
    CHECK(fake.csr_read(0x344) == 0x2aaa);
    fake.hart.set_interrupt(Interrupt::machine_software, false);
    fake.hart.set_interrupt(Interrupt::machine_external, false);
    fake.hart.set_mtimecmp(2);
    CHECK(fake.csr_read(0x344) == 0x2222);
    fake.now = 200;
    CHECK(fake.csr_read(0x344) == 0x22a2);
}

TEST_CASE("mip.SEIP is the software bit or the line, and set and clear see the software bit", "[csr]") {
    FakeHart fake;
    fake.hart.set_interrupt(Interrupt::supervisor_external, true);
    CHECK(fake.csr_read(0x344) == 0x200);
    // Setting another bit must not turn the line into the software bit.
    CHECK(fake.csr(0x344, 0x2, CsrOp::set) == 0x200);
    fake.hart.set_interrupt(Interrupt::supervisor_external, false);
    CHECK(fake.csr_read(0x344) == 0x2);
    fake.csr(0x344, 0x200, CsrOp::set);
    fake.hart.set_interrupt(Interrupt::supervisor_external, true);
    fake.hart.set_interrupt(Interrupt::supervisor_external, false);
    CHECK(fake.csr_read(0x344) == 0x202);
    fake.hart.set_interrupt(Interrupt::supervisor_external, true);
    fake.csr(0x344, 0x200, CsrOp::clear);
    CHECK(fake.csr_read(0x344) == 0x202);
    fake.hart.set_interrupt(Interrupt::supervisor_external, false);
    CHECK(fake.csr_read(0x344) == 0x2);
}

TEST_CASE("STIP belongs to stimecmp while menvcfg.STCE is set", "[csr]") {
    FakeHart fake;
    fake.now = 1'000;
    fake.csr_write(0x344, 0x20);
    CHECK(fake.csr_read(0x344) == 0x20);
    fake.csr_write(0x14d, 11);
    CHECK(fake.csr_read(0x344) == 0x20);
    fake.csr_write(0x30a, uint64_t{1} << 63);
    CHECK(fake.csr_read(0x344) == 0);
    fake.csr_write(0x344, 0x20);
    CHECK(fake.csr_read(0x344) == 0);
    fake.now = 1'100;
    CHECK(fake.csr_read(0x344) == 0x20);
    fake.csr_write(0x344, 0);
    CHECK(fake.csr_read(0x344) == 0x20);
    fake.csr_write(0x14d, 12);
    CHECK(fake.csr_read(0x344) == 0);
    fake.csr_write(0x30a, 0);
    CHECK(fake.csr_read(0x344) == 0x20);  // what software had written before
}

TEST_CASE("sip and sie show what is delegated", "[csr]") {
    FakeHart fake;
    fake.csr_write(0x304, 0xaaa);
    fake.csr_write(0x344, 0x222);
    for (const uint64_t mideleg : {0x000u, 0x002u, 0x020u, 0x200u, 0x222u}) {
        fake.csr_write(0x303, mideleg);
        CHECK(fake.csr_read(0x104) == mideleg);
        CHECK(fake.csr_read(0x144) == mideleg);
        // Of sip only SSIP can be written, and of sie what is shown.
        fake.csr_write(0x144, 0);
        CHECK(fake.csr_read(0x344) == (mideleg & 0x2 ? 0x220 : 0x222));
        fake.csr_write(0x104, 0);
        CHECK(fake.csr_read(0x304) == (0xaaa & ~mideleg));
        fake.csr_write(0x344, 0x222);
        fake.csr_write(0x104, kOnes);
        CHECK(fake.csr_read(0x304) == 0xaaa);
    }
}

TEST_CASE("changes that translations depend on flush", "[csr]") {
    FakeHart fake;
    const auto flushes_of = [&fake](unsigned number, uint64_t value) {
        fake.flushes.clear();
        fake.csr_write(number, value);
        for (const TlbFlush& flush : fake.flushes) {
            CHECK(flush.all_addresses);
            CHECK(flush.all_asids);
        }
        return fake.flushes.size();
    };
    CHECK(flushes_of(0x300, 1u << 19) == 1);  // MXR
    CHECK(flushes_of(0x300, 1u << 19 | 1u << 18 | 1u << 17) == 0);
    CHECK(flushes_of(0x100, 0) == 1);
    CHECK(flushes_of(0x3b0, 0x2000'0000) == 1);
    CHECK(flushes_of(0x3b0, 0x2000'0000) == 0);
    CHECK(flushes_of(0x3a0, 0x18) == 1);
    CHECK(flushes_of(0x3a0, 0x18) == 0);
    CHECK(flushes_of(0x180, uint64_t{8} << 60 | 1) == 0);
}

TEST_CASE("debuggers read every register and write what can be written", "[csr]") {
    FakeHart fake;
    fake.state().priv = Priv::user;
    CHECK(csr_peek(fake.state(), 0x301) == 0x8000'0000'0014'112f);
    CHECK(csr_peek(fake.state(), 0x003) == 0);
    CHECK_FALSE(csr_peek(fake.state(), 0x7a0).has_value());
    CHECK(csr_poke(fake.state(), 0x340, 5));
    CHECK(csr_peek(fake.state(), 0x340) == 5);
    CHECK(csr_poke(fake.state(), 0x003, 0x51));
    CHECK(fake.state().frm == 2);
    CHECK(fake.header().fp_flags == 0x11);
    CHECK_FALSE(csr_poke(fake.state(), 0xf14, 5));
    CHECK_FALSE(csr_poke(fake.state(), 0x7a0, 5));
}

}  // namespace
}  // namespace weft::riscv
