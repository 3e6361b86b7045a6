// A vCPU: everything that one hart's execution owns.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "accel/tcg/context_ids.h"
#include "accel/tcg/counters.h"
#include "accel/tcg/jump_cache.h"
#include "accel/tcg/softmmu.h"
#include "accel/tcg/state_block.h"
#include "accel/tcg/work_items.h"
#include "weft/accel.h"

namespace weft::accel {

class Accelerator;
class CodePages;
class CpuThread;
class Translator;

// A reader of the vCPU's address space (MemoryOps), for a scope.
class MemoryReader {
  public:
    MemoryReader(const MemoryOps& ops, void* address_space) : ops_(ops), reader_(ops.reader_create(address_space)) {}
    ~MemoryReader() { ops_.reader_destroy(reader_); }
    MemoryReader(const MemoryReader&) = delete;
    MemoryReader& operator=(const MemoryReader&) = delete;

    void* get() const { return reader_; }

  private:
    const MemoryOps& ops_;
    void* const reader_;
};

}  // namespace weft::accel

namespace weft {

// Members belong to the thread that runs the vCPU (or to any while that one is held: paused, or in safe work), unless
// said otherwise. `const` members are anybody's.
struct Vcpu {
    Vcpu(accel::Accelerator& accelerator, const VcpuConfig& config);
    ~Vcpu();
    Vcpu(const Vcpu&) = delete;
    Vcpu& operator=(const Vcpu&) = delete;

    void* state() const { return block.state(); }
    StateHeader& header() const { return block.header(); }
    tcg::ExecState& exec() const { return block.exec(); }

    // ---- constant ----
    accel::Accelerator& machine;
    const GuestArch& guest;
    const MemoryOps& memory;
    const HostServices& host;
    const uint32_t index;
    // The host thread that runs this vCPU; set before anybody can reach it (Accelerator::attach).
    accel::CpuThread* thread = nullptr;

    // ---- guest ----
    const accel::StateBlock block;
    const accel::MemoryReader reader;
    accel::JumpCache jump_cache;  // drops: any thread
    accel::ContextIds contexts;
    accel::SoftMmu mmu;
    std::unique_ptr<accel::Translator> translator;

    // ---- shared ----
    accel::VcpuCounters counters;
    accel::WorkItems work;  // any thread
    // When to look at the interrupts next, on the machine's clock; UINT64_MAX: never. Written by any thread
    // (set_deadline), taken by the timer thread or by the vCPU's; sequentially consistent.
    std::atomic<uint64_t> deadline_ns{UINT64_MAX};
    // The vCPU sleeps until its deadline by itself, so that the timer thread need not look after it. Written by the
    // vCPU's thread, read by the timer thread; sequentially consistent.
    std::atomic<bool> sleeping{false};

    // Left by WFI (ExitReason::halt); stays until there is work.
    bool halted = false;
};

}  // namespace weft
