#include "accel/tcg/run/attached_thread.h"

#include <utility>

#include "accel/tcg/vcpu/out_of_memory.h"
#include "base/assert.h"
#include "base/faulting_access.h"
#include "base/host_context.h"

namespace weft::accel {

namespace {

VcpuParts vcpu_parts(AttachedThreadParts& parts, const VcpuConfig& vcpu, VcpuThread& thread) {
    return {std::move(parts.arrays),
            &parts.config,
            &vcpu,
            &parts.cache,
            &thread,
            &parts.timer,
            &parts.clock,
            nullptr,
            parts.unit_entries};
}

}  // namespace

AttachedThread::AttachedThread(AttachedThreadParts parts, uint32_t index, void* guest)
    : cache_(parts.cache),
      spare_(parts.spare),
      vcpu_(vcpu_parts(parts, {index, guest, nullptr}, *this)),
      reader_(cache_.epochs(), this),
      member_(
          parts.gate, [](void* thread) { static_cast<AttachedThread*>(thread)->ask(); }, this),
      loop_(cache_, parts.translators, nullptr, *this, nullptr),
      room_maker_(cache_, parts.gate) {}

VcpuStop AttachedThread::online(Runs runs) {
    if (vcpu_.failed) {
        return VcpuStop::failed;
    }
    reader_.go_online();
    const VcpuStop stop = or_fail(vcpu_, VcpuStop::failed, [this, runs] { return run(runs); });
    reader_.go_offline();
    return stop;
}

VcpuStop AttachedThread::run(Runs runs) {
    while (true) {
        cache_.epochs().poll();
        LoopExit reason{};
        {
            const InsideGate inside(member_, reader_);
            reason = (loop_.*runs)(vcpu_, reader_);
        }
        switch (reason) {
            case LoopExit::attention:
                // As ExecLoop::deliver: the caller may look at all of the state, and change it.
                cache_.backend().collect_fp_flags(vcpu_.state());
                return VcpuStop::asked;
            case LoopExit::exception:
                return VcpuStop::exception;
            case LoopExit::failed:
                return VcpuStop::failed;
            case LoopExit::full:
                room_maker_.make_room(vcpu_, reader_, loop_.full_at());
                break;
            case LoopExit::yielded:
            case LoopExit::halted:
                // A hint. Whom the guest's program waits for is known to the host's scheduler alone.
                vcpu_.halted = false;
                break;
            case LoopExit::stopped:
            case LoopExit::turn_over:
            case LoopExit::debug:
                WEFT_ASSERT(false);
        }
        reader_.quiescent();
    }
}

bool AttachedThread::host_fault(void* ucontext, uint64_t address, uint32_t code) {
    HostContext context(ucontext);
    return cache_.backend().redirect(context, address, code, vcpu_.state()) ||
           redirect_faulting_access(context, address, code);
}

void AttachedThread::retire() {
    cache_.epochs().retire(
        &retired_, [](Retired*, void* thread) { delete static_cast<AttachedThread*>(thread); }, this);
}

// Any thread, also a signal handler.
void AttachedThread::ask() { vcpu_.header().exit_request.store(1, std::memory_order_seq_cst); }

void AttachedThread::request_quiescence(EpochDomain::Reader& lagging, void* self) {
    auto* thread = static_cast<AttachedThread*>(lagging.owner());
    if (thread != nullptr && static_cast<VcpuThread*>(thread) != self) {
        thread->ask();
    }
}

void AttachedThread::post(Vcpu&, WorkItem&) { WEFT_ASSERT(false); }
void AttachedThread::post_copy(Vcpu&, const WorkItem&) { WEFT_ASSERT(false); }

}  // namespace weft::accel
