// A guest process as its system calls see it: its memory, the program it runs, its limits, and what was asked on weft's command line.
//
// emulator/linux-user owns user mode. A Process is made once, before its program is loaded; threads and calls borrow it. What is
// not said to change is written before the first thread of the guest runs, and read by all of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/mutex.h"
#include "emulator/guest/riscv/isa/cpu_model.h"
#include "emulator/linux-user/memory/advice.h"
#include "emulator/linux-user/memory/heap.h"
#include "emulator/linux-user/memory/mapper.h"
#include "emulator/linux-user/memory/memory_core.h"
#include "emulator/linux-user/memory/shm.h"
#include "emulator/linux-user/memory/stack.h"
#include "emulator/linux-user/signal/sighand.h"
#include "emulator/linux-user/syscall/guest_memory.h"

namespace weft::user {

// Who keeps translations: asked where a program says that it wrote code (riscv_flush_icache, membarrier's SYNC_CORE). Any thread,
// with no lock held.
class CodeSync {
  public:
    virtual ~CodeSync() = default;
    // What the calling thread executes from here on is what [start, end) holds now; `all`: the same for every thread.
    virtual void sync(uint64_t start, uint64_t end, bool all) = 0;
};

// Who has the guest execute other bytes than lie in its memory: UserMemoryOps::overlay.
class CodeOverlay {
  public:
    virtual ~CodeOverlay() = default;
    virtual void overlay(uint64_t start, uint8_t* bytes, uint32_t size) const = 0;
};

// Weft's own descriptors, which the guest neither sees nor closes. Any thread.
class OwnDescriptors {
  public:
    virtual ~OwnDescriptors() = default;
    // Ascending.
    virtual std::vector<int> list() = 0;
    // Moves what is at `fd` elsewhere, so that the guest may have the number. False: there is no room.
    virtual bool make_way(int fd) = 0;
};

struct ProcessOptions {
    std::string prefix;   // -L: a folder in which names that begin with a slash are looked up first; "": none
    std::string release;  // -r: what uname says; "": the host's
    const riscv::CpuModel* cpu = &riscv::kRv64;
    Log* strace = nullptr;                 // -strace; null: off
    CodeSync* code = nullptr;              // null: there are no translations
    OwnDescriptors* own = nullptr;         // null: there are none
    CodeListener* listener = nullptr;      // of the memory; null: none
    const CodeOverlay* overlay = nullptr;  // null: none
};

struct AddressRange {
    uint64_t start = 0;
    uint64_t end = 0;  // exclusive
};

// What loading a program found out. /proc shows it.
struct Program {
    std::string path;  // /proc/self/exe: absolute, without symbolic links
    AddressRange code;
    AddressRange data;
    uint64_t break_start = 0;
    uint64_t stack_start = 0;  // the first stack pointer
    AddressRange arguments;    // the strings, one behind the other
    AddressRange environment;
    AddressRange auxv;
    AddressRange vdso;
};

class Lifecycle;

// Who wants to know of the process's end before it comes.
class EndListener {
  public:
    virtual ~EndListener() = default;
    // By the thread that ends it, with no lock held.
    virtual void exits(int status) = 0;
    virtual void killed(int signal) = 0;
};

class Process {
  public:
    static Result<std::unique_ptr<Process>> create(const ProcessOptions& options, const MemoryConfig& memory,
                                                   const HostMemory& host);
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    const ProcessOptions& options() const { return options_; }
    const Program& program() const { return program_; }
    MemoryCore& core() { return *core_; }
    GuestMemory& memory() { return memory_; }
    Mapper& mapper() { return mapper_; }
    Advice& advice() { return advice_; }
    SharedMemory& shared_memory() { return shared_memory_; }
    Stack& stack() { return stack_; }
    Sighand& sighand() { return sighand_; }
    // Threads and processes; null where none can be made. Set before the guest runs.
    Lifecycle* lifecycle() { return lifecycle_; }
    void connect(Lifecycle* lifecycle) { lifecycle_ = lifecycle; }
    // Null: nobody. Set before the guest runs.
    EndListener* end_listener() { return end_listener_; }
    void connect(EndListener* listener) { end_listener_ = listener; }
    // Null before loaded().
    Heap* heap() { return heap_ ? &*heap_ : nullptr; }

    // Around fork(2): the locks of this, of the map and of signals are had by the calling thread alone from fork_prepare() on. In
    // the child the map is what the guest's madvise asked for, and what other threads were about to read is forgotten.
    void fork_prepare() WEFT_NO_THREAD_SAFETY_ANALYSIS;
    void fork_parent() WEFT_NO_THREAD_SAFETY_ANALYSIS;
    void fork_child() WEFT_NO_THREAD_SAFETY_ANALYSIS;

    // The program lies in memory. Once, before the guest runs.
    void loaded(Program program);

    // True for the first thread that the process ends by: it says so, and ends all of them. Any thread.
    bool begins_to_end();

    // personality(2): the new value, and the old one is returned. Any thread.
    uint32_t personality() const { return personality_.load(std::memory_order_relaxed); }
    uint32_t set_personality(uint32_t value) {
        return personality_.exchange(value, std::memory_order_relaxed);
    }

    // RLIMIT_AS and RLIMIT_DATA, which weft keeps: the host's are for weft's memory too. Any thread.
    struct Limit {
        uint64_t soft = ~uint64_t{0};
        uint64_t hard = ~uint64_t{0};
    };
    static bool keeps_limit(unsigned resource);
    Limit limit(unsigned resource);
    // setrlimit's rules: -EINVAL for a soft one beyond the hard one, -EPERM for a higher hard one unless `privileged`.
    int set_limit(unsigned resource, const Limit& limit, bool privileged);

  private:
    Process(const ProcessOptions& options, std::unique_ptr<MemoryCore> core);
    Limit& kept(unsigned resource) WEFT_REQUIRES(limits_mutex_);

    const ProcessOptions options_;
    const std::unique_ptr<MemoryCore> core_;
    GuestMemory memory_;
    Mapper mapper_;
    Advice advice_;
    SharedMemory shared_memory_;
    Stack stack_;
    Sighand sighand_;
    Lifecycle* lifecycle_ = nullptr;
    EndListener* end_listener_ = nullptr;
    std::optional<Heap> heap_;
    Program program_;
    std::atomic<uint32_t> personality_{0};
    // The process that ends: a child of vfork(2) has this object in common with its parent, and ends alone. 0: none. Written and read by
    // threads that a signal kills, in one exchange; relaxed: it orders nothing.
    std::atomic<int64_t> ends_{0};
    Mutex limits_mutex_;  // a leaf
    Limit space_limit_ WEFT_GUARDED_BY(limits_mutex_);
    Limit data_limit_ WEFT_GUARDED_BY(limits_mutex_);
};

}  // namespace weft::user
