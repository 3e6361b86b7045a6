// A disk as teaching kernels drive it, on the first virtio slot, with interrupts: the legacy layout as older xv6 and
// OS-in-1000-lines, version 2 as newer xv6 (features without VERSION_1). Reads sector 3, writes its reverse to sector 5.
#include "lib.h"

#define SLOT 0x10001000ul
#define REG(r) R32(SLOT + (r))
#define IRQ 1

enum { NUM = 8, NEXT = 1, WRITE = 2 };
struct desc {
    u64 addr;
    u32 len;
    u16 flags, next;
};
struct avail {
    u16 flags, idx, ring[NUM], unused;
};
struct used {
    u16 flags, idx;
    struct {
        u32 id, len;
    } ring[NUM];
};
// Two pages in one piece: descriptors and available ring, then the used ring.
static u8 pages[2 * 4096] __attribute__((aligned(4096)));
static struct {
    u32 type, reserved;
    u64 sector;
} header;
static u8 data[512];
static volatile u8 status;

static struct desc* const desc = (struct desc*)pages;
static struct avail* const avail = (struct avail*)(pages + NUM * sizeof(struct desc));
static volatile struct used* const used = (volatile struct used*)(pages + 4096);
static u16 seen;

static void start(void) {
    ck("magic", REG(0), 0x74726976);
    ck("device id", REG(8), 2);
    ck("vendor", REG(0xc), 0x554d4551);
    u32 s = 0;
    REG(0x70) = s;
    REG(0x70) = s |= 1;
    REG(0x70) = s |= 2;
    u32 features = REG(0x10);
    features &= ~(1u << 5 | 1u << 7 | 1u << 11 | 1u << 12 | 1u << 27 | 1u << 28 | 1u << 29);
    REG(0x20) = features;
    REG(0x70) = s |= 8;
    ck("features", REG(0x70) & 8, 8);
    if (REG(4) == 1) {
        REG(0x70) = s |= 4;
        REG(0x28) = 4096;
    }
    REG(0x30) = 0;
    ckt("queue is large enough", REG(0x34) >= NUM);
    REG(0x38) = NUM;
    if (REG(4) == 1) {
        REG(0x40) = (u64)pages >> 12;
        return;
    }
    ck("queue not ready", REG(0x44), 0);
    REG(0x80) = (u64)desc;
    REG(0x84) = 0;
    REG(0x90) = (u64)avail;
    REG(0x94) = 0;
    REG(0xa0) = (u64)used;
    REG(0xa4) = 0;
    REG(0x44) = 1;
    REG(0x70) = s |= 4;
}

static void request(u32 type, u64 sector) {
    header.type = type;
    header.sector = sector;
    status = 0xff;
    desc[0] = (struct desc){(u64)&header, 16, NEXT, 1};
    desc[1] = (struct desc){(u64)data, 512, NEXT | (type == 0 ? WRITE : 0), 2};
    desc[2] = (struct desc){(u64)&status, 1, WRITE, 0};
    avail->ring[avail->idx % NUM] = 0;
    fence();
    avail->idx++;
    fence();
    REG(0x50) = 0;
    // The interrupt, at the PLIC, to hart 0 in M-mode: claimed, not taken.
    u32 claimed;
    while ((claimed = R32(PLIC + 0x200004)) == 0) {
    }
    ck("interrupt", claimed, IRQ);
    ck("reason", REG(0x60), 1);
    REG(0x64) = REG(0x60) & 3;
    R32(PLIC + 0x200004) = claimed;
    fence();
    ck("answered", used->idx, ++seen);
    ck("head", used->ring[(seen - 1) % NUM].id, 0);
    ck("status", status, 0);
}

int main(void) {
    begin("virtio_blk");
    R32(PLIC + 4 * IRQ) = 1;
    R32(PLIC + 0x2000) = 1 << IRQ;
    start();
    request(0, 3);
    ck("first byte", data[0], 3);
    ck("last byte", data[511], (u8)(511 + 3));
    for (int i = 0; i < 256; ++i) {
        u8 byte = data[i];
        data[i] = data[511 - i];
        data[511 - i] = byte;
    }
    request(1, 5);
    for (int i = 0; i < 512; ++i) {
        data[i] = 0;
    }
    request(0, 5);
    ck("written first byte", data[0], (u8)(511 + 3));
    puts_(REG(4) == 1 ? "layout legacy\n" : "layout modern\n");
    finish();
}
