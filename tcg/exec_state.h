// The accelerator's private part of the guest state block, as backends and the execution loop know it.
//
//   | ExecState: cold fields | tlb[4] | StateHeader |  architecture's state ...
//                            ^ -128   ^ -64         ^ the state pointer
//
// All of it belongs to the thread that runs the vCPU, but for StateHeader::exit_request.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "weft/guest.h"
#include "weft/memory.h"
#include "weft/state.h"

namespace weft::tcg {

// Flags in the upper bits of a TLB tag: a tag with any of them set never equals a page number, so the probe fails and the
// slow path decides.
enum TlbTag : uint64_t {
    kTlbInvalid = uint64_t{1} << 63,   // nothing cached for this kind of access
    kTlbNotDirty = uint64_t{1} << 62,  // stores only: the page may hold translated code
    kTlbDevice = uint64_t{1} << 61,    // no host address: every access is a call
    kTlbWatched = uint64_t{1} << 60,   // a debugger's watchpoint may lie in the page
    kTlbFlagMask = kTlbInvalid | kTlbNotDirty | kTlbDevice | kTlbWatched,
};

// One entry of the softmmu TLB. Probed by generated code: the page number of the last byte accessed must equal the tag.
struct TlbEntry {
    uint64_t read;  // virtual page number, perhaps with flags
    uint64_t write;
    uint64_t addend;  // host address minus virtual address
    // The slow path's: ram_offset of the page, or its physical address where kTlbDevice is set; with kTlbGlobal perhaps.
    uint64_t page;
};
// In TlbEntry::page: the mapping is the same in all address spaces.
inline constexpr uint64_t kTlbGlobal = 1;
// The page of an entry without that.
constexpr uint64_t tlb_frame(const TlbEntry& entry) { return entry.page & ~kTlbGlobal; }
inline constexpr unsigned kTlbEntryShift = 5;
// An entry's index comes from the lower half of an address alone.
inline constexpr uint64_t kMaxTlbEntries = uint64_t{1} << 20;
// The tag of a page that is cached without reserve.
constexpr uint64_t tlb_tag(uint64_t vaddr) { return vaddr >> kPageBits; }
static_assert(sizeof(TlbEntry) == 1u << kTlbEntryShift);

// A direct-mapped table for one MMU mode: the entry of `address` is at (address >> (12 - kTlbEntryShift)) & mask bytes.
struct TlbTable {
    uint64_t mask;  // (entries - 1) << kTlbEntryShift; at most kMaxTlbEntries
    TlbEntry* entries;
};
inline constexpr unsigned kMmuModes = 4;

// The pages that accesses found last, by the place of the instruction in guest code: generated code compares an address with the
// page that its place carries, which costs less than the probe of a table (no load waits for another), and probes where
// that fails. Filled by generated code from TLB entries that serve it without reserve; void whenever one of those is taken away
// or restricted, which is for whoever does that to see to. Loads and stores have their own, for a page may be readable alone.
inline constexpr unsigned kCarriedPlaces = 256;
inline constexpr uint64_t kNoCarriedPage =
    0x800;  // never what is left of an address without its offset in the page
struct CarriedPages {
    CarriedPages() { pages.fill(kNoCarriedPage); }

    std::array<uint64_t, kCarriedPlaces> pages;      // guest addresses
    std::array<uint64_t, kCarriedPlaces> addends{};  // host address minus guest address
};
// One MMU mode's.
struct CarriedTable {
    CarriedPages loads;
    CarriedPages stores;
    // By the low byte of a page's number: whether the page may be among them. Most pages that are flushed are not.
    std::array<uint8_t, 256> noted{};
    bool any = false;  // whether there are any
};
// The place of an instruction at this offset in its page: those that are 512 bytes apart share one.
constexpr unsigned carried_place(uint32_t page_offset) { return page_offset / 2 % kCarriedPlaces; }
// So many failed comparisons of a vCPU, and the slow path looks whose the last one was (RuntimeHooks::page_not_carried).
inline constexpr int32_t kCarriedMisses = 256;

// One entry of the jump cache that generated code probes: a table of so many as ExecState::jump_cache_mask says. Only its vCPU's
// thread reads and writes it.
struct JumpCacheEntry {
    uint64_t pc;
    uint32_t context_id;   // 0 in an empty entry; contexts are numbered from 1
    uint32_t code_offset;  // of the unit's first byte, from the start of the code buffer
};
static_assert(sizeof(JumpCacheEntry) == 16);
inline constexpr uint32_t kMinJumpCacheEntries = 1u << 13;
inline constexpr uint32_t kMaxJumpCacheEntries = 1u << 17;
// Of a table of `entries`, a power of two. As bytes, so that generated code needs no shift.
constexpr uint32_t jump_cache_mask(size_t entries) {
    return static_cast<uint32_t>((entries - 1) * sizeof(JumpCacheEntry));
}
// What sets contexts apart that run the same pcs, as processes of one program do: so many pages further on lie a context's
// entries. In bytes of the table, so that the four differ in one of any size.
inline constexpr uint32_t kJumpCacheSalts = 4;
constexpr uint32_t jump_cache_salt(uint32_t context_id) {
    return context_id % kJumpCacheSalts * (0x15u << 15);
}
// The entry of a pc: instructions are at least two bytes long.
constexpr size_t jump_cache_index(uint64_t pc, uint32_t salt, uint32_t mask) {
    return ((static_cast<uint32_t>(pc << 3) ^ salt) & mask) / sizeof(JumpCacheEntry);
}

// Why Backend::run came back. header.pc is the guest pc to go on at, but for `fault`.
enum class ExitKind : uint32_t {
    goto_tb,  // by an unlinked (or interrupted) goto_tb: exit_unit and exit_slot say which
    lookup,   // by exit_tb: carry on at header.pc
    halt,
    yield,
    // A guest exception is recorded, or a fault of the host's is noted (ExecState::fault) and none is recorded yet;
    // exit_host_pc lies in the instruction's code: restore from there.
    fault,
    indirect,  // by a lookup_and_goto_ptr that found nothing, or was interrupted: carry on at header.pc
};

// Units begin at multiples of this in the code buffer (its log2): with profile=on each has a counter by its place.
inline constexpr unsigned kProfileShift = 4;

// Most spill slots of a unit.
inline constexpr unsigned kSpillSlots = 128;

// What generated code counts where BackendConfig::profile is set. Counts are written by the thread that runs the vCPU and
// read by reports: relaxed, they order nothing.
struct alignas(64) ProfileState {
    // Entries into each unit, by all vCPUs: that of the unit at `offset` of the code buffer is [offset >> kProfileShift].
    // Added to by read-modify-write, relaxed. Constant pointer; null without profile=on.
    std::atomic<uint64_t>* unit_entries;
    std::atomic<uint64_t> entries;     // into units, by this vCPU
    std::atomic<uint64_t> probe_hits;  // of generated code in the jump cache
    std::atomic<uint64_t> probe_misses;
};

// A guest memory access by generated code at which the host faulted. Written by Backend::redirect, in a signal handler on the
// thread that runs the vCPU; read there when Backend::run has come back with ExitKind::fault, by whoever then clears
// `noted`. In between is run()'s return, which the compiler cannot see through: no atomics are needed.
struct HostFault {
    uint64_t address;   // guest address of the first byte that could not be accessed
    Access access;      // an atomic op may load first: that is a load
    bool noted;         // there is one, to be dealt with
    uint32_t code = 0;  // what the signal handler knows besides (UserMemoryOps::fault)
};

struct alignas(64) ExecState {
    // Where a unit's values wait for a register: for generated code alone. None lives from unit to unit.
    std::array<uint64_t, kSpillSlots> spills;

    std::array<CarriedTable, kMmuModes> carried;
    int32_t carried_misses = kCarriedMisses;  // left until the slow path is asked

    ProfileState profile;

    // At ExitKind::fault, and with the instruction clock in everything that generated code calls but the lookup hook: the
    // return address. Of a noted fault: the instruction's start plus 1, because rows of instruction tables include their end
    // (InsnRow) and the start is the end of what came before.
    uint64_t exit_host_pc;
    uint32_t exit_unit;  // UnitIndex that was given to Compiler::compile
    uint32_t exit_slot;
    // Instruction clock: generated code subtracts what a unit executed, where it leaves the unit, and returns to the loop
    // when this turns negative. What it calls may lower it.
    int64_t insn_budget;
    // The guest's MXCSR while generated code runs (rounding mode, sticky exceptions, all masked); x86-64.
    uint32_t guest_mxcsr;
    // What it was when the prologue was called; and after the last call of C++ that thunks made: generated code's own.
    uint32_t host_mxcsr;
    uint32_t called_mxcsr;
    HostFault fault;
    // x86-64: the stack pointer as the prologue left it, and the least that it becomes by calls (kReturnStackBytes). Written by the
    // prologue and read by generated code, on the thread that runs the vCPU; debuggers read `frame`.
    uint64_t frame;
    uint64_t return_stack_end;
    // x86-64 with direct memory: where a fault of the running unit goes on before anything else, host address; 0: as usual. Set by
    // units that keep globals in registers of their own, zeroed where they are left, and by the prologue.
    uint64_t fault_entry;
    // Of header.jump_cache, and changes with it: on the vCPU's thread, where that is in no unit.
    uint32_t jump_cache_mask;
    // Of header.context_id, and changes with it.
    uint32_t jump_cache_salt;

    alignas(64) TlbTable tlb[kMmuModes];
    StateHeader header;
};
static_assert(sizeof(ExecState) % 64 == 0);

inline ExecState& exec_state(void* state) { return static_cast<ExecState*>(state)[-1]; }

// Displacements from the state pointer.
constexpr int32_t exec_offset(size_t offset_in_exec_state) {
    return static_cast<int32_t>(offset_in_exec_state) - static_cast<int32_t>(sizeof(ExecState));
}
static_assert(exec_offset(offsetof(ExecState, tlb)) == -128);

}  // namespace weft::tcg
