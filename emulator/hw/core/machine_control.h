// What a device may ask of the machine it is part of. Implemented by emulator/machine.
#pragma once

#include <cstdint>
#include <optional>

namespace weft::hw {

// A device by which the guest gives RAM back while it does not need it.
class Balloon {
  public:
    virtual ~Balloon() = default;
    // How many pages of 4 KiB the guest is asked to have given back; it does so as it can. The main loop's thread.
    virtual void ask_for(uint32_t pages) = 0;
    // How many its driver says that it has. Any thread.
    virtual uint32_t pages() = 0;
};

class MachineControl {
  public:
    virtual ~MachineControl() = default;

    // Ends the emulator with this exit code, once running vCPUs have stopped. Any thread; returns at once.
    virtual void request_shutdown(int exit_code) = 0;
    // Resets the machine (or ends it, under -no-reboot). Any thread; returns at once.
    virtual void request_reset() = 0;

    // A one-line note on what the guest did wrong (-d guest_errors) or asked for that is missing (-d unimp). Any thread.
    virtual void guest_error(const char* message) = 0;
    virtual void unimplemented(const char* message) = 0;

    // Calls `fn(opaque)` on the main loop's thread when now_ns() is `deadline_ns`, once. Replaces an earlier deadline of
    // the same `opaque`; UINT64_MAX cancels. Any thread. Where the accelerator makes the time (clock=insn), fn runs on
    // the vCPUs' thread instead.
    virtual void set_timer(uint64_t deadline_ns, void (*fn)(void* opaque), void* opaque) = 0;
    // The host's monotonic clock and its wall clock, in nanoseconds; or the accelerator's time, and a wall clock that
    // begins at a fixed date.
    virtual uint64_t now_ns() = 0;
    virtual uint64_t wall_clock_ns() = 0;

    // What random numbers are to come from where runs are to be equal (clock=insn), instead of the host. Any thread, once the
    // machine runs.
    virtual std::optional<uint64_t> random_seed() = 0;

    // Runs fn(opaque) on the machine's I/O worker thread (or on the vCPUs' thread, where the accelerator makes the time),
    // in the order of the calls. Any thread.
    virtual void run_io(void (*fn)(void* opaque), void* opaque) = 0;

    // The same on another worker, for files and folders that guests share with the host: a folder that is slow, or hangs as those of
    // networks do, holds up no disk.
    virtual void run_file_io(void (*fn)(void* opaque), void* opaque) { run_io(fn, opaque); }

    // The same on one of several threads, beside other calls, up to io_threads() at a time: for block requests. Where that is 1, one after
    // the other in the order of the calls. Any thread.
    virtual void run_io_beside(void (*fn)(void* opaque), void* opaque) { run_io(fn, opaque); }
    // 1 where the accelerator makes the time. Any thread, once the machine runs.
    virtual unsigned io_threads() { return 1; }

    // How many vCPUs the machine may have. Also while the board is built.
    virtual unsigned max_vcpus() { return 1; }

    // The guest has let go of devices that an operator wants to be gone. Any thread; returns at once.
    virtual void devices_released() {}

    // The machine's balloon, for operators; null: there is none any more. The main loop's thread.
    virtual void set_balloon(Balloon*) {}
    // The guest says something else of it. Any thread; returns at once.
    virtual void balloon_changed() {}
};

}  // namespace weft::hw
