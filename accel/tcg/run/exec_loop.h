// The execution loop: has the code for a vCPU's pc found, runs it, and deals with why it came back.
#pragma once

#include <cstdint>

#include "accel/tcg/blocks/known_insns.h"
#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/run/find_block.h"
#include "accel/tcg/run/interpreted_execution.h"
#include "accel/tcg/time/insn_clock.h"
#include "base/epoch.h"
#include "tcg/exec_state.h"

namespace weft::accel {

// Why the loop let go of a vCPU.
enum class LoopExit : uint8_t {
    attention,  // the thread has something else to do
    stopped,    // the instruction clock has reached its stop
    halted,     // Vcpu::halted is set
    yielded,
    turn_over,  // Vcpu::short_turn
    full,       // the code cache has to be emptied
    failed,     // Vcpu::failed is set
    exception,  // GuestArch::deliver left it to the emulator
    debug,      // stopped for the debugger, which was told
};

// Asked when a vCPU was kicked: whether its thread has something else to do than to look at interrupts.
class Attention {
  public:
    virtual bool wanted(Vcpu& vcpu) = 0;

  protected:
    ~Attention() = default;
};

// One a vCPU thread.
class ExecLoop {
  public:
    // `workers`: who translates beside the vCPU; null: nobody. `clock`: null with the host's clock.
    ExecLoop(TranslationCache& cache, Translators& translators, TranslationWorkers* workers,
             Attention& attention, InsnClock* clock)
        : cache_(cache),
          guest_(cache.guest()),
          backend_(cache.backend()),
          translators_(translators),
          finder_(cache, translators, clock),
          interpreted_(cache.guest(), translators, workers),
          known_insns_(cache, clock != nullptr),
          attention_(attention),
          clock_(clock) {}
    ExecLoop(const ExecLoop&) = delete;
    ExecLoop& operator=(const ExecLoop&) = delete;

    // Runs the vCPU, which is not halted, until there is a reason to stop. Inside the exclusive gate. With the instruction
    // clock within a segment.
    LoopExit run(Vcpu& vcpu, EpochDomain::Reader& reader);
    // The same for one instruction, in process mode: `attention` when it was done. Clears the exit request, as `run` does.
    LoopExit step(Vcpu& vcpu, EpochDomain::Reader& reader);
    // tcg::RuntimeHooks::go_on, while `run` runs the vCPU.
    tcg::Onward go_on(Vcpu& vcpu, tcg::ExitKind kind);

    // With LoopExit::full: TranslationCache::flush_count() as of then.
    uint64_t full_at() const { return finder_.full_at(); }

    // Takes an interrupt if one is due; true if it did. On the vCPU's thread.
    static bool take_interrupt(Vcpu& vcpu);

  private:
    void sample(Vcpu& vcpu, uint64_t pc, const UnlinkedJump& left);
    void met(Vcpu& vcpu, const tcg::TranslationBlock& tb);
    LoopExit debug_step(Vcpu& vcpu, EpochDomain::Reader& reader);
    LoopExit stop_for_debugger(Vcpu& vcpu, const DebugStop& stop);
    bool watchpoint_met(Vcpu& vcpu);
    Found next_beside_breakpoint(Vcpu& vcpu, Target* target);
    void enter_context(Vcpu& vcpu);
    Found next(Vcpu& vcpu, const UnlinkedJump& unlinked, Target* target);
    Found find_or_interpret(Vcpu& vcpu, UnlinkedJump unlinked, Target* target);
    tcg::ExitKind run_code(Vcpu& vcpu, const Target& target);
    bool deliver(Vcpu& vcpu);
    bool again(Vcpu& vcpu);
    void finish_fault(Vcpu& vcpu, const tcg::TranslationBlock* single_use);
    void log_entry(const Vcpu& vcpu) const;

    TranslationCache& cache_;
    const GuestArch& guest_;
    const tcg::Backend& backend_;
    Translators& translators_;
    BlockFinder finder_;
    InterpretedExecution interpreted_;
    KnownInsns known_insns_;
    Attention& attention_;
    InsnClock* const clock_;
    // What `run` has while it is in generated code, for go_on(): of the thread that runs the vCPU.
    EpochDomain::Reader* reader_ = nullptr;
    bool once_ = false;  // a unit made for one use
};

}  // namespace weft::accel
