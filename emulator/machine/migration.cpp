#include "emulator/machine/migration.h"

#include <new>
#include <optional>
#include <utility>

namespace weft::machine {

namespace {

class ChannelSink final : public saved::Sink {
  public:
    explicit ChannelSink(backend::Channel& channel) : channel_(channel) {}
    Result<> write(std::span<const uint8_t> bytes) override { return channel_.write(bytes); }

  private:
    backend::Channel& channel_;
};

class ChannelSource final : public saved::Source {
  public:
    explicit ChannelSource(backend::Channel& channel) : channel_(channel) {}
    Result<size_t> read(std::span<uint8_t> bytes) override { return channel_.read(bytes); }

  private:
    backend::Channel& channel_;
};

// What runs out of memory on the thread is an error of the transfer.
template <class T, class Body>
Result<T> or_out_of_memory(const Body& body) {
    try {
        return body();
    } catch (const std::bad_alloc&) {
        return fail("out of memory");
    }
}

}  // namespace

const char* status_name(MigrationInfo::Status status) {
    switch (status) {
        case MigrationInfo::Status::none:
            return "none";
        case MigrationInfo::Status::setup:
            return "setup";
        case MigrationInfo::Status::active:
            return "active";
        case MigrationInfo::Status::completed:
            return "completed";
        case MigrationInfo::Status::failed:
            return "failed";
        case MigrationInfo::Status::cancelled:
            return "cancelled";
    }
    return "";
}

Migration::Migration(MainLoop& loop, std::function<void(MigrationInfo::Status)> changed)
    : loop_(loop),
      changed_(std::move(changed)),
      finished_([](void* self) { static_cast<Migration*>(self)->finish(); }, this) {}

Migration::~Migration() { abandon(); }

void Migration::abandon() {
    cancel();
    thread_.join();
    loop_.cancel(finished_);
}

void Migration::set_status(MigrationInfo::Status status) {
    info_.status = status;
    changed_(status);
}

Result<> Migration::start(const char* thread_name, std::unique_ptr<backend::Channel> channel) {
    progress_.bytes = 0;
    progress_.memory_done = 0;
    progress_.cancelled = false;
    channel_ = std::move(channel);
    began_ns_ = monotonic_ns();
    Result<Thread> thread = Thread::start(thread_name, [this] {
        transfer_();
        loop_.post(finished_);
    });
    if (!thread) {
        channel_.reset();
        return std::unexpected(thread.error());
    }
    thread_ = std::move(*thread);
    return {};
}

Result<> Migration::send(std::unique_ptr<backend::Channel> channel, Sent what,
                         std::function<void(const Result<>&)> ended) {
    const auto sent = std::make_shared<Sent>(std::move(what));
    const auto result = std::make_shared<Result<>>();
    backend::Channel* const to = channel.get();
    transfer_ = [this, sent, result, to] {
        *result = or_out_of_memory<void>([&]() -> Result<> {
            ChannelSink sink(*to);
            Result<> done = write_machine(sink, sent->facts, sent->parts, sent->memory, progress_);
            return done ? to->finish() : done;
        });
    };
    ended_ = [result, ended = std::move(ended)] {
        ended(*result);
        return *result;
    };
    info_ = {.incoming = false};
    for (const saved::Memory& memory : sent->memory) {
        info_.memory_bytes += memory.size;
    }
    if (Result<> started = start("weft-save", std::move(channel)); !started) {
        return started;
    }
    set_status(MigrationInfo::Status::active);
    return {};
}

Result<> Migration::receive(std::unique_ptr<backend::Channel> channel, saved::Expected expected,
                            std::function<Result<>(Result<saved::StagedMachine>)> ended) {
    const auto wanted = std::make_shared<saved::Expected>(std::move(expected));
    const auto result = std::make_shared<std::optional<Result<saved::StagedMachine>>>();
    backend::Channel* const from = channel.get();
    transfer_ = [wanted, result, from] {
        *result = or_out_of_memory<saved::StagedMachine>([&] {
            ChannelSource source(*from);
            return read_machine(source, *wanted);
        });
    };
    ended_ = [result, ended = std::move(ended)] { return ended(std::move(**result)); };
    info_ = {.incoming = true};
    if (Result<> started = start("weft-load", std::move(channel)); !started) {
        return started;
    }
    set_status(MigrationInfo::Status::setup);
    return {};
}

// The thread has done all but post this, or has posted it.
void Migration::finish() {
    thread_.join();
    loop_.cancel(finished_);
    channel_.reset();
    info_ = info();
    transfer_ = nullptr;
    const Result<> result = std::exchange(ended_, nullptr)();
    info_.error = result ? "" : result.error().message();
    set_status(result                       ? MigrationInfo::Status::completed
               : progress_.cancelled.load() ? MigrationInfo::Status::cancelled
                                            : MigrationInfo::Status::failed);
}

void Migration::cancel() {
    if (under_way()) {
        progress_.cancelled = true;
        channel_->cancel();
    }
}

MigrationInfo Migration::info() const {
    MigrationInfo info = info_;
    info.bytes = progress_.bytes;
    info.memory_done = progress_.memory_done;
    if (info.status == MigrationInfo::Status::setup || info.status == MigrationInfo::Status::active) {
        info.total_ns = monotonic_ns() - began_ns_;
    }
    return info;
}

}  // namespace weft::machine
