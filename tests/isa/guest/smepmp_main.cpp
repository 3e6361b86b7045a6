// Smepmp: random entries with mseccfg's bits in the order in which they can be set, each of which stays until the hart is reset:
// RLB, then MML, then MMWP; and last what is locked once RLB is gone.
#include "probe.h"

extern "C" const char text_end[];

namespace {

using namespace guest;

constexpr uint64_t kMml = 1;
constexpr uint64_t kMmwp = 2;
constexpr uint64_t kRlb = 4;
constexpr uint64_t kBits = kMml | kMmwp | kRlb;

constexpr uint64_t kR = 1, kW = 2, kX = 4;
constexpr uint64_t kTor = 1 << 3, kNa4 = 2 << 3, kNapot = 3 << 3;
constexpr uint64_t kModes = 3 << 3;
constexpr uint64_t kLock = 1 << 7;
constexpr unsigned kEntries = 8;  // that are tested; those above are the program's own

constexpr uint64_t napot(uint64_t base, uint64_t size) { return base >> 2 | (size / 8 - 1); }

struct Entry {
    uint64_t config;
    uint64_t address;
};

void write_entries(const Entry (&entries)[kEntries]) {
    uint64_t config = 0;
    for (unsigned i = 0; i < kEntries; ++i) {
        config |= entries[i].config << 8 * i;
    }
    GUEST_CSR_WRITE(pmpcfg0, 0);  // an old range with a new address could be the program
    GUEST_CSR_WRITE(pmpaddr0, entries[0].address);
    GUEST_CSR_WRITE(pmpaddr1, entries[1].address);
    GUEST_CSR_WRITE(pmpaddr2, entries[2].address);
    GUEST_CSR_WRITE(pmpaddr3, entries[3].address);
    GUEST_CSR_WRITE(pmpaddr4, entries[4].address);
    GUEST_CSR_WRITE(pmpaddr5, entries[5].address);
    GUEST_CSR_WRITE(pmpaddr6, entries[6].address);
    GUEST_CSR_WRITE(pmpaddr7, entries[7].address);
    GUEST_CSR_WRITE(pmpcfg0, config);
}

uint64_t addresses_hash() {
    uint64_t h = kHashStart;
    h = hash(h, GUEST_CSR_READ(pmpaddr0));
    h = hash(h, GUEST_CSR_READ(pmpaddr1));
    h = hash(h, GUEST_CSR_READ(pmpaddr2));
    h = hash(h, GUEST_CSR_READ(pmpaddr3));
    h = hash(h, GUEST_CSR_READ(pmpaddr4));
    h = hash(h, GUEST_CSR_READ(pmpaddr5));
    h = hash(h, GUEST_CSR_READ(pmpaddr6));
    return hash(h, GUEST_CSR_READ(pmpaddr7));
}

// The program's own entries: its code, which may not be writable where M mode is to run it; its data; the devices. `code` are the
// code's rights.
void write_own_entries(uint64_t code) {
    GUEST_CSR_WRITE(pmpaddr8, kGigapage >> 2);
    GUEST_CSR_WRITE(pmpaddr9, reinterpret_cast<uint64_t>(text_end) >> 2);
    GUEST_CSR_WRITE(pmpaddr10, napot(kGigapage, 0x200000));
    GUEST_CSR_WRITE(pmpaddr11, napot(0, 0x20000000));
    const uint64_t data = kLock | kNapot | kR | kW;
    GUEST_CSR_WRITE(pmpcfg2, (kLock | kTor | code) << 8 | data << 16 | data << 24);
}

uint64_t set_security(uint64_t bits) {
    GUEST_CSR_WRITE(0x747, bits);
    return GUEST_CSR_READ(0x747) & kBits;
}

struct Access {
    const char* name;
    const char* fragment;
    uint64_t operand;
};
constexpr uint64_t kTwoEcalls = 0x0000007300000073;
constexpr Access kAccesses[] = {{"lb", f_lb, 0},          {"lw", f_lw, 0},          {"ld", f_ld, 0},
                                {"sh", f_sh, kTwoEcalls}, {"sw", f_sw, kTwoEcalls}, {"sd", f_sd, kTwoEcalls},
                                {"amo", f_amo_w, 0},      {"jump", f_jump, 0}};
constexpr Mode kMachines[] = {user, supervisor, machine};

void access(const Access& what, Mode mode, uint64_t address) {
    out_text(what.name);
    out_char(' ');
    out_short(mode);
    out_probe("", probe(what.fragment, mode, 0, 0, address, what.operand));
}

// M mode's loads and stores as if in another mode.
void access_as(Mode mode, uint64_t address) {
    const uint64_t with = kMprv | uint64_t{mode} << kMppShift | kFsInitial;
    out_probe("mprv load", probe(f_mprv_load, machine, 0, 0, address, with, kFsInitial));
}

// W without R is reserved while MML is not set: the peer has it, weft has neither then.
uint64_t legal(uint64_t config) {
    const bool reserved = (config & (kR | kW)) == kW && (GUEST_CSR_READ(0x747) & kMml) == 0;
    return reserved ? config | kR : config;
}

// Crowded into a part of two pages. The first entry is no range, which would begin at 0.
Entry random_entry(uint64_t& seed, unsigned i) {
    const uint64_t drawn = random(seed);
    const uint64_t at = kData + (drawn >> 8 & 1) * 4096 + (drawn >> 9 & 255);
    const uint64_t mode = i == 0 && (drawn & kModes) == kTor ? kNa4 : drawn & kModes;
    const uint64_t ones = (uint64_t{1} << (drawn >> 20) % 11) - 1;
    return {legal(mode | (drawn >> 32 & (kLock | 7))), mode == kNapot ? at >> 2 | ones : at >> 2};
}

void random_accesses(uint64_t& seed, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        const uint64_t drawn = random(seed);
        const uint64_t address = kData + (drawn & 1) * 4096 + (drawn >> 1 & 31) * 8;
        access(kAccesses[(drawn >> 8) % 8], kMachines[(drawn >> 16) % 3], address);
        access_as(kMachines[(drawn >> 24) % 3], address);
    }
}

void random_entries(const char* name, uint64_t seed) {
    out_line(name, GUEST_CSR_READ(0x747) & kBits);
    for (unsigned round = 0; round < 250; ++round) {
        Entry entries[kEntries];
        for (unsigned i = 0; i < kEntries; ++i) {
            entries[i] = random_entry(seed, i);
        }
        write_entries(entries);
        out_line("pmpcfg0", GUEST_CSR_READ(pmpcfg0));
        out_line("addresses", addresses_hash());
        random_accesses(seed, 12);
    }
}

// What each combination of rights means to each mode.
void all_rights(const char* name) {
    out_line(name, GUEST_CSR_READ(0x747) & kBits);
    for (uint64_t rights = 0; rights < 8; ++rights) {
        for (uint64_t lock = 0; lock <= kLock; lock += kLock) {
            const Entry entries[kEntries] = {{legal(kNapot | lock | rights), napot(kData, 4096)}};
            write_entries(entries);
            out_line("pmpcfg0", GUEST_CSR_READ(pmpcfg0));
            for (const Access& what : kAccesses) {
                for (const Mode mode : kMachines) {
                    access(what, mode, kData + 64);
                    access(what, mode, kData + 4096);  // where nothing matches
                }
            }
        }
    }
}

// What was allowed before a bit of mseccfg was set, and is not any more. Without a fence.
void change(const char* name, uint64_t bits, const Entry& entry) {
    const Entry entries[kEntries] = {entry};
    write_entries(entries);
    for (unsigned i = 0; i < 2; ++i) {
        for (const Access& what : kAccesses) {
            for (const Mode mode : kMachines) {
                access(what, mode, kData + 64);
                access(what, mode, kData + 4096);
            }
        }
        if (i == 0) {
            out_line(name, set_security(bits));
        }
    }
}

// Without RLB: what is locked stays, and rules that let M mode run code are not added.
void locks(uint64_t seed) {
    const Entry none[kEntries] = {};
    write_entries(none);
    out_line("RLB goes", set_security(kMml | kMmwp));
    out_line("and does not come back, since the program's own entries are locked", set_security(kBits));
    for (unsigned round = 0; round < 40; ++round) {
        Entry entries[kEntries];
        for (unsigned i = 0; i < kEntries; ++i) {
            entries[i] = random_entry(seed, i);
            // Few locks at a time, so that there is something left to be written.
            if (random(seed) % 16 != 0) {
                entries[i].config &= ~kLock;
            }
        }
        write_entries(entries);
        out_line("pmpcfg0", GUEST_CSR_READ(pmpcfg0));
        out_line("addresses", addresses_hash());
        random_accesses(seed, 12);
    }
    out_line("nothing goes", set_security(0));
}

}  // namespace

void system_main() {
    fill_with_ecalls(kData, 2 * 4096);
    GUEST_CSR_WRITE(pmpcfg0, 0);
    out_line("RLB can be set while nothing is locked", set_security(kRlb));
    out_line("and taken back", set_security(0));
    set_security(kRlb);
    write_own_entries(kR | kX);
    all_rights("rights");
    random_entries("random", 1);
    change("MML", kRlb | kMml, {kNapot | kR | kW | kX, napot(kData, 4096)});
    write_own_entries(kW | kX);  // shared: the other modes run it as well
    all_rights("rights");
    random_entries("random", 2);
    out_line("MML stays", set_security(kRlb));
    change("MMWP", kRlb | kMml | kMmwp, {kNapot | kLock | kR | kX, napot(kData, 4096)});
    all_rights("rights");
    random_entries("random", 3);
    out_line("both stay", set_security(kRlb));
    locks(4);
}
