// A piece of code that runs in any mode until its first trap: what all directed system programs are made of.
#pragma once

#include "runtime.h"

namespace guest {

enum Mode : uint64_t { user = 0, supervisor = 1, machine = 3 };

// mstatus.
constexpr uint64_t kSie = 1 << 1;
constexpr uint64_t kMie = 1 << 3;
constexpr uint64_t kSpie = 1 << 5;
constexpr uint64_t kMpie = 1 << 7;
constexpr uint64_t kSpp = 1 << 8;
constexpr unsigned kMppShift = 11;
constexpr uint64_t kMpp = 3 << kMppShift;
constexpr uint64_t kFsInitial = 1 << 13;
constexpr uint64_t kFs = 3 << 13;
constexpr uint64_t kMprv = 1 << 17;
constexpr uint64_t kSum = 1 << 18;
constexpr uint64_t kMxr = 1 << 19;
constexpr uint64_t kTvm = 1 << 20;
constexpr uint64_t kTw = 1 << 21;
constexpr uint64_t kTsr = 1 << 22;

// PTEs.
constexpr uint64_t kPteV = 1;
constexpr uint64_t kPteR = 2;
constexpr uint64_t kPteW = 4;
constexpr uint64_t kPteX = 8;
constexpr uint64_t kPteU = 16;
constexpr uint64_t kPteG = 32;
constexpr uint64_t kPteA = 64;
constexpr uint64_t kPteD = 128;
constexpr uint64_t kPteAll = kPteV | kPteR | kPteW | kPteX | kPteA | kPteD;
constexpr uint64_t kSv39 = 8;
constexpr uint64_t kSv48 = 9;
constexpr uint64_t kSv57 = 10;
constexpr uint64_t satp_of(uint64_t mode, uint64_t root, uint64_t asid = 0) {
    return mode << 60 | asid << 44 | root >> 12;
}
constexpr uint64_t leaf(uint64_t physical, uint64_t flags) { return physical >> 2 | flags; }

// Memory of the programs' own, beyond image and scratch memory.
constexpr uint64_t kTables = 0x80200000;  // page tables, one a page
constexpr uint64_t kData = 0x80400000;    // aligned to superpages of 2 MiB
constexpr uint64_t kGigapage = 0x80000000;
constexpr uint64_t kCodeAlias = 0x40000000;  // U mode sees the image by so much further up
constexpr uint64_t kBeyondRam = 0xa0000000;  // no memory, no device

// probe_switch.S knows the offsets.
struct Probe {
    uint64_t pc;
    uint64_t status;
    uint64_t satp;
    uint64_t a[6];  // in: a0 to a5; out: the same at the trap
    // out
    uint64_t cause;
    uint64_t epc;
    uint64_t tval;
    uint64_t status_out;
    uint64_t sp;
    uint64_t tvec;
};

extern "C" void probe_run(Probe* probe);

// Code for probes (fragments.S): each ends by an ECALL, unless it traps before. a0 is an address or an operand.
extern "C" {
extern const char f_ecall[], f_ebreak[], f_illegal[], f_c_illegal[], f_csr_read_only[];
extern const char f_lb[], f_lh[], f_lw[], f_ld[], f_sb[], f_sh[], f_sw[], f_sd[], f_fld[], f_fsd[];
extern const char f_amo_w[], f_amo_d[], f_lr_w[], f_sc_w[], f_lr_sc[], f_jump[], f_call_through[];
extern const char f_two_spaces[], f_remap[];
extern const char f_lr_w_alone[], f_lr_d_alone[], f_ld_lr[], f_lr_sc_same[], f_lr_sfence_sc[],
    f_lr_sfence_all_sc[], f_lr_sinval_sc[], f_lr_satp_sc[], f_lr_satp_sfence_sc[], f_lr_mprv_sc[],
    f_lr_mret_sc[], f_lr_trap_sc[];
extern const char f_mprv_load[], f_mprv_store[], f_mret[], f_sret[], f_wfi[], f_wfi_after_enable[], f_spin[],
    f_compare[];
extern const char f_sfence[], f_sinval[], f_sfence_w_inval[], f_read_satp[], f_write_satp[], f_read_cycle[];
extern const char f_read_time[], f_read_instret[], f_read_stimecmp[], f_write_stimecmp[], f_fp[],
    f_read_fcsr[];
extern const char f_supervisor_vector[], f_supervisor_sret[], f_enable_and_spin[];
}

constexpr unsigned kVectorEntries = 16;  // of f_supervisor_vector, 4 bytes each

// Runs `fragment` in `mode` with further bits of mstatus. In U mode with translation, it is run at its alias.
inline Probe probe(const char* fragment, Mode mode, uint64_t status, uint64_t satp, uint64_t a0 = 0,
                   uint64_t a1 = 0, uint64_t a2 = 0, uint64_t a4 = 0) {
    Probe p{};
    p.pc = reinterpret_cast<uint64_t>(fragment) + (mode == user && satp != 0 ? kCodeAlias : 0);
    p.status = status | mode << kMppShift;
    if ((status & kFs) == 0) {
        p.status |= kFsInitial;
    }
    p.satp = satp;
    p.a[0] = a0;
    p.a[1] = a1;
    p.a[2] = a2;
    p.a[4] = a4;
    probe_run(&p);
    return p;
}

// The report: lines of text, of which hashes are printed, or those lines that isa::SystemProgram asks for.
void out_char(char c);
void out_text(const char* text);
void out_short(uint64_t value);  // in hexadecimal, without leading zeros
void out_line(const char* name, uint64_t value);
void out_probe(const char* name,
               const Probe& p);  // "name cause tval epc a0", epc from the fragment's beginning
// "name cause tval epc a0 a1 ... a5 mstatus": of mstatus, what weft has.
void out_state(const char* name, const Probe& p);

// What the specification says, where the emulator that weft is compared with takes another of several ways, or the wrong
// one: `actual`, and there `expected`.
void out_rule(const char* name, uint64_t actual, uint64_t expected);

inline uint64_t& word(uint64_t address) { return *reinterpret_cast<uint64_t*>(address); }
inline volatile uint64_t& device(uint64_t address) { return *reinterpret_cast<volatile uint64_t*>(address); }
inline volatile uint32_t& device32(uint64_t address) {
    return *reinterpret_cast<volatile uint32_t*>(address);
}

// Whether this is the emulator that weft is compared with.
bool on_peer();

// Fills pages with ECALLs: fetching from any word of them traps there.
void fill_with_ecalls(uint64_t address, uint64_t size);
void clear_pages(uint64_t address, uint64_t count);

}  // namespace guest

extern "C" void system_main();
