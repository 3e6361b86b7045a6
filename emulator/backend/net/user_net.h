// A network of the user's, without any rights: libslirp, which is the guest's router, DHCP, DNS and TFTP server, and makes of the
// guest's connections those of this process.
//
// A thread of its own does all of it (see net_backend.h): it carries frames between card and libslirp, and waits for sockets. What
// libslirp sends and the guest has no buffers for is kept, up to kHeldBytes, and dropped beyond; from half of that on sockets are not
// read, so that who sends to the guest is held up instead.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/event_fd.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "emulator/backend/net/net_backend.h"
#include "emulator/backend/net/user_net_config.h"

namespace weft::backend {

// libslirp keeps the time and the host's name servers in variables that all its networks share: held around its functions.
struct SlirpLibrary {
    Mutex mutex;  // a leaf
};

class UserNet final : public NetBackend {
  public:
    static constexpr size_t kMaxFrame = 65535 + 14;
    static constexpr size_t kHeldBytes = size_t{1} << 20;

    // Binds what is to be forwarded, as the user wrote it, and nothing else.
    static Result<std::unique_ptr<UserNet>> create(const UserNetConfig& config,
                                                   std::shared_ptr<SlirpLibrary> library);
    // Ends all connections.
    ~UserNet() override;
    UserNet(const UserNet&) = delete;
    UserNet& operator=(const UserNet&) = delete;

    // NetBackend
    void set_client(NetClient* client) override WEFT_EXCLUDES(client_mutex_);
    void set_running(bool running) override WEFT_EXCLUDES(client_mutex_);
    void wake() override;
    size_t max_frame() const override { return kMaxFrame; }
    bool large_tcp() const override { return true; }
    bool checksums_hold() const override { return true; }

    // Forwarded ports and connections, a table for people. Any thread.
    std::string describe();

  private:
    struct Stack;    // libslirp's, and what it is told
    struct Waiting;  // descriptors to wait for

    explicit UserNet(std::shared_ptr<SlirpLibrary> library);
    Result<> open(const UserNetConfig& config);
    void serve();
    void serve_once(Waiting& waiting);
    bool exchange() WEFT_EXCLUDES(client_mutex_);

    const std::shared_ptr<SlirpLibrary> library_;
    std::unique_ptr<EventFd> event_;
    // Set by whoever wakes the thread; cleared by it, before it looks. seq_cst: who finds it set knows that the thread will look.
    std::atomic<bool> woken_ = false;
    std::atomic<bool> leaving_ = false;  // seq_cst, before a wake()

    // Held while the client's functions run; their locks are taken within.
    Mutex client_mutex_;
    NetClient* client_ WEFT_GUARDED_BY(client_mutex_) = nullptr;
    bool running_ WEFT_GUARDED_BY(client_mutex_) = false;

    // The thread's.
    FrameQueue from_guest_, to_guest_;
    std::unique_ptr<Stack> stack_;
    Thread thread_;
};

}  // namespace weft::backend
