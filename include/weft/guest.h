// The guest side of the boundary: what an architecture gives the accelerator, and what the accelerator gives back to it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "weft/helper.h"
#include "weft/ir.h"
#include "weft/memory.h"
#include "weft/state.h"

namespace weft {

// Raised when anything in this header changes its meaning or layout.
inline constexpr uint32_t kGuestAbiVersion = 11;

// A register that IR names: it becomes the IR global with its index in the table.
struct GlobalDesc {
    const char* name;
    ir::Type type;
    int32_t offset;  // its home, from the state pointer; aligned to its size
    // Ranking for pinning in host registers across units: 1 is the best candidate, 0 is never pinned. Ranks are given
    // apart for integer and floating-point globals.
    uint16_t pin_rank;
};

enum class TranslateStatus : uint8_t {
    ok,
    need_more,  // the first instruction reaches past the snapshot: call again with both pages' bytes
    too_big,    // Unit::error says so: call again with a smaller max_insns
};

// What a translation may depend on, and nothing else: no vCPU, no guest memory.
struct TranslateRequest {
    const void* model;    // GuestArch::model
    uint64_t tb_flags;    // GuestArch::tb_flags of the state it is for
    const uint8_t* code;  // the guest's bytes from the unit's first instruction on
    uint32_t
        code_size;  // bytes readable there; at most up to the page's end, or a few bytes into the next page
    uint32_t page_offset;  // of the first instruction within its page, 0..4095
    uint32_t max_insns;    // at least 1
    bool one_insn_per_tb;  // leave by lookup_and_goto_ptr or exit_tb after each instruction
    // Pages keep their places around each other wherever the code runs (a process's): goto_tb may lead to another page.
    bool fixed_pages;
    // The backend makes use of return_point and of what lookup_and_goto_ptr says of returns.
    bool return_points;
    // Registers of the guest's that are a word of its state are read and written by IR, without a helper.
    bool inline_csrs;
    // Forward branches may lead on within the unit. Nobody counts instructions then (see exit_check in weft/ir.h).
    bool inner_branches;
};

// Why GuestArch::run() stopped.
enum class RunStop : uint8_t {
    jump,  // StateHeader::pc is where a jump or taken branch, or the end of the bytes, led to
    translate,  // the instruction at StateHeader::pc is none that run() takes on, or its bytes are not all there; nothing
                // of it was done
    exception,  // recorded in the state for deliver(), or the vCPU has failed; StateHeader::pc is the instruction's
};

struct RunResult {
    RunStop stop;
    uint32_t insns;  // completed
};

enum class Access : uint8_t { load, store, fetch };

// Why memory of a process cannot be accessed.
enum class MemoryFault : uint8_t {
    unmapped,    // nothing is there
    protection,  // something is, which may not be accessed so
    bus,  // something is, which cannot be had: a mapped file ends before it, or the host's memory is broken
};

enum PageProt : uint8_t { kProtRead = 1, kProtWrite = 2, kProtExec = 4 };

struct WalkRequest {
    uint64_t vaddr;
    Access access;
    uint8_t mmu_mode;
    uint8_t size;  // bytes accessed, at most up to the page's end
    bool probe;    // for debuggers: raise nothing, set no accessed or dirty bits
};

struct WalkResult {
    uint64_t paddr;  // physical address of vaddr (not of its page)
    // PageProt bits that hold for the whole 4 KiB page, now, without a further walk. What may be written may be read: the
    // native backend reads through an entry that it looked up for a store.
    uint8_t prot;
    uint8_t page_shift;  // log2 of the mapping's size, 12 and up
    bool global;         // the mapping is the same in all address spaces (RISC-V: the G bit)
    bool once;           // valid for this access alone (a physical protection boundary crosses the page)
};

// Which translations to forget. Plain data.
struct TlbFlush {
    bool all_addresses;
    bool all_asids;  // false: entries of `asid` that are not global
    uint64_t vaddr;  // any address in the page, where all_addresses is false
    uint32_t asid;
};

// Identifies what virtual addresses mean. Two states with equal keys see the same mappings unless a flush is due.
struct AddressSpaceKey {
    uint64_t root;  // of the page table, with the translation mode; 0 where addresses are physical
    uint32_t asid;
    bool operator==(const AddressSpaceKey&) const = default;
};

struct ErrorSink {
    void (*report)(void* opaque, const char* message);
    void* opaque;
};

struct TextSink {
    void (*write)(void* opaque, const char* text, size_t length);
    void* opaque;
};

// The MMU mode of user programs: code in which the guest's kernel holds no lock.
inline constexpr uint8_t kUserMmuMode = 0;

// An architecture. Constant, and valid as long as any accelerator instance made from it. All functions but translate,
// disassemble and has_work run on the thread of the vCPU whose state they get. `state` is the state pointer.
struct GuestArch {
    uint32_t abi_version;  // kGuestAbiVersion
    uint32_t ir_version;   // ir::kIrVersion
    const char* name;      // "riscv64"
    // What sets the CPUs of this table apart from others of the architecture, in the architecture's own terms: handed back to it
    // where a function says so. Constant, and valid as long as the table.
    const void* model;
    // Tables of one build of the architecture with equal ids make the same unit of the same request.
    uint64_t model_id;

    uint32_t state_size;      // bytes of the architecture's part
    uint32_t mmu_mode_count;  // at most 4
    // Mask of MMU modes whose code works with the same pages for long: there an access is compared with the page that the same
    // instruction found last. Not those of a kernel, which changes mappings and address spaces all the time.
    uint32_t steady_modes;
    uint32_t space_dependent_modes;  // mask of MMU modes whose mappings depend on the AddressSpaceKey
    uint32_t max_insn_size;          // bytes
    uint32_t min_insn_size;          // bytes; instructions are aligned to it

    const GlobalDesc* globals;
    uint32_t global_count;
    const HelperDesc* helpers;  // a call op's aux is an index into this table
    uint32_t helper_count;

    // Translates one unit. Any thread; depends on the request alone. Ends the unit at the page's end at the latest.
    TranslateStatus (*translate)(const TranslateRequest* request, ir::Unit* unit);
    // Does what the instructions from StateHeader::pc on say, one after another without translating them, up to the next
    // jump or the end of the bytes: cheaper than a translation that is used a few times. `code`: `size` bytes from the pc on, at
    // most up to the end of its 4 KiB page: guest RAM itself, which others may write meanwhile (weft/guest_ram.h), or a copy. Takes
    // on instructions after which neither TB flags nor mappings nor enabled interrupts are others. May be null.
    RunResult (*run)(void* state, uint64_t tb_flags, const uint8_t* code, uint32_t size);
    // Writes one line a guest instruction to `sink`: for -d in_asm. `pc` is the virtual address of code[0]. `model` is the table's.
    void (*disassemble)(const void* model, const uint8_t* code, size_t size, uint64_t pc,
                        const TextSink* sink);

    // Brings a new state to the architecture's reset values (and StateHeader::pc to the reset vector). `model` is the table's.
    void (*reset)(void* state, const void* model);
    // Everything besides bytes and page that a translation of the current pc depends on.
    uint64_t (*tb_flags)(const void* state);
    // The MMU mode that instructions are fetched in; kUserMmuMode while a user program runs.
    uint8_t (*fetch_mmu_mode)(uint64_t tb_flags);
    ir::Rounding (*fp_rounding)(uint64_t tb_flags);
    // Null, as are walk, bus_error, take_interrupt, interrupt_known and has_work, where the table is for process mode alone.
    AddressSpaceKey (*address_space)(const void* state);

    // Translates a virtual address. True: *result is filled. False: a guest exception is recorded in the state
    // (unless request->probe), to be delivered by deliver().
    bool (*walk)(void* state, const WalkRequest* request, WalkResult* result);
    // Record an exception: a misaligned access that the op forbids; a physical address where nothing answers.
    void (*unaligned_access)(void* state, uint64_t vaddr, Access access);
    void (*bus_error)(void* state, uint64_t vaddr, Access access);
    // Records the exception of process mode (weft/user_memory.h), where it stands for `walk` and `bus_error`: the byte at
    // `vaddr` may not be accessed. Null where the architecture has no process mode.
    void (*memory_fault)(void* state, uint64_t vaddr, Access access, MemoryFault kind);
    // Deals with the recorded exception; StateHeader::pc is the faulting instruction's. True: it is delivered to the guest, whose
    // handler's pc is there now. False, in process mode alone: it is the emulator's affair (ProcessOps::enter comes back), and
    // stays recorded.
    bool (*deliver)(void* state);
    // Takes the most urgent interrupt that is pending and enabled, if any: true if the pc changed.
    bool (*take_interrupt)(void* state);
    // Whether there is one to take, of what is known without a look at a clock: what comes due by itself is announced by a kick.
    // Asked where a unit was left and everybody else may be passed by.
    bool (*interrupt_known)(const void* state);
    // Whether a halted vCPU must wake up. Any thread (reads atomics and, while the vCPU is halted, its state).
    bool (*has_work)(const void* state);

    // One line a register, for -d exec dumps, `info registers` and tests.
    void (*dump_registers)(const void* state, const TextSink* sink);
};

// Returned by device and memory services.
enum class MemoryStatus : uint8_t { ok, unassigned, bus_error };

// What the accelerator gives code of the guest side that runs on a vCPU's thread (helpers, GuestArch functions).
// `vcpu` is StateHeader::vcpu, of the calling thread.
struct VcpuServices {
    // Forgets translations of this vCPU; they are gone when the helper's unit leaves by exit_tb.
    void (*tlb_flush)(Vcpu* vcpu, const TlbFlush* flush);
    // After this vCPU's fence.i: it runs no translation of bytes that were overwritten before.
    void (*fence_i)(Vcpu* vcpu);

    // Time in nanoseconds: the host's monotonic clock, or the instruction clock. Any thread.
    uint64_t (*now_ns)(Vcpu* vcpu);
    // What counters of cycles and of retired instructions show, but for their offsets. With the instruction clock: this
    // vCPU's instructions so far, with those that raised an exception and without them. With the host's clock nobody
    // counts: nanoseconds of now_ns. The vCPU's thread.
    uint64_t (*cycles)(Vcpu* vcpu);
    uint64_t (*instret)(Vcpu* vcpu);
    // The vCPU must look at its interrupts at `deadline_ns` (UINT64_MAX: never). Any thread.
    void (*set_deadline)(Vcpu* vcpu, uint64_t deadline_ns);
    // Makes the vCPU look at its interrupts soon, and wakes it if it is halted. Any thread; the caller has already made
    // the interrupt pending (sequentially consistent).
    void (*kick)(Vcpu* vcpu);

    // Guest-physical accesses of the page walker: `size` is 1, 2, 4 or 8 bytes, naturally aligned.
    MemoryStatus (*phys_load)(Vcpu* vcpu, uint64_t paddr, unsigned size, uint64_t* value);
    MemoryStatus (*phys_store)(Vcpu* vcpu, uint64_t paddr, unsigned size, uint64_t value);
    // Compare-and-swap of 8 aligned bytes of RAM; *swapped says whether it happened.
    MemoryStatus (*phys_cmpxchg)(Vcpu* vcpu, uint64_t paddr, uint64_t expected, uint64_t desired,
                                 bool* swapped);

    // Guest-virtual memory as instructions see it (for run(), and for instructions too rare for IR): `memop` is an
    // ir::MemOp's bits. False: an exception is recorded in the state, or the vCPU has failed; a helper sets `raised` and
    // returns.
    bool (*load)(Vcpu* vcpu, uint64_t vaddr, uint32_t memop, uint64_t* value);
    bool (*store)(Vcpu* vcpu, uint64_t vaddr, uint32_t memop, uint64_t value);
    // What `op`, one of the atomic ops, does to 1, 2, 4 or 8 bytes; *old is the value before, by the memop's width and sign. Of
    // atomic_cmpxchg `a` is the expected and `b` the desired value, else `a` is the operand.
    bool (*atomic)(Vcpu* vcpu, ir::Opcode op, uint64_t vaddr, uint32_t memop, uint64_t a, uint64_t b,
                   uint64_t* old);
    // Compare-and-swap of 16 bytes, two words of which the one at the lower address comes first; *old are those before: the expected
    // ones exactly where the desired ones were stored. Of `memop` the MMU mode counts alone. False also where `vaddr` is not a
    // multiple of 16.
    bool (*compare_exchange_pair)(Vcpu* vcpu, uint64_t vaddr, uint32_t memop,
                                  const std::array<uint64_t, 2>& expected,
                                  const std::array<uint64_t, 2>& desired, std::array<uint64_t, 2>* old);

    // The -d log: `item` is a LogItem of base/log.h.
    bool (*log_enabled)(Vcpu* vcpu, unsigned item);
    void (*log)(Vcpu* vcpu, unsigned item, const char* text);
};

}  // namespace weft
