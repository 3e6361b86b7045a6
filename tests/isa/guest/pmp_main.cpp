// Physical memory protection: all address-matching modes and rights, sizes and edges, priorities, page tables behind it,
// MPRV, and last the locks.
#include "probe.h"

namespace {

using namespace guest;

constexpr uint64_t kTor = 1 << 3;
constexpr uint64_t kNa4 = 2 << 3;
constexpr uint64_t kNapot = 3 << 3;
constexpr uint64_t kLock = 1 << 7;
constexpr uint64_t kRwx = 7;

struct Access {
    const char* name;
    const char* fragment;
    uint64_t size;
};
constexpr Access kDataAccesses[] = {{"lb", f_lb, 1}, {"lh", f_lh, 2}, {"lw", f_lw, 4}, {"ld", f_ld, 8},
                                    {"sb", f_sb, 1}, {"sh", f_sh, 2}, {"sw", f_sw, 4}, {"sd", f_sd, 8}};

constexpr uint64_t napot(uint64_t base, uint64_t size) { return base >> 2 | (size / 8 - 1); }

// Entries 0 to 3; entry 15 lets S and U mode at everything else.
void protect(const uint64_t (&config)[4], const uint64_t (&address)[4]) {
    GUEST_CSR_WRITE(pmpcfg0, 0);
    GUEST_CSR_WRITE(pmpaddr0, address[0]);
    GUEST_CSR_WRITE(pmpaddr1, address[1]);
    GUEST_CSR_WRITE(pmpaddr2, address[2]);
    GUEST_CSR_WRITE(pmpaddr3, address[3]);
    GUEST_CSR_WRITE(pmpaddr15, ~uint64_t{0});
    GUEST_CSR_WRITE(pmpcfg2, (kNapot | kRwx) << 56);
    GUEST_CSR_WRITE(pmpcfg0, config[0] | config[1] << 8 | config[2] << 16 | config[3] << 24);
    out_line("pmpcfg0", GUEST_CSR_READ(pmpcfg0));
    out_line("pmpaddr0", GUEST_CSR_READ(pmpaddr0));
    out_line("pmpaddr1", GUEST_CSR_READ(pmpaddr1));
}

void probe_data(uint64_t address, uint64_t begin, uint64_t end) {
    for (const Access& access : kDataAccesses) {
        // The peer looks at the first and the last byte: it does not see an entry that lies between them.
        if (address < begin && address + access.size > end) {
            continue;
        }
        // 3.7.1 lets an implementation take a misaligned access apart; weft does at the ends of pages, the peer does not.
        if ((address & 4095) + access.size > 4096) {
            continue;
        }
        for (uint64_t mode = 0; mode < 4; ++mode) {
            if (mode == 2) {
                continue;
            }
            word(kData) = 0x8877665544332211;
            const Probe p = probe(access.fragment, static_cast<Mode>(mode), 0, 0, address, 0x99);
            out_text(access.name);
            out_char(' ');
            out_short(mode);
            out_probe("", p);
        }
    }
}

void edges(const char* name, uint64_t begin, uint64_t end) {
    out_text(name);
    out_char('\n');
    for (uint64_t offset = 0; offset < 16; offset += 1) {
        probe_data(begin - 8 + offset, begin, end);
        probe_data(end - 8 + offset, begin, end);
    }
}

void modes_and_rights() {
    for (uint64_t rights = 0; rights < 8; ++rights) {
        if (rights == 2 || rights == 6) {
            continue;  // W without R is reserved
        }
        out_line("rights", rights);
        protect({kNapot | rights, 0, 0, 0}, {napot(kData + 4096, 4096), 0, 0, 0});
        edges("page", kData + 4096, kData + 8192);
        for (uint64_t mode = 0; mode < 2; ++mode) {
            out_probe("jump", probe(f_jump, static_cast<Mode>(mode), 0, 0, kData + 4096));
            out_probe("jump", probe(f_jump, static_cast<Mode>(mode), 0, 0, kData + 8192 - 4));
            out_probe("amo", probe(f_amo_d, static_cast<Mode>(mode), 0, 0, kData + 4096, 1));
            out_probe("lr", probe(f_lr_w, static_cast<Mode>(mode), 0, 0, kData + 4096, 1));
        }
        protect({kNa4 | rights, 0, 0, 0}, {(kData + 16) >> 2, 0, 0, 0});
        edges("4 bytes", kData + 16, kData + 20);
        protect({kNapot | rights, 0, 0, 0}, {napot(kData + 32, 8), 0, 0, 0});
        edges("8 bytes", kData + 32, kData + 40);
        protect({0, kTor | rights, 0, 0}, {(kData + 64) >> 2, (kData + 100) >> 2, 0, 0});
        edges("range", kData + 64, kData + 100);
        protect({0, kTor | rights, 0, 0}, {(kData + 100) >> 2, (kData + 64) >> 2, 0, 0});
        edges("empty range", kData + 64, kData + 100);
        protect({kTor | rights, 0, 0, 0}, {kData >> 2, 0, 0, 0});
        out_probe("from zero", probe(f_ecall, machine, 0, 0));
    }
}

void priorities() {
    protect({kNa4, kNapot | 1, kNapot | 3, kNapot},
            {(kData + 64) >> 2, napot(kData + 64, 16), napot(kData, 4096), napot(kData, 8192)});
    edges("nested", kData + 64, kData + 80);
    edges("nested page", kData + 4096, kData + 8192);
}

// "c.addi a0, 1; addi a0, a0, 100; c.nop" at `address`, and an ECALL at the next word but one: instructions of which a word
// has the first half and the next one the second.
void put_split_code(uint64_t address) {
    constexpr uint16_t kCode[] = {0x0505, 0x0513, 0x0645, 0x0001};
    for (uint64_t i = 0; i < 4; ++i) {
        reinterpret_cast<volatile uint16_t*>(address)[i] = kCode[i];
    }
    asm volatile("fence.i" ::: "memory");
}

// Often enough that code which may be kept is.
void fetch_split(const char* name, uint64_t address) {
    for (uint64_t mode = 0; mode < 2; ++mode) {
        for (unsigned i = 0; i < 4; ++i) {
            out_probe(name, probe(f_jump, static_cast<Mode>(mode), 0, 0, address));
        }
    }
}

// Every byte of an instruction has to be executable.
void fetches() {
    constexpr uint64_t kInPage = kData + 64;
    constexpr uint64_t kAcross = kData + 4096 - 4;
    put_split_code(kInPage);
    put_split_code(kAcross);
    for (uint64_t rights = 0; rights < 8; ++rights) {
        if (rights == 2 || rights == 6) {
            continue;  // W without R is reserved
        }
        out_line("fetches: rights", rights);
        protect({kNa4 | rights, 0, 0, 0}, {(kInPage + 4) >> 2, 0, 0, 0});
        fetch_split("second half", kInPage);
        protect({kNa4 | rights, 0, 0, 0}, {kInPage >> 2, 0, 0, 0});
        fetch_split("first half", kInPage);
        fetch_split("first half, jumped to", kInPage + 2);
        protect({kNa4 | kRwx, kNapot | rights, 0, 0}, {kInPage >> 2, napot(kData, 4096), 0, 0});
        fetch_split("rest of the page", kInPage);
        protect({kNa4 | rights, 0, 0, 0}, {(kData + 4096) >> 2, 0, 0, 0});
        fetch_split("first word of the next page", kAcross);
        protect({kNapot | rights, 0, 0, 0}, {napot(kData + 4096, 4096), 0, 0, 0});
        fetch_split("next page", kAcross);
        protect({kNa4 | rights, 0, 0, 0}, {kAcross >> 2, 0, 0, 0});
        fetch_split("last word of the page", kAcross);
    }
    GUEST_CSR_WRITE(pmpcfg0, 0);
    fill_with_ecalls(kData, 2 * 4096);
}

// An access that crosses a page's end is two, in weft: nothing is stored unless both may be made, and tval is the one that
// may not. (3.7.1 leaves open what is seen of the other.)
void crossing() {
    constexpr uint64_t kEnd = kData + 4096;
    constexpr uint64_t kPattern = 0x1122334455667788;
    for (uint64_t first = 1; first < 8; ++first) {
        const uint64_t address = kEnd - first;
        for (uint64_t word_at = kEnd - 8; word_at < kEnd + 8; word_at += 4) {
            if (word_at + 4 <= address || word_at >= address + 8) {
                continue;
            }
            word(kEnd - 8) = word(kEnd) = kPattern;
            protect({kNa4, 0, 0, 0}, {word_at >> 2, 0, 0, 0});
            const uint64_t tval = word_at < kEnd ? address : kEnd;
            const Probe load = probe(f_ld, supervisor, 0, 0, address);
            out_rule("crossing load", load.cause, 5);
            out_rule("tval", load.tval, tval);
            const Probe store = probe(f_sd, supervisor, 0, 0, address, ~kPattern);
            out_rule("crossing store", store.cause, 7);
            out_rule("tval", store.tval, tval);
            GUEST_CSR_WRITE(pmpcfg0, 0);
            out_rule("before the end", word(kEnd - 8), kPattern);
            out_rule("behind it", word(kEnd), kPattern);
        }
    }
    fill_with_ecalls(kData, 2 * 4096);
}

// What the page walk reads and writes is protected as well, with S mode's rights.
void page_tables() {
    clear_pages(kTables, 3);
    word(kTables + 8) = leaf(kTables + 4096, kPteV);
    word(kTables + 16) = leaf(kGigapage, kPteAll);
    word(kTables + 4096) = leaf(kTables + 8192, kPteV);
    constexpr uint64_t kPage = 0x40000000;
    const uint64_t satp = satp_of(kSv39, kTables);
    constexpr uint64_t kRights[] = {0, 1, 3, 4, 5, 7};
    for (const uint64_t rights : kRights) {
        for (uint64_t depth = 1; depth < 3; ++depth) {
            out_line("table: rights, depth", rights << 4 | depth);
            protect({kNapot | rights, 0, 0, 0}, {napot(kTables + depth * 4096, 4096), 0, 0, 0});
            for (uint64_t flags = 0; flags < 4; ++flags) {
                constexpr Access kAll[] = {
                    {"load", f_ld, 8}, {"store", f_sd, 8}, {"fetch", f_jump, 4}, {"amo", f_amo_d, 8}};
                for (const Access& access : kAll) {
                    word(kTables + 8192) = leaf(kData, (kPteAll & ~(kPteA | kPteD)) | flags * kPteA);
                    out_probe(access.name, probe(access.fragment, supervisor, 0, satp, kPage, 0x73));
                }
            }
        }
        out_line("page behind a table: rights", rights);
        protect({kNapot | rights, 0, 0, 0}, {napot(kData, 4096), 0, 0, 0});
        word(kTables + 8192) = leaf(kData, kPteAll);
        out_probe("load", probe(f_ld, supervisor, 0, satp, kPage));
        out_probe("store", probe(f_sd, supervisor, 0, satp, kPage, 0x73));
        out_probe("fetch", probe(f_jump, supervisor, 0, satp, kPage));
        for (uint64_t mode = 0; mode < 2; ++mode) {
            const uint64_t status = kMprv | mode << kMppShift | kFsInitial;
            out_probe("mprv load", probe(f_mprv_load, machine, 0, 0, kData, status, kFsInitial));
            out_probe("mprv store", probe(f_mprv_store, machine, 0, 0, kData, status, kFsInitial));
        }
        word(kData) = 0x73;
    }
}

// M mode, and entries that stay until the hart is reset: entries 4 to 7.
void locks() {
    protect({0, 0, 0, 0}, {0, 0, 0, 0});
    GUEST_CSR_WRITE(pmpaddr6, (kData + 64) >> 2);
    GUEST_CSR_WRITE(pmpaddr7, (kData + 96) >> 2);
    GUEST_CSR_SET(pmpcfg0, (kLock | kTor | 1) << 56);
    edges("locked range", kData + 64, kData + 96);
    GUEST_CSR_WRITE(pmpaddr7, 0);
    GUEST_CSR_WRITE(pmpaddr6, 0);  // the lower end of a locked range is locked as well
    GUEST_CSR_WRITE(pmpcfg0, 0);
    out_line("pmpcfg0", GUEST_CSR_READ(pmpcfg0));
    out_line("pmpaddr6", GUEST_CSR_READ(pmpaddr6));
    out_line("pmpaddr7", GUEST_CSR_READ(pmpaddr7));
    GUEST_CSR_WRITE(pmpaddr4, napot(kData + 4096, 4096));
    GUEST_CSR_SET(pmpcfg0, (kLock | kNapot) << 32);
    edges("locked page", kData + 4096, kData + 8192);
    out_probe("jump", probe(f_jump, machine, 0, 0, kData + 4096));
    GUEST_CSR_WRITE(pmpaddr4, 0);
    out_line("pmpaddr4", GUEST_CSR_READ(pmpaddr4));
    GUEST_CSR_CLEAR(pmpcfg0, 0xff00000000);
    out_line("pmpcfg0", GUEST_CSR_READ(pmpcfg0));
    GUEST_CSR_WRITE(pmpaddr5, 0x1234);
    out_line("pmpaddr5", GUEST_CSR_READ(pmpaddr5));
    put_split_code(kData + 128);
    GUEST_CSR_WRITE(pmpaddr3, (kData + 132) >> 2);
    GUEST_CSR_SET(pmpcfg0, (kLock | kNa4 | 1) << 24);
    for (unsigned i = 0; i < 4; ++i) {
        out_probe("locked second half", probe(f_jump, machine, 0, 0, kData + 128));
    }
}

}  // namespace

void system_main() {
    fill_with_ecalls(kData, 3 * 4096);
    modes_and_rights();
    priorities();
    page_tables();
    fill_with_ecalls(kData, 3 * 4096);
    fetches();
    crossing();
    locks();
}
