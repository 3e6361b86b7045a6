// A vCPU: everything that one hart's execution owns.
//
// The room vcpu/ owns what one hart has: its state block, clocks and alarms, work items, and the functions that the guest and
// generated code call for it. It knows blocks/, mmu/ and time/, and of threads what VcpuThread says.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "accel/tcg/blocks/code_users.h"
#include "accel/tcg/counters.h"
#include "accel/tcg/debug_points.h"
#include "accel/tcg/mmu/context_ids.h"
#include "accel/tcg/mmu/direct_memory.h"
#include "accel/tcg/mmu/machine_memory.h"
#include "accel/tcg/time/alarm.h"
#include "accel/tcg/time/clock.h"
#include "accel/tcg/time/insn_clock.h"
#include "accel/tcg/vcpu/miss_rate.h"
#include "accel/tcg/vcpu/samples.h"
#include "accel/tcg/vcpu/state_block.h"
#include "accel/tcg/vcpu/vcpu_arrays.h"
#include "accel/tcg/vcpu/vcpu_thread.h"
#include "accel/tcg/vcpu/visits.h"
#include "accel/tcg/vcpu/work_items.h"
#include "accel/tcg/vcpu/youth.h"
#include "weft/accel.h"

namespace weft::accel {

class TranslationCache;

// What a vCPU is made of.
struct VcpuParts {
    VcpuArrays arrays;
    const AccelConfig* config;
    const VcpuConfig* vcpu;
    TranslationCache* cache;
    VcpuThread* thread;
    TimerThread* timer;
    const Clock* clock;
    InsnClock* insn_clock;                          // null with the host's clock
    std::atomic<uint64_t>* unit_entries = nullptr;  // for tcg::ProfileState, with profile=on
    const DebugPoints* debug_points = nullptr;      // a machine's; null in process mode
};

}  // namespace weft::accel

namespace weft {

// Members belong to the thread that runs the vCPU (or to any while that one is held: parked, or in an exclusive section),
// unless said otherwise. `const` members and references are anybody's.
struct Vcpu final : accel::CodeUser {
    // The state is at reset values.
    explicit Vcpu(accel::VcpuParts parts);
    Vcpu(const Vcpu&) = delete;
    Vcpu& operator=(const Vcpu&) = delete;

    // accel::CodeUser
    bool same_thread(const accel::CodeUser& other) const override;
    void write_protect(uint64_t ram_offset) override { memory.write_protect(ram_offset); }
    void ask_to_write_protect() override;

    // A machine's.
    accel::SoftMmu& softmmu() const { return machine_memory->softmmu; }

    void* state() const { return block.state(); }
    StateHeader& header() const { return block.header(); }
    tcg::ExecState& exec() const { return block.exec(); }

    accel::Executor executor() { return {&exec(), &counters.insns}; }

    // Makes the vCPU look at its interrupts and at whatever else the caller has prepared (sequentially consistent), and
    // wakes it. Any thread.
    void kick();
    // The thread that runs it. Any thread; see accel::SharedVcpus for what is changed meanwhile.
    accel::VcpuThread& thread() const { return *thread_.load(std::memory_order_seq_cst); }
    void set_thread(accel::VcpuThread& thread) { thread_.store(&thread, std::memory_order_seq_cst); }
    // The machine's time. Any thread.
    uint64_t now_ns() const { return insn_clock != nullptr ? insn_clock->now_ns() : clock.now_ns(); }
    // Forgets what was derived from virtual addresses. `flush` as VcpuServices::tlb_flush.
    void flush_translations(const TlbFlush& flush);
    // Forgets everything that depends on what lies at physical addresses.
    void forget_memory();
    // There is no memory for what the vCPU needs: the machine is told to stop, and the vCPU never runs again. Its thread.
    void out_of_memory();
    // Gives it a larger jump cache, if there is memory. Its thread, between two units.
    void grow_jump_cache();
    // The guest's state was replaced by another: nothing is left that was derived from the one before, and it is not halted.
    void state_replaced();
    // Back to reset values.
    void reset();
    // It never runs again, and nobody has a pointer to it any more.
    accel::VcpuArrays release_arrays() { return {jump_cache.release_entries(), visits.release_counts()}; }

    // ---- constant ----
    const GuestArch& guest;
    const HostServices& host;
    accel::TranslationCache& cache;
    const accel::Clock& clock;
    accel::InsnClock* const insn_clock;            // null with the host's clock; then `clock` counts
    const accel::DebugPoints* const debug_points;  // null in process mode

    // ---- guest ----
    const accel::StateBlock block;
    accel::ContextIds contexts;
    const std::unique_ptr<accel::MachineMemory> machine_memory;  // null in process mode
    const std::unique_ptr<accel::DirectMemory> process_memory;   // null in a machine
    accel::GuestMemory& memory;                                  // which of the two there is
    accel::Visits visits;
    accel::Youth youth;
    // Of the probes that accesses share: what does not reach this costs a thousandth of the vCPU's time at most.
    accel::MissRate page_crossings{32};
    // Of the pages that accesses carry, one in tcg::kCarriedMisses: a place that does not reach this costs a hundredth.
    accel::MissRate carry_misses{32};

    accel::Samples samples;

    // What the state's current context id stands for; set by the execution loop before it runs code.
    uint64_t tb_flags = 0;
    uint8_t fetch_mode = 0;
    // What the backend was told last; false before the first time.
    bool rounding_known = false;
    ir::Rounding rounding{};

    // With -d exec: every TB is entered from the loop. Set by the loop.
    bool exec_logged = false;

    // The loop is to look at the interrupts before it runs code.
    bool look_at_interrupts = true;
    // Not 0: the loop comes back when the guest runs a user program, or after it has entered code so often.
    uint32_t short_turn = 0;
    // The instruction at this pc stores to its own page, and no more than that one is to be done by the code for it, if it is the
    // next. In process mode; kNowhere: there is none.
    static constexpr uint64_t kNowhere = ~uint64_t{0};  // no instruction's pc: they are even
    uint64_t alone_at = kNowhere;
    // Left by ExitKind::halt; until there is work.
    bool halted = false;
    // An error of weft's own environment was reported: never run again.
    bool failed = false;
    // A debugger's. `run` is stay: it has stopped for the debugger, or is not to run.
    DebugRun debug_run = DebugRun::run;
    bool out_of_turns() const { return failed || debug_run == DebugRun::stay; }
    // Whether the loop has to look at the debugger's wishes before it finds code.
    bool debugged() const {
        return debug_run != DebugRun::run || (debug_points != nullptr && debug_points->any_breakpoint());
    }

    // ---- shared ----
    accel::WorkItems work;       // any thread pushes
    accel::WorkItem protecting;  // what ask_to_write_protect() queues
    std::atomic<bool> protect_asked{
        false};          // it is queued: set by who queues it, cleared by its run; seq_cst
    accel::Alarm alarm;  // when to look at the interrupts next; any thread sets it

  private:
    std::atomic<accel::VcpuThread*> thread_;  // stored by the thread that takes it; seq_cst
};

namespace accel {

// There are no other code users.
inline Vcpu& vcpu_of(CodeUser& user) { return static_cast<Vcpu&>(user); }
inline const Vcpu& vcpu_of(const CodeUser& user) { return static_cast<const Vcpu&>(user); }

}  // namespace accel

}  // namespace weft
