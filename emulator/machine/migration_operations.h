// Saving a machine to somewhere and loading one from there, as those who attend to a machine ask for it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"

namespace weft::machine {

// How far the last transfer is, or how it ended.
struct MigrationInfo {
    enum class Status : uint8_t { none, setup, active, completed, failed, cancelled };
    Status status = Status::none;
    bool incoming = false;
    uint64_t bytes = 0;         // sent
    uint64_t memory_bytes = 0;  // of memory there are
    uint64_t memory_done = 0;   // were looked at
    uint64_t total_ns = 0;      // from its beginning to its end, or until now
    std::string error = {};     // failed: why
};

// As QMP names it.
const char* status_name(MigrationInfo::Status status);

// All of it is called on the main loop's thread.
class MigrationOperations {
  public:
    virtual ~MigrationOperations() = default;

    // How it ended; on the main loop's thread.
    using Ended = std::function<void(const Result<>& how)>;

    // Stops the machine and begins to send all of it to where `uri` says (emulator/backend/stream/channel.h), on a thread of its own.
    // When that is over, listeners and `ended`, if it is not empty, are told. Then the machine stays stopped; where it was not sent
    // it goes on, if it ran before. Fails at once, stops nothing, and does not call `ended`, where the machine cannot be saved or the
    // channel not opened. Nor is `ended` called where the machine ends before.
    virtual Result<> send(const std::string& uri, Ended ended) = 0;
    // For a machine that was made to wait for it (-incoming defer).
    virtual Result<> receive(const std::string& uri) = 0;
    // Of send(). Nothing where there is none; what it ends is told to listeners.
    virtual void cancel_sending() = 0;
    virtual MigrationInfo migration() const = 0;
    // Whether listeners are told of each status; off at first.
    virtual void tell_status(bool tell) = 0;
    virtual bool tells_status() const = 0;
};

}  // namespace weft::machine
