// A machine: board, accelerator and vCPUs, run by a main loop.
//
// emulator/machine owns them and the threads that are no vCPUs': the main loop's and the I/O worker's. It knows boards through
// hw::Board, accelerators through their table, the user's wishes as a MachineConfig; no architecture, no option and no terminal.
//
// Members stand in the order of dependence, so that the destructor unwinds: vCPUs, accelerator, I/O worker, board.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/work_queue.h"
#include "emulator/accel/accel_chain.h"
#include "emulator/hw/core/board.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/machine/deterministic_io.h"
#include "emulator/machine/io_pool.h"
#include "emulator/machine/io_worker.h"
#include "emulator/machine/machine_config.h"
#include "emulator/machine/machine_debug.h"
#include "emulator/machine/main_loop.h"
#include "emulator/machine/migration.h"
#include "emulator/machine/operations.h"
#include "emulator/machine/saved_machine.h"
#include "emulator/memory/topology.h"
#include "weft/accel.h"

namespace weft::machine {

// Made, run and destroyed on the main loop's thread; the functions of MachineControl are for any.
class Machine final : public hw::MachineControl,
                      public MachineOperations,
                      public MigrationOperations,
                      public SnapshotOperations,
                      private mem::TopologyListener {
  public:
    // Builds the board and an instance of the first accelerator of `accel` that can be made. Loop and log outlive the
    // machine; the plan is used up.
    static Result<std::unique_ptr<Machine>> create(const MachineConfig& config, hw::BoardPlan& plan,
                                                   MainLoop& loop, Log& log, loader::AccelChain& accel);
    ~Machine() override;
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    // Lets the vCPUs run (unless the options say to wait), serves the main loop until the machine is to end, stops the
    // vCPUs and returns the exit code.
    Result<int> run();

    // For whoever talks with a debugger. The loop's thread.
    MachineDebug& debug() { return *debug_; }

    // hw::MachineControl
    void request_shutdown(int exit_code) override;
    void request_reset() override;
    void guest_error(const char* message) override;
    void unimplemented(const char* message) override;
    void set_timer(uint64_t deadline_ns, void (*fn)(void* opaque), void* opaque) override;
    uint64_t now_ns() override;
    uint64_t wall_clock_ns() override;
    std::optional<uint64_t> random_seed() override;
    void run_io(void (*fn)(void* opaque), void* opaque) override;
    void run_file_io(void (*fn)(void* opaque), void* opaque) override;
    void run_io_beside(void (*fn)(void* opaque), void* opaque) override;
    unsigned io_threads() override { return deterministic_io_ != nullptr ? 1 : IoPool::kThreads; }
    unsigned max_vcpus() override { return max_cpus_; }
    void devices_released() override;
    void set_balloon(hw::Balloon* balloon) override { balloon_ = balloon; }
    void balloon_changed() override { loop_.post(balloon_work_); }

    // The user's signal asks the machine to end. Any thread.
    void end_by_signal() { end_with(0, MachineCause::signal); }

    // MachineOperations
    void quit() override { end_with(0, MachineCause::operator_quit); }
    void system_reset() override { reset_for(MachineCause::operator_reset); }
    void system_powerdown() override;
    Result<> set_running(bool running) override;
    bool running() const override { return running_; }
    bool started() const override { return started_; }
    const char* run_state() const override;
    MigrationOperations* migrations() override { return this; }
    SnapshotOperations* snapshots() override { return this; }
    bool shut_down() const override { return shut_down_; }
    Result<> plug(const hw::DeviceConfig& device) override;
    Result<> ask_to_release(const std::string& id) override { return board_->ask_to_release(id); }
    hw::Balloon* balloon() override { return balloon_; }
    unsigned cpu_count() const override { return static_cast<unsigned>(vcpus_.size()); }
    void dump_registers(unsigned cpu, const TextSink& sink) override;
    void dump_cpus(const TextSink& sink) override;
    void dump_memory(bool flat, const TextSink& sink) override;
    Result<> dump_accelerator(const std::string& topic, const TextSink& sink) override;
    Result<> read_memory(std::optional<unsigned> cpu, uint64_t address, std::span<uint8_t> data) override;
    void disassemble(std::span<const uint8_t> code, uint64_t address, const TextSink& sink) override;
    void add_listener(MachineListener& listener) override { listeners_.push_back(&listener); }
    void remove_listener(MachineListener& listener) override { std::erase(listeners_, &listener); }

    // MigrationOperations: machine_migration.cpp, as what belongs to them below.
    Result<> send(const std::string& uri, Ended ended) override;
    Result<> receive(const std::string& uri) override;
    void cancel_sending() override;
    MigrationInfo migration() const override { return migration_->info(); }
    void tell_status(bool tell) override { tells_status_ = tell; }
    bool tells_status() const override { return tells_status_; }

    // SnapshotOperations: machine_snapshots.cpp
    Result<> save_snapshot(const std::string& name) override;
    Result<> load_snapshot(const std::string& name) override;
    Result<> delete_snapshot(const std::string& name) override;
    Result<std::vector<backend::SnapshotInfo>> list_snapshots() override;

  private:
    class Paused;
    class Stopped;
    struct VcpuHandle {
        Vcpu* vcpu;
        void* state;
    };

    Machine(const MachineConfig& config, MainLoop& loop, Log& log);
    Result<> build_board(const MachineConfig& config, hw::BoardPlan& plan);
    Result<> serve_folder(const hw::DeviceConfig& device);
    Result<> start_accelerator(loader::AccelChain& accel);
    Result<> create_vcpus();
    void reset();
    void end();
    void tell_of_balloon();
    void end_released();
    bool stays_shut_down();
    bool may_stay(MachineCause cause) const;
    void reset_for(MachineCause cause);
    void fatal(const char* message);
    bool end_with(int exit_code, MachineCause cause);
    void drain_io();
    void run_networks(bool running);
    void hold();
    void log(LogItem item, const char* message);

    // mem::TopologyListener
    void topology_changed(void (*done)(void* opaque), void* opaque) override;

    Result<> begin_receiving(std::unique_ptr<backend::Channel> channel);
    Result<> stop_to_save();
    Result<bool> load(const saved::StagedMachine& staged);
    void sent(const Result<>& how, bool ran);
    Result<> received(Result<saved::StagedMachine> staged);
    bool about_to_end();
    struct SnapshotDisk {
        std::string name;
        backend::DiskSnapshots* snapshots;
    };
    Result<std::vector<SnapshotDisk>> snapshot_disks();
    Result<> check_not_transferred();
    Result<> keep(const std::string& name, std::span<const SnapshotDisk> disks, bool ran);
    Result<> restore(const std::string& name, std::span<const SnapshotDisk> disks);

    MainLoop& loop_;
    Log& log_;
    const bool no_reboot_;
    const bool no_shutdown_;
    const bool start_stopped_;
    const unsigned max_cpus_;
    const WallClock clock_;
    const uint64_t made_at_wall_ns_, made_at_ns_;  // the host's two clocks
    const HostServices host_services_;

    Mutex mutex_;  // a leaf
    // The first request's.
    std::optional<int> exit_code_ WEFT_GUARDED_BY(mutex_);
    MachineCause end_cause_ WEFT_GUARDED_BY(mutex_) = MachineCause::guest_shutdown;
    std::optional<MachineCause> reset_cause_ WEFT_GUARDED_BY(mutex_);  // until it was done
    WorkQueue::Work shutdown_work_;
    WorkQueue::Work reset_work_;
    WorkQueue::Work balloon_work_;
    WorkQueue::Work release_work_;

    std::vector<backend::NetBackend*> networks_;  // the loop's thread
    std::vector<NamedDisk> disks_;                // the same
    const std::optional<std::string> snapshot_;   // that it begins with
    std::unique_ptr<hw::Board> board_;
    std::unique_ptr<IoWorker> io_;
    std::unique_ptr<IoWorker> file_io_;  // null: no device shares a folder
    std::unique_ptr<IoPool> disk_io_;

    AccelConfig accel_config_{};
    const AccelOps* ops_ = nullptr;
    AccelInstance* accel_ = nullptr;
    // Where the accelerator makes the time; else null, and time is the host's.
    const VirtualTimeOps* time_ = nullptr;
    std::unique_ptr<DeterministicIo> deterministic_io_;
    std::vector<VcpuHandle> vcpus_;
    std::unique_ptr<MachineDebug> debug_;  // made before anything runs
    std::unique_ptr<SavedMachine> saved_;
    std::unique_ptr<Migration> migration_;
    std::unique_ptr<backend::Channel> incoming_;  // -incoming's, until run()
    // The loop's thread.
    bool running_ = false;
    bool started_ = false;
    bool shut_down_ = false;
    bool ended_ = false;
    bool awaited_ = false;         // a saved machine is to come, and nothing runs before
    bool runs_when_there_ = true;  // it goes on then, if it ran where it was saved
    bool sent_ = false;            // and has not run since
    bool tells_status_ = false;    // to listeners
    bool reset_deferred_ = false;  // until it has been sent
    hw::Balloon* balloon_ = nullptr;
    std::vector<MachineListener*> listeners_;
};

}  // namespace weft::machine
