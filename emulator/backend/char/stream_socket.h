// Sockets that serial lines are on: opening them.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"

namespace weft::backend {

struct SocketChoice {
    std::string path = {};  // of a unix socket; empty: TCP
    std::string host = {};  // empty: this host only
    std::string port = {};
    std::optional<int> fd = {};  // instead of all these: an open socket, a server's listens already
    bool server = false;
    bool wait = false;    // a server's machine waits for its first client
    bool telnet = false;  // RFC 854, in character mode: ECHO and SUPPRESS-GO-AHEAD are ours
};

// Connects, or listens, or takes what was opened already: once, for the descriptor is the result's. Until it has, signals that the program has blocked, to read them in its loop, have their effect: the loop
// does not run yet.
Result<UniqueFd> open_stream_socket(const SocketChoice& choice);
// Blocks until somebody comes to a listening socket; signals as before.
void await_client(int listener);

}  // namespace weft::backend
