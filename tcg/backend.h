// What a backend does: turn a unit of IR into code, run it, link it.
//
// A Backend is one machine's: constant once its runtime code was emitted, and used by all threads. A Compiler is one
// translation context's: it owns the scratch memory of a compilation and is used by one thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/host_context.h"
#include "tcg/code/code_address.h"
#include "tcg/exec_state.h"
#include "tcg/runtime_map.h"
#include "weft/guest.h"
#include "weft/ir.h"

namespace weft::tcg {

// How generated code reaches guest memory. It is part of the runtime code: constant from emit_runtime() on.
struct MemoryModel {
    enum class Kind : uint8_t {
        table,   // by the softmmu's TLB (ExecState::tlb)
        direct,  // the host's address is the guest's plus `base`; what is not mapped there faults on the host
    };
    Kind kind = Kind::table;

    // The rest is for `direct` alone.
    uint64_t base = 0;
    // Not 0: log2 of a limit. An access whose last byte is not below it (12 to 63) is one of RuntimeHooks, which refuses
    // it, and none of the host's. One that begins up to seven bytes below guest address 0 and ends above it is not caught
    // by this: where `base` is not 0, the page below it must not be accessible.
    uint8_t bounds = 0;
};

// Where a vCPU goes on whose unit was left: in code, or, where there is none, Backend::run comes back with `kind`.
struct Onward {
    RxAddress code;
    ExitKind kind;
};

// What generated code calls when it cannot go on alone. On the vCPU's thread; they never leave by a jump.
struct RuntimeHooks {
    // Guest memory access by the slow path; with direct memory, of generated code, misaligned accesses that fault for it
    // (ir::MemOp::kAligned) and those beyond the bounds are all that comes here. Bits of `memop` are ir::MemOp's; values are zero-extended on the way in and,
    // on the way out, extended as memop says to 64 bits. False: a guest exception is recorded in the state.
    bool (*load)(void* state, uint64_t address, uint32_t memop, uint64_t* value);
    bool (*store)(void* state, uint64_t address, uint32_t memop, uint64_t value);
    // `op` is one of the atomic ops; for atomic_cmpxchg `a` is the expected and `b` the desired value, else `a` is the
    // operand. The value before, extended as memop says.
    bool (*atomic)(void* state, ir::Opcode op, uint64_t address, uint32_t memop, uint64_t a, uint64_t b,
                   uint64_t* old);
    // A group's shared TLB probe failed because its accesses lie in two pages of the host's memory; they are done one by
    // one. ExecState::exit_host_pc says where. May be null.
    void (*page_crossed)(void* state);
    // An access, that ExecState::exit_host_pc belongs to, did not find the page that its place carried (CarriedPages), and is one
    // of kCarriedMisses that did not. Before it is done. May be null.
    void (*page_not_carried)(void* state);
    // The code to go on at for guest `pc` in the state's current context, with header.page_pc set for it and the jump
    // cache filled; null where the loop must decide (nothing translated, exit requested); header.pc is then `pc`.
    RxAddress (*lookup)(void* state, uint64_t pc);
    // A unit was left for `lookup` or `fault` (as Backend::run says it): whether there is something to go on with at once, so that
    // the loop need not be entered. Everything is in the state, and may be changed. Not asked with direct memory for `fault`,
    // nor with BackendConfig::count_insns. A backend that does not ask comes back. May be null.
    Onward (*go_on)(void* state, ExitKind kind) = nullptr;
};

struct BackendConfig {
    const GuestArch* guest;
    RuntimeHooks hooks;
    bool
        count_insns;  // clock=insn: exit_check takes from ExecState::insn_budget, and calls leave their return address
    bool profile =
        false;  // units count their entries, probes of the jump cache their results: ExecState::profile
    MemoryModel memory{};
};

enum class CompileStatus : uint8_t {
    ok,
    region_full,  // did not fit in the window: try again in an empty region
    too_big,      // exceeds the offset width of a unit's tables: fewer instructions
};

// A goto_tb's patchable jump.
struct JumpSite {
    uint32_t site_offset;  // from the unit's start: where link() patches
    uint32_t stub_offset;  // where the unlinked jump goes; 0: there is no jump, as it was unreachable
    int32_t pc_offset;     // of the destination from the source's page
    // Not 0: where the jump goes when it is linked to its own unit, from the unit's start; it is linked to no other.
    uint32_t own_entry = 0;
};

// One guest instruction: its code ends at host_end (offset from the unit's start). A host pc p inside a unit belongs to
// the first row with p <= host_end, because calls are known by their return address.
struct InsnRow {
    uint32_t host_end;
    int32_t pc_offset;  // from the unit's page_pc
};

struct CompiledUnit {
    uint32_t code_size;  // bytes used of the window, alignment included
    uint8_t jump_count;
    std::array<JumpSite, ir::kMaxGotoTb> jumps;
    std::span<const InsnRow> insns;  // in the Compiler's memory: valid until its next compile()
    // Instead of `insns`, where that is empty: the same as tcg/code/insn_table.h encodes it.
    std::span<const uint8_t> encoded_insns;
    // Offsets from the unit's start of its 32-bit fields that say how far before them something of the runtime code is; in
    // the Compiler's memory, as above. For Backend::move().
    std::span<const uint16_t> outside;
    uint32_t host_insns;       // emitted on the fast path; 0 where a backend does not count
    uint32_t slow_host_insns;  // emitted out of line; the same
};

// A copy of a unit's code on its way to another place.
struct MovingUnit {
    std::span<uint8_t> code;            // the copy, which nobody executes yet
    std::span<const uint16_t> outside;  // CompiledUnit's
    std::span<const JumpSite> jumps;
    int64_t distance;     // from the place its fields are for to the one they are to be for, in bytes
    uint32_t unit_index;  // that it has there
};

class Compiler {
  public:
    virtual ~Compiler() = default;

    // Compiles a verified (and optimized) unit into `window`. `unit_index` is what exits report as exit_unit.
    virtual CompileStatus compile(const ir::Unit& unit, CodeWindow window, uint32_t unit_index,
                                  CompiledUnit* out) = 0;
};

class Backend {
  public:
    virtual ~Backend() = default;

    virtual const char* name() const = 0;
    // Whether the code buffer must be executable.
    virtual bool executes() const = 0;

    // Generates prologue, epilogue and thunks at the start of the buffer, once, before any other use. Gives the bytes used.
    // Units will be within `buffer_size` bytes of the window's start.
    virtual Result<size_t> emit_runtime(CodeWindow window, size_t buffer_size) = 0;
    virtual std::unique_ptr<Compiler> make_compiler() const = 0;

    // Of what emit_runtime() generated; null where generated code does not run on the host's stack.
    virtual const RuntimeMap* runtime_map() const { return nullptr; }

    // Prepares the calling thread for run(), once, before its first; nothing else may change what it sets: with direct
    // memory and a base, the x86-64 backend takes the base of gs. New threads and forked processes inherit it.
    virtual Result<> prepare_thread() const { return {}; }

    // Runs generated code from `code` until it comes back. header.page_pc is set for it. On the vCPU's thread, which was
    // prepared.
    virtual ExitKind run(void* state, RxAddress code) const = 0;

    // For handlers of a SIGSEGV or SIGBUS that the processor caused (si_code above 0), on the thread that runs the vCPU of
    // `state`; `address` is siginfo's, of which nothing is believed where the host says that it has none; `code` is noted
    // with it. Where a
    // guest memory access of a unit was interrupted: notes it in ExecState (exit_host_pc, fault), makes the thread go on
    // where run() comes back with ExitKind::fault, and returns true. The access had no effect, and every global is as it
    // was before the access. False, with nothing done, where something else faulted: runtime code, C++, an access of a
    // unit to weft's own memory. Async-signal-safe: no locks, no memory, and nothing is read but what is constant.
    virtual bool redirect(HostContext&, uint64_t address, uint32_t code, void* state) const {
        (void)address;
        (void)code;
        (void)state;
        return false;
    }

    // Aims a unit's jump at another unit's code, or back at its stub: one atomic aligned store, while others run it.
    virtual void link(RwAddress unit, const JumpSite& site, RwAddress target) const = 0;
    virtual void unlink(RwAddress unit, const JumpSite& site) const = 0;
    // Where the jump leads now (for invariant checks).
    virtual RwAddress jump_target(RwAddress unit, const JumpSite& site) const = 0;

    // Brings the state's host-held parts (floating-point flags, rounding) in line: `rounding` for what runs next; flags
    // that the host accumulated are moved to header.fp_flags. On the vCPU's thread, outside generated code.
    virtual void set_rounding(void* state, ir::Rounding rounding) const = 0;
    virtual void collect_fp_flags(void* state) const = 0;

    // What units depend on besides their IR: a unit that one process compiled may be moved into another's buffer where both
    // have the same number. 0: units of this backend cannot be moved. From emit_runtime() on.
    virtual uint64_t code_identity() const { return 0; }
    // Makes the copy right for where it is going. It was made right after compile(), when no jump was linked.
    virtual void move(const MovingUnit&) const {}

    // Text of a unit's code for -d out_asm; one line an instruction. `code.rw` may be a copy of what is at `code.rx`.
    virtual std::string disassemble(CodeWindow code) const = 0;
};

}  // namespace weft::tcg
