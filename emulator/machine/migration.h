// A transfer of the machine: sending it, or waiting for one and loading it. One at a time.
//
// What is slow (the memory, the other end) is done by a thread of its own, while no vCPU runs; what touches devices is done on the main
// loop's thread, before it and after it. While a machine is sent nothing of it changes: the owner lets no vCPU run, defers resets, and
// holds device timers.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/thread.h"
#include "base/work_queue.h"
#include "emulator/backend/stream/channel.h"
#include "emulator/machine/main_loop.h"
#include "emulator/machine/migration_operations.h"
#include "emulator/saved/reader.h"
#include "emulator/saved/writer.h"

namespace weft::machine {

// The main loop's thread.
class Migration {
  public:
    // The loop outlives it. `changed` is called with each new status.
    Migration(MainLoop& loop, std::function<void(MigrationInfo::Status)> changed);
    // Cancels what is under way; then nobody is told.
    ~Migration();
    Migration(const Migration&) = delete;
    Migration& operator=(const Migration&) = delete;

    struct Sent {
        saved::Facts facts;
        std::vector<saved::Part> parts;
        std::vector<saved::Memory> memory;
    };
    // `ended` is called with how it ended, on the loop's thread. None is under way.
    Result<> send(std::unique_ptr<backend::Channel> channel, Sent what,
                  std::function<void(const Result<>&)> ended);
    Result<> receive(std::unique_ptr<backend::Channel> channel, saved::Expected expected,
                     std::function<Result<>(Result<saved::StagedMachine>)> ended);
    void cancel();
    // The same, and nobody is told of its end, which is there when this returns.
    void abandon();

    bool under_way() const { return thread_.joinable(); }
    bool sending() const { return under_way() && !info_.incoming; }
    MigrationInfo info() const;

  private:
    Result<> start(const char* thread_name, std::unique_ptr<backend::Channel> channel);
    void finish();
    void set_status(MigrationInfo::Status status);

    MainLoop& loop_;
    const std::function<void(MigrationInfo::Status)> changed_;
    WorkQueue::Work finished_;

    MigrationInfo info_;
    uint64_t began_ns_ = 0;
    saved::Progress progress_;
    std::unique_ptr<backend::Channel> channel_;
    // What the thread does, and then the loop's; set while there is a thread.
    std::function<void()> transfer_;
    std::function<Result<>()> ended_;
    Thread thread_;
};

}  // namespace weft::machine
