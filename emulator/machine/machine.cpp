#include "emulator/machine/machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/messages.h"
#include "base/text_values.h"
#include "emulator/accel/text_sinks.h"
#include "emulator/memory/reader.h"

namespace weft::machine {

namespace {

void write_text(const TextSink& sink, std::string_view text) {
    sink.write(sink.opaque, text.data(), text.size());
}

}  // namespace

// Stops the vCPUs for a scope where they run.
class Machine::Paused {
  public:
    explicit Paused(Machine& machine) : machine_(machine) {
        if (machine_.running_) {
            machine_.ops_->pause(machine_.accel_);
            machine_.run_networks(false);
        }
    }
    ~Paused() {
        if (machine_.running_) {
            machine_.run_networks(true);
            loader::ErrorCollector errors;
            if (!machine_.ops_->resume(machine_.accel_, errors.sink())) {
                machine_.fatal(errors.message("the accelerator cannot go on").c_str());
            }
        }
    }
    Paused(const Paused&) = delete;
    Paused& operator=(const Paused&) = delete;

  private:
    Machine& machine_;
};

Machine::Machine(const MachineConfig& config, MainLoop& loop, Log& log)
    : loop_(loop),
      log_(log),
      no_reboot_(config.no_reboot),
      no_shutdown_(config.no_shutdown),
      start_stopped_(config.start_stopped),
      max_cpus_(config.max_cpus),
      clock_(config.clock),
      made_at_wall_ns_(realtime_ns()),
      made_at_ns_(monotonic_ns()),
      host_services_{
          .opaque = this,
          .warn = [](void*, const char* message) { print_warning(message); },
          .log_enabled =
              [](void* self, unsigned item) {
                  return static_cast<Machine*>(self)->log_.enabled(static_cast<LogItem>(item));
              },
          .log_in_filter =
              [](void* self, uint64_t address, uint64_t size) {
                  return static_cast<Machine*>(self)->log_.filter().intersects(address, size);
              },
          .log = [](void* self, const char* text,
                    size_t length) { static_cast<Machine*>(self)->log_.write({text, length}); },
          .fatal = [](void* self, const char* message) { static_cast<Machine*>(self)->fatal(message); },
          .hash_ram =
              [](void* self) { return static_cast<Machine*>(self)->board_->topology().ram_space().hash(); },
          .debug_stopped =
              [](void* self, const DebugStop* stop) {
                  auto* machine = static_cast<Machine*>(self);
                  machine->hold();
                  machine->debug_->vcpu_stopped(*stop);
              },
      },
      shutdown_work_([](void* self) { static_cast<Machine*>(self)->end(); }, this),
      reset_work_([](void* self) { static_cast<Machine*>(self)->reset(); }, this),
      balloon_work_([](void* self) { static_cast<Machine*>(self)->tell_of_balloon(); }, this),
      release_work_([](void* self) { static_cast<Machine*>(self)->end_released(); }, this),
      networks_(config.backends.networks),
      disks_(config.disks),
      snapshot_(config.snapshot) {}

Result<std::unique_ptr<Machine>> Machine::create(const MachineConfig& config, hw::BoardPlan& plan,
                                                 MainLoop& loop, Log& log, loader::AccelChain& accel) {
    std::unique_ptr<Machine> machine(new Machine(config, loop, log));
    Result<> done = machine->build_board(config, plan);
    if (done) {
        done = machine->start_accelerator(accel);
    }
    if (done) {
        done = machine->create_vcpus();
    }
    if (done && config.incoming) {
        machine->awaited_ = true;
        machine->runs_when_there_ = !config.start_stopped;
        done = machine->saved_->check();
        if (done && *config.incoming != "defer") {
            auto channel = backend::Channel::open_input(*config.incoming);
            done = channel ? Result<>() : std::unexpected(channel.error());
            machine->incoming_ = channel ? std::move(*channel) : nullptr;
        }
        done = done ? done : std::unexpected(done.error().within("-incoming"));
    }
    if (!done) {
        return std::unexpected(done.error());
    }
    return machine;
}

Result<> Machine::build_board(const MachineConfig& config, hw::BoardPlan& plan) {
    const auto out_of_memory = [](void* self) {
        static_cast<Machine*>(self)->fatal("out of memory: a disk request cannot be done");
    };
    Result<std::unique_ptr<IoWorker>> io = IoWorker::create(out_of_memory, this);
    Result<std::unique_ptr<IoPool>> disk_io =
        io ? IoPool::create(out_of_memory, this) : std::unexpected(io.error());
    if (!disk_io) {
        return std::unexpected(disk_io.error());
    }
    io_ = std::move(*io);
    disk_io_ = std::move(*disk_io);
    for (const hw::DeviceConfig& device : config.backends.devices) {
        if (Result<> ready = serve_folder(device); !ready) {
            return ready;
        }
    }
    Result<std::unique_ptr<hw::Board>> board = plan.build(config.backends, *this);
    if (!board) {
        return std::unexpected(board.error());
    }
    board_ = std::move(*board);
    return {};
}

// Before the device is there: the thread for its files, which the first one of that kind brings.
Result<> Machine::serve_folder(const hw::DeviceConfig& device) {
    if (file_io_ != nullptr || device.reference(hw::PropertyKind::fsdev).empty()) {
        return {};
    }
    Result<std::unique_ptr<IoWorker>> file_io = IoWorker::create(
        [](void* self) {
            static_cast<Machine*>(self)->fatal("out of memory: a shared folder's request cannot be done");
        },
        this);
    if (!file_io) {
        return std::unexpected(file_io.error());
    }
    file_io_ = std::move(*file_io);
    return {};
}

Result<> Machine::start_accelerator(loader::AccelChain& accel) {
    accel_config_ = {
        .guest = &board_->guest_arch(),
        .memory = &mem::memory_ops(),
        .host = &host_services_,
        .properties = nullptr,
        .max_vcpus = max_cpus_,
        .user = nullptr,
    };
    const Result<AccelInstance*> instance = accel.create(accel_config_);
    if (!instance) {
        return std::unexpected(instance.error());
    }
    accel_ = *instance;
    ops_ = accel.descriptor().ops;
    board_->topology().set_write_hooks({[](void* self, RamWrite* write) {
                                            auto* machine = static_cast<Machine*>(self);
                                            machine->ops_->ram_write_begins(machine->accel_, write);
                                        },
                                        [](void* self, RamWrite* write) {
                                            auto* machine = static_cast<Machine*>(self);
                                            machine->ops_->ram_written(machine->accel_, write);
                                        },
                                        this});
    board_->topology().add_listener(*this);
    time_ = ops_->virtual_time(accel_);
    if (time_ != nullptr) {
        deterministic_io_ = std::make_unique<DeterministicIo>(*time_, accel_);
        board_->set_rng_seed(*random_seed());
    }
    return {};
}

Result<> Machine::create_vcpus() {
    for (unsigned index = 0; index < board_->cpu_count(); ++index) {
        hw::BoardCpu& cpu = board_->cpu(index);
        const VcpuConfig config = {
            .index = index, .guest = cpu.guest(), .address_space = &cpu.address_space()};
        loader::ErrorCollector errors;
        VcpuHandle made{};
        if (!ops_->vcpu_create(accel_, &config, &made.vcpu, &made.state, errors.sink())) {
            return fail(errors.message("the accelerator cannot make a vCPU"));
        }
        cpu.attach(made.state);
        vcpus_.push_back(made);
    }
    std::vector<Vcpu*> vcpus;
    for (const VcpuHandle& vcpu : vcpus_) {
        vcpus.push_back(vcpu.vcpu);
    }
    saved_ = std::make_unique<SavedMachine>(SavedMachine::Machine{*board_, *ops_, accel_, time_, vcpus});
    migration_ = std::make_unique<Migration>(loop_, [this](MigrationInfo::Status status) {
        for (MachineListener* listener : listeners_) {
            if (tells_status_) {
                listener->migration_changed(status);
            }
        }
    });
    debug_ = std::make_unique<MachineDebug>(
        MachineDebug::Parts{*this, loop_, *board_, *ops_, accel_, std::move(vcpus)});
    return {};
}

Machine::~Machine() {
    migration_.reset();  // reads memory, or is about to
    if (accel_ != nullptr) {
        for (const VcpuHandle& vcpu : vcpus_) {
            ops_->vcpu_destroy(accel_, vcpu.vcpu);
        }
        board_->topology().remove_listener(*this);
        board_->topology().set_write_hooks({});
        deterministic_io_.reset();
        time_ = nullptr;
        ops_->destroy(accel_);
    }
    io_.reset();
    file_io_.reset();
    disk_io_.reset();
    board_.reset();
    // Nobody is left who could ask for anything.
    loop_.cancel(shutdown_work_);
    loop_.cancel(reset_work_);
    loop_.cancel(balloon_work_);
    loop_.cancel(release_work_);
}

Result<int> Machine::run() {
    if (awaited_) {
        if (incoming_ != nullptr) {
            if (Result<> begun = begin_receiving(std::move(incoming_)); !begun) {
                return std::unexpected(begun.error());
            }
        }
    } else if (snapshot_) {
        if (Result<> loaded = load_snapshot(*snapshot_); !loaded) {
            return std::unexpected(loaded.error().within("-loadvm"));
        }
    }
    if (!awaited_ && !start_stopped_) {
        if (Result<> started = set_running(true); !started) {
            return std::unexpected(started.error());
        }
    }
    loop_.run();
    if (loop_.out_of_memory()) {
        fatal("out of memory");
    }
    migration_->abandon();
    if (running_) {
        ops_->pause(accel_);
        run_networks(false);
        running_ = false;
    }
    drain_io();
    MutexLock lock(mutex_);
    return exit_code_.value_or(0);
}

// Under -no-reboot a reset ends the machine.
void Machine::reset() {
    if (migration_->sending()) {
        reset_deferred_ = true;
        return;
    }
    MachineCause cause = MachineCause::guest_reset;
    {
        MutexLock lock(mutex_);
        cause = std::exchange(reset_cause_, std::nullopt).value_or(cause);
    }
    if (no_reboot_) {
        end_with(0, cause);
        return;
    }
    {
        const Paused paused(*this);
        // What was asked for by the guest before completes as on the bus of a real machine; devices see it before their
        // reset.
        drain_io();
        ops_->reset(accel_);
        board_->reset();
    }
    shut_down_ = false;
    for (MachineListener* listener : listeners_) {
        listener->was_reset(cause);
    }
}

// Whether the machine stays as the guest left it (-no-shutdown).
bool Machine::stays_shut_down() {
    MachineCause cause{};
    {
        MutexLock lock(mutex_);
        cause = end_cause_;
        if (!exit_code_ || !may_stay(cause)) {
            return false;
        }
        exit_code_.reset();
    }
    // Several harts may end the machine at once.
    if (!std::exchange(shut_down_, true)) {
        for (MachineListener* listener : listeners_) {
            listener->shut_down(cause);
        }
    }
    if (const Result<> stopped = set_running(false); !stopped) {
        fatal(stopped.error().message().c_str());
    }
    return true;
}

// Where the guest's wishes end nothing, those of others do.
bool Machine::may_stay(MachineCause cause) const {
    return no_shutdown_ && cause != MachineCause::operator_quit && cause != MachineCause::signal &&
           cause != MachineCause::failure;
}

// What is in the main loop's queue already is still done.
void Machine::end() {
    if (stays_shut_down() || std::exchange(ended_, true)) {
        return;
    }
    MachineCause cause{};
    {
        MutexLock lock(mutex_);
        cause = end_cause_;
    }
    for (MachineListener* listener : listeners_) {
        listener->ends(cause);
    }
    loop_.quit();
}

Result<> Machine::plug(const hw::DeviceConfig& device) {
    Result<> plugged = serve_folder(device);
    plugged = plugged ? board_->plug(device) : plugged;
    if (!plugged) {
        return plugged;
    }
    if (!device.drive_id().empty()) {
        disks_.push_back({device.drive_id(), &device.drive()});
    }
    if (backend::NetBackend* const network = device.netdev(); network != nullptr) {
        networks_.push_back(network);
        network->set_running(running_);
    }
    return {};
}

// On a vCPU's thread, within an access: what is to be ended may be in use there.
void Machine::devices_released() {
    hold();
    loop_.post(release_work_);
}

void Machine::end_released() {
    std::vector<hw::DeviceConfig> gone;
    {
        const Paused paused(*this);
        drain_io();
        gone = board_->take_released();
        for (const hw::DeviceConfig& device : gone) {
            std::erase(networks_, device.netdev());
            if (!device.drive_id().empty()) {
                std::erase_if(disks_, [&](const NamedDisk& disk) { return disk.disk == &device.drive(); });
            }
        }
    }
    for (const hw::DeviceConfig& device : gone) {
        for (MachineListener* listener : listeners_) {
            listener->device_gone(device);
        }
    }
}

void Machine::tell_of_balloon() {
    for (MachineListener* listener : listeners_) {
        listener->balloon_changed();
    }
}

void Machine::system_powerdown() {
    for (MachineListener* listener : listeners_) {
        listener->powerdown_requested();
    }
}

void Machine::run_networks(bool running) {
    for (backend::NetBackend* network : networks_) {
        network->set_running(running);
    }
}

void Machine::drain_io() {
    io_->drain();
    if (file_io_ != nullptr) {
        file_io_->drain();
    }
    disk_io_->drain();
    if (deterministic_io_ != nullptr) {
        deterministic_io_->drain();
    }
}

Result<> Machine::set_running(bool running) {
    if (awaited_) {
        runs_when_there_ = running;
        return {};
    }
    if (running && shut_down_) {
        return fail("the guest has shut the machine down: it must be reset first (system_reset)");
    }
    if (running == running_) {
        return {};
    }
    if (running && migration_->sending()) {
        return fail("it is being sent elsewhere (migrate_cancel ends that)");
    }
    if (running) {
        sent_ = false;
        debug_->before_running();
        loader::ErrorCollector errors;
        if (!ops_->resume(accel_, errors.sink())) {
            return fail(errors.message("the accelerator cannot run"));
        }
        run_networks(true);
    } else {
        ops_->pause(accel_);
        run_networks(false);
        // What a disk is at is done, so that memory and image stand still. With the accelerator's time, requests have their own.
        disk_io_->drain();
    }
    const bool stops = running_ && !running;
    running_ = running;
    started_ = started_ || running;
    if (stops) {
        debug_->after_stopping();
    }
    for (MachineListener* listener : listeners_) {
        listener->running_changed(running);
    }
    return {};
}

void Machine::dump_registers(unsigned cpu, const TextSink& sink) {
    const Paused paused(*this);
    board_->guest_arch().dump_registers(vcpus_[cpu].state, &sink);
}

void Machine::dump_cpus(const TextSink& sink) {
    const Paused paused(*this);
    for (unsigned i = 0; i < cpu_count(); ++i) {
        // Not every accelerator tells more.
        loader::TextCollector activity;
        const bool told = ops_->report(accel_, fmt::format("cpu {}", i).c_str(), activity.sink());
        write_text(sink, fmt::format("CPU {}: {}, pc {:016x}{}{}", i, board_->cpu(i).name(),
                                     state_header(vcpus_[i].state).pc, told ? ", " : "\n", activity.text()));
    }
}

void Machine::dump_memory(bool flat, const TextSink& sink) {
    mem::Topology& topology = board_->topology();
    write_text(sink, flat ? topology.describe_views() : topology.describe_regions());
}

Result<> Machine::dump_accelerator(const std::string& topic, const TextSink& sink) {
    loader::TextCollector report;
    if (!ops_->report(accel_, topic.c_str(), report.sink())) {
        return fail(fmt::format("the accelerator has no report {}", in_quotes(topic)));
    }
    write_text(sink, report.text());
    if (!report.text().ends_with('\n')) {
        write_text(sink, "\n");
    }
    return {};
}

// Page by page.
Result<> Machine::read_memory(std::optional<unsigned> cpu, uint64_t address, std::span<uint8_t> data) {
    constexpr uint64_t kPage = 4096;
    const Paused paused(*this);
    mem::Reader reader(board_->cpu(cpu.value_or(0)).address_space());
    while (!data.empty()) {
        const size_t size = std::min<uint64_t>(data.size(), kPage - address % kPage);
        uint64_t physical = address;
        if (cpu) {
            const std::optional<uint64_t> found = board_->cpu(*cpu).debug().translate(address);
            if (!found) {
                return fail(fmt::format("nothing is mapped at {:#x}", address));
            }
            physical = *found;
        }
        if (reader.read(physical, data.first(size)) != DeviceStatus::ok) {
            return fail(fmt::format("there is no memory at {:#x}", address));
        }
        data = data.subspan(size);
        address += size;
    }
    return {};
}

void Machine::disassemble(std::span<const uint8_t> code, uint64_t address, const TextSink& sink) {
    const GuestArch& guest = board_->guest_arch();
    guest.disassemble(guest.model, code.data(), code.size(), address, &sink);
}

}  // namespace weft::machine
