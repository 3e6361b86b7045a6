#include "accel/tcg/run/cpu_thread.h"

#include <new>
#include <utility>

#include "accel/tcg/run/insn_turns.h"
#include "accel/tcg/run/turns.h"
#include "accel/tcg/vcpu/out_of_memory.h"
#include "accel/tcg/vcpu/vcpu.h"
#include "base/assert.h"

namespace weft::accel {

using Command = RunQueue::Command;

namespace {

std::unique_ptr<Scheduler> make_scheduler(RunQueue& queue, const ExclusiveGate& gate, TimerThread& timer,
                                          const Clock& clock, InsnClock* insn_clock, SharedVcpus* shared) {
    if (insn_clock != nullptr) {
        return std::make_unique<InsnTurns>(queue, gate, *insn_clock, clock);
    }
    return std::make_unique<Turns>(queue, gate, timer, clock, shared);
}

}  // namespace

Result<std::unique_ptr<CpuThread>> CpuThread::create(const CpuThreadParts& parts) {
    auto translator = Translator::create(parts.cache, parts.store);
    if (!translator) {
        return std::unexpected(translator.error());
    }
    return std::unique_ptr<CpuThread>(new CpuThread(parts, std::move(*translator)));
}

CpuThread::CpuThread(const CpuThreadParts& parts, std::unique_ptr<Translator> translator)
    : name_(parts.name),
      keeps_vcpus_(parts.shared == nullptr),
      cache_(parts.cache),
      gate_(parts.gate),
      translator_(std::move(translator)),
      queue_(*this, parts.capacity, parts.shared),
      scheduler_(make_scheduler(queue_, gate_, parts.timer, parts.clock, parts.insn_clock, parts.shared)),
      loop_(cache_, translator_, parts.workers, *scheduler_, parts.insn_clock),
      room_maker_(cache_, gate_),
      member_(gate_, [](void* thread) { static_cast<CpuThread*>(thread)->scheduler_->ask_all(); }, this) {}

CpuThread::~CpuThread() { WEFT_ASSERT(!thread_.joinable()); }

// ---- control ----

void CpuThread::remove(Vcpu& vcpu) {
    queue_.remove(vcpu);
    scheduler_->removed(vcpu);
    Reader reader(cache_.epochs());
    reader.go_online();
    do_work(vcpu, reader);
}

Result<> CpuThread::start() {
    MutexLock lock(start_mutex_);
    if (started_) {
        return {};
    }
    auto thread = Thread::start(name_, [this] { run(); });
    if (!thread) {
        return std::unexpected(thread.error());
    }
    thread_ = std::move(*thread);
    queue_.set_threaded(true);
    started_ = true;
    return {};
}

void CpuThread::command(Command command) {
    queue_.set_command(command);
    scheduler_->ask_all();
    queue_.wake_always();
}

void CpuThread::stop() {
    if (thread_.joinable()) {
        command(Command::stop);
        thread_.join();
        queue_.set_threaded(false);
    }
    Reader reader(cache_.epochs());
    reader.go_online();
    for (Vcpu* vcpu : queue_.vcpus()) {
        do_work(*vcpu, reader);
    }
}

// ---- what others ask ----

void CpuThread::post(Vcpu& vcpu, WorkItem& item) {
    if (!do_at_once(vcpu, item)) {
        vcpu.work.push(item);
        scheduler_->tell_of_work(vcpu);
    }
}

void CpuThread::post_copy(Vcpu& vcpu, const WorkItem& item) {
    if (!do_at_once(vcpu, item)) {
        vcpu.work.push_copy(item);
        scheduler_->tell_of_work(vcpu);
    }
}

// In the place of a thread that was not started; false where it was.
bool CpuThread::do_at_once(Vcpu& vcpu, const WorkItem& item) {
    MutexLock lock(start_mutex_);
    if (started_) {
        return false;
    }
    Reader reader(cache_.epochs());
    reader.go_online();
    do_item(vcpu, item, reader);
    return true;
}

void CpuThread::request_quiescence(EpochDomain::Reader& lagging, void* self) {
    auto* thread = static_cast<CpuThread*>(lagging.owner());
    if (thread != nullptr && static_cast<VcpuThread*>(thread) != self) {
        thread->scheduler_->ask_all();
    }
}

// ---- the thread ----

void CpuThread::run() {
    id_.store(std::this_thread::get_id(), std::memory_order_seq_cst);
    wake_exactly();  // a halted vCPU sleeps until its own timer
    Reader reader(cache_.epochs(), this);
    reader.go_online();
    scheduler_->thread_begins();
    while (true) {
        reader.quiescent();
        cache_.epochs().poll();
        for (Vcpu* vcpu : queue_.vcpus()) {
            do_work(*vcpu, reader);
        }
        switch (queue_.command()) {
            case Command::run:
                run_or_fail(reader);
                break;
            case Command::pause:
                if (scheduler_->on_the_way_to_hold()) {
                    run_or_fail(reader);
                } else {
                    park(reader);
                }
                break;
            case Command::stop:
                scheduler_->thread_ends();
                id_.store({}, std::memory_order_seq_cst);
                return;
        }
    }
}

// What vCPUs do is guarded one by one; what is left is the thread's own, and fails them all.
void CpuThread::run_or_fail(Reader& reader) {
    try {
        if (Vcpu* const vcpu = scheduler_->next(reader); vcpu != nullptr) {
            run_turn(*vcpu, reader);
        }
    } catch (const std::bad_alloc&) {
        queue_.turn_ends();
        for (Vcpu* vcpu : queue_.vcpus()) {
            vcpu->out_of_memory();
        }
    }
}

void CpuThread::run_turn(Vcpu& first, Reader& reader) {
    Vcpu* vcpu = &first;
    LoopExit reason{};
    {
        const InsideGate inside(member_, reader);
        for (Vcpu* next = vcpu; next != nullptr;) {
            vcpu = next;
            reason = or_fail(*vcpu, LoopExit::failed, [&] { return loop_.run(*vcpu, reader); });
            next = reason == LoopExit::yielded ? scheduler_->after_pause(*vcpu) : nullptr;
        }
    }
    if (reason == LoopExit::full) {
        room_maker_.make_room(*vcpu, reader, loop_.full_at());
    } else if (reason == LoopExit::halted) {
        // So that it is looked at once before the thread sleeps.
        vcpu->header().exit_request.store(1, std::memory_order_seq_cst);
    }
    scheduler_->ran(reason);
}

void CpuThread::park(Reader& reader) {
    queue_.park(reader, [this] {
#ifdef WEFT_PLANT_LOCK_ORDER
        // A fault that tests/tsan plants: the gate's mutex is taken under the queue's, which is a leaf.
        const ExclusiveGate::Member planted(gate_, nullptr, nullptr);
#endif
        return queue_.command() == Command::pause && !queue_.any_work();
    });
}

// ---- work ----

void CpuThread::do_work(Vcpu& vcpu, Reader& reader) {
    WorkItem item{};
    while (vcpu.work.pop(&item)) {
        do_item(vcpu, item, reader);
    }
}

void CpuThread::do_item(Vcpu& vcpu, const WorkItem& item, Reader& reader) {
    if (item.kind == VcpuWork::exclusive) {
        const ExclusiveSection alone(gate_, &reader);
        or_fail(vcpu, [&] { item.run(item.opaque, vcpu.state()); });
    } else {
        or_fail(vcpu, [&] { item.run(item.opaque, vcpu.state()); });
    }
}

}  // namespace weft::accel
