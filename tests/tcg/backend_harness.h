// Runs units of IR on backends, with a small guest of its own around them: a few globals, a state area, helpers with
// known effects, and memory behind the runtime hooks. Tests of IR and of backends build on it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "tcg/exec_state.h"
#include "tcg/interp/backend.h"
#include "tcg/ir/print.h"
#include "tcg/x86_64/backend.h"
#include "weft/guest.h"

namespace weft::tcg::test {

inline constexpr unsigned kIntGlobals = 12;  // i64: numbers 0..11
inline constexpr unsigned kWordGlobals = 2;  // i32: 12, 13
inline constexpr unsigned kFpGlobals = 6;    // f64: 14..19
inline constexpr unsigned kFirstWordGlobal = kIntGlobals;
inline constexpr unsigned kFirstFpGlobal = kIntGlobals + kWordGlobals;
inline constexpr unsigned kGlobals = kFirstFpGlobal + kFpGlobals;

inline constexpr size_t kAreaSize = 64;

// The architecture's part of the guest state.
struct GuestState {
    uint64_t regs[kIntGlobals];
    uint64_t fp_regs[kFpGlobals];
    uint32_t words[kWordGlobals];
    uint8_t area[kAreaSize];  // for ld and st ops
    uint64_t helper_trace;    // mixes in what helpers saw
    uint64_t exception;       // what a fault recorded
    uint64_t rounds;          // that a unit which jumps back to its start may still go

    bool operator==(const GuestState&) const = default;
};
inline constexpr int32_t kAreaOffset = static_cast<int32_t>(offsetof(GuestState, area));

// Guest memory: kMemorySize bytes at kMemoryBase; everything else faults.
inline constexpr uint64_t kMemoryBase = 0x7f0000;
inline constexpr size_t kMemorySize = 2 * 4096;
// Bounds of direct memory that leave some addresses behind it within.
inline constexpr uint8_t kWindowBits = 23;

enum TestHelper : uint32_t {
    kHelperMix,          // mix(a: i64, b: i32) -> i64, pure
    kHelperTrace,        // trace(state, a: i64): side effect only
    kHelperReadGlobals,  // read_globals(state, a: i32) -> i64: depends on all globals
    kHelperTwist,        // twist(state, a: i64): rewrites some globals
    kHelperMaybeRaise,  // maybe_raise(state, a: i64, b: i64) -> i64: raises if a's low three bits are all zero
    kHelperMany,        // many(a: i32, b: i64, c: i32, d: i64, e: i32) -> i32, pure
    kHelperManyState,   // many_state(state, a: i64, b: i32, c: i64, d: i32, e: i64) -> i64
    kTestHelperCount,
};

const GuestArch& test_guest();
PrintNames test_names();

// What a run starts from.
struct Input {
    GuestState state{};
    std::array<uint8_t, kMemorySize> memory{};
    uint32_t fp_flags = 0;
    uint64_t page_pc = 0x10000;
    uint32_t exit_request = 0;
    int64_t insn_budget = 0;
};

// What a run left behind: everything that backends must agree on.
struct Outcome {
    CompileStatus status = CompileStatus::ok;
    ExitKind exit = ExitKind::lookup;
    uint32_t exit_unit = 0;         // for goto_tb: relative to the unit that was started
    uint32_t exit_page_offset = 0;  // for goto_tb: of the slot's jump (the optimizer may renumber slots)
    int32_t fault_pc_offset = 0;    // for fault: of the guest instruction that raised
    uint64_t pc = 0;                // but for fault
    uint64_t page_pc = 0;
    uint32_t fp_flags = 0;
    int64_t insn_budget = 0;
    GuestState state{};
    std::array<uint8_t, kMemorySize> memory{};

    bool operator==(const Outcome&) const = default;
};

// The first difference, in words; empty if there is none.
std::string difference(const Outcome& expected, const Outcome& actual);

struct HarnessOptions {
    bool count_insns = false;
    // The pages of the test's memory that have a TLB entry, so that a native backend's fast path is taken: bit 0 for the
    // first one. Accesses to others are slow ones.
    unsigned tlb_pages = 3;
    NativeOptions native{};
    // run() links jumps to a unit's own start to it: units have to end by themselves.
    bool link_rounds = false;
    const GuestArch* guest = &test_guest();
    // Of a native backend: a base of 1 stands for a place that the harness chooses.
    MemoryModel memory{};
};

// Where guest memory may be with direct memory and a base: a stretch of the host's addresses that nobody else has, with a
// page below it.
class AddressWindow {
  public:
    static constexpr size_t kSize = size_t{16} << 20;
    AddressWindow();
    ~AddressWindow();
    AddressWindow(const AddressWindow&) = delete;
    AddressWindow& operator=(const AddressWindow&) = delete;
    uint64_t base() const;

  private:
    void* mapping_;
};

// One backend with a code buffer, and a vCPU's state block to run on.
class Harness {
  public:
    enum class Kind { interp, x86_64 };

    Harness(Kind kind, const HarnessOptions& options);
    ~Harness();
    Harness(const Harness&) = delete;
    Harness& operator=(const Harness&) = delete;

    const Backend& backend() const { return *backend_; }
    const char* name() const { return backend_->name(); }

    // Compiles `unit` behind what was compiled before (starting over when the buffer is full) and runs it once.
    Outcome run(const ir::Unit& unit, const Input& input);

    // The steps of run(), for tests that link units.
    struct Placed {
        CodeWindow window;
        CompiledUnit compiled;  // its insns are in rows
        std::vector<InsnRow> rows;
        uint32_t index;
        ir::Rounding rounding;
    };
    Placed compile(const ir::Unit& unit);
    Outcome execute(const Placed& placed, const Input& input);

    // What the lookup hook gives for a pc, and whether it was asked; 0: nothing.
    void set_lookup(uint64_t pc, RxAddress code) {
        lookup_pc_ = pc;
        lookup_code_ = code;
    }
    unsigned lookups() const { return lookups_; }
    void* state();
    JumpCacheEntry& jump_cache_entry(uint64_t pc) {
        return jump_cache_[jump_cache_index(pc, jump_cache_salt(1), jump_cache_mask(jump_cache_.size()))];
    }
    RxAddress code_base() const;

    // Direct memory: where guest address 0 is, and what the last run's fault left in the state.
    uint64_t memory_base() const { return options_.memory.base; }
    const HostFault& host_fault() const { return host_fault_; }
    // The guest may not store to its memory (direct memory).
    void set_read_only(bool read_only) { read_only_ = read_only; }

  private:
    struct Block;

    static bool load(void* state, uint64_t address, uint32_t memop, uint64_t* value);
    static bool store(void* state, uint64_t address, uint32_t memop, uint64_t value);
    static bool atomic(void* state, ir::Opcode op, uint64_t address, uint32_t memop, uint64_t a, uint64_t b,
                       uint64_t* old);
    static RxAddress lookup(void* state, uint64_t pc);
    static Harness& of(void* state);

    // Whether the guest may access `address` so; else the exception is recorded.
    bool reaches(void* state, uint64_t address, uint32_t memop) const;
    template <class M>
    M get(uint64_t address) const;
    template <class M>
    void put(uint64_t address, M value);
    // A byte of the guest's memory. With a TLB neighbours there are none in the host's memory.
    static constexpr uint64_t host_offset(uint64_t offset) { return offset ^ 4096; }
    bool direct() const { return options_.memory.kind == MemoryModel::Kind::direct; }
    uint8_t* byte(uint64_t offset) const;
    void protect_memory(int protection);
    ExitKind run_code(RxAddress code);
    void prepare(const Input& input);
    void move(Placed* placed);

    HarnessOptions options_;
    std::unique_ptr<Backend> backend_;
    std::unique_ptr<Compiler> compiler_;
    uint8_t* buffer_ = nullptr;
    size_t runtime_size_ = 0;
    size_t used_ = 0;
    uint32_t next_index_ = 1;
    // WEFT_TEST_MOVED: no unit of a backend that can move them is run where it was compiled.
    const bool move_units_ = std::getenv("WEFT_TEST_MOVED") != nullptr;

    std::unique_ptr<Block> block_;
    std::vector<JumpCacheEntry> jump_cache_;
    std::array<std::vector<TlbEntry>, kMmuModes> tlb_;
    std::unique_ptr<std::array<uint8_t, kMemorySize>> memory_;
    uint64_t lookup_pc_ = 0;
    RxAddress lookup_code_;
    unsigned lookups_ = 0;
    std::unique_ptr<AddressWindow> window_;
    HostFault host_fault_{};
    bool read_only_ = false;
};

// One harness for each backend that this build has; the interpreter is the first.
std::vector<std::unique_ptr<Harness>> all_harnesses(const HarnessOptions& options);
// And one for each kind of direct memory, where it has a backend with that: for units that access memory.
std::vector<std::unique_ptr<Harness>> all_harnesses_and_memories(const HarnessOptions& options);

// WEFT_TEST_SEED, or `usual`.
uint64_t test_seed(uint64_t usual);
// WEFT_TEST_CASES, or `usual`.
unsigned test_cases(unsigned usual);

}  // namespace weft::tcg::test
