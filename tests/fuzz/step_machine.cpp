#include "step_machine.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "emulator/guest/riscv/cpu/exception.h"
#include "emulator/guest/riscv/isa/decode.h"
#include "emulator/guest/riscv/translate/helpers.h"
#include "tcg/interp/backend.h"
#include "tcg/ir/verify.h"
#include "tcg/opt/optimizer.h"
#include "tcg/x86_64/backend.h"
#include "weft/guest_ram.h"

namespace weft::fuzz {

namespace {

constexpr size_t kCodeSize = size_t{1} << 20;
constexpr size_t kUnitAlignment = 64;

const GuestArch& guest() {
    static const GuestArch kArch = riscv::guest_arch(riscv::kMax);
    return kArch;
}

uint64_t low_bits(uint64_t value, unsigned size) {
    return size == 8 ? value : value & ((uint64_t{1} << 8 * size) - 1);
}
uint64_t sign_extended(uint64_t value, unsigned size) {
    const unsigned shift = 64 - 8 * size;
    return static_cast<uint64_t>(static_cast<int64_t>(value << shift) >> shift);
}

// What an atomic op leaves in memory. The values are those of `size` bytes, zero-extended.
uint64_t combine(ir::Opcode op, uint64_t old, uint64_t a, uint64_t b, unsigned size) {
    const auto signed_old = static_cast<int64_t>(sign_extended(old, size));
    const auto signed_a = static_cast<int64_t>(sign_extended(a, size));
    switch (op) {
        case ir::Opcode::atomic_xchg:
            return a;
        case ir::Opcode::atomic_cmpxchg:
            return old == a ? b : old;
        case ir::Opcode::atomic_add:
            return old + a;
        case ir::Opcode::atomic_and:
            return old & a;
        case ir::Opcode::atomic_or:
            return old | a;
        case ir::Opcode::atomic_xor:
            return old ^ a;
        case ir::Opcode::atomic_smin:
            return signed_old < signed_a ? old : a;
        case ir::Opcode::atomic_smax:
            return signed_old > signed_a ? old : a;
        case ir::Opcode::atomic_umin:
            return std::min(old, a);
        default:
            return std::max(old, a);
    }
}

}  // namespace

std::string difference(const HartImage& expected, const HartImage& actual) {
    if (expected == actual) {
        return {};
    }
    const auto differs = [](const std::string& what, uint64_t wanted, uint64_t got) {
        return fmt::format("{}: {:#x} instead of {:#x}", what, got, wanted);
    };
    if (expected.raised != actual.raised || expected.cause != actual.cause || expected.tval != actual.tval) {
        return fmt::format("exception {}/{}/{:#x} instead of {}/{}/{:#x}", actual.raised, actual.cause,
                           actual.tval, expected.raised, expected.cause, expected.tval);
    }
    for (unsigned i = 0; i < 32; ++i) {
        if (expected.x[i] != actual.x[i]) {
            return differs(fmt::format("x{}", i), expected.x[i], actual.x[i]);
        }
        if (expected.f[i] != actual.f[i]) {
            return differs(fmt::format("f{}", i), expected.f[i], actual.f[i]);
        }
    }
    if (expected.pc != actual.pc) {
        return differs("pc", expected.pc, actual.pc);
    }
    if (expected.fp_flags != actual.fp_flags) {
        return differs("fp_flags", expected.fp_flags, actual.fp_flags);
    }
    if (expected.mstatus != actual.mstatus) {
        return differs("mstatus", expected.mstatus, actual.mstatus);
    }
    return expected.memory != actual.memory ? "memory" : "frm or the reservation";
}

// ---- what instructions ask of the machine ----

uint8_t* StepMachine::reach(uint64_t address, uint32_t memop, Access access) {
    const ir::MemOp op(memop);
    if (op.aligned() && (address & (op.size() - 1)) != 0) {
        riscv::record_exception(block_.state, riscv::misaligned_fault(access), address);
        return nullptr;
    }
    const uint64_t offset = address - kMemoryBase;
    if (offset > kMemorySize - op.size()) {
        riscv::record_exception(block_.state, riscv::access_fault(access), address);
        return nullptr;
    }
    return memory_.data() + offset;
}

bool StepMachine::load(uint64_t address, uint32_t memop, uint64_t* value) {
    const ir::MemOp op(memop);
    const uint8_t* bytes = reach(address, memop, Access::load);
    if (bytes == nullptr) {
        return false;
    }
    *value = 0;
    std::memcpy(value, bytes, op.size());
    *value = op.sign() ? sign_extended(*value, op.size()) : *value;
    return true;
}

bool StepMachine::store(uint64_t address, uint32_t memop, uint64_t value) {
    uint8_t* bytes = reach(address, memop, Access::store);
    if (bytes == nullptr) {
        return false;
    }
    std::memcpy(bytes, &value, ir::MemOp(memop).size());
    return true;
}

bool StepMachine::atomic(ir::Opcode op, uint64_t address, uint32_t memop, uint64_t a, uint64_t b,
                         uint64_t* old) {
    const ir::MemOp access(memop);
    const unsigned size = access.size();
    uint8_t* bytes = reach(address, memop, Access::store);
    if (bytes == nullptr) {
        return false;
    }
    uint64_t before = 0;
    std::memcpy(&before, bytes, size);
    const uint64_t after = combine(op, before, low_bits(a, size), low_bits(b, size), size);
    std::memcpy(bytes, &after, size);
    *old = access.sign() ? sign_extended(before, size) : before;
    return true;
}

tcg::RuntimeHooks StepMachine::hooks() {
    return {
        [](void* state, uint64_t address, uint32_t memop, uint64_t* value) {
            return of(state).load(address, memop, value);
        },
        [](void* state, uint64_t address, uint32_t memop, uint64_t value) {
            return of(state).store(address, memop, value);
        },
        [](void* state, ir::Opcode op, uint64_t address, uint32_t memop, uint64_t a, uint64_t b,
           uint64_t* old) { return of(state).atomic(op, address, memop, a, b, old); },
        nullptr,
        nullptr,
        [](void* state, uint64_t pc) {
            state_header(state).pc = pc;
            return tcg::RxAddress();
        },
    };
}

// Only what run() uses: units that would call for more are not run.
const VcpuServices StepMachine::kServices = [] {
    VcpuServices services{};
    services.load = [](Vcpu* vcpu, uint64_t address, uint32_t memop, uint64_t* value) {
        return vcpu->owner->load(address, memop, value);
    };
    services.store = [](Vcpu* vcpu, uint64_t address, uint32_t memop, uint64_t value) {
        return vcpu->owner->store(address, memop, value);
    };
    services.atomic = [](Vcpu* vcpu, ir::Opcode op, uint64_t address, uint32_t memop, uint64_t a, uint64_t b,
                         uint64_t* old) { return vcpu->owner->atomic(op, address, memop, a, b, old); };
    return services;
}();

// ---- the machine ----

StepMachine::StepMachine()
    : jump_cache_(tcg::kMinJumpCacheEntries), unit_memory_({guest().globals, guest().global_count}) {
    const tcg::BackendConfig config{&guest(), hooks(), false};
    add_engine(tcg::make_interp_backend(config));
#if WEFT_HAVE_X86_64_BACKEND
    add_engine(tcg::make_x86_64_backend(config, {}));
#endif
}

void StepMachine::add_engine(std::unique_ptr<tcg::Backend> backend) {
    auto buffer =
        Mapping::anonymous(kCodeSize, PROT_READ | PROT_WRITE | (backend->executes() ? PROT_EXEC : 0));
    WEFT_ASSERT(buffer.has_value());
    const auto address = reinterpret_cast<uintptr_t>(buffer->data());
    const auto emitted =
        backend->emit_runtime({tcg::RwAddress(address), tcg::RxAddress(address), kCodeSize}, kCodeSize);
    WEFT_ASSERT(emitted.has_value());
    auto compiler = backend->make_compiler();
    engines_.push_back({std::move(backend), std::move(compiler), std::move(*buffer),
                        (*emitted + kUnitAlignment - 1) & ~(kUnitAlignment - 1)});
}

void StepMachine::set(const HartImage& image) {
    riscv::State& state = block_.state;
    for (unsigned i = 1; i < 32; ++i) {
        riscv::gpr(state, i) = image.x[i];
    }
    std::ranges::copy(image.f, state.fpr);
    state.res_address = image.res_address;
    state.res_value = image.res_value;
    state.priv = riscv::Priv::machine;
    state.frm = image.frm;
    state.mstatus = image.mstatus;
    state.exception_cause = image.cause;
    state.exception_tval = image.tval;
    memory_ = image.memory;
    StateHeader& header = block_.exec.header;
    header.pc = image.pc;
    header.page_pc = image.pc & ~(kPageSize - 1);
    header.jump_cache = jump_cache_.data();
    block_.exec.jump_cache_mask = tcg::jump_cache_mask(jump_cache_.size());
    header.context_id = 1;
    block_.exec.jump_cache_salt = tcg::jump_cache_salt(1);
    header.raised = 0;
    header.fp_flags = image.fp_flags;
    header.vcpu = &vcpu_;
    header.services = &kServices;
    block_.state.model = &riscv::kMax;
    for (tcg::TlbTable& table : block_.exec.tlb) {
        table = {0, &no_tlb_};
    }
}

HartImage StepMachine::get() const {
    const riscv::State& state = block_.state;
    const StateHeader& header = block_.exec.header;
    HartImage image;
    for (unsigned i = 0; i < 32; ++i) {
        image.x[i] = riscv::gpr(state, i);
    }
    std::ranges::copy(state.fpr, image.f.begin());
    image.res_address = state.res_address;
    image.res_value = state.res_value;
    image.frm = state.frm;
    image.fp_flags = header.fp_flags;
    image.mstatus = state.mstatus;
    image.pc = header.pc;
    image.cause = state.exception_cause;
    image.tval = state.exception_tval;
    image.memory = memory_;
    return image;
}

void StepMachine::place(const HartImage& before, uint32_t bits) {
    code_.fill(0);
    std::memcpy(code_.data() + (before.pc & (kPageSize - 1)), &bits,
                riscv::insn_size(static_cast<uint16_t>(bits)));
}

std::optional<HartImage> StepMachine::interpret(const HartImage& before, uint32_t bits) {
    place(before, bits);
    set(before);
    const auto offset = static_cast<uint32_t>(before.pc & (kPageSize - 1));
    const RunResult result = guest().run(&block_.state, tb_flags(), code_.data() + offset,
                                         static_cast<uint32_t>(kPageSize) - offset);
    HartImage after = get();
    after.raised = result.stop == RunStop::exception;
    if (result.stop == RunStop::translate && result.insns == 0) {
        WEFT_ASSERT(after == before);
        return std::nullopt;
    }
    // What follows it is no instruction.
    WEFT_ASSERT(result.insns == (after.raised ? 0u : 1u));
    return after;
}

const ir::Unit& StepMachine::translate(const HartImage& before, uint32_t bits) {
    place(before, bits);
    set(before);
    const auto offset = static_cast<uint32_t>(before.pc & (kPageSize - 1));
    const unsigned size = riscv::insn_size(static_cast<uint16_t>(bits));
    TranslateRequest request{};
    request.model = guest().model;
    request.tb_flags = tb_flags();
    request.code = code_.data() + offset;
    request.code_size = size;
    request.page_offset = offset;
    request.max_insns = 1;
    WEFT_ASSERT(guest().translate(&request, &unit_memory_.begin_unit()) == TranslateStatus::ok);
    const ir::Unit& unit = unit_memory_.unit();
    WEFT_ASSERT(unit.insn_count == 1 && unit.guest_size == size);
    WEFT_ASSERT(tcg::verify(unit, {guest().helpers, guest().helper_count}).has_value());
    return unit;
}

bool StepMachine::needs_hart(const ir::Unit& unit) {
    // These need registers, memory and flags alone, and pure ones nothing.
    constexpr uint32_t kHelpers[] = {riscv::kHelperRaise, riscv::kHelperAmo, riscv::kHelperCas,
                                     riscv::kHelperSoftFp};
    return std::any_of(unit.ops, unit.ops + unit.op_count, [&](const ir::Op& op) {
        return op.code == ir::Opcode::call && guest().helpers[op.aux].effects != kHelperPure &&
               std::ranges::find(kHelpers, op.aux) == std::end(kHelpers);
    });
}

void StepMachine::optimize() {
    const std::span<const HelperDesc> helpers(guest().helpers, guest().helper_count);
    tcg::Optimizer().optimize(unit_memory_.unit(), helpers);
    WEFT_ASSERT(tcg::verify(unit_memory_.unit(), helpers).has_value());
}

HartImage StepMachine::run(Engine& engine, const HartImage& before) {
    const auto address = reinterpret_cast<uintptr_t>(engine.buffer.data()) + engine.runtime_size;
    const tcg::CodeWindow window{tcg::RwAddress(address), tcg::RxAddress(address),
                                 kCodeSize - engine.runtime_size};
    tcg::CompiledUnit compiled{};
    WEFT_ASSERT(engine.compiler->compile(unit_memory_.unit(), window, 1, &compiled) ==
                tcg::CompileStatus::ok);
    set(before);
    void* state = &block_.state;
    engine.backend->set_rounding(state, guest().fp_rounding(tb_flags()));
    const tcg::ExitKind exit = engine.backend->run(state, window.rx);
    engine.backend->collect_fp_flags(state);
    HartImage after = get();
    after.raised = exit == tcg::ExitKind::fault;
    if (after.raised) {
        // A fault leaves the pc to the row that its code belongs to.
        const auto row = std::ranges::find_if(compiled.insns, [&](const tcg::InsnRow& candidate) {
            return block_.exec.exit_host_pc - address <= candidate.host_end;
        });
        WEFT_ASSERT(row != compiled.insns.end());
        after.pc = (before.pc & ~(kPageSize - 1)) + static_cast<uint64_t>(int64_t{row->pc_offset});
    }
    return after;
}

}  // namespace weft::fuzz
