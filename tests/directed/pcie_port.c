// Root ports of PCI Express: buses behind them, their windows and wires, and a device that comes and goes while the machine runs. The
// lines "ADD" and "REMOVE" ask pcie_port_test.py for that. After: PCI-to-PCI Bridge Architecture Specification 1.2, chapter 3; PCI
// Express Base Specification 5.0, 6.7 and 7.5.3; virtio 1.2, 4.1 and 5.4.
#include "lib.h"

#define ECAM 0x30000000ul
#define LOW 0x40000000ul
#define HIGH 0x400000000ul
#define IRQ 32  // of wire 0

// A function's configuration space.
static u64 at(u64 bus, u64 slot, u64 fn) { return ECAM | bus << 20 | slot << 15 | fn << 12; }

// Where the capability `id` is, from `from` on; 0: there is none.
static u64 capability(u64 function, u64 id, u64 from) {
    u64 where = from ? R8(function + from + 1) : R8(function + 0x34);
    while (where && R8(function + where) != id)
        where = R8(function + where + 1);
    return where;
}

static void source_enable(u64 irq) {
    R32(PLIC + 4 * irq) = 1;
    R32(PLIC + 0x2000 + 4 * (irq / 32)) |= 1u << irq % 32;
}
// Claims and completes; the source, or 0.
static u64 claim(void) {
    const u32 irq = R32(PLIC + 0x200004);
    if (irq)
        R32(PLIC + 0x200004) = irq;
    return irq;
}

struct ring {
    struct {
        u64 address;
        u32 size;
        u16 flags, next;
    } descriptors[8];
    u8 available[64];
    u8 used[4096 - 8 * 16 - 64];
} __attribute__((aligned(4096)));
void* memset(void* d, int c, u64 n);
static struct ring ring;
static volatile u8 random_bytes[64];

// A source of random numbers whose base address 4 is at `bar`: resets it, asks for bytes, and waits for the interrupt by `irq`.
static void use_device(const char* what, u64 function, u64 bar, u64 irq) {
    u64 common = 0, notify = 0, isr = 0;
    for (u64 cap = capability(function, 9, 0); cap; cap = capability(function, 9, cap)) {
        const u64 part = bar + R32(function + cap + 8);
        if (R8(function + cap + 3) == 1)
            common = part;
        if (R8(function + cap + 3) == 2)
            notify = part;
        if (R8(function + cap + 3) == 3)
            isr = part;
    }
    ckt(what, common && notify && isr);
    R8(common + 0x14) = 0;
    while (R8(common + 0x14)) {
    }
    R8(common + 0x14) = 3;
    R32(common + 8) = 1;
    R32(common + 12) = 1;  // VERSION_1
    R8(common + 0x14) = 11;
    R16(common + 0x16) = 0;
    R16(common + 0x18) = 8;
    memset(&ring, 0, sizeof ring);
    R32(common + 0x20) = (u64)ring.descriptors, R32(common + 0x24) = 0;
    R32(common + 0x28) = (u64)ring.available, R32(common + 0x2c) = 0;
    R32(common + 0x30) = (u64)ring.used, R32(common + 0x34) = 0;
    R16(common + 0x1c) = 1;
    R8(common + 0x14) = 15;
    for (int i = 0; i < 64; ++i)
        random_bytes[i] = 0;
    ring.descriptors[0].address = (u64)random_bytes;
    ring.descriptors[0].size = 64;
    ring.descriptors[0].flags = 2;
    fence();
    R16(ring.available + 2) = 1;
    fence();
    source_enable(irq);
    R16(notify) = 0;
    u64 told;
    while (!(told = claim())) {
    }
    ck("the wire", told, irq);
    ck("ISR", R8(isr) & 1, 1);
    claim();  // what was latched before ISR was read
    ck("used", R16(ring.used + 2), 1);
    unsigned sum = 0;
    for (int i = 0; i < 64; ++i)
        sum += random_bytes[i] != 0;
    ckt("random bytes", sum > 32);
    R8(common + 0x14) = 0;
}

static u64 expect_port(u64 port, u64 slot) {
    ck("vendor and device", R32(port), 0x000c1b36);
    ck("class", R32(port + 8) >> 8, 0x060400);
    ck("header", R8(port + 0x0e) & 0x7f, 1);
    ck("no bus behind it yet", R32(port + 0x18) & 0xffffff, 0);
    const u64 express = capability(port, 0x10, 0);
    ckt("capability", express != 0);
    ck("kind: a root port with a slot", R16(port + express + 2) & 0x1f0, 0x140);
    const u32 capabilities = R32(port + express + 0x14);
    ck("button, power controller, power indicator, hot plug", capabilities & 0x53, 0x53);
    ck("number of the slot", capabilities >> 19, slot);
    ckt("the link tells that it is active", (R32(port + express + 0x0c) & 1 << 20) != 0);
    ck("pin", R8(port + 0x3d), 1);
    return express;
}

static void open_window(u64 port, u64 bus, u64 base) {
    R32(port + 0x18) = bus << 16 | bus << 8;
    R32(port + 0x20) = base >> 32 ? 0x0000fff0 : (base >> 16) | (base >> 16 << 16);
    R32(port + 0x24) = base >> 32 ? (base >> 16 & 0xfff0) | (base >> 16 & 0xfff0) << 16 : 0x0000fff0;
    R32(port + 0x28) = base >> 32;
    R32(port + 0x2c) = base >> 32;
    R16(port + 4) = 6;
}

static void place(u64 function, u64 bar) {
    R32(function + 0x20) = bar;
    R32(function + 0x24) = bar >> 32;
    R16(function + 4) = 6;
}

// A byte of the common configuration: how many queues there are.
static u16 queues(u64 function, u64 bar) {
    for (u64 cap = capability(function, 9, 0); cap; cap = capability(function, 9, cap)) {
        if (R8(function + cap + 3) == 1)
            return R16(bar + R32(function + cap + 8) + 0x12);
    }
    return 0;
}

static void cold(void) {
    const u64 port = at(0, 1, 0), device = at(1, 0, 0);
    const u64 express = expect_port(port, 5);
    const u16 status = R16(port + express + 0x1a);
    ck("a device is present", status & 0x40, 0x40);
    ck("the link is active", R16(port + express + 0x12) & 0x2000, 0x2000);
    ck("nobody is on bus 1 yet", R32(device), 0xffffffff);
    R32(port + 0x18) = 0x00010100;
    ck("device behind the port", R32(device), 0x10441af4);
    ck("not in other slots", R32(at(1, 1, 0)), 0xffffffff);
    ck("nor on other buses", R32(at(2, 0, 0)), 0xffffffff);
    const u64 end = capability(device, 0x10, 0);
    ckt("it is at the end of a link", end && (R16(device + end + 2) & 0xf0) == 0);
    R32(device + 0x10) = 0xffffffff;
    ck("no legacy interface there", R32(device + 0x10) & 1, 0);
    R32(port + 0x18) = 0x00070503;
    ck("bus numbers", R32(port + 0x18) & 0xffffff, 0x070503);
    ck("it has moved", R32(device), 0xffffffff);
    ck("to bus 5", R32(at(5, 0, 0)), 0x10441af4);
    ck("bus 7 is nobody's", R32(at(7, 0, 0)), 0xffffffff);

    // Windows: below 4 GiB, above, and none.
    open_window(port, 1, LOW);
    place(device, LOW + 0x8000);
    ck("window of memory", queues(device, LOW + 0x8000), 1);
    use_device("parts of the device", device, LOW + 0x8000, IRQ + 1);
    R32(port + 0x20) = (LOW + 0x100000) >> 16 | (LOW + 0x100000) >> 16 << 16;
    ck("the window has moved", R16(LOW + 0x8012), 0xffff);
    place(device, LOW + 0x108000);
    ck("the device as well", queues(device, LOW + 0x108000), 1);
    R16(port + 4) = 4;
    ck("the port does not hand memory on", R16(LOW + 0x108012), 0xffff);
    R16(port + 4) = 6;
    ck("it does again", queues(device, LOW + 0x108000), 1);
    open_window(port, 1, HIGH);
    place(device, HIGH + 0x4000);
    ck("window above 4 GiB", queues(device, HIGH + 0x4000), 1);
    ck("the other is closed", R16(LOW + 0x108012), 0xffff);
    use_device("parts of the device above", device, HIGH + 0x4000, IRQ + 1);
    // 3.2.5.18: the bus is reset.
    R16(port + 0x3e) = 0x40;
    R16(port + 0x3e) = 0;
    delay_us(1000);
    ck("reset of the bus", R16(device + 4), 0);
    ck("the device is there", R32(device), 0x10441af4);
}

#define EVENTS 0x11f
static u64 slot_status(u64 where) { return R16(where + 0x1a); }
// The events that stand: QEMU takes nothing back where others are named as well.
static void clear_events(u64 where) { R16(where + 0x1a) = slot_status(where) & EVENTS; }

// Waits for an event of the slot by its interrupt.
static void wait_for(u64 where, u64 event, u64 irq) {
    while (!(slot_status(where) & event)) {
        u64 told;
        while (!(told = claim())) {
        }
        ck("the port's wire", told, irq);
        if (!(slot_status(where) & event))
            clear_events(where);
    }
    clear_events(where);
    ck("events are cleared by ones", slot_status(where) & EVENTS, 0);
    while (claim()) {
    }
}

// Commands may take time: QEMU's complete at once, as weft's, but tell it.
static void command(u64 where, u16 control) { R16(where + 0x18) = control; }

static void hot(void) {
    const u64 port = at(0, 2, 0), device = at(2, 0, 0), irq = IRQ + 2;
    const u64 where = port + expect_port(port, 6);
    enum { BUTTON = 1, PRESENCE = 8, INTERRUPT = 0x20, OFF = 0x700, ON = 0x100, ATTENTION_OFF = 0xc0 };
    const u16 enable = BUTTON | PRESENCE | INTERRUPT | ATTENTION_OFF;
    source_enable(irq);
    open_window(port, 2, LOW + 0x200000);
    ck("nothing is present", slot_status(where) & 0x40, 0);
    ck("no link", R16(where + 0x12) & 0x2000, 0);
    command(where, enable | OFF);
    clear_events(where);
    while (claim()) {
    }
    for (int round = 0; round < 3; ++round) {
        ck("nobody there", R32(device), 0xffffffff);
        puts_("ADD\n");
        wait_for(where, 8, irq);
        ck("present", slot_status(where) & 0x40, 0x40);
        command(where, enable | ON);
        while (!(R16(where + 0x12) & 0x2000)) {
        }
        ck("it answers", R32(device), 0x10441af4);
        ck("as after a reset", R16(device + 4), 0);
        place(device, LOW + 0x200000);
        clear_events(where);
        while (claim()) {
        }
        use_device("parts of the new device", device, LOW + 0x200000, irq);
        puts_("REMOVE\n");
        wait_for(where, 1, irq);
        ck("still there", R32(device), 0x10441af4);
        command(where, enable | OFF);
        ck("gone", R32(device), 0xffffffff);
        ck("from its address", R16(LOW + 0x200012), 0xffff);
        ck("not present", slot_status(where) & 0x40, 0);
        ck("the link is down", R16(where + 0x12) & 0x2000, 0);
        clear_events(where);
        while (claim()) {
        }
    }
}

int main(void) {
    begin("pcie-port");
    cold();
    hot();
    return 0;
}
