// Lets go of whatever is to leave the slots behind function 1.0 and those beside it, and gives them power again when they are empty
// (PCI Express Base Specification 5.0, 6.7 and 7.5.3). Does nothing else, and does not end: slots_test.py asks for devices to come and go.
#include "lib.h"

#define ECAM 0x30000000ul
#define PORTS 8
enum { SLOT_CONTROL = 0x18, SLOT_STATUS = 0x1a };
enum { BUTTON = 1, EVENTS = 0x11f, PRESENT = 0x40, ON = 0x1c0, OFF = 0x7c0 };

static u64 express_of(u64 port) {
    u64 where = R8(port + 0x34);
    while (where && R8(port + where) != 0x10)
        where = R8(port + where + 1);
    return where ? port + where : 0;
}

int main(void) {
    u64 slots[PORTS];
    int count = 0;
    for (u64 function = 0; function < PORTS; ++function) {
        const u64 port = ECAM | 1 << 15 | function << 12;
        if (R32(port) != 0xffffffff && express_of(port))
            slots[count++] = express_of(port);
    }
    for (int i = 0; i < count; ++i)
        R16(slots[i] + SLOT_CONTROL) = ON;
    puts_("READY\n");
    for (;;) {
        for (int i = 0; i < count; ++i) {
            const u16 status = R16(slots[i] + SLOT_STATUS);
            if (status & BUTTON)
                R16(slots[i] + SLOT_CONTROL) = OFF;
            else if (!(status & PRESENT))
                R16(slots[i] + SLOT_CONTROL) = ON;
            R16(slots[i] + SLOT_STATUS) = status & EVENTS;
        }
    }
}
