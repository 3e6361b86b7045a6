#include "backend_harness.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <bit>
#include <cstdlib>
#include <cstring>

#include "base/assert.h"
#include "fault_catcher.h"
#include "weft/guest_ram.h"

#ifndef WEFT_HAVE_X86_64_BACKEND
#define WEFT_HAVE_X86_64_BACKEND 0
#endif

namespace weft::tcg::test {

namespace {

constexpr size_t kBufferSize = size_t{4} << 20;
constexpr size_t kLargestUnit = size_t{512} << 10;
constexpr size_t kUnitAlignment = 64;

uint64_t scramble(uint64_t value) {
    value ^= value >> 31;
    value *= 0x9e3779b97f4a7c15;
    return value ^ value >> 29;
}

// ---- helpers ----

uint64_t mix(uint64_t a, uint32_t b) { return scramble(a + b) ^ b; }

void trace(GuestState* state, uint64_t a) { state->helper_trace = scramble(state->helper_trace ^ a); }

uint64_t digest(const GuestState& state) {
    uint64_t sum = 1;
    for (const uint64_t reg : state.regs) {
        sum = scramble(sum ^ reg);
    }
    for (const uint64_t reg : state.fp_regs) {
        sum = scramble(sum ^ reg);
    }
    for (const uint32_t word : state.words) {
        sum = scramble(sum ^ word);
    }
    return sum;
}

uint64_t read_globals(GuestState* state, uint32_t a) { return digest(*state) + a; }

void twist(GuestState* state, uint64_t a) {
    state->regs[1] += a;
    state->regs[7] ^= scramble(a);
    state->words[1] = static_cast<uint32_t>(a >> 7);
    state->fp_regs[2] = a;
}

uint64_t maybe_raise(GuestState* state, uint64_t a, uint64_t b) {
    if ((a & 7) == 0) {
        state->exception = digest(*state) ^ b;
        state_header(state).raised = 1;
        return 0xdead;
    }
    return a - b;
}

uint32_t many(uint32_t a, uint64_t b, uint32_t c, uint64_t d, uint32_t e) {
    return static_cast<uint32_t>(scramble(a ^ scramble(b ^ scramble(c ^ scramble(d ^ scramble(e))))));
}

uint64_t many_state(GuestState* state, uint64_t a, uint32_t b, uint64_t c, uint32_t d, uint64_t e) {
    state->helper_trace += 1;
    return scramble(a ^ scramble(b ^ scramble(c ^ scramble(d ^ scramble(e)))));
}

// ---- the guest ----

struct Tables {
    std::vector<std::string> names;
    std::vector<GlobalDesc> globals;
    std::vector<HelperDesc> helpers;
    GuestArch guest{};

    Tables() {
        // Half of each class is pinned by rank, so that both kinds of globals are tried.
        auto add = [this](const std::string& name, ir::Type type, size_t offset, uint16_t rank) {
            names.push_back(name);
            globals.push_back(GlobalDesc{nullptr, type, static_cast<int32_t>(offset), rank});
        };
        for (unsigned i = 0; i < kIntGlobals; ++i) {
            const auto rank = static_cast<uint16_t>(i % 2 == 0 ? i / 2 + 1 : 0);
            add(fmt::format("r{}", i), ir::Type::i64, offsetof(GuestState, regs) + 8 * i, rank);
        }
        for (unsigned i = 0; i < kWordGlobals; ++i) {
            add(fmt::format("w{}", i), ir::Type::i32, offsetof(GuestState, words) + 4 * i, 0);
        }
        for (unsigned i = 0; i < kFpGlobals; ++i) {
            const auto rank = static_cast<uint16_t>(i % 2 == 0 ? i / 2 + 1 : 0);
            add(fmt::format("f{}", i), ir::Type::f64, offsetof(GuestState, fp_regs) + 8 * i, rank);
        }
        for (size_t i = 0; i < globals.size(); ++i) {
            globals[i].name = names[i].c_str();
        }
        helpers = {
            make_helper<&mix>("mix", kHelperPure),
            make_helper<&trace>("trace", kHelperSideEffects),
            make_helper<&read_globals>("read_globals", kHelperReadsGlobals),
            make_helper<&twist>("twist", kHelperReadsGlobals | kHelperWritesGlobals | kHelperSideEffects),
            make_helper<&maybe_raise>("maybe_raise", kHelperMayRaise),
            make_helper<&many>("many", kHelperPure),
            make_helper<&many_state>("many_state", kHelperSideEffects),
        };
        guest.abi_version = kGuestAbiVersion;
        guest.ir_version = ir::kIrVersion;
        guest.name = "test";
        guest.state_size = sizeof(GuestState);
        guest.mmu_mode_count = kMmuModes;
        guest.steady_modes = ~uint32_t{0};
        guest.max_insn_size = 4;
        guest.min_insn_size = 2;
        guest.globals = globals.data();
        guest.global_count = static_cast<uint32_t>(globals.size());
        guest.helpers = helpers.data();
        guest.helper_count = static_cast<uint32_t>(helpers.size());
    }
};

const Tables& tables() {
    static const Tables kTables;
    return kTables;
}

// The value before, from `host`, and what `op` makes of it.
template <class M>
M apply(ir::Opcode op, M old, M a, M b) {
    using S = std::make_signed_t<M>;
    const auto signed_old = static_cast<S>(old);
    const auto signed_a = static_cast<S>(a);
    switch (op) {
        case ir::Opcode::atomic_xchg:
            return a;
        case ir::Opcode::atomic_cmpxchg:
            return old == a ? b : old;
        case ir::Opcode::atomic_add:
            return static_cast<M>(old + a);
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
            return old < a ? old : a;
        default:
            return old > a ? old : a;
    }
}

template <class M>
uint64_t extend(M value, uint32_t memop) {
    return ir::MemOp(memop).sign()
               ? static_cast<uint64_t>(static_cast<int64_t>(static_cast<std::make_signed_t<M>>(value)))
               : value;
}

// The exception of an access to a byte that is not there.
uint64_t out_of_memory(uint64_t address) { return scramble(address) & ~uint64_t{1}; }

// Calls `f` with a value of the access's unsigned type.
template <class F>
auto with_size(uint32_t memop, F f) {
    switch (ir::MemOp(memop).size_log2()) {
        case 0:
            return f(uint8_t{});
        case 1:
            return f(uint16_t{});
        case 2:
            return f(uint32_t{});
        default:
            return f(uint64_t{});
    }
}

}  // namespace

const GuestArch& test_guest() { return tables().guest; }

PrintNames test_names() { return {tables().globals, tables().helpers}; }

struct Harness::Block {
    Harness* owner;
    ExecState exec;
    GuestState state;
};

void* Harness::state() { return &block_->state; }

Harness& Harness::of(void* state) { return *static_cast<Harness*>(state_header(state).guest); }

bool Harness::reaches(void* state, uint64_t address, uint32_t memop) const {
    const ir::MemOp op(memop);
    auto& guest = *static_cast<GuestState*>(state);
    if (op.aligned() && (address & (op.size() - 1)) != 0) {
        guest.exception = scramble(address) | 1;
        return false;
    }
    const uint64_t offset = address - kMemoryBase;
    if (offset >= kMemorySize || kMemorySize - offset < op.size()) {
        // By the first byte that is not there, as the host does it.
        guest.exception = out_of_memory(offset >= kMemorySize ? address : kMemoryBase + kMemorySize);
        return false;
    }
    return true;
}

uint8_t* Harness::byte(uint64_t offset) const {
    return direct() ? reinterpret_cast<uint8_t*>(options_.memory.base + kMemoryBase + offset)
                    : memory_->data() + host_offset(offset);
}

template <class M>
M Harness::get(uint64_t address) const {
    std::array<uint8_t, sizeof(M)> bytes;
    for (uint8_t& value : bytes) {
        value = *byte(address++ - kMemoryBase);
    }
    return std::bit_cast<M>(bytes);
}

template <class M>
void Harness::put(uint64_t address, M value) {
    for (const uint8_t part : std::bit_cast<std::array<uint8_t, sizeof(M)>>(value)) {
        *byte(address++ - kMemoryBase) = part;
    }
}

bool Harness::load(void* state, uint64_t address, uint32_t memop, uint64_t* value) {
    Harness& self = of(state);
    if (!self.reaches(state, address, memop)) {
        return false;
    }
    *value = with_size(memop, [&]<class M>(M) { return extend(self.get<M>(address), memop); });
    return true;
}

bool Harness::store(void* state, uint64_t address, uint32_t memop, uint64_t value) {
    Harness& self = of(state);
    if (!self.reaches(state, address, memop)) {
        return false;
    }
    with_size(memop, [&]<class M>(M) { self.put(address, static_cast<M>(value)); });
    return true;
}

bool Harness::atomic(void* state, ir::Opcode op, uint64_t address, uint32_t memop, uint64_t a, uint64_t b,
                     uint64_t* old) {
    Harness& self = of(state);
    if (!self.reaches(state, address, memop)) {
        return false;
    }
    with_size(memop, [&]<class M>(M) {
        const auto before = self.get<M>(address);
        *old = extend(before, memop);
        self.put(address, apply<M>(op, before, static_cast<M>(a), static_cast<M>(b)));
    });
    return true;
}

RxAddress Harness::lookup(void* state, uint64_t pc) {
    Harness& self = of(state);
    ++self.lookups_;
    StateHeader& header = state_header(state);
    header.pc = pc;
    if (self.lookup_code_ && pc == self.lookup_pc_) {
        header.page_pc = pc & ~uint64_t{4095};
        return self.lookup_code_;
    }
    return RxAddress();
}

namespace {

// The guest's memory at base 0: it stays for all harnesses that have it there, one running at a time.
class LowMemory {
  public:
    LowMemory()
        : mapping_(mmap(reinterpret_cast<void*>(kMemoryBase), kMemorySize, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0)) {
        WEFT_ASSERT(mapping_ == reinterpret_cast<void*>(kMemoryBase));
    }
    ~LowMemory() { munmap(mapping_, kMemorySize); }
    LowMemory(const LowMemory&) = delete;
    LowMemory& operator=(const LowMemory&) = delete;

    static void map_once() { [[maybe_unused]] static const LowMemory kMemory; }

  private:
    void* const mapping_;
};

}  // namespace

AddressWindow::AddressWindow()
    : mapping_(mmap(nullptr, kSize + 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    WEFT_ASSERT(mapping_ != MAP_FAILED);
}
AddressWindow::~AddressWindow() { munmap(mapping_, kSize + 4096); }
uint64_t AddressWindow::base() const { return reinterpret_cast<uintptr_t>(mapping_) + 4096; }

void Harness::protect_memory(int protection) { WEFT_ASSERT(mprotect(byte(0), kMemorySize, protection) == 0); }

Harness::Harness(Kind kind, const HarnessOptions& options)
    : options_(options),
      block_(std::make_unique<Block>()),
      jump_cache_(kMinJumpCacheEntries),
      memory_(std::make_unique<std::array<uint8_t, kMemorySize>>()) {
    if (options_.memory.base == 1) {
        window_ = std::make_unique<AddressWindow>();
        options_.memory.base = window_->base();
        protect_memory(PROT_READ | PROT_WRITE);
    } else if (direct()) {
        LowMemory::map_once();
    }
    const BackendConfig config{options.guest,
                               {&load, &store, &atomic, nullptr, nullptr, &lookup},
                               options.count_insns,
                               false,
                               options_.memory};
#if WEFT_HAVE_X86_64_BACKEND
    backend_ =
        kind == Kind::interp ? make_interp_backend(config) : make_x86_64_backend(config, options.native);
#else
    WEFT_ASSERT(kind == Kind::interp);
    backend_ = make_interp_backend(config);
#endif
    const int protection = PROT_READ | PROT_WRITE | (backend_->executes() ? PROT_EXEC : 0);
    void* mapping = mmap(nullptr, kBufferSize, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    WEFT_ASSERT(mapping != MAP_FAILED);
    buffer_ = static_cast<uint8_t*>(mapping);
    const auto address = reinterpret_cast<uintptr_t>(buffer_);
    const Result<size_t> emitted =
        backend_->emit_runtime(CodeWindow{RwAddress(address), RxAddress(address), kBufferSize}, kBufferSize);
    WEFT_ASSERT(emitted.has_value());
    runtime_size_ = (*emitted + kUnitAlignment - 1) & ~(kUnitAlignment - 1);
    used_ = runtime_size_;
    compiler_ = backend_->make_compiler();
    if (direct()) {
        FaultCatcher::install();
    }
}

Harness::~Harness() {
    if (buffer_ != nullptr) {
        munmap(buffer_, kBufferSize);
    }
}

RxAddress Harness::code_base() const { return RxAddress(reinterpret_cast<uintptr_t>(buffer_)); }

Harness::Placed Harness::compile(const ir::Unit& unit) {
    if (kBufferSize - used_ < kLargestUnit) {
        used_ = runtime_size_;
    }
    Placed placed{};
    const uintptr_t address = reinterpret_cast<uintptr_t>(buffer_) + used_;
    placed.window = CodeWindow{RwAddress(address), RxAddress(address), kLargestUnit};
    placed.index = next_index_++;
    placed.rounding = unit.fp_rounding;
    const CompileStatus status = compiler_->compile(unit, placed.window, placed.index, &placed.compiled);
    WEFT_ASSERT(status == CompileStatus::ok);
    placed.rows.assign(placed.compiled.insns.begin(), placed.compiled.insns.end());
    placed.compiled.insns = {};
    placed.window.size = placed.compiled.code_size;
    if (move_units_ && backend_->code_identity() != 0) {
        move(&placed);
    }
    placed.compiled.outside = {};
    used_ += (placed.compiled.code_size + kUnitAlignment - 1) & ~(kUnitAlignment - 1);
    return placed;
}

// As a stored unit is moved: to the buffer's start, where it does not lie, and from there to where it is run.
void Harness::move(Placed* placed) {
    std::vector<uint8_t> code(placed->window.bytes(), placed->window.bytes() + placed->window.size);
    const CompiledUnit& compiled = placed->compiled;
    const auto moved = [&](int64_t distance, uint32_t index) {
        backend_->move(
            {code, compiled.outside, std::span(compiled.jumps).first(compiled.jump_count), distance, index});
    };
    constexpr uint8_t kInt3 = 0xcc;
    std::memset(placed->window.bytes(), kInt3, placed->window.size);
    moved(code_base() - placed->window.rx, 0);
    used_ += (placed->window.size + 2 * kUnitAlignment - 1) & ~(kUnitAlignment - 1);
    const uintptr_t address = reinterpret_cast<uintptr_t>(buffer_) + used_;
    placed->window.rw = RwAddress(address);
    placed->window.rx = RxAddress(address);
    moved(placed->window.rx - code_base(), placed->index);
    std::memcpy(placed->window.bytes(), code.data(), code.size());
}

void Harness::prepare(const Input& input) {
    block_->owner = this;
    block_->state = input.state;
    for (uint64_t i = 0; i < kMemorySize; ++i) {
        *byte(i) = input.memory[i];
    }
    ExecState& exec = block_->exec;
    exec.exit_host_pc = 0;
    exec.exit_unit = 0;
    exec.exit_slot = 0;
    exec.insn_budget = input.insn_budget;
    exec.header.page_pc = input.page_pc;
    exec.header.pc = 0;
    exec.header.jump_cache = jump_cache_.data();
    exec.jump_cache_mask = jump_cache_mask(jump_cache_.size());
    exec.header.context_id = 1;
    exec.jump_cache_salt = jump_cache_salt(1);
    exec.header.exit_request.store(input.exit_request);
    exec.header.raised = 0;
    exec.header.fp_flags = input.fp_flags;
    exec.header.guest = this;
    exec.fault = HostFault{};

    const auto host = reinterpret_cast<uint64_t>(memory_->data());
    for (unsigned mode = 0; mode < kMmuModes; ++mode) {
        constexpr size_t kEntries = 16;
        tlb_[mode].assign(kEntries, TlbEntry{kTlbInvalid, kTlbInvalid, 0, 0});
        for (uint64_t page = kMemoryBase; page < kMemoryBase + kMemorySize; page += 4096) {
            if ((options_.tlb_pages >> (page - kMemoryBase) / 4096 & 1) == 0) {
                continue;
            }
            const uint64_t addend = host + host_offset(page - kMemoryBase) - page;
            tlb_[mode][page >> 12 & (kEntries - 1)] =
                TlbEntry{tlb_tag(page), tlb_tag(page), addend, page - kMemoryBase};
        }
        exec.tlb[mode] = TlbTable{(kEntries - 1) << kTlbEntryShift, tlb_[mode].data()};
    }
}

// What the execution loop does with a fault of the host's, in small.
ExitKind Harness::run_code(RxAddress code) {
    void* state = &block_->state;
    if (!direct()) {
        return backend_->run(state, code);
    }
    WEFT_ASSERT(backend_->prepare_thread().has_value());
    const FaultCatcher catcher(*backend_, state);
    const ExitKind exit = backend_->run(state, code);
    ExecState& exec = block_->exec;
    host_fault_ = exec.fault;
    WEFT_ASSERT(!exec.fault.noted || exit == ExitKind::fault);
    if (exec.fault.noted) {
        exec.fault.noted = false;
        block_->state.exception = out_of_memory(exec.fault.address);
    }
    return exit;
}

Outcome Harness::execute(const Placed& placed, const Input& input) {
    prepare(input);
    if (read_only_) {
        protect_memory(PROT_READ);
    }
    void* state = &block_->state;
    backend_->set_rounding(state, placed.rounding);
    Outcome outcome;
    outcome.exit = run_code(placed.window.rx);
    if (read_only_) {
        protect_memory(PROT_READ | PROT_WRITE);
    }
    backend_->collect_fp_flags(state);

    const ExecState& exec = block_->exec;
    if (outcome.exit == ExitKind::fault) {
        const uint64_t host_offset = exec.exit_host_pc - placed.window.rx.value();
        for (const InsnRow& row : placed.rows) {
            if (host_offset <= row.host_end) {
                outcome.fault_pc_offset = row.pc_offset;
                break;
            }
        }
    } else {
        outcome.pc = exec.header.pc;
    }
    if (outcome.exit == ExitKind::goto_tb) {
        outcome.exit_unit = exec.exit_unit - placed.index;
        // Of a unit that was linked, only the slot is known here.
        WEFT_ASSERT(outcome.exit_unit != 0 || exec.exit_slot < placed.compiled.jump_count);
        outcome.exit_page_offset =
            outcome.exit_unit == 0 ? placed.compiled.jumps[exec.exit_slot].pc_offset : exec.exit_slot;
    }
    outcome.page_pc = exec.header.page_pc;
    outcome.fp_flags = exec.header.fp_flags;
    outcome.insn_budget = options_.count_insns ? exec.insn_budget : 0;
    outcome.state = block_->state;
    for (uint64_t i = 0; i < kMemorySize; ++i) {
        outcome.memory[i] = *byte(i);
    }
    return outcome;
}

Outcome Harness::run(const ir::Unit& unit, const Input& input) {
    const Placed placed = compile(unit);
    for (unsigned i = 0; options_.link_rounds && i < placed.compiled.jump_count; ++i) {
        const JumpSite& jump = placed.compiled.jumps[i];
        if (jump.stub_offset != 0 && unit.ops[0].code == ir::Opcode::insn_start &&
            jump.pc_offset == static_cast<int32_t>(unit.ops[0].aux)) {
            backend_->link(placed.window.rw, jump, placed.window.rw);
        }
    }
    return execute(placed, input);
}

std::vector<std::unique_ptr<Harness>> all_harnesses(const HarnessOptions& options) {
    std::vector<std::unique_ptr<Harness>> harnesses;
    harnesses.push_back(std::make_unique<Harness>(Harness::Kind::interp, options));
#if WEFT_HAVE_X86_64_BACKEND
    harnesses.push_back(std::make_unique<Harness>(Harness::Kind::x86_64, options));
#endif
    return harnesses;
}

std::vector<std::unique_ptr<Harness>> all_harnesses_and_memories(const HarnessOptions& options) {
    auto harnesses = all_harnesses(options);
#if WEFT_HAVE_X86_64_BACKEND
    HarnessOptions direct = options;
    for (const MemoryModel memory : {MemoryModel{MemoryModel::Kind::direct, 0, 0},
                                     MemoryModel{MemoryModel::Kind::direct, 1, kWindowBits}}) {
        direct.memory = memory;
        harnesses.push_back(std::make_unique<Harness>(Harness::Kind::x86_64, direct));
    }
#endif
    return harnesses;
}

std::string difference(const Outcome& expected, const Outcome& actual) {
    if (expected == actual) {
        return {};
    }
    if (expected.exit != actual.exit) {
        return fmt::format("exit {} instead of {}", static_cast<int>(actual.exit),
                           static_cast<int>(expected.exit));
    }
    auto differs = [](const char* what, uint64_t wanted, uint64_t got) {
        return fmt::format("{}: {:#x} instead of {:#x}", what, got, wanted);
    };
    for (unsigned i = 0; i < kIntGlobals; ++i) {
        if (expected.state.regs[i] != actual.state.regs[i]) {
            return differs(fmt::format("r{}", i).c_str(), expected.state.regs[i], actual.state.regs[i]);
        }
    }
    for (unsigned i = 0; i < kFpGlobals; ++i) {
        if (expected.state.fp_regs[i] != actual.state.fp_regs[i]) {
            return differs(fmt::format("f{}", i).c_str(), expected.state.fp_regs[i], actual.state.fp_regs[i]);
        }
    }
    for (unsigned i = 0; i < kWordGlobals; ++i) {
        if (expected.state.words[i] != actual.state.words[i]) {
            return differs(fmt::format("w{}", i).c_str(), expected.state.words[i], actual.state.words[i]);
        }
    }
    if (std::memcmp(expected.state.area, actual.state.area, kAreaSize) != 0) {
        return "the state area";
    }
    if (expected.memory != actual.memory) {
        return "memory";
    }
    if (expected.fp_flags != actual.fp_flags) {
        return differs("fp_flags", expected.fp_flags, actual.fp_flags);
    }
    if (expected.pc != actual.pc) {
        return differs("pc", expected.pc, actual.pc);
    }
    if (expected.fault_pc_offset != actual.fault_pc_offset) {
        return fmt::format("fault at {:#x} instead of {:#x}", actual.fault_pc_offset,
                           expected.fault_pc_offset);
    }
    if (expected.insn_budget != actual.insn_budget) {
        return fmt::format("insn_budget {} instead of {}", actual.insn_budget, expected.insn_budget);
    }
    if (expected.state.helper_trace != actual.state.helper_trace) {
        return differs("helper_trace", expected.state.helper_trace, actual.state.helper_trace);
    }
    if (expected.state.exception != actual.state.exception) {
        return differs("exception", expected.state.exception, actual.state.exception);
    }
    return fmt::format("page_pc, exit unit or jump: {:#x}/{:#x} {}/{} {}/{}", actual.page_pc,
                       expected.page_pc, actual.exit_unit, expected.exit_unit, actual.exit_page_offset,
                       expected.exit_page_offset);
}

uint64_t test_seed(uint64_t usual) {
    const char* text = std::getenv("WEFT_TEST_SEED");
    return text != nullptr ? std::strtoull(text, nullptr, 0) : usual;
}

unsigned test_cases(unsigned usual) {
    const char* text = std::getenv("WEFT_TEST_CASES");
    return text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 0)) : usual;
}

}  // namespace weft::tcg::test
