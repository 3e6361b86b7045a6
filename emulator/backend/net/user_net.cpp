#include "emulator/backend/net/user_net.h"

#include <fmt/format.h>
#include <glib.h>
#include <libslirp.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/assert.h"
#include "base/text_values.h"

namespace weft::backend {

namespace {

// libslirp's own version of SlirpConfig, from 4.7 on.
constexpr uint32_t kConfigVersion = 4;

int64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

const char* or_none(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

}  // namespace

// The thread's, but while it is made and taken down. libslirp's functions are called with the library's lock held, and call back
// with it.
struct UserNet::Stack {
    struct Timer {
        SlirpTimerId id;
        void* opaque;
        int64_t due_ms = INT64_MAX;
    };

    UserNet& net;
    Slirp* slirp = nullptr;
    std::vector<std::unique_ptr<Timer>> timers;

    explicit Stack(UserNet& owner) : net(owner) {}
    ~Stack() {
        if (slirp != nullptr) {
            const MutexLock lock(net.library_->mutex);
            slirp_cleanup(slirp);
        }
    }
    Stack(const Stack&) = delete;
    Stack& operator=(const Stack&) = delete;

    void run_timers(int64_t now_ms) {
        // A timer may be set again, or freed, by what it does.
        for (size_t i = 0; i < timers.size(); ++i) {
            if (timers[i]->due_ms <= now_ms) {
                timers[i]->due_ms = INT64_MAX;
                slirp_handle_timer(slirp, timers[i]->id, timers[i]->opaque);
            }
        }
    }
    int64_t next_timer_ms() const {
        int64_t next = INT64_MAX;
        for (const auto& timer : timers) {
            next = std::min(next, timer->due_ms);
        }
        return next;
    }

    static ssize_t send_packet(const void* data, size_t size, void* opaque) {
        FrameQueue& queue = static_cast<Stack*>(opaque)->net.to_guest_;
        if (queue.has_room(size)) {
            std::memcpy(queue.add(size).data(), data, size);
        }
        return static_cast<ssize_t>(size);
    }
    static void* timer_new(SlirpTimerId id, void* timer_opaque, void* opaque) {
        auto& timers = static_cast<Stack*>(opaque)->timers;
        timers.push_back(std::make_unique<Timer>(Timer{.id = id, .opaque = timer_opaque}));
        return timers.back().get();
    }
    static void timer_free(void* timer, void* opaque) {
        std::erase_if(static_cast<Stack*>(opaque)->timers,
                      [&](const auto& one) { return one.get() == timer; });
    }
    static void notify(void* opaque) { static_cast<Stack*>(opaque)->net.wake(); }
    static void timer_mod(void* timer, int64_t due_ms, void*) { static_cast<Timer*>(timer)->due_ms = due_ms; }

    static constexpr SlirpCb kCallbacks = {
        .send_packet = send_packet,
        .guest_error = [](const char*, void*) {},
        .clock_get_ns = [](void*) { return now_ns(); },
        .timer_new = nullptr,
        .timer_free = timer_free,
        .timer_mod = timer_mod,
        .register_poll_fd = [](int, void*) {},
        .unregister_poll_fd = [](int, void*) {},
        .notify = notify,
        .init_completed = nullptr,
        .timer_new_opaque = timer_new,
    };
};

struct UserNet::Waiting {
    std::vector<pollfd> descriptors;

    static int add(int fd, int events, void* opaque) {
        auto& descriptors = static_cast<Waiting*>(opaque)->descriptors;
        int wanted = 0;
        wanted |= (events & SLIRP_POLL_IN) != 0 ? POLLIN : 0;
        wanted |= (events & SLIRP_POLL_OUT) != 0 ? POLLOUT : 0;
        wanted |= (events & SLIRP_POLL_PRI) != 0 ? POLLPRI : 0;
        descriptors.push_back({fd, static_cast<short>(wanted), 0});
        return static_cast<int>(descriptors.size() - 1);
    }
    static int result(int index, void* opaque) {
        const int events = static_cast<Waiting*>(opaque)->descriptors[static_cast<size_t>(index)].revents;
        int found = 0;
        found |= (events & POLLIN) != 0 ? SLIRP_POLL_IN : 0;
        found |= (events & POLLOUT) != 0 ? SLIRP_POLL_OUT : 0;
        found |= (events & POLLPRI) != 0 ? SLIRP_POLL_PRI : 0;
        found |= (events & (POLLERR | POLLNVAL)) != 0 ? SLIRP_POLL_ERR : 0;
        found |= (events & POLLHUP) != 0 ? SLIRP_POLL_HUP : 0;
        return found;
    }
};

Result<std::unique_ptr<UserNet>> UserNet::create(const UserNetConfig& config,
                                                 std::shared_ptr<SlirpLibrary> library) {
    std::unique_ptr<UserNet> net(new UserNet(std::move(library)));
    if (Result<> opened = net->open(config); !opened) {
        return std::unexpected(opened.error());
    }
    return net;
}

UserNet::UserNet(std::shared_ptr<SlirpLibrary> library)
    : ThreadedNet(4 * kMaxFrame, kHeldBytes), library_(std::move(library)) {}

UserNet::~UserNet() { stop(); }

Result<> UserNet::open(const UserNetConfig& config) {
    if (Result<> prepared = prepare(); !prepared) {
        return prepared;
    }
    stack_ = std::make_unique<Stack>(*this);
    waiting_ = std::make_unique<Waiting>();

    std::vector<const char*> search;
    for (const std::string& domain : config.dns_search) {
        search.push_back(domain.c_str());
    }
    search.push_back(nullptr);
    SlirpConfig slirp{};
    slirp.version = kConfigVersion;
    slirp.restricted = config.restricted ? 1 : 0;
    slirp.in_enabled = config.ipv4;
    slirp.vnetwork = config.network;
    slirp.vnetmask = config.mask;
    slirp.vhost = config.host;
    slirp.in6_enabled = config.ipv6;
    slirp.vprefix_addr6 = config.network6;
    slirp.vprefix_len = static_cast<uint8_t>(config.prefix6);
    slirp.vhost6 = config.host6;
    slirp.vhostname = or_none(config.hostname);
    slirp.tftp_server_name = or_none(config.tftp_server);
    slirp.tftp_path = or_none(config.tftp);
    slirp.bootfile = or_none(config.bootfile);
    slirp.vdhcp_start = config.dhcp_start;
    slirp.vnameserver = config.dns;
    slirp.vnameserver6 = config.dns6;
    slirp.vdnssearch = config.dns_search.empty() ? nullptr : search.data();
    slirp.vdomainname = or_none(config.domain);
    {
        const MutexLock lock(library_->mutex);
        stack_->slirp = slirp_new(&slirp, &Stack::kCallbacks, stack_.get());
        if (stack_->slirp == nullptr) {
            return fail("libslirp cannot make this network");
        }
        for (const UserNetConfig::HostForward& forward : config.host_forwards) {
            errno = 0;
            if (slirp_add_hostfwd(stack_->slirp, forward.udp ? 1 : 0, forward.host,
                                  static_cast<int>(forward.host_port), forward.guest,
                                  static_cast<int>(forward.guest_port)) != 0) {
                return fail_errno(fmt::format("cannot forward {}", in_quotes(forward.text)),
                                  errno != 0 ? errno : EADDRINUSE);
            }
        }
        for (const UserNetConfig::GuestForward& forward : config.guest_forwards) {
            in_addr address = forward.address;
            const auto add = forward.unix_socket ? slirp_add_unix : slirp_add_exec;
            if (add(stack_->slirp, forward.target.c_str(), &address, static_cast<int>(forward.port)) != 0) {
                return fail(fmt::format("cannot forward {}: the address is not in the network, or spoken for",
                                        in_quotes(forward.text)));
            }
        }
    }
    return start();
}

std::string UserNet::describe() {
    const MutexLock lock(library_->mutex);
    char* text = slirp_connection_info(stack_->slirp);
    std::string result = text;
    g_free(text);
    return result;
}

void UserNet::serve_once() {
    const bool more = take_from_card();
    if (!from_guest_.empty()) {
        const MutexLock lock(library_->mutex);
        for (; !from_guest_.empty(); from_guest_.drop_first()) {
            const std::span<const uint8_t> frame = from_guest_.first();
            slirp_input(stack_->slirp, frame.data(), static_cast<int>(frame.size()));
        }
    }
    give_to_card();

    Waiting& waiting = *waiting_;
    waiting.descriptors.clear();
    waiting.descriptors.push_back({event_fd(), POLLIN, 0});
    const bool reads_sockets = to_guest_.bytes() < kHeldBytes / 2;
    uint32_t timeout_ms = UINT32_MAX;
    if (reads_sockets) {
        const MutexLock lock(library_->mutex);
        slirp_pollfds_fill(stack_->slirp, &timeout_ms, Waiting::add, &waiting);
        const int64_t timer = stack_->next_timer_ms();
        if (timer != INT64_MAX) {
            timeout_ms = static_cast<uint32_t>(
                std::clamp<int64_t>(timer - now_ns() / 1'000'000, 0, std::min<uint32_t>(timeout_ms, 1000)));
        }
    }
    const int timeout = more ? 0 : timeout_ms > INT32_MAX ? -1 : static_cast<int>(timeout_ms);
    const int ready = poll(waiting.descriptors.data(), waiting.descriptors.size(), timeout);
    woken();
    if (reads_sockets) {
        const MutexLock lock(library_->mutex);
        stack_->run_timers(now_ns() / 1'000'000);
        slirp_pollfds_poll(stack_->slirp, ready < 0 ? 1 : 0, Waiting::result, &waiting);
    }
}

}  // namespace weft::backend
