// Flash memory 1, as drivers use it, from a program that flash memory 0 started: see flash_test.py for what the two hold.
//
// What only execution shows: that reads behind a command in the same block of code see its effect, that code in flash runs and is
// translated anew when it is programmed, and the configuration device's DMA.
#include "lib.h"

#define FLASH 0x22000000ul
#define BLOCK 0x40000ul
#define FW_CFG 0x10100000ul
#define MARK 0x87000000ul  // what the code in flash memory 0 left

#define BOTH(v) ((v) | (v) << 16)

static void command(u64 at, u32 value) { R32(FLASH + at) = value; }
static u32 word(u64 at) { return R32(FLASH + at); }
static void to_array(void) { command(0, BOTH(0xffu)); }

static void erase(u64 at) {
    command(at, BOTH(0x20u));
    command(at, BOTH(0xd0u));
    while ((word(at) & 0x800080) != 0x800080) {
    }
    to_array();
}

static void program(u64 at, u32 value) {
    command(at, BOTH(0x40u));
    command(at, value);
    while ((word(at) & 0x800080) != 0x800080) {
    }
    to_array();
}

// Loads by one register before and after a command by the same one, without a jump between them.
__attribute__((noinline)) static u64 around(u64 base, u64 value) {
    u64 before, after, more, high;
    asm volatile(
        "lwu %0, 16(%4)\n\t"
        "lwu %3, 20(%4)\n\t"
        "sw %5, 0(%4)\n\t"
        "lwu %1, 16(%4)\n\t"
        "lwu %2, 20(%4)"
        : "=&r"(before), "=&r"(after), "=&r"(more), "=&r"(high)
        : "r"(base), "r"(value)
        : "memory");
    (void)high;
    return before << 32 | (after == more ? after : 0xbad);
}

static void reads_behind_commands(void) {
    for (int round = 0; round < 50; ++round) {
        ck("cells, then the status", around(FLASH + 2 * BLOCK, BOTH(0x70u)), 0x89abcdef00800080);
        to_array();
        // Often enough to be plain memory again.
        for (int i = 0; i < 100; ++i) {
            ck("cells again", word(2 * BLOCK + 16), 0x89abcdef);
        }
    }
}

static u64 call(u64 at) {
    fence_i();
    return ((u64(*)(void))(FLASH + at))();
}

static void code_in_flash(void) {
    erase(BLOCK);
    program(BLOCK + 4, 0x00008067);  // ret
    program(BLOCK, 0xfff00513);      // li a0, -1
    for (int i = 0; i < 100; ++i) {
        word(BLOCK);
    }
    for (int i = 0; i < 50; ++i) {
        ck("code in flash", call(BLOCK), ~0ul);
    }
    program(BLOCK, 0x02a00513);  // li a0, 42: bits of the other one
    for (int i = 0; i < 50; ++i) {
        ck("code programmed anew", call(BLOCK), 42);
    }
}

static u64 big(u64 value, unsigned size) {
    u64 swapped = 0;
    for (unsigned i = 0; i < size; ++i) {
        swapped = swapped << 8 | (value >> 8 * i & 0xff);
    }
    return swapped;
}

static void configuration(void) {
    static struct {
        u32 control, length;
        u64 address;
    } access __attribute__((aligned(16)));
    static volatile u8 bytes[4];
    ck("DMA signature", big(R64(FW_CFG + 16), 8), 0x51454d5520434647);
    R16(FW_CFG + 8) = (u16)big(0, 2);
    ck("signature", R32(FW_CFG), 0x554d4551);
    access.control = (u32)big(0x0000000a, 4);
    access.length = (u32)big(4, 4);
    access.address = big((u64)bytes, 8);
    fence();
    R64(FW_CFG + 16) = big((u64)&access, 8);
    fence();
    ck("transfer done", *(volatile u32*)&access.control, 0);
    ck("signature by DMA", *(volatile u32*)bytes, 0x554d4551);
    R16(FW_CFG + 8) = (u16)big(5, 2);
    ck("CPUs", R16(FW_CFG), 1);
}

// Words, ascending, until somebody ends the emulator: each line says how many there are.
static void program_for_ever(void) {
    erase(3 * BLOCK);
    for (u32 i = 0;; ++i) {
        if (i % 64 == 0) {
            puts_("programmed ");
            puthex(i);
            puts_("\n");
        }
        if (i < BLOCK / 4) {
            program(3 * BLOCK + 4 * i, i);
        }
    }
}

int main(void) {
    begin("flash");
    ck("flash 0 ran first", R32(MARK), 0x5a);
    ck("flash 0 is readable", R32(0x20000000), 0x00100293);
    ck("the image", word(2 * BLOCK + 16), 0x89abcdef);
    command(0x154, BOTH(0x98u));
    ck("query", word(0x40), BOTH((u32)'Q'));
    to_array();
    reads_behind_commands();
    code_in_flash();
    configuration();
    if (word(2 * BLOCK) == 1) {
        program_for_ever();
    }
    erase(0);
    program(0x100, 0x12345678);
    finish();
}
