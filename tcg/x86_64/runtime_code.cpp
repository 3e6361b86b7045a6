#include "tcg/x86_64/runtime_code.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <iterator>
#include <string>
#include <utility>

#include "base/assert.h"
#include "tcg/exec_state.h"
#include "tcg/x86_64/assembler.h"
#include "tcg/x86_64/host_layout.h"
#include "tcg/x86_64/jump_cache_probe.h"
#include "tcg/x86_64/return_stack.h"

namespace weft::tcg::x86_64 {
namespace {

constexpr int32_t header_offset(size_t offset) {
    return static_cast<int32_t>(offset) - static_cast<int32_t>(sizeof(StateHeader));
}
constexpr int32_t kPc = header_offset(offsetof(StateHeader, pc));
constexpr int32_t kPagePc = header_offset(offsetof(StateHeader, page_pc));
constexpr int32_t kRaised = header_offset(offsetof(StateHeader, raised));
constexpr int32_t kExitHostPc = exec_offset(offsetof(ExecState, exit_host_pc));
constexpr int32_t kExitUnit = exec_offset(offsetof(ExecState, exit_unit));
constexpr int32_t kExitSlot = exec_offset(offsetof(ExecState, exit_slot));
constexpr int32_t kGuestMxcsr = exec_offset(offsetof(ExecState, guest_mxcsr));
constexpr int32_t kHostMxcsr = exec_offset(offsetof(ExecState, host_mxcsr));
constexpr int32_t kCalledMxcsr = exec_offset(offsetof(ExecState, called_mxcsr));
constexpr int32_t kFrame = exec_offset(offsetof(ExecState, frame));
constexpr int32_t kReturnStackEnd = exec_offset(offsetof(ExecState, return_stack_end));

// What C++ preserves and generated code changes, in the order of the pushes.
constexpr Gpr kSaved[] = {Gpr::rbp, Gpr::rbx, Gpr::r12, Gpr::r13, Gpr::r14, Gpr::r15};
// The return stack's lower end, and what keeps the stack at 16 inside units: return address and six pushes are 56 bytes.
constexpr int32_t kFrameBytes = 24;
static_assert(kFrameBytes >= kReturnPcOffset + 8 && (kFrameBytes + 56) % 16 == 0);

// The way from ExecState::frame to where the stack pointer was before the prologue was called.
constexpr uint32_t kUnitCfa = kFrameBytes + 8 * (static_cast<uint32_t>(std::size(kSaved)) + 1);

// The numbers of the System V ABI for x86-64, figure 3.36.
constexpr uint8_t kDwarfReturn = 16;
constexpr uint16_t kElfX86_64 = 62;
constexpr uint8_t dwarf_number(Gpr reg) {
    constexpr uint8_t kNumbers[] = {0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15};
    return kNumbers[static_cast<unsigned>(reg)];
}

template <class T>
uint64_t address_of(T* function) {
    return reinterpret_cast<uintptr_t>(function);
}

// Called by a helper's thunk: it did not leave MXCSR as it was.
[[noreturn]] void mxcsr_changed(const HelperDesc* helper, uint32_t before, uint32_t after) {
    std::array<char, 200> text;
    std::snprintf(text.data(), text.size(),
                  "helper '%s' changes MXCSR from %#x to %#x and does not declare kHelperUsesFp",
                  helper->name, before, after);
    assertion_failed(__FILE__, __LINE__, text.data());
}

class RuntimeEmitter {
  public:
    RuntimeEmitter(CodeWindow window, const RuntimeContext& context)
        : as_({window.bytes(), std::min(window.size, Emitter::kMaxUnitBytes)}), context_(context) {}

    Result<RuntimeCode> emit(std::span<const HelperDesc> helpers);

  private:
    static Mem at_state(int32_t offset) { return Mem(kState, offset); }

    void constants();
    void prologue();
    void epilogue();
    void go_on();
    void fault_user_thunk();
    void exit_thunk(uint32_t* where, ExitKind kind, const char* name);
    void goto_tb_thunk();
    void lookup_thunk();
    template <class Function>
    void slow_thunk(uint32_t* where, bool keep_xmm, Function* function, const char* name);
    uint32_t call_thunk(const HelperDesc& helper);
    void check_mxcsr(const HelperDesc& helper);
    void store_pinned(bool all);
    void load_pinned(bool all);
    void load_mxcsr_if_other(int32_t now, int32_t wanted, uint32_t bits, Gpr scratch = Gpr::rdx);
    void host_mxcsr();
    void guest_mxcsr();
    uint32_t here() {
        as_.align(16);
        return as_.offset();
    }

    // Begins a piece of code and names it.
    uint32_t begin(std::string name) {
        const uint32_t where = here();
        if (!code_.map.symbols.empty()) {
            end_symbol(where);
        }
        code_.map.symbols.push_back({std::move(name), where, 0});
        return where;
    }
    void end_symbol(uint32_t where) {
        RuntimeSymbol& last = code_.map.symbols.back();
        last.size = where - last.offset;
    }
    // From here on: see FrameRow.
    void frame(uint32_t cfa_offset, uint32_t saved) {
        code_.map.runtime.push_back({as_.offset(), cfa_offset, saved});
    }
    // In code that units jump to: as in units. In code that they call, `pushed` bytes after its entry.
    void frame_of_units() { code_.map.runtime.push_back({as_.offset(), kUnitCfa, std::size(kSaved), true}); }
    void frame_of_thunk(uint32_t pushed = 0) { frame(8 + pushed, 0); }

    Assembler as_;
    const RuntimeContext& context_;
    RuntimeCode code_{};
    bool asks_to_go_on() const { return context_.hooks.go_on != nullptr && !context_.count_insns; }
    bool faults_go_on() const { return asks_to_go_on() && context_.memory.kind == MemoryModel::Kind::table; }

    Label leave_;         // kind in eax: pinned globals go to their homes, then back to C++
    Label leave_stored_;  // the same with the pinned globals already there
    Label leave_called_;  // the same with the guest's MXCSR there too
    Label go_on_;         // as leave_, but for what RuntimeHooks::go_on says
    Label go_on_stored_;  // as leave_stored_
    Label fault_stored_;  // return address of a call in a unit on top of the stack
};

void RuntimeEmitter::store_pinned(bool all) {
    for (unsigned i = all ? 0 : kPreservedPinnable; i < context_.pinned_count; ++i) {
        as_.mov(Width::q64, at_state(context_.pinned[i].home), gpr(context_.pinned[i].reg));
    }
}

void RuntimeEmitter::load_pinned(bool all) {
    for (unsigned i = all ? 0 : kPreservedPinnable; i < context_.pinned_count; ++i) {
        as_.mov(Width::q64, gpr(context_.pinned[i].reg), at_state(context_.pinned[i].home));
    }
}

// MXCSR is changed where it has to be, and not otherwise: to read it soon after a change takes as long as a hundred instructions
// on some processors. C++ may be called with other exceptions than it had, and does not keep them (System V ABI for x86-64, 3.2.1).

// `now`: where MXCSR, as it is, lies. Loads the one at `wanted` if they differ in these bits.
void RuntimeEmitter::load_mxcsr_if_other(int32_t now, int32_t wanted, uint32_t bits, Gpr scratch) {
    Label same;
    as_.mov(Width::d32, scratch, at_state(now));
    as_.xor_(Width::d32, scratch, at_state(wanted));
    if (bits != ~0u) {
        as_.test(Width::d32, scratch, static_cast<int32_t>(bits));
    }
    as_.jcc(Cond::e, same);
    as_.sse(Mxcsr::ldmxcsr, at_state(wanted));
    as_.bind(same);
}

// Before C++ is called: the guest's is where C++ may change it, and the rounding direction is the host's. Keeps all general registers.
void RuntimeEmitter::host_mxcsr() {
    Label nearest;
    as_.sse(Mxcsr::stmxcsr, at_state(kGuestMxcsr));
    as_.test(Width::d32, at_state(kGuestMxcsr), static_cast<int32_t>(kMxcsrRounding));
    as_.jcc(Cond::e, nearest);
    as_.sse(Mxcsr::ldmxcsr, at_state(kHostMxcsr));
    as_.bind(nearest);
}

// After that. Keeps the general registers with a result.
void RuntimeEmitter::guest_mxcsr() {
    as_.sse(Mxcsr::stmxcsr, at_state(kCalledMxcsr));
    load_mxcsr_if_other(kCalledMxcsr, kGuestMxcsr, ~0u, Gpr::rcx);
}

void RuntimeEmitter::constants() {
    const auto constant = [this](uint64_t low, uint64_t high) {
        as_.align_data(16);
        const uint32_t where = as_.offset();
        as_.data64(low);
        as_.data64(high);
        return where;
    };
    code_.box_mask = constant(0xffffffff00000000, 0);
    code_.sign_f32 = constant(0x80000000, 0);
    code_.sign_f64 = constant(0x8000000000000000, 0);
    code_.canonical_f32 = constant(0x7fc00000, 0);
    code_.canonical_f64 = constant(0x7ff8000000000000, 0);
    as_.align_data(64);
    code_.fp_flags = as_.offset();
    for (uint32_t begin = 0; begin <= kMxcsrExceptions; begin += 8) {
        uint64_t bytes = 0;
        for (uint32_t i = 0; i < 8; ++i) {
            bytes |= uint64_t{fp_flags_of_mxcsr(begin + i)} << 8 * i;
        }
        as_.data64(bytes);
    }
}

void RuntimeEmitter::prologue() {
    code_.prologue = begin("weft_enter");
    frame(8, 0);
    for (uint32_t i = 0; i < std::size(kSaved); ++i) {
        as_.push(kSaved[i]);
        frame(8 * (i + 2), i + 1);
    }
    as_.sub(Width::q64, Gpr::rsp, kFrameBytes);
    frame(kUnitCfa, std::size(kSaved));
    as_.mov(Width::q64, kState, Gpr::rdi);
    as_.mov(Width::q64, at_state(kFrame), Gpr::rsp);
    frame_of_units();
    as_.lea(Width::q64, Gpr::rax, Mem(Gpr::rsp, -kReturnStackBytes));
    as_.mov(Width::q64, at_state(kReturnStackEnd), Gpr::rax);
    as_.lea(Width::q64, Gpr::rax, Mem::rip_unit(static_cast<int32_t>(code_.return_missed)));
    as_.mov(Width::q64, Mem(Gpr::rsp, 0), Gpr::rax);
    if (context_.memory.kind == MemoryModel::Kind::direct) {
        as_.mov(Width::q64, at_state(exec_offset(offsetof(ExecState, fault_entry))), 0);
    }
    as_.sse(Mxcsr::stmxcsr, at_state(kHostMxcsr));
    load_mxcsr_if_other(kHostMxcsr, kGuestMxcsr, ~0u);
    load_pinned(true);
    as_.jmp(Gpr::rsi);
}

void RuntimeEmitter::epilogue() {
    begin("weft_leave");
    frame_of_units();
    as_.bind(leave_);
    store_pinned(true);
    as_.bind(leave_stored_);
    as_.sse(Mxcsr::stmxcsr, at_state(kGuestMxcsr));
    as_.bind(leave_called_);
    load_mxcsr_if_other(kGuestMxcsr, kHostMxcsr, ~kMxcsrExceptions);
    as_.mov(Width::q64, Gpr::rsp, at_state(kFrame));
    as_.add(Width::q64, Gpr::rsp, kFrameBytes);
    for (uint32_t i = std::size(kSaved); i-- > 0;) {
        frame(8 * (i + 2), i + 1);
        as_.pop(kSaved[i]);
    }
    frame(8, 0);
    as_.ret();

    begin("weft_fault");
    as_.bind(fault_stored_);
    frame_of_thunk();
    as_.pop(Gpr::rax);
    frame_of_units();
    as_.mov(Width::q64, at_state(kExitHostPc), Gpr::rax);
    as_.mov_imm(Gpr::rax, static_cast<uint32_t>(ExitKind::fault));
    as_.jmp(faults_go_on() ? go_on_stored_ : leave_stored_);
}

// The return stack ends here as it does in the loop: nothing on it outlives its TB flags, context or region.
void RuntimeEmitter::go_on() {
    begin("weft_go_on");
    frame_of_units();
    as_.bind(go_on_);
    store_pinned(true);
    as_.bind(go_on_stored_);
    host_mxcsr();
    as_.mov(Width::q64, Gpr::rsp, at_state(kFrame));
    as_.mov(Width::q64, Gpr::rdi, kState);
    as_.mov(Width::d32, Gpr::rsi, Gpr::rax);
    as_.mov_imm(Gpr::rax, address_of(context_.hooks.go_on));
    as_.call(Gpr::rax);
    Label nothing;
    as_.test(Width::q64, Gpr::rax, Gpr::rax);
    as_.jcc(Cond::e, nothing);
    guest_mxcsr();
    if (context_.memory.kind == MemoryModel::Kind::direct) {
        as_.mov(Width::q64, at_state(exec_offset(offsetof(ExecState, fault_entry))), 0);
    }
    load_pinned(true);
    as_.jmp(Gpr::rax);
    as_.bind(nothing);
    as_.mov(Width::d32, Gpr::rax, Gpr::rdx);
    as_.jmp(leave_called_);
}

// In units the pinned globals are in their registers at every instruction that may access guest memory. What the host's
// fault has to say is in the state already.
void RuntimeEmitter::fault_user_thunk() {
    code_.fault_user = begin("weft_fault_user");
    frame_of_units();
    as_.mov_imm(Gpr::rax, static_cast<uint32_t>(ExitKind::fault));
    as_.jmp(leave_);
}

void RuntimeEmitter::exit_thunk(uint32_t* where, ExitKind kind, const char* name) {
    *where = begin(name);
    frame_of_units();
    as_.mov(Width::q64, at_state(kPc), Gpr::rcx);
    as_.mov_imm(Gpr::rax, static_cast<uint32_t>(kind));
    as_.jmp(kind == ExitKind::lookup && asks_to_go_on() ? go_on_ : leave_);
}

void RuntimeEmitter::goto_tb_thunk() {
    code_.exit_goto_tb = begin("weft_exit_goto_tb");
    frame_of_thunk();
    as_.pop(Gpr::rdx);
    frame_of_units();
    as_.mov(Width::d32, Gpr::rax, Mem(Gpr::rdx));
    as_.mov(Width::d32, at_state(kExitUnit), Gpr::rax);
    as_.movzx(Width::b8, Gpr::rax, Mem(Gpr::rdx, 6));
    as_.mov(Width::d32, at_state(kExitSlot), Gpr::rax);
    as_.movzx(Width::w16, Gpr::rcx, Mem(Gpr::rdx, 4));
    as_.add(Width::q64, Gpr::rcx, at_state(kPagePc));
    as_.mov(Width::q64, at_state(kPc), Gpr::rcx);
    as_.mov_imm(Gpr::rax, static_cast<uint32_t>(ExitKind::goto_tb));
    as_.jmp(leave_);
}

void RuntimeEmitter::lookup_thunk() {
    code_.lookup = begin("weft_lookup");
    frame_of_units();
    if (context_.profile) {
        emit_profile_count(as_, offsetof(ProfileState, probe_misses));
    }
    store_pinned(false);
    as_.mov(Width::q64, Gpr::rdi, kState);
    as_.mov(Width::q64, Gpr::rsi, Gpr::rcx);
    as_.mov_imm(Gpr::rax, address_of(context_.hooks.lookup));
    host_mxcsr();
    as_.call(Gpr::rax);
    guest_mxcsr();
    load_pinned(false);
    Label nothing;
    as_.test(Width::q64, Gpr::rax, Gpr::rax);
    as_.jcc(Cond::e, nothing);
    as_.jmp(Gpr::rax);
    as_.bind(nothing);
    as_.mov_imm(Gpr::rax, static_cast<uint32_t>(ExitKind::indirect));
    as_.jmp(leave_);
}

// The stack at the call is 8 off 16, and the thunk's frame keeps every general register at its number, then the low
// halves of the xmm registers.
template <class Function>
void RuntimeEmitter::slow_thunk(uint32_t* where, bool keep_xmm, Function* function, const char* name) {
    constexpr int32_t kBytes = kSavedRegs * 8 + 8;
    *where = begin(name);
    frame_of_thunk();
    as_.sub(Width::q64, Gpr::rsp, kBytes);
    frame_of_thunk(kBytes);
    for (unsigned i = 0; i < kGprCount; ++i) {
        const auto reg = static_cast<Gpr>(i);
        if (reg != Gpr::rsp && reg != kState) {
            as_.mov(Width::q64, Mem(Gpr::rsp, static_cast<int32_t>(i * 8)), reg);
        }
    }
    if (keep_xmm) {
        for (unsigned i = 0; i < kXmmCount; ++i) {
            as_.sse(SimdMove::movsd, Mem(Gpr::rsp, static_cast<int32_t>((16 + i) * 8)), static_cast<Xmm>(i));
        }
    }
    as_.mov_imm(Gpr::rdi, address_of(&context_));
    as_.mov(Width::q64, Gpr::rsi, kState);
    as_.mov(Width::q64, Gpr::rdx, Mem(Gpr::rsp, kBytes));
    as_.mov(Width::q64, Gpr::rcx, Gpr::rsp);
    as_.mov_imm(Gpr::rax, address_of(function));
    host_mxcsr();
    as_.call(Gpr::rax);
    guest_mxcsr();
    Label faulted;
    as_.test(Width::q64, Gpr::rax, Gpr::rax);
    as_.jcc(Cond::e, faulted);
    as_.mov(Width::q64, Mem(Gpr::rsp, kBytes), Gpr::rax);
    if (keep_xmm) {
        for (unsigned i = 0; i < kXmmCount; ++i) {
            as_.sse(SimdMove::movsd, static_cast<Xmm>(i), Mem(Gpr::rsp, static_cast<int32_t>((16 + i) * 8)));
        }
    }
    for (unsigned i = 0; i < kGprCount; ++i) {
        const auto reg = static_cast<Gpr>(i);
        if (reg != Gpr::rsp && reg != kState) {
            as_.mov(Width::q64, reg, Mem(Gpr::rsp, static_cast<int32_t>(i * 8)));
        }
    }
    as_.add(Width::q64, Gpr::rsp, kBytes);
    frame_of_thunk();
    as_.ret();
    frame_of_thunk(kBytes);
    as_.bind(faulted);
    as_.add(Width::q64, Gpr::rsp, kBytes + 8);
    frame_of_units();
    as_.mov_imm(Gpr::rax, static_cast<uint32_t>(ExitKind::fault));
    as_.jmp(faults_go_on() ? go_on_stored_ : leave_stored_);
}

// Right after the call: what C++ does not preserve is free, but for the result.
void RuntimeEmitter::check_mxcsr(const HelperDesc& helper) {
    Label same;
    as_.sse(Mxcsr::stmxcsr, Mem(Gpr::rsp, 4));
    as_.mov(Width::d32, Gpr::rsi, Mem(Gpr::rsp));
    as_.mov(Width::d32, Gpr::rdx, Mem(Gpr::rsp, 4));
    as_.cmp(Width::d32, Gpr::rsi, Gpr::rdx);
    as_.jcc(Cond::e, same);
    as_.mov_imm(Gpr::rdi, address_of(&helper));
    as_.mov_imm(Gpr::rax, address_of(&mxcsr_changed));
    as_.call(Gpr::rax);
    as_.bind(same);
}

uint32_t RuntimeEmitter::call_thunk(const HelperDesc& helper) {
    const bool may_raise = (helper.effects & kHelperMayRaise) != 0;
    const bool uses_fp = (helper.effects & kHelperUsesFp) != 0;
    const uint32_t where = begin(std::string("weft_call_") + helper.name);
    frame_of_thunk();
    if (context_.count_insns) {
        // Not by a general register: all of them may hold arguments or pinned globals.
        as_.sse(SimdMove::movsd, kXmmScratch, Mem(Gpr::rsp));
        as_.sse(SimdMove::movsd, at_state(kExitHostPc), kXmmScratch);
    }
    store_pinned((helper.effects & kHelperReadsGlobals) != 0);
    const bool checked = context_.check_helpers && !uses_fp;
    // MXCSR before and after lies at the stack pointer.
    const int32_t bytes = checked ? 24 : 8;
    as_.sub(Width::q64, Gpr::rsp, bytes);
    frame_of_thunk(static_cast<uint32_t>(bytes));
    if (checked) {
        as_.sse(Mxcsr::stmxcsr, Mem(Gpr::rsp));
    }
    if (uses_fp) {
        host_mxcsr();
    }
    // C++ arguments 5 and 6 live where pinned globals were.
    const unsigned count = helper.signature.arg_count;
    if (helper.signature.takes_state) {
        if (count >= 5) {
            as_.mov(Width::q64, Gpr::r9, kArgsAfterState[4]);
        }
        if (count >= 4) {
            as_.mov(Width::q64, Gpr::r8, kArgsAfterState[3]);
        }
        as_.mov(Width::q64, Gpr::rdi, kState);
    } else if (count >= 5) {
        as_.mov(Width::q64, Gpr::r8, kArgsWithoutState[4]);
    }
    as_.mov_imm(Gpr::rax, reinterpret_cast<uintptr_t>(helper.function));
    as_.call(Gpr::rax);
    if (uses_fp) {
        guest_mxcsr();
    }
    if (checked) {
        check_mxcsr(helper);
    }
    as_.add(Width::q64, Gpr::rsp, bytes);
    frame_of_thunk();
    if (may_raise) {
        as_.cmp(Width::d32, at_state(kRaised), 0);
        as_.jcc(Cond::ne, fault_stored_);
    }
    load_pinned((helper.effects & kHelperWritesGlobals) != 0);
    as_.ret();
    return where;
}

Result<RuntimeCode> RuntimeEmitter::emit(std::span<const HelperDesc> helpers) {
    code_.map.elf_machine = kElfX86_64;
    code_.map.stack_register = dwarf_number(Gpr::rsp);
    code_.map.return_register = kDwarfReturn;
    for (const Gpr reg : kSaved) {
        code_.map.saved_registers.push_back(dwarf_number(reg));
    }
    code_.map.state_register = dwarf_number(kState);
    code_.map.frame_word = kFrame;
    code_.map.units = {0, kUnitCfa, std::size(kSaved), true};

    frame_of_units();  // of the constants, which nobody runs
    constants();
    epilogue();
    if (asks_to_go_on()) {
        go_on();
    }
    if (context_.memory.kind == MemoryModel::Kind::direct) {
        fault_user_thunk();
    }
    exit_thunk(&code_.exit_lookup, ExitKind::lookup, "weft_exit_lookup");
    exit_thunk(&code_.exit_indirect, ExitKind::indirect, "weft_exit_indirect");
    exit_thunk(&code_.exit_halt, ExitKind::halt, "weft_exit_halt");
    exit_thunk(&code_.exit_yield, ExitKind::yield, "weft_exit_yield");
    goto_tb_thunk();
    lookup_thunk();
    code_.probe = begin("weft_probe");
    frame_of_units();
    emit_exit_request_test(as_, code_.exit_indirect);
    emit_jump_cache_probe(as_, code_.lookup, 0, context_.profile);
    code_.return_missed = begin("weft_return_missed");
    frame_of_units();
    as_.mov(Width::q64, Gpr::rsp, at_state(kFrame));
    emit_jump_cache_probe(as_, code_.lookup, 0, context_.profile);
    prologue();
    slow_thunk(&code_.access, false, &slow_access, "weft_access");
    slow_thunk(&code_.access_fp, true, &slow_access, "weft_access_fp");
    slow_thunk(&code_.leader, false, &slow_leader, "weft_access_leader");
    slow_thunk(&code_.leader_fp, true, &slow_leader, "weft_access_leader_fp");
    slow_thunk(&code_.atomic, false, &slow_atomic, "weft_atomic");
    slow_thunk(&code_.atomic_fp, true, &slow_atomic, "weft_atomic_fp");
    slow_thunk(&code_.soft_float, true, &slow_float, "weft_soft_float");
    for (const HelperDesc& helper : helpers) {
        code_.helpers.push_back(call_thunk(helper));
    }
    as_.align(64);
    code_.size = as_.offset();
    end_symbol(code_.size);
    code_.map.runtime_size = code_.size;
    if (as_.overflowed()) {
        return fail("the code buffer's first region is too small for the prologue and the helper thunks");
    }
    WEFT_ASSERT(as_.awaited_references() == 0);
    return std::move(code_);
}

}  // namespace

Result<RuntimeCode> emit_runtime_code(CodeWindow window, const RuntimeContext& context,
                                      std::span<const HelperDesc> helpers) {
    return RuntimeEmitter(window, context).emit(helpers);
}

}  // namespace weft::tcg::x86_64
