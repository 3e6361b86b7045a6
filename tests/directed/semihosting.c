// Semihosting: every operation, from M mode, and from S mode through page tables. What is done is chosen by the command line that the
// guest asks for: "all words", "hostile" (and what QEMU does otherwise), "readc" (the console's input), "echo" (standard input to
// output), "user" (U mode may call), "extended" and "other" (ends by SYS_EXIT_EXTENDED, and for another reason). Else it ends by
// SYS_EXIT with code 42 where nothing is wrong.
// After: RISC-V Semihosting 1.0; Semihosting for AArch32 and AArch64 2.0, chapters 4 and 5.
#include "lib.h"

enum {
    OPEN = 1, CLOSE, WRITEC, WRITE0, WRITE, READ, READC, ISERROR, ISTTY, SEEK, FLEN = 0xc, TMPNAM, REMOVE, RENAME, CLOCK, TIME,
    SYSTEM, ERRNO, CMDLINE = 0x15, HEAPINFO, EXIT = 0x18, EXIT_EXTENDED = 0x20, ELAPSED = 0x30, TICKFREQ
};
enum { E_NOENT = 2, E_BIG = 7, E_BADF = 9, E_FAULT = 14, E_INVAL = 22, E_NOTTY = 25, E_PIPE = 29 };
#define FAILED (~0ul)

// Within one page, as the convention has it.
asm(".balign 32\n.globl call\ncall:\n.option push\n.option norvc\n"
    "    slli x0, x0, 0x1f\n    ebreak\n    srai x0, x0, 7\n    ret\n.option pop\n"
    ".globl bare_ebreak\nbare_ebreak:\n.option push\n.option norvc\n    nop\n    ebreak\n    srai x0, x0, 7\n    ret\n.option pop\n"
    ".globl other_end\nother_end:\n.option push\n.option norvc\n    slli x0, x0, 0x1f\n    ebreak\n    srai x0, x0, 8\n    ret\n"
    ".option pop\n");
extern u64 call(u64 operation, const volatile void* parameter);
extern u64 bare_ebreak(u64 operation, const volatile void* parameter);
extern u64 other_end(u64 operation, const volatile void* parameter);
#define CALL(operation, ...)                   \
    ({                                         \
        volatile u64 block_[] = {__VA_ARGS__}; \
        call(operation, block_);               \
    })

static u64 length(const char* s) {
    u64 n = 0;
    while (s[n]) ++n;
    return n;
}
static int same(const char* a, const char* b, u64 n) {
    for (u64 i = 0; i < n; ++i)
        if (a[i] != b[i]) return 0;
    return 1;
}
static u64 open_(const char* name, u64 mode) { return CALL(OPEN, (u64)name, mode, length(name)); }
static u64 close_(u64 h) { return CALL(CLOSE, h); }
static u64 read_(u64 h, const volatile void* to, u64 n) { return CALL(READ, h, (u64)to, n); }
static u64 write_(u64 h, const char* from, u64 n) { return CALL(WRITE, h, (u64)from, n); }
static u64 seek_(u64 h, u64 to) { return CALL(SEEK, h, to); }
static u64 remove_(const char* name) { return CALL(REMOVE, (u64)name, length(name)); }
static u64 errno_(void) { return call(ERRNO, 0); }

static char text[4096], line[4096];

static void __attribute__((noreturn)) end(void) {
    puts_(failures ? "FAIL" : "PASS");
    puts_(" semihosting (");
    puthex(checks);
    puts_(" checks)\n");
    CALL(EXIT, 0x20026, failures ? 1 : 42);
    puts_("the program goes on behind its end\n");
    for (;;) {
    }
}

static void sequences(void) {
    // The result is there and the program goes on behind the sequence; other registers stay (the compiler relies on it).
    ck("a call", call(TICKFREQ, 0), 1000000000);
    try_m(bare_ebreak, TICKFREQ, 0);
    ck("an EBREAK by itself", T.cause, C_BREAK);
    ck("its address", T.epc, (u64)bare_ebreak + 4);
    try_m(other_end, TICKFREQ, 0);
    ck("another instruction behind it", T.cause, C_BREAK);
    run_priv(U, (u64)call, TICKFREQ, 0, 0);
    ck("a call from U mode", T.cause, C_BREAK);
    run_priv(S, (u64)call, TICKFREQ, 0, 0);
    ck("a call from S mode", T.cause, C_ECALL_S);
    ck("its result", T.regs[10], 1000000000);
}

static void files(void) {
    const char* const name = "semihosting.tmp";
    u64 h = open_(name, 6);
    ckt("open for update", h != 0 && h != FAILED);
    ck("write", write_(h, "hello world", 11), 0);
    ck("length", CALL(FLEN, h), 11);
    ck("seek", seek_(h, 0), 0);
    ck("read", read_(h, text, 5), 0);
    ckt("what was read", same(text, "hello", 5));
    ck("read up to the end", read_(h, text, 100), 94);
    ckt("what was read there", same(text, " world", 6));
    ck("read at the end", read_(h, text, 7), 7);
    ck("seek to the middle", seek_(h, 6), 0);
    ck("write there", write_(h, "W", 1), 0);
    ck("is it a terminal", CALL(ISTTY, h), 0);
    ck("errno of that", errno_(), E_NOTTY);
    ck("seek before the start", seek_(h, -1ul), FAILED);
    ck("errno of that", errno_(), E_INVAL);
    ck("close", close_(h), 0);
    ck("close again", close_(h), FAILED);
    ck("the lowest handle is given again", open_(name, 0), h);
    ck("read what was written", read_(h, text, 11), 0);
    ckt("it", same(text, "hello World", 11));
    ck("nothing is written to what is open for reading", write_(h, "x", 1), 1);
    close_(h);
    h = open_(name, 4);
    ck("w empties", CALL(FLEN, h), 0);
    close_(h);
    h = open_(name, 2);
    ckt("r+ opens what is there", h != FAILED);
    close_(h);
    ck("rename", CALL(RENAME, (u64)name, length(name), (u64) "renamed.tmp", 11), 0);
    ck("rename what is not there", CALL(RENAME, (u64)name, length(name), (u64) "other.tmp", 9), FAILED);
    ck("errno of that", errno_(), E_NOENT);
    ck("open what is not there", open_(name, 0), FAILED);
    ck("remove", remove_("renamed.tmp"), 0);
    ck("remove again", remove_("renamed.tmp"), FAILED);
    ck("no such mode", open_(name, 12), FAILED);
    ck("no name", open_("", 0), FAILED);
    ck("a name that does not end", CALL(OPEN, (u64) "abc", 4, 2), FAILED);
    ck("errno of that", errno_(), E_INVAL);
    // Handles that are none.
    for (u64 bad = 0; bad < 3; ++bad) {
        const u64 none = (u64[]){0, 99, -1ul}[bad];
        ck("read", read_(none, text, 10), 10);
        ck("write", write_(none, text, 10), 10);
        ck("close", close_(none), FAILED);
        ck("terminal", CALL(ISTTY, none), FAILED);
        ck("length", CALL(FLEN, none), FAILED);
        ck("seek", seek_(none, 0), FAILED);
        ck("errno", errno_(), E_BADF);
    }
    ck("is -1 an error", CALL(ISERROR, -1ul), 1);
    ck("is 0 an error", CALL(ISERROR, 0), 0);
    ck("is 5 an error", CALL(ISERROR, 5), 0);
}

static void streams(void) {
    const u64 in = open_(":tt", 0), out = open_(":tt", 4), err = open_(":tt", 8);
    ck("to standard output", write_(out, "out\n", 4), 0);
    ck("to standard error", write_(err, "err\n", 4), 0);
    ck("is a pipe a terminal", CALL(ISTTY, in), 0);
    ck("seek in a pipe", seek_(in, 1), FAILED);
    ck("errno of that", errno_(), E_PIPE);
    ck("from standard input", read_(in, text, 3), 0);
    ckt("it", same(text, "ab\n", 3));
    ck("all that is there", read_(in, text, 10), 8);
    ckt("it", same(text, "cd", 2));
    ck("the end", read_(in, text, 10), 10);
    ck("close", close_(in) | close_(out) | close_(err), 0);
    const u64 again = open_(":tt", 5);
    ck("which closed nothing of the host's", write_(again, "again\n", 6), 0);
    close_(again);
    call(WRITEC, "c");
    call(WRITE0, "\nzero\n");
}

static void features(void) {
    const u64 h = open_(":semihosting-features", 0);
    ck("length", CALL(FLEN, h), 5);
    ck("read", read_(h, text, 16), 11);
    ckt("it", same(text, "SHFB\x03", 5));
    ck("seek", seek_(h, 4), 0);
    ck("read there", read_(h, text, 1), 0);
    ck("it", text[0], 3);
    ck("write", write_(h, "x", 1), 1);
    ck("seek behind the end", seek_(h, 9), FAILED);
    ck("close", close_(h), 0);
    ck("for writing", open_(":semihosting-features", 4), FAILED);
}

static void machine(void) {
    volatile u64 block[2] = {(u64)text, 3};
    ck("no room for the command line", call(CMDLINE, block), FAILED);
    ck("errno of that", errno_(), E_BIG);
    const u64 before = call(CLOCK, 0);
    volatile u64 ticks[2] = {0, 0x55};
    ck("elapsed", call(ELAPSED, ticks), 0);
    ckt("it", ticks[0] != 0);
    ck("one word alone", ticks[1], 0x55);
    const u64 first = ticks[0];
    call(ELAPSED, ticks);
    ckt("it goes on", ticks[0] >= first && ticks[0] - first < 60ul * 1000000000);
    ckt("so does the clock", call(CLOCK, 0) >= before && call(CLOCK, 0) - before < 6000);
    ckt("the time is after 2020", call(TIME, 0) > 1577836800);
    volatile u64 heap[4] = {0};
    ck("heap info", CALL(HEAPINFO, (u64)heap), 0);
    extern char __bss_end[];
    ckt("the heap is behind the program", heap[0] >= (u64)__bss_end && heap[1] > heap[0] && heap[1] <= 0x88000000);
    ckt("the stack is at its end", heap[2] == heap[1] && heap[3] == heap[0]);
    ck("a temporary name", CALL(TMPNAM, (u64)text, 1, 4096), 0);
    ck("another", CALL(TMPNAM, (u64)line, 0xff, 4096), 0);
    ckt("they differ", length(text) == length(line) && !same(text, line, length(text)));
    ck("no room for it", CALL(TMPNAM, (u64)text, 1, 2), FAILED);
}

// Code that a call brought is run, not what was there before.
static void code(void) {
    static const u32 two[] = {0x00200513, 0x00008067};
    volatile u32* const here = (volatile u32*)page_a;
    const u64 h = open_("code.tmp", 7);
    ck("write", write_(h, (const char*)two, 8), 0);
    for (int round = 0; round < 40; ++round) {
        here[0] = 0x00100513;
        here[1] = 0x00008067;
        asm volatile("fence.i" ::: "memory");
        for (int i = 0; i < 20; ++i) ck("the old code", ((u64(*)(void))page_a)(), 1);
        seek_(h, 0);
        ck("read", read_(h, page_a, 8), 0);
        asm volatile("fence.i" ::: "memory");
        ck("the new code", ((u64(*)(void))page_a)(), 2);
    }
    close_(h);
    remove_("code.tmp");
}

// S mode, where addresses are others.
static u64 mapped(void) {
    volatile u64* const block = (volatile u64*)TVA;  // page_b
    char* const name = (char*)TVA + 100;
    for (u64 i = 0; i < 11; ++i) name[i] = "mapped.tmp"[i];
    block[0] = (u64)name;
    block[1] = 7;
    block[2] = 10;
    const u64 h = call(OPEN, block);
    block[0] = h;
    block[1] = TVA + 2 * 4096 - 3;  // into page_d, which lies elsewhere
    block[2] = 8;
    for (u64 i = 0; i < 8; ++i) ((char*)block[1])[i] = "across p"[i];
    u64 wrong = call(WRITE, block);
    call(SEEK, (volatile u64[]){h, 0});
    for (u64 i = 0; i < 8; ++i) ((char*)block[1])[i] = 0;
    wrong |= call(READ, block);
    for (u64 i = 0; i < 8; ++i) wrong |= ((char*)block[1])[i] != "across p"[i];
    call(CLOSE, (volatile u64[]){h});
    return wrong;
}

static void translated(void) {
    paging_init();
    map(0, (u64)page_b, RWAD);
    map(1, (u64)page_c, RWAD);
    map(2, (u64)page_d, RWAD);
    csrw(satp, satp_of(pt_root, 1));
    sfence_all();
    run_priv(S, (u64)mapped, 0, 0, 0);
    csrw(satp, 0);
    ck("through page tables", T.cause, C_ECALL_S);
    ck("its result", T.regs[10], 0);
    ck("remove what it made", remove_("mapped.tmp"), 0);
}

// Files and memory that are not there, lengths beyond all memory, handles without end.
static u64 faulting(void) {
    const u64 h = CALL(OPEN, (u64) "hostile.tmp", 7, 11);
    for (u64 i = 0; i < 100; ++i) line[i] = (char)i;
    CALL(WRITE, h, (u64)line, 100);
    CALL(SEEK, h, 0);
    // The second page is not mapped: 60 bytes come, and the rest is still in the file.
    const u64 left = CALL(READ, h, TVA + 4096 - 60, 100);
    const u64 more = CALL(READ, h, TVA, 100);
    const u64 next = *(volatile u8*)TVA;
    const u64 unwritten = CALL(WRITE, h, TVA + 4096 - 60, 100);
    return left << 48 | more << 32 | next << 16 | unwritten;
}

static void hostile(void) {
    ck("there is no such operation", call(0x77, 0), FAILED);
    ck("nor such a one", call(-1ul, 0), FAILED);
    ck("no program is run", CALL(SYSTEM, (u64) "exit 3", 6), FAILED);
    R8(0x87ffffff) = 'x';  // of what begins there all but a character is beyond RAM
    for (u64 operation = 1; operation < 0x32; ++operation) {
        static const u64 kBad[] = {0, 0x10, 0x87ffffff, 1ul << 62, -8ul, -1ul};
        if (operation == READC) continue;
        for (unsigned i = 0; i < sizeof kBad / sizeof *kBad; ++i) {
            const u64 got = call(operation, (const volatile void*)kBad[i]);
            if (operation == WRITEC && kBad[i] == 0x87ffffff) continue;
            if (operation != CLOCK && operation != TIME && operation != ERRNO && operation != TICKFREQ)
                ck("parameters that are nowhere", got, FAILED);
        }
    }
    ck("errno of that", errno_() == E_FAULT || errno_() == 38, 1);
    ck("a name that is nowhere", CALL(OPEN, 0x10, 0, 5), FAILED);
    ck("a name without end", CALL(OPEN, (u64) "x", 0, -1ul), FAILED);
    ck("a name as long as memory", CALL(OPEN, 0x80000000, 0, 1ul << 27), FAILED);
    const u64 h = open_("hostile.tmp", 7);
    ck("write from everywhere", write_(h, (const char*)0x87fffff0, 1ul << 62), (1ul << 62) - 16);
    seek_(h, 0);
    ck("read to nowhere", read_(h, (void*)0x10, 16), 16);
    ck("errno of that", errno_(), E_FAULT);
    ck("read more than there is", read_(h, text, -1ul), -17ul);
    ck("over the end of addresses", read_(h, (void*)-4ul, 16), 16);
    seek_(h, 0);
    ck("read to the end of RAM", read_(h, (void*)0x87fffff8, 16), 8);
    ck("what did not fit is still there", read_(h, text, 100), 92);
    ck("far seek", seek_(h, 1ul << 62) == 0 || errno_() == E_INVAL, 1);
    seek_(h, 0);
    ck("from a device that takes no such access", write_(h, (const char*)FINISHER, 8), 8);
    close_(h);
    const u64 appended = open_("hostile.tmp", 8);
    ck("append", write_(appended, "!", 1), 0);
    ck("it went to the end", CALL(FLEN, appended), 17);
    close_(appended);
    u64 opened = 0;
    while (opened < 1000 && open_("hostile.tmp", 0) != FAILED) ++opened;
    ck("files open at a time", opened, 256);
    ck("errno of that", errno_(), 24);
    for (u64 handle = 1; handle <= 256; ++handle) ck("close", close_(handle), 0);
    ck("heap info to nowhere", CALL(HEAPINFO, 0x10), FAILED);
    ck("command line to nowhere", CALL(CMDLINE, 0x10, 100), FAILED);
    ck("temporary name of no number", CALL(TMPNAM, (u64)text, 256, 100), FAILED);
    remove_("hostile.tmp");
    paging_init();
    map(0, (u64)page_b, RWAD);
    csrw(satp, satp_of(pt_root, 1));
    sfence_all();
    run_priv(S, (u64)faulting, 0, 0, 0);
    csrw(satp, 0);
    ck("up to where memory ends", T.regs[10], 40ul << 48 | 60ul << 32 | 60ul << 16 | 40);
    remove_("hostile.tmp");
    // A page that may be read alone takes nothing.
    map(0, (u64)page_b, RWXAD & ~PTE_W);
    csrw(satp, satp_of(pt_root, 1));
    sfence_all();
    page_b[0] = 0x5a;
    volatile u64* const block = (volatile u64*)page_c;
    block[0] = TVA;
    run_priv(S, (u64)call, HEAPINFO, (u64)block, 0);
    csrw(satp, 0);
    ck("a page that is not written", T.regs[10], FAILED);
    ck("and stays", page_b[0], 0x5a);
}

static void readc(void) {
    u64 n = 0, c;
    do {
        c = call(READC, 0);
        line[n++] = (char)c;
        call(WRITEC, &line[n - 1]);
    } while (c != '\n' && n < 100);
    ck("characters", n, 8);
    ckt("them", same(line, "console\n", 8));
}

int main(void) {
    volatile u64 block[2] = {(u64)text, sizeof text};
    ck("the command line", call(CMDLINE, block), 0);
    ck("its length", block[1], length(text));
    for (u64 i = 0; i <= block[1]; ++i) line[i] = text[i];
    if (same(line, "all words", 10)) {
        sequences();
        files();
        streams();
        features();
        machine();
        code();
        translated();
    } else if (same(line, "hostile", 8)) {
        hostile();
    } else if (same(line, "readc", 6)) {
        readc();
    } else if (same(line, "echo", 5)) {
        const u64 in = open_(":tt", 0), out = open_(":tt", 4);
        while (read_(in, text, 1) == 0) write_(out, text, 1);
        ckt("the input ended", 0);
    } else if (same(line, "user", 5)) {
        run_priv(U, (u64)call, TICKFREQ, 0, 0);
        ck("a call from U mode", T.cause, C_ECALL_U);
        ck("its result", T.regs[10], 1000000000);
    } else if (same(line, "extended", 9)) {
        CALL(EXIT_EXTENDED, 0x20026, 0x107);
    } else if (same(line, "other", 6)) {
        CALL(EXIT, 0x20024, 0);
    } else {
        puts_("  command line: ");
        puts_(line);
        puts_("\n");
        ckt("a command line that is known", 0);
    }
    end();
}
