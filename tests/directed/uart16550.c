// The 16550A as its data sheet (National PC16550D, section 8) has it, by means of loopback.
// After: microsoft/openvmm#4187 (loopback lines); zephyr#99332; dosemu2#748 (THRE); sean-galloway/RTLDesignSherpa#60 (LSR, MSR
// clear on read); phoenix-rtos#1746 (which characters an overrun loses); NuttX/xv6 drivers; elks#2624.
#include "lib.h"

enum { RBR = 0, IER = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };
static u8 in(unsigned r) { return R8(UART + r); }
static void out(unsigned r, u8 v) { R8(UART + r) = v; }
// A character takes its time where the emulator models one.
static void send(u8 c) {
    u64 end = now() + 200000;
    while (!(in(LSR) & 0x40) && now() < end) {
    }
    out(RBR, c);
}
static void settle(void) { delay_us(2000); }
// The emulator's thread that sees to timeouts may come late on a busy host.
static u8 identification(u8 wanted) {
    const u64 end = now() + 100000000;  // 10 s
    u8 seen;
    while ((seen = in(IIR) & 0x0f) != wanted && now() < end) {
    }
    return seen;
}

int main(void) {
    begin("uart16550");
    u8 r[64];
    // Everything is collected first and judged when the port prints again.
    int n = 0;
    out(IER, 0);
    out(FCR, 0);
    out(SCR, 0x5a);
    r[n++] = in(SCR);  // 0
    out(LCR, 0x83);
    out(0, 0x0c);
    out(1, 0x34);
    r[n++] = in(0);  // 1
    r[n++] = in(1);  // 2
    out(0, 1);
    out(1, 0);
    out(LCR, 0x03);
    r[n++] = in(IER);  // 3: 0
    out(IER, 0xff);
    r[n++] = in(IER);  // 4: 0x0f
    out(IER, 0);
    (void)in(IIR);
    // Loopback: outputs become inputs. Low nibble of MSR: changes, cleared by reading.
    out(MCR, 0x10);
    (void)in(MSR);
    r[n++] = in(MSR);  // 5: 0
    out(MCR, 0x11);    // DTR -> DSR
    r[n++] = in(MSR);  // 6: 0x22
    r[n++] = in(MSR);  // 7: 0x20
    out(MCR, 0x12);    // RTS -> CTS
    r[n++] = in(MSR);  // 8: 0x13
    out(MCR, 0x14);    // OUT1 -> RI
    (void)in(MSR);
    out(MCR, 0x10);    // RI ends: TERI
    r[n++] = in(MSR);  // 9: 0x04
    out(MCR, 0x18);    // OUT2 -> DCD
    r[n++] = in(MSR);  // 10: 0x88
    out(MCR, 0x10);
    (void)in(MSR);
    // Modem status interrupt.
    out(IER, 8);
    out(MCR, 0x11);
    r[n++] = in(IIR) & 0x0f;  // 11: 0
    (void)in(MSR);
    r[n++] = in(IIR) & 0x0f;  // 12: 1
    out(IER, 0);
    // Without FIFOs: one character.
    out(MCR, 0x10);
    (void)in(LSR);
    while (in(LSR) & 1) (void)in(RBR);
    send('A');
    settle();
    r[n++] = in(LSR) & 0x1f;  // 13: 1
    out(IER, 1);
    r[n++] = in(IIR) & 0xcf;  // 14: 4
    out(IER, 0);
    r[n++] = in(RBR);         // 15: A
    r[n++] = in(LSR) & 0x1f;  // 16: 0
    // Overrun without FIFOs: the second character destroys the first (8.4, LSR bit 1).
    send('B');
    settle();
    send('C');
    settle();
    out(IER, 4);
    r[n++] = in(IIR) & 0x0f;  // 17: 6
    r[n++] = in(LSR) & 0x1f;  // 18: 3
    r[n++] = in(LSR) & 0x1f;  // 19: 1
    r[n++] = in(IIR) & 0x0f;  // 20: 1
    out(IER, 0);
    r[n++] = in(RBR);         // 21: C
    r[n++] = in(LSR) & 0x1f;  // 22: 0
    // FIFOs, trigger at 4.
    out(FCR, 0x47);
    r[n++] = in(IIR) & 0xc1;  // 23: 0xc1
    out(IER, 1);
    send('1');
    send('2');
    send('3');
    settle();
    r[n++] = in(LSR) & 1;     // 24: 1
    send('4');
    settle();
    r[n++] = in(IIR) & 0x0f;  // 25: 4
    r[n++] = in(RBR);         // 26: '1'
    r[n++] = identification(0x0c);  // 27: the timeout
    r[n++] = in(RBR);         // 28: '2'
    r[n++] = in(RBR);         // 29
    r[n++] = in(RBR);         // 30: '4'
    r[n++] = in(LSR) & 1;     // 31: 0
    r[n++] = in(IIR) & 0x0f;  // 32: 1
    out(IER, 0);
    // Overrun with FIFOs: the first 16 stay.
    for (int i = 0; i < 18; ++i) send((u8)('a' + i));
    settle();
    r[n++] = in(LSR) & 0x03;  // 33: 3
    r[n++] = in(LSR) & 0x03;  // 34: 1
    r[n++] = in(RBR);         // 35: 'a'
    for (int i = 0; i < 14; ++i) (void)in(RBR);
    r[n++] = in(RBR);         // 36: 'p'
    r[n++] = in(LSR) & 1;     // 37: 0
    // Clearing the receiver's FIFO.
    send('x');
    settle();
    out(FCR, 0x03);
    r[n++] = in(LSR) & 1;     // 38: 0
    // Writing FCR with bit 0 clear turns FIFOs off, whatever else is in it.
    send('y');
    settle();
    out(FCR, 0xc0);
    r[n++] = in(IIR) & 0xc0;  // 39: 0
    r[n++] = in(LSR) & 1;     // 40: 0: a change of bit 0 clears both FIFOs
    // Transmitter empty: reported when it is enabled, taken back by reading IIR, again after a character.
    out(MCR, 0);
    out(IER, 0);
    (void)in(IIR);
    settle();
    out(IER, 2);
    r[n++] = in(IIR) & 0x0f;  // 41: 2
    r[n++] = in(IIR) & 0x0f;  // 42: 1
    out(RBR, '.');
    settle();
    r[n++] = in(IIR) & 0x0f;  // 43: 2
    r[n++] = in(LSR) & 0x60;  // 44: 0x60
    out(IER, 0);
    r[n++] = in(IIR) & 0x0f;  // 45: 1
    // MCR keeps five bits.
    out(MCR, 0xff);
    r[n++] = in(MCR);         // 46: 0x1f
    out(MCR, 0);
    out(LCR, 0x03);
    putch('\n');
    static const struct {
        const char* what;
        u8 want, or_else;
    } w[] = {
        {"SCR", 0x5a, 0x5a},
        {"DLL", 0x0c, 0x0c},
        {"DLM", 0x34, 0x34},
        {"IER", 0, 0},
        {"IER has four bits", 0x0f, 0x0f},
        {"loopback: MSR at rest", 0, 0},
        {"loopback: DTR is DSR, and changed", 0x22, 0x22},
        {"loopback: reading takes the change back", 0x20, 0x20},
        {"loopback: RTS is CTS", 0x13, 0x13},
        {"loopback: OUT1 is RI, its end is noted", 0x04, 0x04},
        {"loopback: OUT2 is DCD", 0x88, 0x88},
        {"IIR: modem status", 0, 0},
        {"IIR: none after MSR was read", 1, 1},
        {"loopback: character came", 1, 1},
        {"IIR: received data", 4, 4},
        {"RBR", 'A', 'A'},
        {"LSR after RBR was read", 0, 0},
        {"IIR: line status, overrun", 6, 6},
        {"LSR: overrun", 3, 3},
        {"LSR: overrun is taken back by reading", 1, 1},
        {"IIR: none after LSR was read", 1, 1},
        {"overrun without FIFO: the later character is there", 'C', 'C'},
        {"LSR: empty", 0, 0},
        {"IIR: FIFOs are on, nothing pending", 0xc1, 0xc1},
        {"LSR: data", 1, 1},
        {"IIR: trigger level (or the timeout, which has the same priority)", 4, 0xc},
        {"FIFO: first", '1', '1'},
        {"IIR: timeout", 0xc, 0xc},
        {"FIFO: second", '2', '2'},
        {"FIFO: third", '3', '3'},
        {"FIFO: fourth", '4', '4'},
        {"LSR: empty", 0, 0},
        {"IIR: none", 1, 1},
        {"FIFO: overrun", 3, 3},
        {"FIFO: overrun taken back", 1, 1},
        {"FIFO: first of 18", 'a', 'a'},
        {"FIFO: sixteenth of 18", 'p', 'p'},
        {"FIFO: then empty", 0, 0},
        {"FCR clears the receiver", 0, 0},
        {"IIR: FIFOs off", 0, 0},
        {"turning FIFOs off empties them", 0, 0},
        {"IIR: transmitter empty, at once when enabled", 2, 2},
        {"IIR: taken back by reading", 1, 1},
        {"IIR: again after a character", 2, 2},
        {"LSR: empty and idle", 0x60, 0x60},
        {"IIR: none when disabled", 1, 1},
        {"MCR has five bits", 0x1f, 0x1f},
    };
    ckt("as many as were asked", n == sizeof(w) / sizeof(w[0]));
    for (int i = 0; i < n; ++i) ck2(w[i].what, r[i], w[i].want, w[i].or_else);
    return 0;
}
