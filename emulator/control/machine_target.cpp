#include "emulator/control/machine_target.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/messages.h"
#include "emulator/control/gdb/session.h"

namespace weft::control {

using gdb::Stop;
using gdb::ThreadAction;
using gdb::WatchKind;

namespace {

// QEMU's numbers (its manual, "GDB usage"): a step is one, takes no interrupt, lets no timer run.
constexpr uint64_t kStepEnable = 1;
constexpr uint64_t kStepNoIrq = 2;
constexpr uint64_t kStepNoTimer = 4;
constexpr uint64_t kStepAll = kStepEnable | kStepNoIrq | kStepNoTimer;

constexpr std::array<std::string_view, 1> kObjects = {"features"};

// A list's separator in QEMU's "qqemu.Supported".
constexpr std::string_view kQemuPackets = "sstepbits;sstep;PhyMemMode";

DebugPoint::Kind point_kind(WatchKind kind) {
    return kind == WatchKind::write  ? DebugPoint::Kind::store
           : kind == WatchKind::read ? DebugPoint::Kind::load
                                     : DebugPoint::Kind::access;
}

WatchKind watch_kind(DebugPoint::Kind kind) {
    return kind == DebugPoint::Kind::store  ? WatchKind::write
           : kind == DebugPoint::Kind::load ? WatchKind::read
                                            : WatchKind::access;
}

}  // namespace

MachineTarget::MachineTarget(machine::MachineOperations& machine, machine::MachineDebug& debug,
                             Commands commands)
    : machine_(machine), debug_(debug), commands_(std::move(commands)), step_(kStepAll) {
    begin();
}

void MachineTarget::begin() {
    stop_ = {.thread = thread_of(0)};
    looks_at_ = 0;
    physical_ = false;
    resumed_ = false;
}

Stop MachineTarget::note_stop(const DebugStop* why) {
    const uint64_t latest = stop_.thread;
    if (why == nullptr) {
        stop_ = {.thread = latest, .signal = gdb::kSigint};
    } else {
        stop_ = {.thread = thread_of(why->vcpu_index)};
        stop_.breakpoint = why->kind == DebugStop::Kind::breakpoint && !software_.empty() &&
                           software_.contains(why->address);
        if (why->kind == DebugStop::Kind::watchpoint) {
            stop_.watch = watch_kind(why->point);
            stop_.watched_address = why->address;
        }
    }
    return stop_;
}

// ---- threads ----

std::vector<uint64_t> MachineTarget::threads() {
    std::vector<uint64_t> all;
    for (unsigned cpu = 0; cpu < debug_.cpu_count(); ++cpu) {
        all.push_back(thread_of(cpu));
    }
    return all;
}

// As QEMU names them.
std::string MachineTarget::name(uint64_t thread) {
    const unsigned cpu = cpu_of(thread);
    return fmt::format("CPU#{} [{}]", cpu, debug_.halted(cpu) ? "halted " : "running");
}

// ---- registers and memory ----

std::string MachineTarget::read_register(uint64_t thread, unsigned number) {
    return debug_.read_register(cpu_of(thread), number);
}

bool MachineTarget::write_register(uint64_t thread, unsigned number, std::string_view bytes) {
    return debug_.write_register(cpu_of(thread), number, bytes);
}

std::string MachineTarget::read_memory(uint64_t address, size_t size) {
    return debug_.read_memory(looks_at_, address, size, physical_);
}

bool MachineTarget::write_memory(uint64_t address, std::string_view bytes) {
    return debug_.write_memory(looks_at_, address, bytes, physical_);
}

// ---- breakpoints and watchpoints ----

// Neither needs memory at its address: it may be mapped later, or elsewhere in another address space. An odd one is met by nobody.
bool MachineTarget::insert_breakpoint(uint64_t address, uint64_t) {
    points_changed_ = software_.insert(address).second || points_changed_;
    return true;
}

bool MachineTarget::remove_breakpoint(uint64_t address, uint64_t) {
    points_changed_ = software_.erase(address) != 0 || points_changed_;
    return true;
}

std::optional<bool> MachineTarget::insert_hardware_breakpoint(uint64_t address, uint64_t) {
    points_changed_ = hardware_.insert(address).second || points_changed_;
    return true;
}

std::optional<bool> MachineTarget::remove_hardware_breakpoint(uint64_t address, uint64_t) {
    points_changed_ = hardware_.erase(address) != 0 || points_changed_;
    return true;
}

std::optional<bool> MachineTarget::insert_watchpoint(WatchKind kind, uint64_t address, uint64_t size) {
    if (size == 0) {
        return false;
    }
    points_changed_ = watchpoints_.insert({kind, address, size}).second || points_changed_;
    return true;
}

std::optional<bool> MachineTarget::remove_watchpoint(WatchKind kind, uint64_t address, uint64_t size) {
    points_changed_ = watchpoints_.erase({kind, address, size}) != 0 || points_changed_;
    return true;
}

void MachineTarget::forget_points() {
    points_changed_ = points_changed_ || !software_.empty() || !hardware_.empty() || !watchpoints_.empty();
    software_.clear();
    hardware_.clear();
    watchpoints_.clear();
    apply_points();
}

// Debuggers take all of them away at each stop and put them back before they go on: what comes to the same costs nothing.
bool MachineTarget::apply_points() {
    if (!points_changed_) {
        return true;
    }
    std::vector<DebugPoint> points;
    for (const std::set<uint64_t>* breakpoints : {&software_, &hardware_}) {
        for (const uint64_t address : *breakpoints) {
            points.push_back({DebugPoint::Kind::breakpoint, address, 1});
        }
    }
    for (const Watchpoint& watchpoint : watchpoints_) {
        points.push_back({point_kind(watchpoint.kind), watchpoint.address, watchpoint.size});
    }
    points_changed_ = !debug_.set_points(points);
    return !points_changed_;
}

// ---- running ----

DebugRun MachineTarget::run_of(ThreadAction::Kind kind) const {
    if (kind == ThreadAction::Kind::stay) {
        return DebugRun::stay;
    }
    if (kind == ThreadAction::Kind::go || (step_ & kStepEnable) == 0) {
        return DebugRun::run;
    }
    return (step_ & kStepNoIrq) != 0 ? DebugRun::step : DebugRun::step_with_interrupts;
}

void MachineTarget::resume(std::span<const ThreadAction> actions) {
    std::vector<DebugRun> each(debug_.cpu_count(), DebugRun::stay);
    for (const ThreadAction& action : actions) {
        each[cpu_of(action.thread)] = run_of(action.kind);
    }
    resumed_ = true;
    if (!apply_points()) {
        return;  // the machine ends
    }
    if (const Result<> done = debug_.resume(each); !done) {
        print_error(done.error().message());
        machine_.quit();
    }
}

void MachineTarget::interrupt() { (void)machine_.set_running(false); }

void MachineTarget::detach() {
    forget_points();
    (void)machine_.set_running(true);
}

void MachineTarget::kill() { machine_.quit(); }

// ---- what QEMU has besides ----

std::optional<std::string> MachineTarget::command(std::string_view text) {
    return commands_ ? std::optional(commands_(text)) : std::nullopt;
}

// "GDB usage" of QEMU's manual.
std::optional<std::string> MachineTarget::other_packet(std::string_view packet) {
    constexpr std::string_view kStep = "Qqemu.sstep=";
    constexpr std::string_view kPhysical = "Qqemu.PhyMemMode:";
    const std::string bad(gdb::kBadArguments);
    if (packet == "qqemu.Supported") {
        return std::string(kQemuPackets);
    }
    if (packet == "qqemu.sstepbits") {
        return fmt::format("ENABLE={:x},NOIRQ={:x},NOTIMER={:x}", kStepEnable, kStepNoIrq, kStepNoTimer);
    }
    if (packet == "qqemu.sstep") {
        return fmt::format("0x{:x}", step_);
    }
    if (packet == "qqemu.PhyMemMode") {
        return std::string(physical_ ? "1" : "0");
    }
    if (packet.starts_with(kStep)) {
        std::string_view digits = packet.substr(kStep.size());
        if (digits.starts_with("0x")) {
            digits.remove_prefix(2);
        }
        const auto bits = gdb::hex_number(digits);
        if (!bits || (*bits & ~kStepAll) != 0) {
            return bad;
        }
        step_ = *bits;
        return "OK";
    }
    if (packet.starts_with(kPhysical)) {
        const auto on = gdb::hex_number(packet.substr(kPhysical.size()));
        if (!on) {
            return bad;
        }
        physical_ = *on != 0;
        return "OK";
    }
    return std::nullopt;
}

std::span<const std::string_view> MachineTarget::objects() { return kObjects; }

std::optional<std::string> MachineTarget::object(std::string_view, std::string_view annex, uint64_t) {
    return debug_.description(annex);
}

}  // namespace weft::control
