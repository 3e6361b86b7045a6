// Sv39, Sv48 and Sv57: every combination of PTE flags, every kind of access, levels, reserved bits, places of tables, accesses
// that cross pages, ASIDs.
#include "probe.h"

namespace {

using namespace guest;

struct Access {
    const char* name;
    const char* fragment;
};
constexpr Access kAccesses[] = {{"load", f_ld},   {"store", f_sd}, {"fetch", f_jump},
                                {"amo", f_amo_d}, {"lr", f_lr_w},  {"sc", f_lr_sc}};

struct Viewpoint {
    const char* name;
    Mode mode;
    uint64_t status;
};
constexpr Viewpoint kViewpoints[] = {{"S", supervisor, 0},        {"S+SUM", supervisor, kSum},
                                     {"S+MXR", supervisor, kMxr}, {"U", user, 0},
                                     {"U+MXR", user, kMxr},       {"S+SUM+MXR", supervisor, kSum | kMxr}};

// A tree of tables with one page under test, whose indices are 1 in all of them. The image is mapped for S and U mode,
// in Sv39 by entries 2 and 3 of the root, else by those of a table that is reached from the root by entries 0.
class Space {
  public:
    explicit Space(uint64_t levels) : levels_(levels) {
        clear_pages(kTables, 9);
        uint64_t gigabytes = table(0);
        for (uint64_t level = levels_; level > 3; --level) {
            const uint64_t below = kTables + (level + 3) * 4096;
            word(gigabytes) = leaf(below, kPteV);
            gigabytes = below;
        }
        word(gigabytes + 2 * 8) = leaf(kGigapage, kPteAll);
        word(gigabytes + 3 * 8) = leaf(kGigapage, kPteAll | kPteU);
    }

    uint64_t satp() const { return satp_of(kSv39 + levels_ - 3, table(0)); }

    // The entry of `level` (0: that of a 4 KiB page) that leads to the page; those above lead to its table.
    uint64_t& entry(uint64_t level) const {
        for (uint64_t above = levels_ - 1; above > level; --above) {
            word(table(levels_ - 1 - above) + 8) = leaf(table(levels_ - above), kPteV);
        }
        return word(table(levels_ - 1 - level) + 8);
    }

    // The page's virtual address.
    uint64_t page() const {
        uint64_t address = 0;
        for (uint64_t level = 0; level < levels_; ++level) {
            address |= uint64_t{1} << (12 + 9 * level);
        }
        return address;
    }

    // Where kData is, when the entry of `level` is a leaf to what contains it.
    uint64_t address_of_data(uint64_t level) const {
        const uint64_t offset_mask = (uint64_t{1} << (12 + 9 * level)) - 1;
        return (page() & ~offset_mask) | (kData & offset_mask);
    }

  private:
    static uint64_t table(uint64_t depth) { return kTables + depth * 4096; }
    uint64_t levels_;
};

// Physical memory behind a leaf of `level` that contains kData: its base.
uint64_t base_of(uint64_t level) { return kData & ~((uint64_t{1} << (12 + 9 * level)) - 1); }

// Cause, whether tval is the address, and A and D after an access that succeeded: one that failed may set A (4.3.1 lets
// hardware do so in advance).
void put_outcome(const Probe& p, uint64_t address, uint64_t pte) {
    const bool fault = p.cause != 8 && p.cause != 9;
    out_char(' ');
    out_short(p.cause);
    out_char(!fault ? '.' : p.tval == address ? '=' : '!');
    out_short(fault ? 0 : pte >> 6 & 3);
}

void sweep_flags(const Space& space, uint64_t level, const char* name) {
    const uint64_t address = space.address_of_data(level);
    for (uint64_t flags = 0; flags < 256; ++flags) {
        out_text(name);
        out_char(' ');
        out_short(flags);
        for (const Viewpoint& viewpoint : kViewpoints) {
            for (const Access& access : kAccesses) {
                uint64_t& pte = space.entry(level);
                pte = leaf(base_of(level), flags);
                const Probe p = probe(access.fragment, viewpoint.mode, viewpoint.status, space.satp(),
                                      address, 0x73, address);
                put_outcome(p, address, pte);
            }
        }
        out_char('\n');
    }
}

void probe_all(const char* name, const Space& space, uint64_t address) {
    out_text(name);
    for (const Viewpoint& viewpoint : kViewpoints) {
        for (const Access& access : kAccesses) {
            const Probe p = probe(access.fragment, viewpoint.mode, viewpoint.status, space.satp(), address,
                                  0x73, address);
            put_outcome(p, address, 0);
        }
    }
    out_char('\n');
}

void reserved_bits(const Space& space, uint64_t levels) {
    for (unsigned bit = 8; bit < 64; ++bit) {
        if (bit >= 10 && bit < 54) {
            continue;  // the physical page
        }
        for (uint64_t level = 0; level < levels; ++level) {
            out_line("reserved bit in leaf: bit, level", bit << 4 | level);
            space.entry(level) = leaf(base_of(level), kPteAll) | uint64_t{1} << bit;
            probe_all("reserved", space, space.address_of_data(level));
        }
        space.entry(0) = leaf(kData, kPteAll);
        space.entry(1);
        out_line("reserved bit in pointer: bit", bit);
        space.entry(1) |= uint64_t{1} << bit;
        probe_all("reserved", space, space.page());
        space.entry(0) = leaf(kData, kPteAll);
    }
    for (unsigned bit = 4; bit < 8; ++bit) {
        space.entry(0) = leaf(kData, kPteAll);
        space.entry(1) |= uint64_t{1} << bit;  // U, G, A, D
        out_line("flag in pointer: bit", bit);
        probe_all("pointer", space, space.page());
    }
}

void misaligned_superpages(const Space& space, uint64_t levels) {
    for (uint64_t level = 1; level < levels; ++level) {
        for (uint64_t bit = 12; bit < 12 + 9 * level; bit += 4) {
            space.entry(level) = leaf(base_of(level) | uint64_t{1} << bit, kPteAll);
            out_line("misaligned superpage: level, bit", level << 8 | bit);
            probe_all("misaligned", space, space.page());
        }
    }
}

void outside_of_ram(const Space& space) {
    space.entry(0) = leaf(kBeyondRam, kPteAll);
    probe_all("page beyond RAM", space, space.page());
    space.entry(0) = leaf(kData, kPteAll);
    space.entry(1) = leaf(kBeyondRam, kPteV);
    probe_all("table beyond RAM", space, space.page());
    space.entry(1) = leaf(uint64_t{1} << 55, kPteV);
    probe_all("table far beyond RAM", space, space.page());
    space.entry(0) = 0;
    probe_all("pointer at the last level", space, space.page());
    space.entry(0) = leaf(kTables, kPteV);
    probe_all("pointer at the last level, valid", space, space.page());
}

void non_canonical(const Space& space, unsigned bits) {
    space.entry(0) = leaf(kData, kPteAll);
    for (unsigned bit = bits - 1; bit < 64; ++bit) {
        out_line("wrong upper bit", bit);
        probe_all("address", space, space.page() ^ uint64_t{1} << bit);
    }
    // Sign extension done right: the upper half, in which nothing is mapped.
    probe_all("upper half", space, -uint64_t{4096});
}

// Accesses across the end of the page under test; what follows has other rights.
void crossing(const Space& space) {
    constexpr uint64_t kSecond[] = {0, kPteV | kPteR | kPteA, kPteAll & ~(kPteA | kPteD), kPteAll | kPteU,
                                    kPteAll};
    constexpr Access kCrossing[] = {{"lh", f_lh},   {"lw", f_lw},   {"ld", f_ld},
                                    {"sh", f_sh},   {"sw", f_sw},   {"sd", f_sd},
                                    {"fld", f_fld}, {"fsd", f_fsd}, {"jump", f_jump}};
    for (const uint64_t first : kSecond) {
        for (const uint64_t second : kSecond) {
            for (const Access& access : kCrossing) {
                for (uint64_t offset = 4088; offset < 4104; ++offset) {
                    if (access.fragment == f_jump && (offset & 1) != 0) {
                        continue;
                    }
                    fill_with_ecalls(kData, 8192);
                    word(kData + 4088) = 0x0001000100010001;  // c.nop, and an ECALL across the boundary
                    *reinterpret_cast<uint16_t*>(kData + 4094) = 0x0073;
                    *reinterpret_cast<uint16_t*>(kData + 4096) = 0x0000;
                    uint64_t* pte = &space.entry(0);
                    pte[0] = leaf(kData, first);
                    pte[1] = leaf(kData + 4096, second);
                    const Probe p = probe(access.fragment, supervisor, 0, space.satp(), space.page() + offset,
                                          0x0073007300730073);
                    out_text(access.name);
                    const uint64_t values[] = {offset,
                                               first,
                                               second,
                                               p.cause,
                                               p.tval - space.page(),
                                               p.epc - space.page() > 8192 ? 0 : p.epc - space.page(),
                                               p.a[0] - space.page(),
                                               p.cause == 9 ? pte[0] >> 6 & 3 : 0,
                                               p.cause == 9 ? pte[1] >> 6 & 3 : 0,
                                               hash(kHashStart, &word(kData + 4080), 4)};
                    for (const uint64_t value : values) {
                        out_char(' ');
                        out_short(value);
                    }
                    out_char('\n');
                }
            }
        }
    }
    space.entry(0) = 0;
    (&space.entry(0))[1] = 0;
    fill_with_ecalls(kData, 8192);
}

// Different code at one address of two address spaces, called without a fence from code that both map alike.
void code_in_address_spaces(const Space& space, uint64_t other_root) {
    const uint64_t saved[] = {word(kTables + 16), word(other_root + 16)};
    constexpr uint64_t kLiT0Ret = 0x00008067'00000293;  // li t0, n << 20; ret
    word(kData) = kLiT0Ret | 1u << 20;
    word(kData + 4096) = kLiT0Ret | 2u << 20;
    asm volatile("fence.i" ::: "memory");
    const uint64_t first = satp_of(kSv39, kTables, 1);
    const uint64_t second = satp_of(kSv39, other_root, 2);
    constexpr uint64_t kFlags[] = {kPteG, 0};
    for (const uint64_t global : kFlags) {
        word(kTables + 16) = leaf(kGigapage, kPteAll | global);
        word(other_root + 16) = leaf(kGigapage, kPteAll | global);
        for (unsigned i = 0; i < 4; ++i) {
            out_state("own code", probe(f_two_spaces, supervisor, 0, first, space.page(), first, second));
            out_state("common code", probe(f_two_spaces, supervisor, 0, second, kData, first, second));
            // As a physical address.
            out_state("bare", probe(f_two_spaces, supervisor, 0, first, kData, first, 0));
        }
    }
    word(kTables + 16) = saved[0];
    word(other_root + 16) = saved[1];
}

// The same address in two address spaces, and a mapping that changes.
void address_spaces() {
    const Space space(3);
    space.entry(0) = leaf(kData, kPteAll);
    const uint64_t other_root = kTables + 16 * 4096;
    clear_pages(other_root, 3);
    word(other_root + 8) = leaf(other_root + 4096, kPteV);
    word(other_root + 16) = leaf(kGigapage, kPteAll);
    word(other_root + 4096 + 8) = leaf(other_root + 8192, kPteV);
    word(other_root + 8192 + 8) = leaf(kData + 4096, kPteAll);
    word(kData) = 0x1111;
    word(kData + 4096) = 0x2222;
    for (unsigned i = 0; i < 4; ++i) {
        out_probe("asid 1", probe(f_ld, supervisor, 0, satp_of(kSv39, kTables, 1), space.page()));
        out_probe("asid 2", probe(f_ld, supervisor, 0, satp_of(kSv39, other_root, 2), space.page()));
        out_probe("store",
                  probe(f_sd, supervisor, 0, satp_of(kSv39, i % 2 == 0 ? kTables : other_root, 1 + i % 2),
                        space.page(), 0x3333 + i));
    }
    code_in_address_spaces(space, other_root);
    space.entry(0) = leaf(kData + 4096, kPteAll);
    out_probe("mapped anew", probe(f_ld, supervisor, 0, space.satp(), space.page()));
    space.entry(0) = leaf(kData, kPteAll & ~kPteW);
    out_probe("write-protected", probe(f_sd, supervisor, 0, space.satp(), space.page(), 1));
    space.entry(0) = 0;
    out_probe("unmapped", probe(f_ld, supervisor, 0, space.satp(), space.page()));
}

// Sv57: pages whose addresses differ in bits above 48 alone hold other data and other code.
void far_apart() {
    const Space space(5);
    space.entry(0) = leaf(kData, kPteAll);
    const uint64_t far = kTables + 16 * 4096;  // tables of the other page, the same way down
    clear_pages(far, 4);
    for (uint64_t depth = 0; depth < 3; ++depth) {
        word(far + depth * 4096 + 8) = leaf(far + (depth + 1) * 4096, kPteV);
    }
    word(far + 3 * 4096 + 8) = leaf(kData + 4096, kPteAll);
    constexpr uint64_t kLiA0Ret = 0x00008067'00000513;  // li a0, n << 20; ret
    for (unsigned bit = 49; bit <= 56; ++bit) {
        const uint64_t upper = bit == 56 ? 0xff : 1;  // sign extension
        const uint64_t other = space.page() ^ upper << bit;
        const uint64_t index = other >> 48 & 511;
        word(kTables + index * 8) = leaf(far, kPteV);
        word(kData) = kLiA0Ret | 1u << 20;
        word(kData + 4096) = kLiA0Ret | 2u << 20;
        asm volatile("fence.i" ::: "memory");
        for (unsigned i = 0; i < 3; ++i) {
            const uint64_t pages[] = {space.page(), other};
            for (const uint64_t page : pages) {
                out_probe("far: code", probe(f_call_through, supervisor, 0, space.satp(), page));
                out_probe("load", probe(f_ld, supervisor, 0, space.satp(), page));
                out_probe("store", probe(f_sd, supervisor, 0, space.satp(), page + 64, page + i));
                out_probe("load", probe(f_ld, supervisor, 0, space.satp(), page + 64));
            }
        }
        word(kTables + index * 8) = 0;
    }
    fill_with_ecalls(kData, 8192);
}

// M mode's loads and stores with the rights and the addresses of another mode.
void modify_privilege(const Space& space) {
    constexpr uint64_t kFlags[] = {kPteAll, kPteAll | kPteU, kPteV | kPteX | kPteA,
                                   kPteV | kPteX | kPteA | kPteU, 0};
    constexpr uint64_t kStatus[] = {0, kSum, kMxr, kSum | kMxr};
    for (const uint64_t flags : kFlags) {
        for (uint64_t mode = 0; mode < 4; ++mode) {
            if (mode == 2) {
                continue;
            }
            for (const uint64_t status : kStatus) {
                space.entry(0) = leaf(kData, flags);
                word(kData) = 0x1234;
                const uint64_t with = kMprv | status | mode << kMppShift | kFsInitial;
                out_line("mprv: flags, mode, status", flags << 32 | mode << 28 | status);
                // Where MPRV changes nothing, the address is a physical one.
                const uint64_t address = mode == machine ? kData : space.page();
                out_probe("load", probe(f_mprv_load, machine, 0, space.satp(), address, with, kFsInitial));
                out_probe("store", probe(f_mprv_store, machine, 0, space.satp(), address, with, kFsInitial));
            }
        }
    }
}

}  // namespace

void system_main() {
    fill_with_ecalls(kData, 8192);
    for (uint64_t levels = 3; levels <= 5; ++levels) {
        const Space space(levels);
        constexpr const char* kLeaves[] = {"4K", "2M", "1G", "512G", "256T"};
        for (uint64_t level = 0; level < levels; ++level) {
            out_line("levels", levels);
            sweep_flags(space, level, kLeaves[level]);
        }
        reserved_bits(space, levels);
        misaligned_superpages(space, levels);
        outside_of_ram(space);
        non_canonical(space, 12 + 9 * levels);
        crossing(space);
        modify_privilege(space);
    }
    address_spaces();
    far_apart();
}
