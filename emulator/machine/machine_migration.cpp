// What a machine does to be saved or loaded: MigrationOperations.
#include <utility>

#include "emulator/machine/machine.h"

namespace weft::machine {

const char* Machine::run_state() const {
    if (running_) {
        return "running";
    }
    if (shut_down_) {
        return "shutdown";
    }
    return awaited_ ? "inmigrate" : sent_ ? "postmigrate" : started_ ? "paused" : "prelaunch";
}

bool Machine::about_to_end() {
    MutexLock lock(mutex_);
    return exit_code_.has_value();
}

// No vCPU runs after it, and all is done, and in the disks' images, that was asked for.
Result<> Machine::stop_to_save() {
    if (Result<> stopped = set_running(false); !stopped) {
        return stopped;
    }
    if (about_to_end()) {
        return fail("the machine is about to end");
    }
    bool reset_asked = false;
    {
        MutexLock lock(mutex_);
        reset_asked = reset_cause_.has_value();
    }
    if (reset_asked) {
        // The guest has asked for it before.
        loop_.cancel(reset_work_);
        reset();
    }
    io_->drain_all();
    disk_io_->drain_all();
    drain_io();
    // What guests of disks without a cache of their own have not flushed, and what images keep in memory.
    for (const NamedDisk& disk : disks_) {
        if (!disk.disk->read_only()) {
            if (Result<> flushed = disk.disk->flush(); !flushed) {
                return flushed;
            }
        }
    }
    return {};
}

Result<> Machine::send(const std::string& uri, Ended ended) {
    if (awaited_) {
        return fail("the machine has not come yet itself");
    }
    if (migration_->under_way()) {
        return fail("it is being sent already");
    }
    if (Result<> possible = saved_->check(); !possible) {
        return possible;
    }
    auto channel = backend::Channel::open_output(uri);
    if (!channel) {
        return std::unexpected(channel.error());
    }
    const bool ran = running_;
    Result<> done = stop_to_save();
    if (done) {
        Result<std::vector<saved::Part>> parts = saved_->parts(ran);
        done = parts ? Result<>() : std::unexpected(parts.error());
        if (parts) {
            loop_.hold_timers(true);
            done =
                migration_->send(std::move(*channel), {saved_->facts(), std::move(*parts), saved_->memory()},
                                 [this, ran, ended = std::move(ended)](const Result<>& how) {
                                     sent(how, ran);
                                     if (ended) {
                                         ended(how);
                                     }
                                 });
        }
    }
    if (!done) {
        sent(done, ran);
    }
    return done;
}

// Or it was not: then it goes on.
void Machine::sent(const Result<>& how, bool ran) {
    loop_.hold_timers(false);
    sent_ = how.has_value();
    if (std::exchange(reset_deferred_, false)) {
        loop_.post(reset_work_);
    }
    if (!how && ran && !about_to_end()) {
        if (const Result<> resumed = set_running(true); !resumed) {
            fatal(resumed.error().message().c_str());
        }
    }
}

void Machine::cancel_sending() {
    if (migration_->sending()) {
        migration_->cancel();
    }
}

Result<> Machine::receive(const std::string& uri) {
    if (!awaited_) {
        return fail("no machine is awaited (-incoming defer)");
    }
    if (migration_->under_way()) {
        return fail("a machine is awaited already");
    }
    auto channel = backend::Channel::open_input(uri);
    return channel ? begin_receiving(std::move(*channel)) : std::unexpected(channel.error());
}

Result<> Machine::begin_receiving(std::unique_ptr<backend::Channel> channel) {
    return migration_->receive(
        std::move(channel), saved_->expected(),
        [this](Result<saved::StagedMachine> staged) { return received(std::move(staged)); });
}

// Ends the emulator where what came cannot be had: there is no machine to go on with.
Result<> Machine::received(Result<saved::StagedMachine> staged) {
    const Result<bool> runs = staged ? load(*staged) : std::unexpected(staged.error());
    if (!runs) {
        const Error error = runs.error().within("the incoming machine");
        fatal(error.message().c_str());
        return std::unexpected(error);
    }
    awaited_ = false;
    started_ = true;
    return *runs && runs_when_there_ ? set_running(true) : Result<>();
}

// What was under way belongs to the machine that goes.
Result<bool> Machine::load(const saved::StagedMachine& staged) {
    io_->drain_all();
    disk_io_->drain_all();
    drain_io();
    Result<bool> runs = saved_->load(staged);
    if (runs) {
        shut_down_ = false;
        loop_.cancel(reset_work_);
        MutexLock lock(mutex_);
        reset_cause_.reset();
    }
    return runs;
}

}  // namespace weft::machine
