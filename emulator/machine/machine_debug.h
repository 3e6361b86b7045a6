// What a debugger does to a machine: points to stop at, single vCPUs that step or stay, registers and memory.
//
// The machine's own part of it (Machine makes one); who talks with the debugger is emulator/control's. A stop that a vCPU makes is told
// when all others have paused; of several the first one is told, and the others are met again, for nothing of them was done.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/mutex.h"
#include "base/work_queue.h"
#include "emulator/backend/event_loop.h"
#include "emulator/hw/core/board.h"
#include "emulator/machine/operations.h"
#include "weft/accel.h"

namespace weft::machine {

// The loop's thread, unless said otherwise.
class MachineDebug {
  public:
    class Listener {
      public:
        virtual ~Listener() = default;
        // Whoever attends to the machine is about to let it run.
        virtual void machine_resumes() = 0;
        // All vCPUs are paused, and ran before. `why`: the debugger's; null: whoever attends to the machine has stopped it.
        virtual void machine_stopped(const DebugStop* why) = 0;
    };

    struct Parts {
        MachineOperations& machine;
        backend::EventLoop& loop;
        hw::Board& board;
        const AccelOps& ops;
        AccelInstance* accel;
        std::vector<Vcpu*> vcpus;  // in the order of the board's CPUs
    };
    // All outlive it.
    explicit MachineDebug(Parts parts);
    ~MachineDebug();
    MachineDebug(const MachineDebug&) = delete;
    MachineDebug& operator=(const MachineDebug&) = delete;

    // False: the accelerator cannot, and of what follows nothing may be called but connect().
    bool available() const { return ops_ != nullptr; }
    // Null: nobody any more.
    void connect(Listener* listener) { listener_ = listener; }

    // ---- while the machine does not run

    unsigned cpu_count() const { return static_cast<unsigned>(parts_.vcpus.size()); }
    bool halted(unsigned cpu);
    // As hw::DebugCpu.
    unsigned general_registers() { return debugged(0).general_registers(); }
    unsigned registers() { return debugged(0).registers(); }
    std::optional<std::string> description(std::string_view file) { return debugged(0).description(file); }
    std::string read_register(unsigned cpu, unsigned number);
    bool write_register(unsigned cpu, unsigned number, std::string_view bytes);

    // How `cpu` sees its memory in its present mode, whatever the pages' permissions; or physical addresses. Devices are read and written as
    // by a CPU. As many bytes as there are from `address` on.
    std::string read_memory(unsigned cpu, uint64_t address, size_t size, bool physical);
    // False: not all of it could be written. Fills ROM, too.
    bool write_memory(unsigned cpu, uint64_t address, std::string_view bytes, bool physical);

    // In the place of those before. False: there is no memory for them.
    bool set_points(std::span<const DebugPoint> points);
    // Lets the machine run, each CPU as said. Errors as MachineOperations::set_running.
    Result<> resume(std::span<const DebugRun> each);

    // ---- for the machine

    // A vCPU has stopped. Its thread.
    void vcpu_stopped(const DebugStop& stop) WEFT_EXCLUDES(mutex_);
    // The machine is about to run: all of it, unless resume() is why.
    void before_running() WEFT_EXCLUDES(mutex_);
    void after_stopping();

  private:
    hw::DebugCpu& debugged(unsigned cpu) { return parts_.board.cpu(cpu).debug(); }
    void on_vcpu(unsigned cpu, const std::function<void()>& body);
    void take_stop() WEFT_EXCLUDES(mutex_);
    // Calls fn(physical address, offset, size) for the parts of a range page by page, until it is false or a page is mapped nowhere. How many
    // bytes were done.
    template <class Fn>
    size_t for_each_page(unsigned cpu, uint64_t address, size_t size, bool physical, Fn&& fn);

    const Parts parts_;
    const DebugOps* const ops_;
    Listener* listener_ = nullptr;
    bool resuming_ = false;           // within resume()
    const DebugStop* why_ = nullptr;  // within take_stop()
    WorkQueue::Work stop_work_;
    Mutex mutex_;                                            // a leaf
    std::optional<DebugStop> stop_ WEFT_GUARDED_BY(mutex_);  // the first since the machine runs
};

}  // namespace weft::machine
