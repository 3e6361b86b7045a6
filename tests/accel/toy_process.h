// A process of toy threads: pages of the host's at their own addresses, the least of an emulator around them, and an accelerator.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "tests/accel/toy_guest.h"
#include "tests/accel/toy_machine.h"
#include "tests/support/faults.h"
#include "weft/accel.h"
#include "weft/user_memory.h"

namespace toy {

// The guest's pages, from kProcessStart on: the host's addresses with base 0. ThreadSanitizer leaves programs less of them.
inline constexpr uint64_t kProcessStart =
    uint64_t{1} << (weft::sanitizer_mode() == weft::SanitizerMode::thread ? 40 : 45);
inline constexpr unsigned kProcessPages = 64;
inline constexpr uint64_t kToyPage = 4096;

constexpr uint64_t page_address(unsigned page) { return kProcessStart + page * kToyPage; }

// One at a time: its handlers of SIGSEGV and SIGBUS are the program's.
class ToyProcess {
  public:
    class Thread;

    // All pages are mapped, private, and may be read, written and executed. `base`: of UserMemoryOps; guest addresses are then
    // smaller by it, and guest() converts. `guest`: another one than the toy.
    explicit ToyProcess(Properties properties = {}, uint64_t base = 0, uint32_t max_vcpus = 64,
                        const weft::GuestArch& guest = process_arch());
    ~ToyProcess();
    ToyProcess(const ToyProcess&) = delete;
    ToyProcess& operator=(const ToyProcess&) = delete;

    const std::string& error() const { return error_; }
    weft::AccelInstance* instance() const { return instance_; }
    const weft::ProcessOps& ops() const;
    const weft::AccelOps& accel() const;
    // A counter of "stats".
    uint64_t stat(const std::string& name) const;
    uint64_t guest(uint64_t host_address) const { return host_address - user_.base; }

    // Writes code to a page that nobody executes; the page has the right to be written to.
    static void load(const Assembler& code, uint64_t at);

    // ---- what the guest's system calls do ----
    // The page's bytes go, and its right to be executed: munmap. Comes back when nobody runs its code.
    void unmap(unsigned page);
    // Zeroes at an unmapped page.
    void map(unsigned page);
    // munmap and mmap of a page with these bytes, of which no thread ever sees a third thing.
    void replace(unsigned page, const std::vector<uint8_t>& bytes);
    // The page shows the same bytes as another view, which is returned and stays as long as this.
    uint8_t* share(unsigned page);

    // fork(2) by a thread outside enter(), which is the only one in the child.
    pid_t fork(Thread& survivor) WEFT_NO_THREAD_SAFETY_ANALYSIS;

    // UserMemoryOps::overlay, while there is no thread.
    std::function<void(uint64_t start, uint8_t* bytes, uint32_t size)> overlay = [](uint64_t, uint8_t*,
                                                                                    uint32_t) {};
    // What the overlay says of the page is another thing than before.
    void overlay_changed(unsigned page);

    // What UserMemoryOps::fetch says of all pages. Before the first thread.
    bool of_file = std::getenv("WEFT_TEST_CACHE") != nullptr;

    // ---- counted ----
    std::atomic<unsigned> protects{0};
    std::atomic<unsigned> announced{0};  // stores that met the protection
    std::atomic<bool> refuse_protection{false};
    // Called when a store met the protection, on the thread that made it.
    std::function<void()> on_announced = [] {};

  private:
    struct Page {
        weft::CodePageKind kind = weft::CodePageKind::private_;
        bool protected_ = false;
        uint8_t* other_view = nullptr;
    };

    static void handle(int signal, siginfo_t* info, void* context);
    unsigned page_of(uint64_t vaddr) const {
        return static_cast<unsigned>((vaddr + user_.base - kProcessStart) / kToyPage);
    }
    bool fault(uint64_t vaddr, weft::Access access, weft::MemoryFault* kind);
    bool protect(uint64_t page);

    Cpu cpu_;
    weft::UserMemoryOps user_{};
    weft::HostServices host_{};
    std::string error_;
    weft::AccelInstance* instance_ = nullptr;
    const std::unique_ptr<weft::test::FaultHandlers> handlers_;
    weft::Mutex mutex_;  // the map's
    Page pages_[kProcessPages] WEFT_GUARDED_BY(mutex_);
    std::atomic<weft::CodePageKind> kinds_[kProcessPages];  // what fetch() reads without it
};

// A vCPU, which the calling thread runs. Made and ended by any thread.
class ToyProcess::Thread {
  public:
    // Starts at `pc`, a guest address.
    Thread(ToyProcess& process, uint64_t pc);
    ~Thread();
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;

    // ProcessOps::enter; comes back for `asked` only where ask() was called.
    weft::VcpuStop run();
    // ProcessOps::step.
    weft::VcpuStop step();
    // Has run() come back. Any thread.
    void ask();

    void* state_pointer() const { return state_; }
    // The toy's.
    State& state() { return state_of(state_); }
    uint64_t& reg(unsigned number) { return state().gpr[number]; }
    uint64_t pc() const { return weft::state_header(state_).pc; }
    void set_pc(uint64_t pc) { weft::state_header(state_).pc = pc; }

  private:
    friend class ToyProcess;

    ToyProcess& process_;
    weft::Vcpu* vcpu_ = nullptr;
    void* state_ = nullptr;
    std::atomic<bool> asked_{false};
};

}  // namespace toy
