// Reservations are of memory, not of addresses: SC after the address has come to mean other memory. And memory that cannot be
// reserved: devices and ROM.
//
// Where SC must fail, the other emulator compares address and value alone; and it lets LR read devices.
#include "probe.h"

namespace {

using namespace guest;

constexpr uint64_t kValue = 0x1122334455667788;
constexpr uint64_t kNew = 0x5a5a;
constexpr uint64_t kReserved = kData;
constexpr uint64_t kOther = kData + 4096;
constexpr uint64_t kPage = 0x40000000;  // is kReserved, and then kOther
constexpr uint64_t kOtherRoot = kTables + 16 * 4096;

// Two address spaces: kPage is kReserved in one and kOther in the other.
uint64_t make_space(uint64_t root, uint64_t page, uint64_t asid) {
    clear_pages(root, 4);
    word(root + 8) = leaf(root + 4096, kPteV);
    word(root + 4096) = leaf(root + 8192, kPteV);
    word(root + 8192) = leaf(page, kPteAll);
    // The image, one to one, but for the 2 MiB with kData: these are the next.
    word(root + 16) = leaf(root + 3 * 4096, kPteV);
    for (uint64_t i = 0; i < 512; ++i) {
        word(root + 3 * 4096 + 8 * i) = leaf(kGigapage + (i << 21), kPteAll);
    }
    word(root + 3 * 4096 + 8 * (kData >> 21 & 511)) = leaf(kData + (1 << 21), kPteAll);
    return satp_of(kSv39, root, asid);
}

struct Remap {
    const char* name;
    const char* fragment;
    Mode mode;
    uint64_t address;
    uint64_t a1, a2;
    uint64_t other;  // memory that `address` is at the SC
};

void remaps() {
    const uint64_t pte = kTables + 8192;
    const uint64_t new_pte = leaf(kOther, kPteAll);
    const uint64_t space = make_space(kTables, kReserved, 1);
    const uint64_t other_space = make_space(kOtherRoot, kOther, 2);
    const uint64_t same_asid = make_space(kOtherRoot, kOther, 1);
    constexpr uint64_t kToS = uint64_t{supervisor} << kMppShift | kFsInitial;
    constexpr uint64_t kInM = uint64_t{machine} << kMppShift | kFsInitial;
    constexpr uint64_t kBehind = kData + (1 << 21);  // what kData is in S mode
    // The page tables are in the same 2 MiB as the image.
    const Remap kRemaps[] = {
        {"sfence.vma of the page", f_lr_sfence_sc, supervisor, kPage, pte, new_pte, kOther},
        {"sfence.vma", f_lr_sfence_all_sc, supervisor, kPage, pte, new_pte, kOther},
        {"sinval.vma", f_lr_sinval_sc, supervisor, kPage, pte, new_pte, kOther},
        {"satp", f_lr_satp_sc, supervisor, kPage, other_space, 0, kOther},
        {"satp, sfence.vma", f_lr_satp_sfence_sc, supervisor, kPage, other_space, 0, kOther},
        {"satp with the same ASID, sfence.vma", f_lr_satp_sfence_sc, supervisor, kPage, same_asid, 0, kOther},
        {"satp, bare", f_lr_satp_sc, supervisor, kData, 0, 0, kData},
        {"mprv", f_lr_mprv_sc, machine, kData, kToS | kMprv, kInM, kBehind},
        {"mret", f_lr_mret_sc, machine, kData, kToS, 0, kBehind},
        {"trap", f_lr_trap_sc, supervisor, kPage, other_space, 0, kOther},
    };
    GUEST_CSR_WRITE(medeleg, 1 << 3);
    for (const Remap& remap : kRemaps) {
        for (unsigned i = 0; i < 4; ++i) {  // with what is in TLBs, and without
            word(pte) = leaf(kReserved, kPteAll);
            word(kReserved) = word(kOther) = word(kBehind) = kValue;
            const Probe p =
                probe(remap.fragment, remap.mode, 0, space, remap.address, remap.a1, remap.a2, kNew);
            out_text(remap.name);
            out_line(": cause", p.cause);
            out_rule("reserved", p.a[3], kValue);
            out_rule("sc fails", p.a[0] != 0, 1);
            out_rule("the other memory", word(remap.other), kValue);
        }
    }
    GUEST_CSR_WRITE(medeleg, 0);
    word(pte) = leaf(kReserved, kPteAll);
    word(kReserved) = kValue;
    const Probe p = probe(f_lr_sc_same, supervisor, 0, space, kPage, 0, 0, kNew);
    out_state("sc to the same memory", p);
    out_line("stored", word(kReserved));
}

struct Place {
    const char* name;
    uint64_t address;
    bool readable;  // by words
};
constexpr Place kPlaces[] = {
    {"ROM", 0x1000, true},      {"CLINT", 0x02004000, true}, {"CLINT, time", 0x0200bff8, true},
    {"PLIC", 0x0c000008, true}, {"UART", 0x10000000, false}, {"nothing", kBeyondRam, false},
};

void without_atomics() {
    constexpr uint64_t kLoadAccess = 5;
    constexpr uint64_t kStoreAccess = 7;
    for (const Place& place : kPlaces) {
        constexpr Mode kModes[] = {machine, supervisor, user};
        for (const Mode mode : kModes) {
            out_text(place.name);
            out_line(": mode", mode);
            constexpr const char* kReserving[] = {f_lr_w_alone, f_lr_d_alone, f_ld_lr};
            for (const char* fragment : kReserving) {
                if ((fragment == f_ld_lr && !place.readable) || on_peer()) {
                    out_line("lr", kLoadAccess);
                    out_line("tval", place.address);
                    continue;
                }
                const Probe p = probe(fragment, mode, 0, 0, place.address);
                out_line("lr", p.cause);
                out_line("tval", p.tval);
            }
            if (on_peer()) {
                out_line("amo", kStoreAccess);
                out_line("tval", place.address);
                continue;
            }
            const Probe p = probe(f_amo_w, mode, 0, 0, place.address, 0);
            out_line("amo", p.cause);
            out_line("tval", p.tval);
        }
    }
}

// A register whose reading has an effect: the UART's, in loopback, gives its character away.
void no_effect_on_devices() {
    volatile uint8_t* const uart = reinterpret_cast<volatile uint8_t*>(0x10000000);
    if (on_peer()) {
        out_line("lr", 5);
        out_line("there is still a character", 1);
        return;
    }
    while ((uart[5] & 0x40) == 0) {  // all is sent
    }
    uart[4] = 0x10;
    uart[0] = 'A';
    while ((uart[5] & 1) == 0) {
    }
    const Probe p = probe(f_lr_w_alone, machine, 0, 0, 0x10000000);
    const uint8_t status = uart[5];
    while ((uart[5] & 1) != 0) {
        static_cast<void>(uart[0]);
    }
    uart[4] = 0;
    out_line("lr", p.cause);
    out_line("there is still a character", status & 1);
}

// LR needs the right to load alone.
void of_read_only_pages() {
    const uint64_t space = make_space(kTables, kReserved, 1);
    constexpr uint64_t kRights[] = {kPteR, kPteR | kPteX, kPteR | kPteW};
    for (const uint64_t rights : kRights) {
        word(kTables + 8192) = leaf(kReserved, kPteV | kPteA | kPteD | rights);
        word(kReserved) = kValue;
        out_state("ld, lr", probe(f_ld_lr, supervisor, 0, space, kPage + 4));
        out_state("lr", probe(f_lr_d_alone, supervisor, 0, space, kPage));
        out_state("lr, sc", probe(f_lr_sc_same, supervisor, 0, space, kPage, 0, 0, kNew));
        out_line("memory", word(kReserved));
    }
}

// SC without a reservation fails, but where it may not store it is a fault (unprivileged specification, Zalrsc).
void without_reservation() {
    const uint64_t space = make_space(kTables, kReserved, 1);
    constexpr uint64_t kRights[] = {kPteR, kPteR | kPteX, kPteX, kPteR | kPteW};
    for (const uint64_t rights : kRights) {
        word(kTables + 8192) = leaf(kReserved, kPteV | kPteA | kPteD | rights);
        word(kReserved) = kValue;
        out_state("sc alone", probe(f_sc_w, supervisor, 0, space, kPage, kNew));
        out_line("memory", word(kReserved));
    }
    // The other emulator says that it failed.
    constexpr uint64_t kStoreAccess = 7;
    out_line("sc of nothing", on_peer() ? kStoreAccess : probe(f_sc_w, supervisor, 0, 0, kBeyondRam).cause);
}

}  // namespace

void system_main() {
    remaps();
    without_atomics();
    no_effect_on_devices();
    of_read_only_pages();
    without_reservation();
}
