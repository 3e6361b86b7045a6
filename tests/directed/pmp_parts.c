// Accesses whose parts have different rights: those over a page's end, of which a part is forbidden by PMP. Priv 3.7.1: of a
// misaligned access that is taken apart each part is checked; nothing of a store may be seen where a part of it faults
// before it is done (weft checks all parts first).
#include "lib.h"

static u8 pages[2][4096] __attribute__((aligned(4096)));

int main(void) {
    begin("pmp-parts");
    // Byte by byte: an access that an entry matches in part fails in M mode as well.
    volatile u8* const end = pages[1];
    // Forbidden: one word, at each of the words around the page's end; all else is open to S and U.
    for (int word = -2; word < 2; ++word) {
        const u64 hole = (u64)end + 4 * word;
        csrw(pmpcfg0, 0);
        csrw(pmpaddr0, hole >> 2);
        csrw(pmpaddr1, ~0ul >> 10);
        csrw(pmpcfg0, 0x1f << 8 | 0x10);  // NA4, nothing; NAPOT, everything
        for (int at = -7; at < 0; ++at) {
            const u64 address = (u64)end + at;
            const int meets = address < hole + 4 && hole < address + 8;
            for (int i = -16; i < 16; ++i) end[i] = 0x11;
            try_m(mprv_sd, address, S, 0x2222222222222222ul);
            csrc(mstatus, 1ul << 17);  // a trap leaves MPRV as it was
            ck("store: cause", T.cause, meets ? C_SACCESS : NO_TRAP);
            for (int i = -16; i < 16; ++i) {
                const int stored = !meets && i >= at && i < at + 8;
                ck("store: byte", end[i], stored ? 0x22 : 0x11);
            }
            try_m(mprv_ld, address, S);
            csrc(mstatus, 1ul << 17);
            ck("load: cause", T.cause, meets ? C_LACCESS : NO_TRAP);
            if (meets) ckt("load: tval lies in the access", T.tval - address < 8);
        }
    }
    return 0;
}
