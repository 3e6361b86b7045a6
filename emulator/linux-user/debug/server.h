// The debugger's connection: two threads of weft's, which hold descriptors that the guest neither sees nor closes.
//
// The server's thread gives up the process's table of descriptors for one of its own (close_range(2), CLOSE_RANGE_UNSHARE), so whatever the
// guest does to its descriptors does nothing to the connection, and what is open for it is not in the guest's way. It hands what comes
// to the Session, and sends what that says. A second thread, in the same table, does nothing but receive, so that the first one can wait
// for bytes and for stops at once, by one condition.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "base/unique_fd.h"
#include "emulator/control/gdb/session.h"
#include "emulator/linux-user/debug/address.h"
#include "emulator/linux-user/debug/stop_control.h"
#include "emulator/linux-user/debug/user_target.h"

namespace weft::user {

class DebugServer final : private control::gdb::Output {
  public:
    // Listens from when it comes back without an error. Waits for a client when everybody has stopped, once. `process` is the target's.
    static Result<std::unique_ptr<DebugServer>> start(const DebugAddress& address, Process& process,
                                                      UserTarget& target, StopControl& stops);
    // No thread of the guest's runs. Waits for the server's threads.
    ~DebugServer() override;
    DebugServer(const DebugServer&) = delete;
    DebugServer& operator=(const DebugServer&) = delete;

    // There is something in StopControl::take_stop(). Any thread.
    void wake() WEFT_EXCLUDES(mutex_);

  private:
    DebugServer(const DebugAddress& address, Process& process, UserTarget& target, StopControl& stops)
        : address_(address), process_(process), target_(target), stops_(stops) {}

    void run();
    Result<UniqueFd> listen() const;
    // Of the first client; nothing: none can come any more, and the program runs without.
    UniqueFd accept(UniqueFd listener);
    void serve();
    void receive();
    // Ends the connection of a client that takes nothing.
    void send(std::string_view bytes) override;
    // Waits for bytes, an end, or a stop. False: the server is to end.
    struct News {
        std::string bytes;
        bool closed = false;
        bool quit = false;
    };
    News wait() WEFT_EXCLUDES(mutex_);

    const DebugAddress address_;
    Process& process_;
    UserTarget& target_;
    StopControl& stops_;
    UniqueFd client_;  // made before the receiver, closed behind its end
    // Below StopControl::mutex_; takes nothing.
    Mutex mutex_;
    CondVar changed_;
    std::optional<Result<>> started_ WEFT_GUARDED_BY(mutex_);
    std::string received_ WEFT_GUARDED_BY(mutex_);
    bool closed_ WEFT_GUARDED_BY(mutex_) = false;  // the client is gone
    bool woken_ WEFT_GUARDED_BY(mutex_) = false;
    bool quit_ WEFT_GUARDED_BY(mutex_) = false;
    weft::Thread thread_;
};

}  // namespace weft::user
