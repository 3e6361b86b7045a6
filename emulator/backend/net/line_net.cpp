#include "emulator/backend/net/line_net.h"

#include <utility>

#include "emulator/backend/net/net_socket.h"

namespace weft::backend {

Result<std::unique_ptr<FrameLine>> open_line(const LineNetConfig& config) {
    if (config.local.kind == NetAddress::Kind::descriptor &&
        config.remote.kind == NetAddress::Kind::descriptor) {
        const Result<int> type = socket_type(config.local.descriptor);
        if (!type) {
            return std::unexpected(type.error());
        }
        return *type == SOCK_STREAM ? open_stream_line(config) : open_datagram_line(config);
    }
    switch (config.kind) {
        case LineNetConfig::Kind::stream:
            return open_stream_line(config);
        case LineNetConfig::Kind::datagram:
            return open_datagram_line(config);
        case LineNetConfig::Kind::tap:
            return open_tap_line(config);
    }
    return fail("there is no such line");
}

Result<std::unique_ptr<LineNet>> LineNet::create(const LineNetConfig& config) {
    Result<std::unique_ptr<FrameLine>> line = open_line(config);
    if (!line) {
        return std::unexpected(line.error());
    }
    std::unique_ptr<LineNet> net(new LineNet(std::move(*line)));
    Result<> started = net->prepare();
    started = started ? net->start() : started;
    return started ? Result<std::unique_ptr<LineNet>>(std::move(net)) : std::unexpected(started.error());
}

void LineNet::serve_once() {
    line_->receive(to_guest_);
    bool more = take_from_card();
    line_->send(from_guest_);
    give_to_card();
    // With frames that the line does not take yet, the card's wait with the guest.
    more = more && from_guest_.has_room(kMaxSent);

    descriptors_.clear();
    descriptors_.push_back({event_fd(), POLLIN, 0});
    const int timeout = line_->wait_for(descriptors_, to_guest_.has_room(FrameLine::kMaxFrame));
    poll(descriptors_.data(), descriptors_.size(), more ? 0 : timeout);
    woken();
}

}  // namespace weft::backend
