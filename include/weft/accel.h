// The accelerator boundary: what a module accel-NAME.so exports and what a machine calls.
//
// Plain data and function tables cross it: no exceptions, no std:: objects, no ownership. A module exports one
//   extern "C" const weft::AccelDescriptor weft_accelerator;
// and stays resident once it was opened.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/abi.h"
#include "weft/guest.h"
#include "weft/memory.h"
#include "weft/user_memory.h"

namespace weft {

inline constexpr const char* kAccelSymbol = "weft_accelerator";

enum class PropertyType : uint8_t { boolean, uint, choice, string };

// One property of an accelerator, as the user gives it: -accel NAME,property=value,...
struct PropertyDesc {
    const char* name;
    PropertyType type;
    const char* default_value;  // as text, parsed like the user's; nullptr: unset
    uint64_t min, max;          // uint
    const char* choices;        // choice: the words, separated by '|', in the order of PropertyValue::number
    const char* help;
};

struct PropertyValue {
    bool set;          // by the user or by default
    uint64_t number;   // boolean: 0 or 1; uint: the value; choice: the word's index
    const char* text;  // string
};

struct AccelInstance;  // one machine's or one process's accelerator; opaque
struct ProcessOps;

// What a debugger wants to be told of, at a guest-virtual address in every address space.
struct DebugPoint {
    enum class Kind : uint8_t {
        breakpoint,  // an instruction begins at `address`; `size` says nothing
        load,        // a load touches one of `size` bytes; of atomics the load or the store does
        store,
        access,  // either
    };
    Kind kind;
    uint64_t address;
    uint64_t size;  // at least 1; addresses wrap around
};

// Why a vCPU has stopped for a debugger. It runs on when DebugOps::set_run has said so.
struct DebugStop {
    enum class Kind : uint8_t {
        breakpoint,  // nothing of the instruction at StateHeader::pc was done
        watchpoint,  // the same; it would have touched `address`
        step,        // done
    };
    Kind kind;
    uint32_t vcpu_index = 0;
    DebugPoint::Kind point = DebugPoint::Kind::breakpoint;  // watchpoint: which one's
    uint64_t address =
        0;  // watchpoint: the first byte of the point that would have been touched; breakpoint: the pc
};

// What the machine gives the accelerator. Functions may be called from any thread.
struct HostServices {
    void* opaque;
    // A line for the user, without newline and prefix: a warning.
    void (*warn)(void* opaque, const char* message);
    // The -d log. `item` is a LogItem of base/log.h. `in_filter` tells whether -dfilter lets a guest address range through.
    bool (*log_enabled)(void* opaque, unsigned item);
    bool (*log_in_filter)(void* opaque, uint64_t address, uint64_t size);
    void (*log)(void* opaque, const char* text, size_t length);
    // A vCPU thread met an error of weft's own environment that it cannot mend (no memory for a TLB, say): the machine
    // stops with `message` and exit code 1.
    void (*fatal)(void* opaque, const char* message);
    // A number that depends on the contents of all guest RAM and on nothing else. While no vCPU runs.
    uint64_t (*hash_ram)(void* opaque);
    // A vCPU has stopped for the debugger; the others run on until they are paused. On its thread, which it may not keep.
    void (*debug_stopped)(void* opaque, const DebugStop* stop);
};

struct AccelConfig {
    const GuestArch* guest;
    const MemoryOps* memory;  // null in process mode
    const HostServices* host;
    const PropertyValue* properties;  // in the order of AccelDescriptor::properties
    uint32_t max_vcpus;               // at least 1
    // Not null: process mode, in which guest memory is a part of the host's. An accelerator may have none.
    const UserMemoryOps* user;
};

struct VcpuConfig {
    uint32_t index;       // 0 .. max_vcpus - 1, each once
    void* guest;          // becomes StateHeader::guest
    void* address_space;  // for MemoryOps::reader_create
};

enum class VcpuWork : uint8_t {
    async,      // queued; runs on the vCPU's thread between units
    sync,       // the same, and the caller, which is no vCPU's thread, waits for it
    exclusive,  // the same as async, with every other vCPU outside generated code (safe work)
};

// Time that the accelerator makes itself, out of executed instructions, so that two runs are equal. The machine then takes
// its time from here, and has done here what it would else leave to threads of its own.
struct VirtualTimeOps {
    // Nanoseconds since the instance was made. Any thread; exact on the vCPUs' thread.
    uint64_t (*now_ns)(AccelInstance* instance);
    // Calls fn(opaque) on the vCPUs' thread, outside generated code and without a lock, when the time comes, at an
    // instruction that depends on the guest alone. Once; replaces an earlier deadline of the same `opaque`; UINT64_MAX
    // cancels. Any thread.
    void (*set_timer)(AccelInstance* instance, uint64_t deadline_ns, void (*fn)(void* opaque), void* opaque);
    // No vCPU runs on, after the few instructions that it takes to stop at a place that depends on the guest alone, until
    // the next resume: for devices that end or reset the machine. On the vCPUs' thread; does nothing on others.
    void (*hold)(AccelInstance* instance);
    // The time goes on from `ns`, forwards or backwards. Timers and deadlines stay at the times that they are set to. While all
    // vCPUs are paused.
    void (*set_now_ns)(AccelInstance* instance, uint64_t ns);
};

// How a vCPU goes on.
enum class DebugRun : uint8_t {
    run,
    step,  // one instruction, with all that it raises, and no interrupt before it; then DebugStop::step
    step_with_interrupts,  // the same, or what it takes to come to an interrupt's handler
    stay,                  // it does not
};

// For debuggers of a machine. While all vCPUs are paused; what is said holds until something else is.
struct DebugOps {
    // In the place of those before. `points` may go then. False, and none are left, where there is no memory for them.
    bool (*set_points)(AccelInstance* instance, const DebugPoint* points, uint32_t count);
    // From the next resume on. A step runs also where the vCPU is halted, and past a breakpoint at its pc.
    void (*set_run)(AccelInstance* instance, Vcpu* vcpu, DebugRun run);
    // Whether the vCPU waits for an interrupt.
    bool (*halted)(AccelInstance* instance, Vcpu* vcpu);
};

// For machines whose state is saved, and replaced by a saved one. While all vCPUs are paused.
struct SaveOps {
    // What the host holds of the vCPU's state (accrued floating-point exceptions) is in it when this returns, until it runs. Whether
    // the vCPU waits for an interrupt. Also before the state is replaced.
    bool (*complete_state)(AccelInstance* instance, Vcpu* vcpu);
    // What lies behind the state pointer, and StateHeader::pc and fp_flags, were replaced on the vCPU's thread: what was derived from
    // those before is forgotten, and the vCPU looks at its interrupts before anything else. `halted`: it waits for one. Writes of RAM
    // are announced as all others (ram_written).
    void (*state_replaced)(AccelInstance* instance, Vcpu* vcpu, bool halted);
};

// Functions on an instance. Any thread that is no vCPU's, unless said otherwise; none may be called with a lock held that
// device access takes. Functions that can fail return false after reporting to `errors`.
struct AccelOps {
    void (*destroy)(AccelInstance* instance);  // stops and joins all vCPU threads first

    // Makes a vCPU, stopped, with its state at reset values. *state is its state pointer, valid until vcpu_destroy.
    bool (*vcpu_create)(AccelInstance* instance, const VcpuConfig* config, Vcpu** vcpu, void** state,
                        const ErrorSink* errors);
    // Unplugs: stops the vCPU, joins its thread and frees its state.
    void (*vcpu_destroy)(AccelInstance* instance, Vcpu* vcpu);

    // Lets all vCPUs run (their threads are made at the first call).
    bool (*resume)(AccelInstance* instance, const ErrorSink* errors);
    // Returns when every vCPU is outside generated code and waits.
    void (*pause)(AccelInstance* instance);
    // Brings every vCPU to reset values (StateHeader and architecture). Only while paused.
    void (*reset)(AccelInstance* instance);

    // Runs fn(opaque, state) on the vCPU's thread; false where there is no memory to queue it, which `sync` never needs. Also
    // from vCPU threads, but for `sync`, which ends the program there: two that wait for each other, or one that waits for
    // another's exclusive work, which waits until the first is outside generated code, would do so for ever.
    bool (*vcpu_run)(AccelInstance* instance, Vcpu* vcpu, VcpuWork kind,
                     void (*fn)(void* opaque, void* state), void* opaque);

    // Around each write of guest RAM by other than guest instructions (DMA, loader, debugger): before the first byte is
    // written, and after the last was. Also, at once, when everybody has let go of some RAM and its offsets are to stand for
    // other memory. After it, translations of these bytes are invalidated: a vCPU may translate the old
    // ones until the new ones are there. In between, a FENCE.I of a hart that may have read new bytes sees to it that no
    // translation of the old ones runs afterwards (RISC-V unprivileged, "Zifencei"); it does not wait for the writer. Any
    // thread, with any device lock held.
    void (*ram_write_begins)(AccelInstance* instance, RamWrite* write);
    void (*ram_written)(AccelInstance* instance, RamWrite* write);
    // The mapping of guest-physical addresses changed: every vCPU forgets host addresses it holds. `done` is called, on
    // any thread, when all have; memory may be released then.
    void (*topology_changed)(AccelInstance* instance, void (*done)(void* opaque), void* opaque);

    // Writes a report: topic "stats" (JSON), "jit" (text).
    bool (*report)(AccelInstance* instance, const char* topic, const TextSink* sink);

    // For code that holds the state pointer: the services of its vCPU.
    const VcpuServices* (*services)(AccelInstance* instance);

    // nullptr where guest time is the host's.
    const VirtualTimeOps* (*virtual_time)(AccelInstance* instance);

    // nullptr for an instance without AccelConfig::user.
    const ProcessOps* (*process)(AccelInstance* instance);

    // nullptr where machines cannot be debugged.
    const DebugOps* (*debug)(AccelInstance* instance);

    // nullptr where machines cannot be saved.
    const SaveOps* (*save)(AccelInstance* instance);
};

// Why ProcessOps::enter came back.
enum class VcpuStop : uint8_t {
    // GuestArch::deliver left the recorded exception to the caller: it is in the state, whose registers are complete, and
    // StateHeader::pc is that of the instruction, of which nothing was done.
    exception,
    // StateHeader::exit_request was set; nothing is recorded, and the state is that between two instructions. It is cleared.
    // The accelerator sets it too: the caller looks at what it waits for, and may find nothing.
    asked,
    // An error of weft's own environment: HostServices::fatal was told. The vCPU never runs again.
    failed,
};

// Process mode: vCPUs that threads of the emulator's run themselves, in memory that is the host's own (weft/user_memory.h). Of
// AccelOps there are destroy, report and services besides.
//
// A vCPU is attached by any thread and entered by one thread at a time, which is the thread that made the instance or was made
// by one that may enter. No call is made from inside enter, but by UserMemoryOps' functions and by signal handlers, as said.
struct ProcessOps {
    // Makes a vCPU with its state at reset values, which stays at *state until detach. `guest` becomes StateHeader::guest. False,
    // after reporting to `errors`: there is no memory, or there are as many as AccelConfig::max_vcpus says.
    bool (*attach)(AccelInstance* instance, void* guest, Vcpu** vcpu, void** state, const ErrorSink* errors);
    // Nobody enters the vCPU any more; its memory goes when nobody can still hold it. Waits for nobody.
    void (*detach)(AccelInstance* instance, Vcpu* vcpu);

    // Runs the guest's instructions on the calling thread until there is a reason to stop. Who wants it to stop stores 1 to
    // StateHeader::exit_request (sequentially consistent): another thread, or a signal handler on this one.
    VcpuStop (*enter)(Vcpu* vcpu);
    // The same for one instruction, for debuggers: `asked` where it was done. No count of instructions that enter() could be given
    // would do, as its generated code counts none. May also come back as enter() does, with nothing done.
    VcpuStop (*step)(Vcpu* vcpu);

    // For a handler of a SIGSEGV or SIGBUS that the processor caused (si_code above 0), on the thread that is inside enter() of
    // `vcpu`. `ucontext`: what the handler was given, as ucontext_t; `address`: si_addr; `code`, not 0: what
    // UserMemoryOps::fault is to know of it. True: an access of the guest's was interrupted; *ucontext was changed, so that it is
    // dealt with when the handler has returned. False, with nothing done: something else was. Async-signal-safe.
    bool (*host_fault)(Vcpu* vcpu, void* ucontext, uint64_t address, uint32_t code);

    // The bytes of the pages of [start, end), guest addresses that are multiples of kPageSize, are about to mean something else,
    // or may not be executed any more. After it no thread finds a translation of them, though one may be inside. UserMemoryOps::
    // fetch already says what will be. Called with the emulator's lock of its map held; waits for nobody. Any thread.
    void (*code_gone)(AccelInstance* instance, uint64_t start, uint64_t end);
    // Waits until no thread runs a translation that code_gone() has ended before. Costs nothing where it ended none. Any thread
    // outside enter(), without any lock that UserMemoryOps' functions take.
    void (*code_settle)(AccelInstance* instance);
    // The guest is about to write to these pages, from which UserMemoryOps::protect took the right to be written to: their
    // translations end, and so does what is being translated from them. Then the right may be given back: whoever translates
    // from the page again asks for protection again. With the emulator's lock of its map held, also inside UserMemoryOps::fault;
    // waits for nobody. Any thread.
    void (*code_written)(AccelInstance* instance, uint64_t start, uint64_t end);
    // What a FENCE.I of the guest does, for bytes of [start, end), on the thread that calls: a translation of what was
    // overwritten before runs no more. `all`: in no thread, when this returns, for which it waits. Outside enter(), without a
    // lock as above.
    void (*code_sync)(AccelInstance* instance, uint64_t start, uint64_t end, bool all);

    // Around fork(2) by the C library, in this order on a thread outside enter(); no other call of this instance's than those of
    // threads that are under way.
    // All threads are outside generated code, and stay there. Waits for them: no lock is held that UserMemoryOps' functions take.
    void (*fork_begin)(AccelInstance* instance);
    // The emulator has taken its own locks since. No other thread is in the middle of anything of the accelerator's.
    void (*fork_prepare)(AccelInstance* instance);
    // In the parent, and where there was no child: everybody goes on.
    void (*fork_parent)(AccelInstance* instance);
    // In the child, instead: only `survivor` is left, whose thread this is; the others are detached. Translations stay where the
    // child has memory of its own for them. False, after reporting to `errors`: it has none, and the child cannot go on.
    bool (*fork_child)(AccelInstance* instance, Vcpu* survivor, const ErrorSink* errors);

    // What is to outlast the process (translations for the next one) is written: before another program takes its place, and
    // before an end that destroy() does not see. Any thread outside enter(), without a lock as above.
    void (*keep)(AccelInstance* instance);

    // The descriptors of the process that the instance has open, ascending: writes the first `room` of them to `fds`, returns how many
    // there are. They are to stay open. Any thread.
    uint32_t (*descriptors)(AccelInstance* instance, int* fds, uint32_t room);
    // Somebody wants this number: what the instance has there it has elsewhere from now on. False, with nothing done: there is no
    // other.
    bool (*make_way)(AccelInstance* instance, int fd);
};

struct AccelDescriptor {
    uint32_t abi_version;      // kAccelAbiVersion; first, so that it can be read whatever follows
    uint32_t descriptor_size;  // sizeof(AccelDescriptor)
    uint64_t layout_hash;      // layout_hash()
    SanitizerMode sanitizers;  // sanitizer_mode()
    const char* name;          // NAME of accel-NAME.so
    const char* description;   // one line
    const PropertyDesc* properties;
    uint32_t property_count;
    const AccelOps* ops;
    // Makes an instance; nullptr after reporting to `errors`. `config` and what it points to (but the property values)
    // outlive the instance.
    AccelInstance* (*create)(const AccelConfig* config, const ErrorSink* errors);
};

}  // namespace weft
