// Pointer masking (Smmpm, Smnpm, Ssnpm): whose field masks whose accesses, what becomes of the upper bits with translation and without,
// which instructions it is for, and where it is not in effect.
#include "probe.h"

namespace {

using namespace guest;

constexpr uint64_t kCode = kData;            // code that is put together here
constexpr uint64_t kPlace = kData + 0x8000;  // what is accessed
constexpr uint64_t kHigh = kData + 0x9000;   // what follows the last address of the lower half
constexpr unsigned kPmmShift = 32;
constexpr uint64_t kPmm = uint64_t{3} << kPmmShift;

enum Field : unsigned { of_machine, of_next, of_user, fields };

constexpr unsigned length_of(uint64_t pmm) { return pmm == 0 ? 0 : pmm == 2 ? 7 : 16; }

void set_field(unsigned field, uint64_t pmm) {
    const uint64_t value = pmm << kPmmShift;
    switch (field) {
        case of_machine:
            GUEST_CSR_CLEAR(0x747, kPmm);
            GUEST_CSR_SET(0x747, value);
            break;
        case of_next:
            GUEST_CSR_CLEAR(0x30a, kPmm);
            GUEST_CSR_SET(0x30a, value);
            break;
        default:
            GUEST_CSR_CLEAR(0x10a, kPmm);
            GUEST_CSR_SET(0x10a, value);
            break;
    }
}

uint64_t field_value(unsigned field) {
    const uint64_t value = field == of_machine ? GUEST_CSR_READ(0x747)
                           : field == of_next  ? GUEST_CSR_READ(0x30a)
                                               : GUEST_CSR_READ(0x10a);
    return value >> kPmmShift & 3;
}

// Below M mode.
void set_both(uint64_t pmm) {
    set_field(of_next, pmm);
    set_field(of_user, pmm);
}

// What fields keep. Which legal value a reserved one becomes is the hart's choice.
void keeps() {
    constexpr uint64_t kValues[] = {0, 2, 3, 0, 3, 2};
    for (unsigned field = of_next; field < fields; ++field) {
        for (const uint64_t value : kValues) {
            set_field(field, value);
            for (unsigned other = 0; other < fields; ++other) {
                out_line("field", field_value(other));
            }
        }
        set_field(field, 0);
        set_field(field, 1);
        out_line("reserved", field_value(field) != 1);
        set_field(field, 0);
    }
}

// Gigabyte 2 of each space is the image's, for S mode; 3 the same for U mode; and both again at the beginning of the upper half. The
// last page of the lower half is kPlace, and the first one of the upper half may be kHigh.
class Space {
  public:
    explicit Space(uint64_t levels) : levels_(levels) {
        if (levels_ == 0) {
            return;
        }
        clear_pages(kTables, 14);
        uint64_t gigabytes = table(0);
        for (uint64_t level = levels_; level > 3; --level) {
            const uint64_t below = table(levels_ - level + 1);
            word(gigabytes) = leaf(below, kPteV);
            word(gigabytes + 256 * 8) = leaf(below, kPteV);
            gigabytes = below;
        }
        const uint64_t kFirsts[] = {uint64_t{0}, levels_ == 3 ? uint64_t{256} : uint64_t{0}};
        for (const uint64_t first : kFirsts) {
            word(gigabytes + (first + 2) * 8) = leaf(kGigapage, kPteAll);
            word(gigabytes + (first + 3) * 8) = leaf(kGigapage, kPteAll | kPteU);
        }
    }

    // Around the middle.
    void map_middle() {
        uint64_t low = table(0);
        uint64_t high = table(0);
        uint64_t next = table(4);
        for (uint64_t level = levels_; level > 1; --level) {
            const uint64_t index = level == levels_ ? 255 : 511;
            word(low + index * 8) = leaf(next, kPteV);
            low = next;
            next += 4096;
            const uint64_t first = level == levels_ ? 256 : 0;
            word(high + first * 8) = leaf(next, kPteV);
            high = next;
            next += 4096;
        }
        word(low + 511 * 8) = leaf(kPlace, kPteAll);
        word(high) = leaf(kHigh, kPteAll);
    }

    uint64_t satp() const { return levels_ == 0 ? 0 : satp_of(kSv39 + levels_ - 3, table(0)); }
    uint64_t levels() const { return levels_; }

  private:
    static uint64_t table(uint64_t depth) { return kTables + depth * 4096; }
    uint64_t levels_;
};

constexpr uint64_t kLevels[] = {0, 3, 4, 5};

// Upper bits of pointers, among them the highest one that counts.
constexpr uint64_t kTags[] = {0,
                              uint64_t{1} << 63,
                              uint64_t{0x7f} << 57,
                              uint64_t{0x55} << 57,
                              uint64_t{1} << 56,
                              uint64_t{0xff} << 56,
                              uint64_t{0xffff} << 48,
                              uint64_t{0x1234} << 48,
                              uint64_t{1} << 47,
                              uint64_t{0x1ffff} << 47,
                              uint64_t{1} << 38,
                              uint64_t{0x3ffffff} << 38};

struct Viewpoint {
    const char* name;
    Mode mode;
    uint64_t status;
    bool of_user;  // its accesses
};
constexpr uint64_t kAs[] = {uint64_t{user} << kMppShift, uint64_t{supervisor} << kMppShift};
constexpr Viewpoint kViewpoints[] = {
    {"M", machine, 0, false},         {"S", supervisor, 0, false},        {"U", user, 0, true},
    {"M+MXR", machine, kMxr, false},  {"S+MXR", supervisor, kMxr, false}, {"U+MXR", user, kMxr, true},
    {"S+SUM", supervisor, kSum, true}};

void prepare() {
    for (uint64_t i = 0; i < 16; ++i) {
        word(kPlace + 8 * i) = 0x1122334455667788 * (i + 1);
    }
}

uint64_t sum() {
    uint64_t all = 0;
    for (uint64_t i = 0; i < 16; ++i) {
        all = all * 31 + word(kPlace + 8 * i);
    }
    return all;
}

void put_outcome(const Probe& p) {
    const uint64_t values[] = {p.cause, p.tval, p.a[0], sum()};
    for (const uint64_t value : values) {
        out_char(' ');
        out_short(value);
    }
}

uint64_t place_of(const Viewpoint& viewpoint, const Space& space) {
    return kPlace + (viewpoint.of_user && space.satp() != 0 ? kCodeAlias : 0);
}

// Loads and stores of everybody's.
void look() {
    for (const uint64_t levels : kLevels) {
        const Space space(levels);
        for (const Viewpoint& viewpoint : kViewpoints) {
            out_text(viewpoint.name);
            for (const uint64_t tag : kTags) {
                const uint64_t pointer = place_of(viewpoint, space) | tag;
                prepare();
                put_outcome(probe(f_ld, viewpoint.mode, viewpoint.status, space.satp(), pointer));
                prepare();
                put_outcome(probe(f_sd, viewpoint.mode, viewpoint.status, space.satp(), pointer, 0x77));
            }
            out_char('\n');
        }
    }
}

// Each field with each length.
void viewpoints() {
    for (unsigned field = of_next; field < fields; ++field) {
        for (uint64_t pmm = 2; pmm < 4; ++pmm) {
            set_field(field, pmm);
            look();
            set_field(field, 0);
        }
    }
}

// MPRV: the accesses are another mode's, and so is their mask.
void look_as_others() {
    for (const uint64_t levels : kLevels) {
        const Space space(levels);
        for (unsigned as = 0; as < 2; ++as) {
            constexpr uint64_t kMxrs[] = {0, kMxr};
            for (const uint64_t mxr : kMxrs) {
                out_text(as == 0 ? "as U" : "as S");
                for (const uint64_t tag : kTags) {
                    const uint64_t pointer = (kPlace + (as == 0 && levels != 0 ? kCodeAlias : 0)) | tag;
                    prepare();
                    // f_mprv_load: mstatus a1, load from a0, mstatus a2.
                    put_outcome(probe(f_mprv_load, machine, 0, space.satp(), pointer,
                                      kMprv | kAs[as] | mxr | kFsInitial, kFsInitial));
                }
                out_char('\n');
            }
        }
    }
}

void other_modes() {
    for (unsigned field = of_next; field < fields; ++field) {
        set_field(field, 2);
        look_as_others();
        set_field(field, 0);
    }
}

constexpr uint32_t kFlh = 0x00051507;
constexpr uint32_t kFsh = 0x00a51027;
struct Insn {
    const char* name;
    uint32_t bits;
};
// Of a0, with a1, to a2, unless the name says otherwise.
constexpr Insn kInsns[] = {{"lb", 0x00050603},        {"lh", 0x00051603},        {"lw", 0x00052603},
                           {"ld", 0x00053603},        {"lbu", 0x00054603},       {"lhu", 0x00055603},
                           {"lwu", 0x00056603},       {"sb", 0x00b50023},        {"sh", 0x00b51023},
                           {"sw", 0x00b52023},        {"sd", 0x00b53023},        {"ld 8", 0x00853603},
                           {"ld -8", 0xff853603},     {"sd 16", 0x00b53823},     {"c.ld", 0x0001610c},
                           {"c.sd", 0x0001e10c},      {"c.lw", 0x0001410c},      {"c.sw", 0x0001c10c},
                           {"c.lbu", 0x0001810c},     {"c.sh", 0x00018d0c},      {"flh", kFlh},
                           {"flw", 0x00052507},       {"fld", 0x00053507},       {"fsh", kFsh},
                           {"fsw", 0x00a52027},       {"fsd", 0x00a53027},       {"amoadd.b", 0x00b5062f},
                           {"amoadd.h", 0x00b5162f},  {"amoadd.w", 0x00b5262f},  {"amoadd.d", 0x00b5362f},
                           {"amoswap.d", 0x08b5362f}, {"amomaxu.w", 0xe0b5262f}, {"amocas.b", 0x28b5062f},
                           {"amocas.w", 0x28b5262f},  {"amocas.d", 0x28b5362f},  {"amocas.q", 0x28e5462f},
                           {"lr.w", 0x1005262f},      {"lr.d", 0x1005362f},      {"cbo.inval", 0x0005200f},
                           {"cbo.clean", 0x0015200f}, {"cbo.flush", 0x0025200f}, {"cbo.zero", 0x0045200f},
                           {"prefetch.r", 0x00156013}};
constexpr uint32_t kScW = 0x18b5272f;        // sc.w a4, a1, (a0)
constexpr uint32_t kFmvToA3 = 0xe20506d3;    // fmv.x.d a3, fa0
constexpr uint32_t kFmvFromA1 = 0xf2058553;  // fmv.d.x fa0, a1
constexpr uint32_t kEcall = 0x00000073;

bool manages_cache(const Insn& insn) { return (insn.bits & 0xffc07fff) == 0x0000200f && insn.bits >> 20 < 4; }

void put_code(uint32_t insn) {
    const uint32_t code[] = {kFmvFromA1, insn, insn == 0x1005262f ? kScW : insn, kFmvToA3, kEcall};
    for (unsigned i = 0; i < 5; ++i) {
        *reinterpret_cast<volatile uint32_t*>(kCode + 4 * i) = code[i];
    }
    asm volatile("fence.i" ::: "memory");
}

// All that access memory, twice in a row, at several offsets.
void run_all(const Viewpoint& viewpoint, unsigned length) {
    constexpr uint64_t kOffsets[] = {8, 12, 1, 4093 - 16};
    constexpr uint64_t kSome[] = {0, uint64_t{0x7f} << 57, uint64_t{0x1234} << 48, uint64_t{0xffff} << 48};
    constexpr uint64_t kBoth[] = {0, 5};
    for (const uint64_t levels : kBoth) {
        const Space space(levels);
        for (const Insn& insn : kInsns) {
            put_code(insn.bits);
            out_text(insn.name);
            for (const uint64_t tag : kSome) {
                for (const uint64_t offset : kOffsets) {
                    prepare();
                    const Probe p =
                        probe(reinterpret_cast<const char*>(kCode), viewpoint.mode, kFsInitial, space.satp(),
                              (place_of(viewpoint, space) + offset) | tag, 0x123456789abcdef, 0x5566, 0x99);
                    if (manages_cache(insn)) {
                        // QEMU has no such faults where nothing is translated, and tells of the block else.
                        const bool is_compared =
                            (levels != 0 && viewpoint.mode != machine) || tag << length == 0;
                        out_char(!is_compared ? '-' : p.cause >= 8 && p.cause <= 11 ? '.' : '!');
                        continue;
                    }
                    if ((insn.bits == kFlh || insn.bits == kFsh) && length != 0 && tag != 0) {
                        // QEMU does not mask these two. As LH and SH.
                        const Probe q = probe(insn.bits == kFlh ? f_lh : f_sh, viewpoint.mode, kFsInitial,
                                              space.satp(), (place_of(viewpoint, space) + offset) | tag);
                        out_rule("half", p.cause, q.cause);
                        out_rule("tval", p.tval, q.tval);
                        continue;
                    }
                    put_outcome(p);
                    for (unsigned n = 1; n < 5; ++n) {
                        out_char(' ');
                        out_short(p.a[n]);
                    }
                }
            }
            out_char('\n');
        }
    }
}

void instructions() {
    constexpr uint64_t kMasks[] = {0, 2, 3};
    for (const uint64_t pmm : kMasks) {
        set_both(pmm);
        for (const Viewpoint& viewpoint : kViewpoints) {
            if (viewpoint.status == 0 && viewpoint.mode != machine) {
                run_all(viewpoint, length_of(pmm));
            }
        }
    }
    set_both(0);
}

// Instructions are fetched from where the pc says.
void fetch_all() {
    for (const uint64_t levels : kLevels) {
        const Space space(levels);
        for (const Viewpoint& viewpoint : kViewpoints) {
            const uint64_t code = reinterpret_cast<uint64_t>(f_ecall) +
                                  (viewpoint.mode == user && levels != 0 ? kCodeAlias : 0);
            for (const uint64_t tag : kTags) {
                const Probe p = probe(f_jump, viewpoint.mode, viewpoint.status, space.satp(), code | tag);
                out_line(viewpoint.name, p.cause);
                out_line("tval", p.cause >= 8 && p.cause <= 11 ? 0 : p.tval ^ code);
            }
        }
    }
}

void fetches() {
    for (uint64_t pmm = 2; pmm < 4; ++pmm) {
        set_both(pmm);
        fetch_all();
    }
    set_both(0);
}

// M mode's own mask. The last one: QEMU clears no bit of it.
void machine_mode() {
    for (uint64_t pmm = 2; pmm < 4; ++pmm) {
        set_field(of_machine, pmm);
        for (unsigned field = 0; field < fields; ++field) {
            out_line("field", field_value(field));
        }
        look();
        look_as_others();
        run_all(kViewpoints[0], length_of(pmm));
        fetch_all();
    }
    set_field(of_machine, 1);
    out_line("reserved", field_value(of_machine) != 1);
    constexpr uint64_t kValues[] = {0, 2, 3, 2, 0};
    for (const uint64_t value : kValues) {
        set_field(of_machine, value);
        out_rule("field", field_value(of_machine), value);
    }
}

// Each part of a misaligned access is masked by itself: behind the last address of the lower half comes the first one of the upper
// half. So the specification; without masks that is a page fault, and with QEMU always.
void middle() {
    constexpr uint64_t kSpaces[] = {5, 4};
    for (unsigned i = 0; i < 2; ++i) {
        Space space(kSpaces[i]);
        space.map_middle();
        const uint64_t end = uint64_t{1} << (12 + 9 * kSpaces[i] - 1);
        const uint64_t beyond = ~uint64_t{0} << (12 + 9 * kSpaces[i] - 1);
        constexpr uint64_t kMiddleTags[] = {uint64_t{0}, uint64_t{0x81} << 56 << 1};
        for (const uint64_t tag : kMiddleTags) {
            word(kPlace + 4088) = 0x1111111122222222;
            word(kHigh) = 0x3333333344444444;
            set_both(2 + i);
            Probe p = probe(f_ld, supervisor, 0, space.satp(), (end - 4) | tag);
            out_rule("load over the middle", p.cause, 9);
            out_rule("loaded", p.a[0], 0x4444444411111111);
            p = probe(f_sd, supervisor, 0, space.satp(), (end - 2) | tag, 0xaaaaaaaabbbbcccc);
            out_rule("store over the middle", p.cause, 9);
            out_rule("below", word(kPlace + 4088), 0xcccc111122222222);
            out_rule("above", word(kHigh), 0x3333aaaaaaaabbbb);
            // Not where nothing is masked: what the accesses above found is forgotten.
            set_both(0);
            p = probe(f_ld, supervisor, 0, space.satp(), end - 4);
            out_line("without", p.cause);
            out_line("tval", p.tval);
            // The other page is missing: the part's own address.
            set_both(2 + i);
            space = Space(kSpaces[i]);
            space.map_middle();
            uint64_t upper = kTables;
            for (uint64_t level = kSpaces[i]; level > 1; --level) {
                upper = word(upper + (level == kSpaces[i] ? 256 * 8 : 0)) >> 10 << 12;
            }
            word(upper) = 0;
            p = probe(f_ld, supervisor, 0, space.satp(), (end - 4) | tag);
            out_rule("upper page missing", p.cause, 13);
            out_rule("tval", p.tval, beyond);
            set_both(0);
            space.map_middle();
        }
    }
}

}  // namespace

void system_main() {
    keeps();
    viewpoints();
    other_modes();
    instructions();
    fetches();
    middle();
    machine_mode();
}
