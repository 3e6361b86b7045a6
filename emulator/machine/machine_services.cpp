// What devices and accelerators ask of their machine (hw::MachineControl, HostServices): its end, time, timers, I/O and the log. Any thread
// where the interface says so.
#include <fmt/format.h>

#include <optional>

#include "base/assert.h"
#include "base/messages.h"
#include "emulator/machine/machine.h"

namespace weft::machine {

namespace {

// What a machine whose accelerator makes the time starts from, so that its runs are equal: 2026-01-01, 00:00 UTC, and the
// seed of the guest's random numbers.
constexpr uint64_t kVirtualStartNs = uint64_t{1'767'225'600} * 1'000'000'000;
constexpr uint64_t kVirtualRngSeed = 0;

}  // namespace

void Machine::request_shutdown(int exit_code) { end_with(exit_code, MachineCause::guest_shutdown); }

// Whether nobody had asked before.
bool Machine::end_with(int exit_code, MachineCause cause) {
    bool first = false;
    {
        MutexLock lock(mutex_);
        first = !exit_code_ || (may_stay(end_cause_) && !may_stay(cause));
        if (first) {
            exit_code_ = exit_code;
            end_cause_ = cause;
        }
    }
    hold();
    loop_.post(shutdown_work_);
    return first;
}

void Machine::request_reset() { reset_for(MachineCause::guest_reset); }

void Machine::reset_for(MachineCause cause) {
    {
        MutexLock lock(mutex_);
        reset_cause_ = reset_cause_.value_or(cause);
    }
    hold();
    loop_.post(reset_work_);
}

// The main loop gets to it some time; where runs are to be equal, vCPUs do not run on meanwhile.
void Machine::hold() {
    if (time_ != nullptr) {
        time_->hold(accel_);
    }
}

// Of many that fail for the same reason, and of what fails on the way out, the first says why.
void Machine::fatal(const char* message) {
    if (end_with(1, MachineCause::failure)) {
        print_error(message);
    }
}

void Machine::log(LogItem item, const char* message) {
    if (log_.enabled(item)) {
        log_.write(fmt::format("{}\n", message));
    }
}

void Machine::guest_error(const char* message) { log(LogItem::guest_errors, message); }

void Machine::unimplemented(const char* message) { log(LogItem::unimp, message); }

void Machine::set_timer(uint64_t deadline_ns, void (*fn)(void* opaque), void* opaque) {
    if (time_ != nullptr) {
        time_->set_timer(accel_, deadline_ns, fn, opaque);
    } else {
        loop_.set_timer(deadline_ns, fn, opaque);
    }
}

uint64_t Machine::now_ns() { return time_ != nullptr ? time_->now_ns(accel_) : monotonic_ns(); }

uint64_t Machine::wall_clock_ns() {
    constexpr int64_t kSecond = 1'000'000'000;
    const uint64_t offset = static_cast<uint64_t>(clock_.offset_s * kSecond);
    const auto from = [&](uint64_t start) {
        return offset + (clock_.start_s ? static_cast<uint64_t>(*clock_.start_s * kSecond) : start);
    };
    if (time_ != nullptr) {
        return from(kVirtualStartNs) + time_->now_ns(accel_);
    }
    return from(made_at_wall_ns_) +
           (clock_.follows_host ? realtime_ns() - made_at_wall_ns_ : monotonic_ns() - made_at_ns_);
}

std::optional<uint64_t> Machine::random_seed() {
    return time_ != nullptr ? std::optional(kVirtualRngSeed) : std::nullopt;
}

void Machine::run_io(void (*fn)(void* opaque), void* opaque) {
    if (deterministic_io_ != nullptr) {
        deterministic_io_->run(fn, opaque);
    } else {
        io_->run(fn, opaque);
    }
}

void Machine::run_file_io(void (*fn)(void* opaque), void* opaque) {
    if (deterministic_io_ != nullptr) {
        deterministic_io_->run(fn, opaque);
    } else {
        WEFT_ASSERT(file_io_ != nullptr);  // serve_folder() saw the device
        file_io_->run(fn, opaque);
    }
}

void Machine::run_io_beside(void (*fn)(void* opaque), void* opaque) {
    if (deterministic_io_ != nullptr) {
        deterministic_io_->run(fn, opaque);
    } else {
        disk_io_->run(fn, opaque);
    }
}

void Machine::topology_changed(void (*done)(void* opaque), void* opaque) {
    ops_->topology_changed(accel_, done, opaque);
}

}  // namespace weft::machine
