// A thread of the emulator's that runs a vCPU itself, for a while each time: process mode. CpuThread is its counterpart in a machine.
//
// The vCPU's thread is whoever is inside enter(): then it is, as those of a machine, a member of the exclusive gate and a reader of
// the epochs, and running or busy (see cpu_thread.h). Outside it is offline and no running member, whatever it does: nobody waits
// for it.
#pragma once

#include <cstdint>

#include "accel/tcg/run/exclusive.h"
#include "accel/tcg/run/exec_loop.h"
#include "accel/tcg/run/room_maker.h"
#include "accel/tcg/translate/translators.h"
#include "accel/tcg/vcpu/vcpu.h"
#include "accel/tcg/vcpu/vcpu_thread.h"
#include "base/epoch.h"
#include "weft/accel.h"

namespace weft::accel {

// What it is made of; all that is referred to outlives it.
struct AttachedThreadParts {
    VcpuArrays arrays;
    SpareArrays& spare;  // who gets them when it is freed
    const AccelConfig& config;
    TranslationCache& cache;
    Translators& translators;
    ExclusiveGate& gate;
    TimerThread& timer;
    const Clock& clock;
    std::atomic<uint64_t>* unit_entries;  // for tcg::ProfileState, with profile=on
};

class AttachedThread final : public VcpuThread, private Attention {
  public:
    // `index`: of the vCPU; `guest` becomes StateHeader::guest.
    AttachedThread(AttachedThreadParts parts, uint32_t index, void* guest);
    ~AttachedThread() { spare_.give(vcpu_.release_arrays()); }
    AttachedThread(const AttachedThread&) = delete;
    AttachedThread& operator=(const AttachedThread&) = delete;

    Vcpu& vcpu() { return vcpu_; }

    // ProcessOps::enter, step and host_fault.
    VcpuStop enter() { return online(&ExecLoop::run); }
    VcpuStop step() { return online(&ExecLoop::step); }
    bool host_fault(void* ucontext, uint64_t address, uint32_t code);

    // Frees it a grace period later: it was taken out of CodeUsers, and nobody enters it any more. Any thread.
    void retire();

    // An EpochDomain::QuiescenceRequest; `self` is the VcpuThread that asks, or null.
    static void request_quiescence(EpochDomain::Reader& lagging, void* self);

    // VcpuThread. A vCPU here waits for nothing and has no interrupts, and no work is queued for it.
    bool keeps_vcpus() const override { return true; }
    bool is_current() const override { return false; }
    void wake(Vcpu&) override {}
    void deadline_set(uint64_t) override {}
    void post(Vcpu& vcpu, WorkItem& item) override;
    void post_copy(Vcpu& vcpu, const WorkItem& item) override;
    tcg::Onward go_on(Vcpu& vcpu, tcg::ExitKind kind) override { return loop_.go_on(vcpu, kind); }

  private:
    // Attention: whoever set exit_request, the caller of enter() looks at what it waits for.
    bool wanted(Vcpu&) override { return true; }
    void ask();
    // One of the loop's functions, until it has a reason to leave the vCPU.
    using Runs = LoopExit (ExecLoop::*)(Vcpu& vcpu, EpochDomain::Reader& reader);
    VcpuStop online(Runs runs);
    VcpuStop run(Runs runs);

    TranslationCache& cache_;
    SpareArrays& spare_;
    Vcpu vcpu_;
    EpochDomain::Reader reader_;
    ExclusiveGate::Member member_;
    ExecLoop loop_;
    RoomMaker room_maker_;
    Retired retired_;
};

}  // namespace weft::accel
