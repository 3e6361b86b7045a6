#include "emulator/control/gdb/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace weft::control::gdb {

namespace {

const char* watch_name(WatchKind kind) {
    return kind == WatchKind::write ? "watch" : kind == WatchKind::read ? "rwatch" : "awatch";
}

}  // namespace

// Sections "Packets", "General Query Packets", "vCont", "Host I/O Packets". Of names that begin alike the longer one comes first.
constexpr Session::Command Session::kCommands[] = {
    {"?", true, &Session::why_stopped},
    {"g", true, &Session::read_registers},
    {"G", false, &Session::write_registers},
    {"p", false, &Session::read_register},
    {"P", false, &Session::write_register},
    {"m", false, &Session::read_memory},
    {"M", false, &Session::write_memory},
    {"X", false, &Session::write_binary},
    {"Z0,", false, &Session::insert_breakpoint},
    {"z0,", false, &Session::remove_breakpoint},
    {"Z1,", false, &Session::insert_hardware_breakpoint},
    {"z1,", false, &Session::remove_hardware_breakpoint},
    {"Z2,", false, &Session::insert_watchpoint<WatchKind::write>},
    {"z2,", false, &Session::remove_watchpoint<WatchKind::write>},
    {"Z3,", false, &Session::insert_watchpoint<WatchKind::read>},
    {"z3,", false, &Session::remove_watchpoint<WatchKind::read>},
    {"Z4,", false, &Session::insert_watchpoint<WatchKind::access>},
    {"z4,", false, &Session::remove_watchpoint<WatchKind::access>},
    {"c", false, &Session::go},
    {"C", false, &Session::go_with_signal},
    {"s", false, &Session::step},
    {"S", false, &Session::step_with_signal},
    {"H", false, &Session::set_thread},
    {"T", false, &Session::thread_alive},
    {"D", false, &Session::detach},
    {"k", true, &Session::kill},
    {"vCont?", true, &Session::actions_there_are},
    {"vCont;", false, &Session::act},
    {"vKill;", false, &Session::kill_process},
    {"vAttach;", false, &Session::attach},
    {"vFile:setfs:", false, &Session::file_root},
    {"vFile:open:", false, &Session::file_open},
    {"vFile:pread:", false, &Session::file_read},
    {"vFile:fstat:", false, &Session::file_status},
    {"vFile:close:", false, &Session::file_close},
    {"vFile:readlink:", false, &Session::file_link},
    {"qSupported", false, &Session::supported},
    {"qXfer:", false, &Session::transfer},
    {"qfThreadInfo", true, &Session::first_threads},
    {"qsThreadInfo", true, &Session::more_threads},
    {"qThreadExtraInfo,", false, &Session::thread_name},
    {"qC", true, &Session::current_thread},
    {"qAttached", false, &Session::attached},
    {"qRcmd,", false, &Session::monitor_command},
    {"qSymbol::", true, &Session::accept},
    {"QStartNoAckMode", true, &Session::start_no_ack},
    {"QPassSignals:", false, &Session::pass_signals},
};

void Session::receive(std::span<const uint8_t> bytes) {
    for (const uint8_t byte : bytes) {
        if (over_) {
            return;
        }
        switch (reader_.feed(byte)) {
            case PacketReader::Event::none:
            case PacketReader::Event::ack:
                break;
            case PacketReader::Event::packet:
                if (acknowledges_) {
                    output_.send("+");
                }
                take(reader_.packet());
                break;
            case PacketReader::Event::damaged:
                if (acknowledges_) {
                    output_.send("-");
                }
                break;
            case PacketReader::Event::resend:
                if (acknowledges_ && !sent_.empty()) {
                    output_.send(sent_);
                }
                break;
            case PacketReader::Event::interrupt:
                if (running_) {
                    target_.interrupt();
                }
                break;
        }
    }
}

void Session::take(const std::string& packet) {
    const std::string_view text = packet;
    for (const Command& command : kCommands) {
        if (command.exact ? text == command.name : text.starts_with(command.name)) {
            // In all-stop mode a client waits for the stop.
            const Reply reply =
                running_ ? Reply(kBusy) : (this->*command.run)(text.substr(command.name.size()));
            if (reply) {
                send(*reply);
            }
            return;
        }
    }
    send(running_ ? "" : target_.other_packet(text).value_or(""));
}

void Session::send(std::string_view payload) {
    sent_ = framed(payload);
    output_.send(sent_);
}

void Session::stopped(const Stop& stop) {
    if (over_) {
        return;
    }
    running_ = false;
    // What the client looks at from now on is what stopped.
    general_ = {};
    send(stop_text(stop));
}

std::string Session::id_text(uint64_t thread) {
    const std::string number = to_hex_number(thread);
    return multiprocess_ ? fmt::format("p{}.{}", to_hex_number(target_.process()), number) : number;
}

std::string Session::stop_text(const Stop& stop) {
    const auto two_digits = [](int number) { return to_hex(std::string(1, static_cast<char>(number))); };
    const std::string process =
        multiprocess_ ? fmt::format(";process:{}", to_hex_number(target_.process())) : "";
    switch (stop.kind) {
        case Stop::Kind::signal:
            return fmt::format("T{}thread:{};{}{}", two_digits(stop.signal), id_text(stop.thread),
                               stop.breakpoint && knows_breakpoints_ ? "swbreak:;" : "",
                               stop.watch ? fmt::format("{}:{};", watch_name(*stop.watch),
                                                        to_hex_number(stop.watched_address))
                                          : "");
        case Stop::Kind::exited:
            return fmt::format("W{}{}", two_digits(stop.status), process);
        case Stop::Kind::killed:
            return fmt::format("X{}{}", two_digits(stop.signal), process);
        case Stop::Kind::no_resumed:
            // A client that knows nothing of it sees a stop of the first of those that are left.
            return knows_no_resumed_
                       ? "N"
                       : stop_text({.thread = target_.threads().empty() ? 0 : target_.threads().front(),
                                    .signal = 0});
    }
    return {};
}

// ---- threads ----

// "thread-id syntax": TID, or pPID.TID, or pPID for all of a process.
std::optional<Session::ThreadId> Session::read_thread_id(std::string_view text) const {
    const auto part = [](std::string_view digits) -> std::optional<int64_t> {
        if (digits == "-1") {
            return -1;
        }
        const auto number = hex_number(digits);
        const bool fits = number && *number <= uint64_t{std::numeric_limits<int64_t>::max()};
        return fits ? std::optional(static_cast<int64_t>(*number)) : std::nullopt;
    };
    ThreadId id;
    std::optional<int64_t> thread;
    if (text.starts_with('p')) {
        text.remove_prefix(1);
        const bool has_thread = text.find('.') != std::string_view::npos;
        const auto process = part(take_until(text, '.'));
        if (!process) {
            return std::nullopt;
        }
        id.process = *process;
        thread = has_thread ? part(text) : std::optional<int64_t>(-1);
    } else {
        thread = part(text);
    }
    if (!thread) {
        return std::nullopt;
    }
    id.thread = *thread;
    return id;
}

bool Session::has_thread(uint64_t thread) { return std::ranges::count(target_.threads(), thread) != 0; }

std::optional<uint64_t> Session::pick(const ThreadId& id) {
    if (id.process > 0 && static_cast<uint64_t>(id.process) != target_.process()) {
        return std::nullopt;
    }
    if (id.thread > 0) {
        const auto thread = static_cast<uint64_t>(id.thread);
        return has_thread(thread) ? std::optional(thread) : std::nullopt;
    }
    const uint64_t latest = target_.stop().thread;
    if (has_thread(latest)) {
        return latest;
    }
    const std::vector<uint64_t> all = target_.threads();
    return all.empty() ? std::nullopt : std::optional(all.front());
}

std::optional<uint64_t> Session::general_thread() { return pick(general_); }

Session::Reply Session::set_thread(std::string_view arguments) {
    if (arguments.empty()) {
        return std::string(kBadArguments);
    }
    const char operation = arguments.front();
    const auto id = read_thread_id(arguments.substr(1));
    if ((operation != 'g' && operation != 'c') || !id) {
        return std::string(kBadArguments);
    }
    if (!pick(*id)) {
        return std::string(kNoSuchThread);
    }
    (operation == 'g' ? general_ : continue_) = *id;
    return std::string(kOk);
}

Session::Reply Session::thread_alive(std::string_view arguments) {
    const auto id = read_thread_id(arguments);
    return std::string(id && id->thread > 0 && pick(*id) ? kOk : kNoSuchThread);
}

Session::Reply Session::current_thread(std::string_view) {
    const auto thread = general_thread();
    return thread ? fmt::format("QC{}", id_text(*thread)) : std::string(kNoSuchThread);
}

Session::Reply Session::first_threads(std::string_view) {
    listed_ = 0;
    return more_threads({});
}

// As many as fit, from the first that was not listed yet.
Session::Reply Session::more_threads(std::string_view) {
    const std::vector<uint64_t> all = target_.threads();
    std::string reply;
    for (; listed_ < all.size(); ++listed_) {
        const std::string id = id_text(all[listed_]);
        if (reply.size() + id.size() + 1 > kMostPacket) {
            break;
        }
        reply += (reply.empty() ? "m" : ",") + id;
    }
    return reply.empty() ? "l" : reply;
}

Session::Reply Session::thread_name(std::string_view arguments) {
    const auto id = read_thread_id(arguments);
    const auto thread = id && id->thread > 0 ? pick(*id) : std::nullopt;
    return thread ? to_hex(target_.name(*thread)) : std::string(kNoSuchThread);
}

// ---- the connection ----

// "qSupported": features are separated by semicolons.
Session::Reply Session::supported(std::string_view arguments) {
    if (arguments.starts_with(':')) {
        arguments.remove_prefix(1);
    }
    while (!arguments.empty()) {
        const std::string_view feature = take_until(arguments, ';');
        multiprocess_ = multiprocess_ || feature == "multiprocess+";
        knows_breakpoints_ = knows_breakpoints_ || feature == "swbreak+";
        knows_no_resumed_ = knows_no_resumed_ || feature == "no-resumed+";
    }
    std::string reply = fmt::format(
        "PacketSize={};QStartNoAckMode+;QPassSignals+;vContSupported+;multiprocess+;swbreak+;no-resumed+",
        to_hex_number(kMostPacket));
    for (const std::string_view object : target_.objects()) {
        reply += fmt::format(";qXfer:{}:read+", object);
    }
    return reply;
}

Session::Reply Session::start_no_ack(std::string_view) {
    acknowledges_ = false;
    return std::string(kOk);
}

Session::Reply Session::why_stopped(std::string_view) { return stop_text(target_.stop()); }

// "qAttached": a client that quits ends what weft started for it, which is 0.
Session::Reply Session::attached(std::string_view) { return target_.attached() ? "1" : "0"; }

// "vAttach;PID": it is that one already.
Session::Reply Session::attach(std::string_view arguments) {
    return hex_number(arguments) == target_.process() ? stop_text(target_.stop())
                                                      : std::string(kBadArguments);
}

// "qRcmd,COMMAND": what it says comes in parts, before the end.
Session::Reply Session::monitor_command(std::string_view arguments) {
    const auto command = from_hex(arguments);
    if (!command) {
        return std::string(kBadArguments);
    }
    const auto text = target_.command(*command);
    if (!text) {
        return std::string();
    }
    constexpr size_t kPart = kMostPacket / 2 - 1;
    for (size_t at = 0; at < text->size(); at += kPart) {
        send(fmt::format("O{}", to_hex(std::string_view(*text).substr(at, kPart))));
    }
    return std::string(kOk);
}

Session::Reply Session::accept(std::string_view) { return std::string(kOk); }

// "D" and "D;PID".
Session::Reply Session::detach(std::string_view arguments) {
    if (!arguments.empty() &&
        (arguments.front() != ';' || hex_number(arguments.substr(1)) != target_.process())) {
        return std::string(kBadArguments);
    }
    send(kOk);
    over_ = true;
    target_.detach();
    return std::nullopt;
}

Session::Reply Session::kill(std::string_view) {
    over_ = true;
    target_.kill();
    return std::nullopt;
}

Session::Reply Session::kill_process(std::string_view arguments) {
    if (hex_number(arguments) != target_.process()) {
        return std::string(kBadArguments);
    }
    send(kOk);
    return kill({});
}

}  // namespace weft::control::gdb
