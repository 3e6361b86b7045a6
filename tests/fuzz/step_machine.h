// One RISC-V hart with a page of memory, which runs single instructions in each way that weft has: without a translation, and
// translated, plain and optimized, on every backend.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mapping.h"
#include "emulator/guest/riscv/cpu/state.h"
#include "emulator/guest/riscv/guest_arch.h"
#include "tcg/backend.h"
#include "tcg/ir/unit_storage.h"

namespace weft::fuzz {
class StepMachine;
}

namespace weft {
// The accelerator's type: here the services' way to the machine.
struct Vcpu {
    fuzz::StepMachine* owner;
};
}  // namespace weft

namespace weft::fuzz {

// Guest memory: one page here; accesses elsewhere, and over its end, are access faults.
inline constexpr uint64_t kMemoryBase = 0x80000000;
inline constexpr size_t kMemorySize = 4096;

// What an instruction may read and write. `raised` with cause and tval is the exception that it ended with.
struct HartImage {
    std::array<uint64_t, 32> x{};  // x[0] stays zero
    std::array<uint64_t, 32> f{};
    uint64_t res_address = riscv::kNoReservation;
    uint64_t res_value = 0;
    uint32_t frm = 0;
    uint32_t fp_flags = 0;
    uint64_t mstatus = 0;
    uint64_t pc = 0;
    bool raised = false;
    uint64_t cause = 0;
    uint64_t tval = 0;
    std::array<uint8_t, kMemorySize> memory{};

    bool operator==(const HartImage&) const = default;
};

// The first difference, in words; empty if there is none.
std::string difference(const HartImage& expected, const HartImage& actual);

class StepMachine {
  public:
    StepMachine();
    StepMachine(const StepMachine&) = delete;
    StepMachine& operator=(const StepMachine&) = delete;

    // Does the instruction `bits`, which lies at before.pc, by GuestArch::run. Nothing: run() left it to a translation, and
    // changed nothing.
    std::optional<HartImage> interpret(const HartImage& before, uint32_t bits);

    // The instruction as a unit, verified. Valid until the next translate().
    const ir::Unit& translate(const HartImage& before, uint32_t bits);
    // Whether the unit calls a helper that needs more of a hart than registers, memory and FP flags.
    static bool needs_hart(const ir::Unit& unit);

    // Runs what translate() gave on each backend, plain and optimized. `tell` is given the way's name and what became of it.
    template <class F>
    void run_translated(const HartImage& before, F tell) {
        for (const bool optimized : {false, true}) {
            if (optimized) {
                optimize();
            }
            for (Engine& engine : engines_) {
                tell(std::string(engine.backend->name()) + (optimized ? ", optimized" : ""),
                     run(engine, before));
            }
        }
    }

  private:
    struct Engine {
        std::unique_ptr<tcg::Backend> backend;
        std::unique_ptr<tcg::Compiler> compiler;
        Mapping buffer;
        size_t runtime_size;
    };
    struct Block {
        tcg::ExecState exec;
        riscv::State state;
    };

    static StepMachine& of(void* state) { return *state_header(state).vcpu->owner; }
    // The bytes of an access; null: the exception is recorded.
    uint8_t* reach(uint64_t address, uint32_t memop, Access access);
    bool load(uint64_t address, uint32_t memop, uint64_t* value);
    bool store(uint64_t address, uint32_t memop, uint64_t value);
    bool atomic(ir::Opcode op, uint64_t address, uint32_t memop, uint64_t a, uint64_t b, uint64_t* old);

    static tcg::RuntimeHooks hooks();
    static const VcpuServices kServices;

    void add_engine(std::unique_ptr<tcg::Backend> backend);
    // The instruction in a page of code that holds nothing else.
    void place(const HartImage& before, uint32_t bits);
    void set(const HartImage& image);
    HartImage get() const;
    uint64_t tb_flags() { return riscv::guest_arch(riscv::kMax).tb_flags(&block_.state); }
    void optimize();
    HartImage run(Engine& engine, const HartImage& before);

    Vcpu vcpu_{this};
    Block block_{};
    tcg::TlbEntry no_tlb_{tcg::kTlbInvalid, tcg::kTlbInvalid, 0, 0};
    std::vector<tcg::JumpCacheEntry> jump_cache_;
    std::array<uint8_t, kMemorySize> memory_{};
    // A page, and what follows it of an instruction over its end.
    alignas(8) std::array<uint8_t, kPageSize + 2> code_{};
    tcg::UnitMemory unit_memory_;
    std::vector<Engine> engines_;
};

}  // namespace weft::fuzz
