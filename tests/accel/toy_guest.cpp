#include "tests/accel/toy_guest.h"

#include <array>
#include <cstddef>
#include <cstdio>
#include <iterator>
#include <optional>

#include "base/assert.h"
#include "weft/ir_builder.h"

namespace toy {

using namespace weft;
using ir::Builder;
using ir::I64;

namespace {

constexpr uint64_t kPage = 4096;

const char* const kNames[] = {"illegal", "addi",   "li",    "add",   "bne",     "jmp",     "jr",   "ld",
                              "st",      "amoadd", "halt",  "yield", "fence_i", "ecall",   "iret", "flush",
                              "timer",   "id",     "ei",    "di",    "time",    "retired", "skip", "ldd",
                              "std",     "loads",  "enter", "call",  "callr"};
static_assert(std::size(kNames) == static_cast<size_t>(Opcode::count_));

Opcode opcode_of(const uint8_t* code) {
    return code[0] < static_cast<uint8_t>(Opcode::count_) ? static_cast<Opcode>(code[0]) : Opcode::illegal;
}

int64_t number_of(const uint8_t* code) {
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; ++i) {
        value |= uint32_t{code[2 + i]} << 8 * i;
    }
    return static_cast<int32_t>(value);
}

// ---- helpers ----

uint64_t read_time(State* state) { return state_header(state).services->now_ns(state_header(state).vcpu); }

uint64_t now(void* state) { return state_header(state).services->now_ns(state_header(state).vcpu); }

void raise(State* state, uint64_t cause) {
    state->exception_cause = cause;
    state->exception_tval = 0;
    state_header(state).raised = 1;
}

uint64_t return_pc(State* state) {
    state->interrupts_enabled = 1;
    return state->epc;
}

void fence_i(State* state) { state_header(state).services->fence_i(state_header(state).vcpu); }

void flush(State* state) {
    const TlbFlush all{true, true, 0, 0};
    state_header(state).services->tlb_flush(state_header(state).vcpu, &all);
}

void start_timer(State* state, uint64_t ns) {
    const uint64_t due = now(state) + ns;
    state->timer_ns.store(due);
    state_header(state).services->set_deadline(state_header(state).vcpu, due);
}

void skip(State* state) {
    if (state->cause == kEcall) {
        state->epc += 2;
    }
}

uint64_t cpu_id(State* state) { return static_cast<Cpu*>(state_header(state).guest)->id; }

uint64_t retired(State* state) { return state_header(state).services->instret(state_header(state).vcpu); }

uint64_t enter_space(State* state, uint64_t pc, uint64_t space) {
    state->fetch_mode = 1;
    state->space = space;
    return pc;
}

void enable_interrupts(State* state, uint64_t enabled) { state->interrupts_enabled = enabled; }

enum Helper : uint32_t {
    kRaise,
    kReturnPc,
    kFenceI,
    kFlush,
    kStartTimer,
    kCpuId,
    kEnable,
    kTime,
    kRetired,
    kSkip,
    kEnter,
    kHelperCount
};

const std::array<HelperDesc, kHelperCount>& helpers() {
    static const std::array<HelperDesc, kHelperCount> table = {
        make_helper<&raise>("raise", kHelperMayRaise | kHelperNoReturn),
        make_helper<&return_pc>("return_pc", kHelperSideEffects),
        make_helper<&fence_i>("fence_i", kHelperSideEffects),
        make_helper<&flush>("flush", kHelperSideEffects),
        make_helper<&start_timer>("start_timer", kHelperSideEffects),
        make_helper<&cpu_id>("cpu_id", kHelperSideEffects),
        make_helper<&enable_interrupts>("enable_interrupts", kHelperSideEffects),
        make_helper<&read_time>("read_time", kHelperSideEffects),
        make_helper<&retired>("retired", kHelperSideEffects),
        make_helper<&skip>("skip", kHelperSideEffects),
        make_helper<&enter_space>("enter_space", kHelperSideEffects),
    };
    return table;
}

// ---- translation ----

class Translation {
  public:
    Translation(const TranslateRequest& request, ir::Unit& unit) : request_(request), unit_(unit), b_(unit) {
        unit_.fixed_pages = request.fixed_pages;
    }

    TranslateStatus run() {
        while (!done_) {
            const uint32_t at = offset_;
            if (unit_.insn_count == request_.max_insns) {
                leave_to(at);
                break;
            }
            const uint8_t* code = request_.code + at;
            const uint32_t left = request_.code_size - at;
            if (left < 2 || (is_long(opcode_of(code)) && left < 6)) {
                if (at == 0) {
                    return TranslateStatus::need_more;
                }
                leave_to(at);
                break;
            }
            const uint32_t size = is_long(opcode_of(code)) ? 6 : 2;
            // An instruction that reaches into the next page is a unit of its own.
            if (request_.page_offset + at + size > kPage && at != 0) {
                leave_to(at);
                break;
            }
            b_.insn_start(pc_offset(at));
            ++unit_.insn_count;
            insn(opcode_of(code), code, at, size);
            offset_ += size;
            if (!b_.ok()) {
                return TranslateStatus::too_big;
            }
            if (!done_ && (request_.one_insn_per_tb || request_.page_offset + offset_ >= kPage)) {
                leave_to(offset_);
                break;
            }
        }
        unit_.guest_size = offset_;
        return b_.ok() ? TranslateStatus::ok : TranslateStatus::too_big;
    }

  private:
    int32_t pc_offset(uint32_t at) const { return static_cast<int32_t>(request_.page_offset + at); }
    I64 reg(unsigned number) const { return b_.global<I64>(number); }

    void check(int64_t to) {
        b_.exit_check(unit_.insn_count, to <= static_cast<int64_t>(request_.page_offset) + offset_);
    }

    bool may_link(int64_t to) const {
        const bool near = request_.fixed_pages ? to == static_cast<int32_t>(to)
                                               : to >= 0 && to < static_cast<int64_t>(kPage);
        return !request_.one_insn_per_tb && near && unit_.goto_tb_count < ir::kMaxGotoTb;
    }

    // A call, and where it returns to.
    struct Call {
        unsigned link;
        uint32_t next;  // bytes from the unit's start
    };
    void write_link(const Call& call) { b_.mov(reg(call.link), b_.pc_add(pc_offset(call.next))); }
    // Before the exit_check.
    void say(const std::optional<Call>& call) {
        if (call && request_.return_points && may_link(pc_offset(call->next))) {
            b_.return_point(reg(call->link), pc_offset(call->next));
        }
    }

    // To the instruction `at` bytes from the unit's start.
    void leave_to(int64_t at, const std::optional<Call>& call = {}) {
        const int64_t to = request_.page_offset + at;
        done_ = true;
        if (may_link(to)) {
            say(call);
            check(to);
            b_.goto_tb(static_cast<int32_t>(to));
            return;
        }
        const I64 pc = b_.pc_add(static_cast<int32_t>(to));
        say(call);
        b_.exit_check(unit_.insn_count, true);
        b_.lookup_and_goto_ptr(pc);
    }

    void exit(ir::ExitReason reason, uint32_t next) {
        done_ = true;
        const I64 pc = b_.pc_add(pc_offset(next));
        b_.exit_check(unit_.insn_count, false);
        b_.exit_tb(reason, pc);
    }

    void insn(Opcode opcode, const uint8_t* code, uint32_t at, uint32_t size) {
        const unsigned a = code[1] & 15;
        const unsigned b = code[1] >> 4;
        const ir::MemOp memop(3, 0);
        switch (opcode) {
            case Opcode::addi:
                b_.op_into(ir::Opcode::add, reg(a), reg(a), b_.imm(static_cast<uint64_t>(number_of(code))));
                break;
            case Opcode::li:
                b_.mov(reg(a), b_.imm(static_cast<uint64_t>(number_of(code))));
                break;
            case Opcode::add:
                b_.op_into(ir::Opcode::add, reg(a), reg(a), reg(b));
                break;
            case Opcode::bne: {
                const ir::Label taken = b_.new_label();
                b_.brcond(ir::Cond::ne, reg(a), reg(b), taken);
                leave_to(at + size);
                b_.set_label(taken);
                leave_to(static_cast<int64_t>(at) + number_of(code));
                break;
            }
            case Opcode::jmp:
                leave_to(static_cast<int64_t>(at) + number_of(code));
                break;
            case Opcode::jr:
                done_ = true;
                b_.exit_check(unit_.insn_count, true);
                b_.lookup_and_goto_ptr(reg(a), b != 0 && request_.return_points);
                break;
            case Opcode::call:
                write_link({a, at + size});
                leave_to(static_cast<int64_t>(at) + number_of(code), Call{a, at + size});
                break;
            case Opcode::callr: {
                done_ = true;
                const I64 to = b_.temp<I64>();
                b_.mov(to, reg(b));
                write_link({a, at + size});
                say(Call{a, at + size});
                b_.exit_check(unit_.insn_count, true);
                b_.lookup_and_goto_ptr(to);
                break;
            }
            case Opcode::ld:
                b_.mov(reg(a), b_.guest_ld<I64>(reg(b), memop));
                break;
            case Opcode::loads:
                for (int64_t i = 0; i < number_of(code); ++i) {
                    b_.mov(reg(a), b_.guest_ld<I64>(reg(b), memop));
                }
                break;
            case Opcode::st:
                b_.guest_st(reg(a), reg(b), memop);
                break;
            case Opcode::ldd:
                b_.mov(reg(a), b_.guest_ld<I64>(reg(b), memop.at(static_cast<int32_t>(number_of(code)))));
                break;
            case Opcode::std:
                b_.guest_st(reg(a), reg(b), memop.at(static_cast<int32_t>(number_of(code))));
                break;
            case Opcode::amoadd:
                b_.mov(reg(a), b_.atomic(ir::Opcode::atomic_add, reg(b), reg(a), memop));
                break;
            case Opcode::halt:
                exit(ir::ExitReason::halt, at + size);
                break;
            case Opcode::yield:
                exit(ir::ExitReason::yield, at + size);
                break;
            case Opcode::fence_i:
                b_.call(kFenceI);
                exit(ir::ExitReason::lookup, at + size);
                break;
            case Opcode::flush:
                b_.call(kFlush);
                exit(ir::ExitReason::lookup, at + size);
                break;
            case Opcode::timer:
                b_.call(kStartTimer, reg(a));
                break;
            case Opcode::id:
                b_.mov(reg(a), b_.call_value<I64>(kCpuId));
                break;
            case Opcode::time:
                b_.mov(reg(a), b_.call_value<I64>(kTime));
                break;
            case Opcode::retired:
                b_.mov(reg(a), b_.call_value<I64>(kRetired));
                break;
            case Opcode::skip:
                b_.call(kSkip);
                break;
            case Opcode::ei:
            case Opcode::di:
                b_.call(kEnable, b_.imm(opcode == Opcode::ei ? 1 : 0));
                exit(ir::ExitReason::lookup, at + size);
                break;
            case Opcode::iret: {
                done_ = true;
                const I64 to = b_.call_value<I64>(kReturnPc);
                b_.exit_check(unit_.insn_count, false);
                b_.exit_tb(ir::ExitReason::lookup, to);
                break;
            }
            case Opcode::enter: {
                done_ = true;
                const I64 to = b_.call_value<I64>(kEnter, reg(a), reg(b));
                b_.exit_check(unit_.insn_count, false);
                b_.exit_tb(ir::ExitReason::lookup, to);
                break;
            }
            case Opcode::ecall:
            case Opcode::illegal:
            case Opcode::count_:
                b_.call(kRaise, b_.imm(opcode == Opcode::ecall ? kEcall : kIllegal));
                exit(ir::ExitReason::lookup, at);
                break;
        }
    }

    const TranslateRequest& request_;
    ir::Unit& unit_;
    Builder b_;
    uint32_t offset_ = 0;
    bool done_ = false;
};

TranslateStatus translate(const TranslateRequest* request, ir::Unit* unit) {
    return Translation(*request, *unit).run();
}

void disassemble(const void*, const uint8_t* code, size_t size, uint64_t pc, const TextSink* sink) {
    for (size_t i = 0; i + 2 <= size;) {
        char line[64];
        const Opcode opcode = opcode_of(code + i);
        const int length =
            std::snprintf(line, sizeof(line), "%#lx: %s r%u r%u\n", static_cast<unsigned long>(pc + i),
                          kNames[static_cast<unsigned>(opcode)], code[i + 1] & 15u, code[i + 1] >> 4u);
        sink->write(sink->opaque, line, static_cast<size_t>(length));
        i += is_long(opcode) ? 6 : 2;
    }
}

// ---- the rest of the architecture ----

void reset(void* pointer, const void*) {
    State& state = state_of(pointer);
    const Cpu& cpu = *static_cast<Cpu*>(state_header(pointer).guest);
    for (uint64_t& reg : state.gpr) {
        reg = 0;
    }
    state.epc = state.cause = state.tval = 0;
    state.vector = cpu.vector;
    state.interrupts_enabled = 0;
    state.fetch_mode = state.space = 0;
    state.pending.store(0);
    state.timer_ns.store(UINT64_MAX);
    state_header(pointer).services->set_deadline(state_header(pointer).vcpu, UINT64_MAX);
    state_header(pointer).pc = cpu.reset_pc;
}

void enter(State& state, uint64_t cause, uint64_t tval) {
    StateHeader& header = state_header(&state);
    state.epc = header.pc;
    state.cause = cause;
    state.tval = tval;
    state.interrupts_enabled = 0;
    state.fetch_mode = 0;
    header.pc = state.vector;
}

uint64_t due(const State& state) {
    const StateHeader& header = state_header(&state);
    const uint64_t timer = state.timer_ns.load();
    return timer != UINT64_MAX && header.services->now_ns(header.vcpu) >= timer ? 1 : 0;
}

bool take_interrupt(void* pointer) {
    State& state = state_of(pointer);
    if (state.interrupts_enabled == 0) {
        return false;
    }
    if (due(state) != 0) {
        state.timer_ns.store(UINT64_MAX);
        enter(state, kTimer, 0);
        return true;
    }
    if (state.pending.exchange(0) != 0) {
        enter(state, kInterrupt, 0);
        return true;
    }
    return false;
}

bool interrupt_known(const void* pointer) {
    const State& state = *static_cast<const State*>(pointer);
    return state.interrupts_enabled != 0 && (due(state) != 0 || state.pending.load() != 0);
}

bool has_work(const void* pointer) {
    const auto& state = *static_cast<const State*>(pointer);
    return state.pending.load() != 0 || due(state) != 0;
}

void record(void* pointer, uint64_t cause, uint64_t vaddr) {
    state_of(pointer).exception_cause = cause;
    state_of(pointer).exception_tval = vaddr;
}

void bus_error(void* pointer, uint64_t vaddr, Access access) {
    record(pointer,
           access == Access::load    ? kLoadFault
           : access == Access::store ? kStoreFault
                                     : kFetchFault,
           vaddr);
}

bool walk(void* state, const WalkRequest* request, WalkResult* result) {
    if (request->mmu_mode != 0) {
        const Cpu& cpu = *static_cast<Cpu*>(state_header(state).guest);
        if (cpu.walk && cpu.walk(*request, result)) {
            return true;
        }
        bus_error(state, request->vaddr, request->access);
        return false;
    }
    const uint64_t vaddr = request->vaddr;
    const uint64_t paddr = vaddr < kSwapped ? vaddr : (vaddr - kSwapped) ^ 0x1000;
    *result = {paddr, kProtRead | kProtWrite | kProtExec, 12, false, false};
    return true;
}

bool deliver(void* pointer) {
    State& state = state_of(pointer);
    enter(state, state.exception_cause, state.exception_tval);
    return true;
}

void dump_registers(const void* pointer, const TextSink* sink) {
    const State& state = *static_cast<const State*>(pointer);
    const auto line = [sink](uint64_t value) {
        char text[24];
        const int length = std::snprintf(text, sizeof(text), "%016lx\n", static_cast<unsigned long>(value));
        sink->write(sink->opaque, text, static_cast<size_t>(length));
    };
    line(state_header(pointer).pc);
    for (const uint64_t reg : state.gpr) {
        line(reg);
    }
    for (const uint64_t reg : {state.epc, state.cause, state.tval, state.interrupts_enabled}) {
        line(reg);
    }
}

const std::array<GlobalDesc, 16>& globals() {
    static const std::array<GlobalDesc, 16> table = [] {
        static const char* const kRegisters[] = {"r0", "r1", "r2",  "r3",  "r4",  "r5",  "r6",  "r7",
                                                 "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"};
        std::array<GlobalDesc, 16> result{};
        for (unsigned i = 0; i < 16; ++i) {
            result[i] = {kRegisters[i], ir::Type::i64, static_cast<int32_t>(offsetof(State, gpr) + 8 * i),
                         static_cast<uint16_t>(i + 1)};
        }
        return result;
    }();
    return table;
}

}  // namespace

bool is_long(Opcode opcode) {
    return opcode == Opcode::addi || opcode == Opcode::li || opcode == Opcode::bne || opcode == Opcode::jmp ||
           opcode == Opcode::ldd || opcode == Opcode::std || opcode == Opcode::loads ||
           opcode == Opcode::call;
}

const GuestArch& guest_arch() {
    static const GuestArch arch = {
        .abi_version = kGuestAbiVersion,
        .ir_version = ir::kIrVersion,
        .name = "toy",
        .model = nullptr,
        .model_id = 0,
        .state_size = sizeof(State),
        .mmu_mode_count = 3,
        .steady_modes = 0b111,
        .space_dependent_modes = 0b110,
        .max_insn_size = 6,
        .min_insn_size = 2,
        .globals = globals().data(),
        .global_count = 16,
        .helpers = helpers().data(),
        .helper_count = kHelperCount,
        .translate = &translate,
        .run = nullptr,
        .disassemble = &disassemble,
        .reset = &reset,
        .tb_flags = [](const void* state) { return static_cast<const State*>(state)->fetch_mode; },
        .fetch_mmu_mode = [](uint64_t flags) { return static_cast<uint8_t>(flags); },
        .fp_rounding = [](uint64_t) { return ir::Rounding::nearest_even; },
        .address_space =
            [](const void* state) {
                const uint64_t space = static_cast<const State*>(state)->space;
                return AddressSpaceKey{space, static_cast<uint32_t>(space)};
            },
        .walk = &walk,
        .unaligned_access = [](void* state, uint64_t vaddr, Access) { record(state, kMisaligned, vaddr); },
        .bus_error = &bus_error,
        .memory_fault = [](void* state, uint64_t vaddr, Access access,
                           MemoryFault kind) { record(state, memory_fault_cause(kind, access), vaddr); },
        .deliver = &deliver,
        .take_interrupt = &take_interrupt,
        .interrupt_known = &interrupt_known,
        .has_work = &has_work,
        .dump_registers = &dump_registers,
    };
    return arch;
}

const GuestArch& process_arch() {
    static const GuestArch arch = [] {
        GuestArch process = guest_arch();
        process.address_space = nullptr;
        process.walk = nullptr;
        process.bus_error = nullptr;
        process.take_interrupt = nullptr;
        process.interrupt_known = nullptr;
        process.has_work = nullptr;
        process.deliver = [](void*) { return false; };
        return process;
    }();
    return arch;
}

void interrupt(void* state) {
    state_of(state).pending.store(1);
    state_header(state).services->kick(state_header(state).vcpu);
}

void Assembler::op(Opcode opcode, unsigned a, unsigned b) {
    WEFT_ASSERT(!is_long(opcode));
    bytes_.push_back(static_cast<uint8_t>(opcode));
    bytes_.push_back(static_cast<uint8_t>(a | b << 4));
}

void Assembler::op(Opcode opcode, unsigned a, unsigned b, int64_t number) {
    WEFT_ASSERT(is_long(opcode));
    bytes_.push_back(static_cast<uint8_t>(opcode));
    bytes_.push_back(static_cast<uint8_t>(a | b << 4));
    for (unsigned i = 0; i < 4; ++i) {
        bytes_.push_back(static_cast<uint8_t>(static_cast<uint64_t>(number) >> 8 * i));
    }
}

Assembler::Fixup Assembler::bne_later(unsigned a, unsigned b) {
    op(Opcode::bne, a, b, 0);
    return bytes_.size() - 6;
}

Assembler::Fixup Assembler::jmp_later() {
    op(Opcode::jmp, 0, 0, 0);
    return bytes_.size() - 6;
}

Assembler::Fixup Assembler::li_later(unsigned a) {
    li(a, 0);
    return bytes_.size() - 6;
}

void Assembler::land(Fixup fixup) {
    const bool absolute = opcode_of(&bytes_[fixup]) == Opcode::li;
    const uint64_t number = absolute ? pc() : pc() - (start_ + fixup);
    for (unsigned i = 0; i < 4; ++i) {
        bytes_[fixup + 2 + i] = static_cast<uint8_t>(number >> 8 * i);
    }
}

void Assembler::fill_to(uint64_t address) {
    WEFT_ASSERT(address >= pc() && (address - pc()) % 2 == 0);
    while (pc() < address) {
        op(Opcode::add, 15, 14);  // r14 is 0 by convention
    }
}

}  // namespace toy
