#include "probe.h"

#include "program_format.h"

namespace guest {
namespace {

constexpr uint64_t kStatusCompared = kSie | kMie | kSpie | kMpie | kSpp | kMpp | kFs | kMprv | kSum | kMxr |
                                     kTvm | kTw | kTsr | uint64_t{15} << 32 | uint64_t{1} << 63;

// The report so far.
struct Report {
    uint64_t line = 0;
    uint64_t hash = kHashStart;
};
Report report;

const isa::SystemProgram& wish() { return *reinterpret_cast<const isa::SystemProgram*>(isa::kProgramBase); }

void flush_hash() {
    put_word(report.hash);
    report.hash = kHashStart;
}

}  // namespace

void out_char(char c) {
    const isa::SystemProgram& program = wish();
    if (program.lines_per_hash == 0) {
        if (report.line >= program.first_shown && report.line < program.end_shown) {
            put_char(c);
        }
    } else {
        report.hash = hash(report.hash, static_cast<uint8_t>(c));
    }
    if (c != '\n') {
        return;
    }
    ++report.line;
    if (program.lines_per_hash == 0) {
        if (report.line == program.end_shown) {
            guest_end();
        }
    } else if (report.line % program.lines_per_hash == 0) {
        flush_hash();
    }
}

void out_text(const char* text) {
    for (; *text != 0; ++text) {
        out_char(*text);
    }
}

void out_short(uint64_t value) {
    int shift = 60;
    while (shift > 0 && value >> shift == 0) {
        shift -= 4;
    }
    for (; shift >= 0; shift -= 4) {
        out_char("0123456789abcdef"[value >> shift & 15]);
    }
}

void out_line(const char* name, uint64_t value) {
    out_text(name);
    out_char(' ');
    out_short(value);
    out_char('\n');
}

namespace {

void out_values(const char* name, const uint64_t* values, uint64_t count) {
    out_text(name);
    for (uint64_t i = 0; i < count; ++i) {
        out_char(' ');
        out_short(values[i]);
    }
    out_char('\n');
}

}  // namespace

void out_probe(const char* name, const Probe& p) {
    const uint64_t values[] = {p.cause, p.tval, p.epc - p.pc, p.a[0]};
    out_values(name, values, 4);
}

void out_state(const char* name, const Probe& p) {
    const uint64_t values[] = {p.cause, p.tval, p.epc - p.pc, p.a[0], p.a[1],
                               p.a[2],  p.a[3], p.a[4],       p.a[5], p.status_out & kStatusCompared};
    out_values(name, values, 10);
}

void out_rule(const char* name, uint64_t actual, uint64_t expected) {
    out_line(name, on_peer() ? expected : actual);
}

bool on_peer() { return wish().on_peer != 0; }

void fill_with_ecalls(uint64_t address, uint64_t size) {
    constexpr uint64_t kTwoEcalls = 0x0000007300000073;
    for (uint64_t at = address; at < address + size; at += 8) {
        word(at) = kTwoEcalls;
    }
    asm volatile("fence.i" ::: "memory");
}

void clear_pages(uint64_t address, uint64_t count) {
    for (uint64_t at = address; at < address + count * 4096; at += 8) {
        word(at) = 0;
    }
}

}  // namespace guest

void guest_main() {
    system_main();
    if (guest::wish().lines_per_hash != 0) {
        guest::flush_hash();
        guest::put_text(isa::kSystemEnd);
        guest::put_char('\n');
    }
}
