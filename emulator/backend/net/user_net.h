// A network of the user's, without any rights: libslirp, which is the guest's router, DHCP, DNS and TFTP server, and makes of the
// guest's connections those of this process.
//
// A thread of its own does all of it (see net_backend.h): it carries frames between card and libslirp, and waits for sockets. What
// libslirp sends and the guest has no buffers for is kept, up to kHeldBytes, and dropped beyond; from half of that on sockets are not
// read, so that who sends to the guest is held up instead.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/mutex.h"
#include "emulator/backend/net/threaded_net.h"
#include "emulator/backend/net/user_net_config.h"

namespace weft::backend {

// libslirp keeps the time and the host's name servers in variables that all its networks share: held around its functions.
struct SlirpLibrary {
    Mutex mutex;  // a leaf
};

class UserNet final : public ThreadedNet {
  public:
    static constexpr size_t kMaxFrame = 65535 + 14;
    static constexpr size_t kHeldBytes = size_t{1} << 20;

    // Binds what is to be forwarded, as the user wrote it, and nothing else.
    static Result<std::unique_ptr<UserNet>> create(const UserNetConfig& config,
                                                   std::shared_ptr<SlirpLibrary> library);
    // Ends all connections.
    ~UserNet() override;

    // NetBackend
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
    void serve_once() override;

    const std::shared_ptr<SlirpLibrary> library_;
    // The thread's.
    std::unique_ptr<Stack> stack_;
    std::unique_ptr<Waiting> waiting_;
};

}  // namespace weft::backend
