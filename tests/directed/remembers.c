// A guest that remembers: for each character that it is sent it says how many there have been, from memory and registers, until it is sent
// a 'q'.
#include "lib.h"

#define LSR R8(UART + 5)
#define DATA R8(UART)

static volatile u64 in_memory;

int main(void) {
    u64 count = 0;
    begin("remembers");
    for (;;) {
        while ((LSR & 1) == 0) {
        }
        const u8 character = DATA;
        if (character == 'q') {
            break;
        }
        in_memory = in_memory + 1;
        asm volatile("addi %0, %0, 1" : "+r"(count));
        ck("counts agree", in_memory, count);
        note("count", count);
    }
    ckt("it was sent something", count != 0);
    finish();
}
