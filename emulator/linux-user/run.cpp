#include "emulator/linux-user/run.h"

#include <sys/prctl.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include "base/messages.h"
#include "emulator/linux-user/accelerator_descriptors.h"
#include "emulator/linux-user/debug/debugger.h"
#include "emulator/linux-user/first_message.h"
#include "emulator/linux-user/life/guest_threads.h"
#include "emulator/linux-user/signal/library_signals.h"
#include "emulator/linux-user/start/kernel_record.h"
#include "emulator/linux-user/start/load_program.h"
#include "emulator/linux-user/translated_code.h"

namespace weft::user {

namespace {

// Threads of the guest that may be alive at once; the kernel's own limits come first.
constexpr uint32_t kMostThreads = 65536;

std::unexpected<RunError> refuse(const Error& error) {
    return std::unexpected(RunError{error.message(), kStatusError});
}

std::unexpected<RunError> refuse(const ExecError& error) {
    const bool missing = error.number == ENOENT || error.number == ENOTDIR;
    return std::unexpected(RunError{error.message, missing ? kStatusNotFound : kStatusNotExecutable});
}

// What the accelerator calls its host.
struct Host {
    explicit Host(Log& to) : log(to) {}

    Log& log;
    FirstMessage failed;

    HostServices services() {
        return {.opaque = this,
                .warn = [](void*, const char* message) { print_warning(message); },
                .log_enabled =
                    [](void* opaque, unsigned item) {
                        return static_cast<Host*>(opaque)->log.items().contains(static_cast<LogItem>(item));
                    },
                .log_in_filter =
                    [](void* opaque, uint64_t address, uint64_t size) {
                        return static_cast<Host*>(opaque)->log.filter().intersects(address, size);
                    },
                .log = [](void* opaque, const char* text,
                          size_t length) { static_cast<Host*>(opaque)->log.write({text, length}); },
                .fatal =
                    [](void* opaque, const char* message) {
                        static_cast<Host*>(opaque)->failed.say([&] { print_error(message); });
                    },
                // Reports of machines' RAM; there is none.
                .hash_ram = [](void*) { return uint64_t{0}; },
                // A machine's.
                .debug_stopped = nullptr};
    }
};

// The accelerator's instance for one process. The vCPU goes before it.
class Instance {
  public:
    Instance(const AccelOps& ops, AccelInstance* instance, TranslatedCode& code, AcceleratorDescriptors& own)
        : ops_(ops), instance_(instance), code_(code), own_(own) {}
    ~Instance() {
        code_.disconnect();
        own_.disconnect();
        ops_.destroy(instance_);
    }
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    AccelInstance* get() const { return instance_; }
    const ProcessOps* process() const { return ops_.process(instance_); }

  private:
    const AccelOps& ops_;
    AccelInstance* const instance_;
    TranslatedCode& code_;
    AcceleratorDescriptors& own_;
};

// A process whose memory holds its program.
struct MadeProcess {
    std::unique_ptr<Process> process;
    LoadedProgram program;
    SignalsAtStart signals;
};

std::expected<int, RunError> run_first_thread(const MadeProcess& made, const Runtime& runtime) {
    GuestThreads threads(runtime);
    made.process->connect(&threads);
    const auto first = GuestThread::create(runtime);
    if (!first) {
        return refuse(Error("the first thread: " + first.error().message()));
    }
    FrameRegisters registers{.pc = made.program.pc};
    constexpr unsigned kSp = 2;
    registers.x[kSp] = made.program.sp;
    (*first)->cpu().set(registers);
    return threads.run_first(**first, made.signals);
}

// From the files to the process. `code`, `own` and `log` outlive it.
std::expected<MadeProcess, RunError> make_process(RunSettings& settings, TranslatedCode& code,
                                                  AcceleratorDescriptors& own, const CodeOverlay* overlay,
                                                  Log& log) {
    const std::string prefix = settings.program.prefix;
    // Its files are closed before the guest runs.
    auto executable = open_executable(std::move(settings.program));
    if (!executable) {
        return refuse(executable.error());
    }
    const uint64_t limit =
        settings.space.reserved.value_or(0) != 0 ? *settings.space.reserved : default_limit();
    const auto plan = plan_image(executable->program.headers, limit);
    if (!plan) {
        return refuse(ExecError{plan.error().number, executable->program.path + ": " + plan.error().message});
    }
    const HostMemory& host = HostMemory::real();
    const auto memory = choose_space(settings.space, *plan, host, host_minimum_address());
    if (!memory) {
        return refuse(memory.error());
    }
    ProcessOptions options{.prefix = prefix,
                           .release = settings.release,
                           .cpu = settings.cpu,
                           .strace = settings.strace ? &log : nullptr,
                           .code = &code,
                           .own = &own,
                           .listener = &code,
                           .overlay = overlay};
    auto process = Process::create(options, *memory, host);
    if (!process) {
        return refuse(process.error());
    }
    // Files may end before the segments that are read of them.
    const SignalsAtStart signals = begin_signals((*process)->sighand());
    if (settings.handover) {
        take_over(**process, *settings.handover);
    }
    const auto loaded = load_program(**process, *executable,
                                     {.environment = std::move(settings.environment),
                                      .at_flags = settings.at_flags,
                                      .random = settings.random,
                                      .secure = settings.secure});
    if (!loaded) {
        return refuse(loaded.error());
    }
    // The thread's name, as execve gives it.
    const std::string& name = executable->name;
    ::prctl(PR_SET_NAME, name.c_str() + (name.rfind('/') + 1), 0, 0, 0);
    show_program(**process);
    return MadeProcess{std::move(*process), *loaded, signals};
}

}  // namespace

std::expected<int, RunError> run_process(RunSettings settings, const Parts& parts, loader::AccelChain& accel,
                                         Log& log) {
    TranslatedCode code;
    AcceleratorDescriptors own;
    Breakpoints breakpoints;
    settle_library_signals();
    const auto started = make_process(settings, code, own, settings.debugger ? &breakpoints : nullptr, log);
    if (!started) {
        return std::unexpected(started.error());
    }
    Process& process = *started->process;
    // Generated code depends on where the guest's memory is: so it lies there first.
    const std::unique_ptr<MemoryView> memory = parts.make_memory(process, settings.bounds);
    Host host(log);
    const HostServices services = host.services();
    AccelConfig config{.guest = parts.guest,
                       .memory = nullptr,
                       .host = &services,
                       .properties = nullptr,
                       .max_vcpus = kMostThreads,
                       .user = &memory->ops()};
    const Result<AccelInstance*> made = accel.create(config);
    if (!made) {
        return refuse(made.error());
    }
    const Instance instance(*accel.descriptor().ops, *made, code, own);
    if (instance.process() == nullptr) {
        return refuse(
            Error(std::string("accelerator '") + accel.descriptor().name + "' cannot run processes"));
    }
    code.connect(*instance.process(), instance.get());
    own.connect(*instance.process(), instance.get());
    std::unique_ptr<Debugger> debugger;
    if (settings.debugger) {
        auto listening = Debugger::create(*settings.debugger, process, breakpoints, code);
        if (!listening) {
            return refuse(listening.error());
        }
        debugger = std::move(*listening);
        print_error("waiting for a debugger at " + settings.debugger->text());
    }
    return run_first_thread(*started, {.accel = *accel.descriptor().ops,
                                       .ops = *instance.process(),
                                       .instance = instance.get(),
                                       .guest_object = parts.guest_object,
                                       .make_cpu = parts.make_cpu,
                                       .process = process,
                                       .debugger = debugger.get(),
                                       .own_path = settings.own_path,
                                       .own_options = settings.own_options,
                                       .comes_back = settings.comes_back});
}

}  // namespace weft::user
