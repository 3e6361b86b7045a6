// Registers, memory, breakpoints, objects.
#include <fmt/format.h>

#include <algorithm>

#include "emulator/control/gdb/session.h"

namespace weft::control::gdb {

namespace {

// As many bytes as fit into a reply, two digits each.
constexpr size_t kMostBytes = kMostPacket / 2;

struct Range {
    uint64_t start;
    uint64_t size;
};

// "ADDRESS,SIZE".
std::optional<Range> read_range(std::string_view text) {
    const auto start = hex_number(take_until(text, ','));
    const auto size = hex_number(text);
    return start && size ? std::optional(Range{*start, *size}) : std::nullopt;
}

}  // namespace

// ---- registers ----

Session::Reply Session::read_registers(std::string_view) {
    const auto thread = general_thread();
    if (!thread) {
        return std::string(kNoSuchThread);
    }
    std::string bytes;
    for (unsigned number = 0; number < target_.general_register_count(); ++number) {
        bytes += target_.read_register(*thread, number);
    }
    return to_hex(bytes);
}

Session::Reply Session::write_registers(std::string_view arguments) {
    const auto thread = general_thread();
    const auto bytes = from_hex(arguments);
    if (!thread || !bytes) {
        return std::string(thread ? kBadArguments : kNoSuchThread);
    }
    size_t size = 0;
    for (unsigned number = 0; number < target_.general_register_count(); ++number) {
        size += target_.read_register(*thread, number).size();
    }
    if (bytes->size() != size) {
        return std::string(kBadArguments);
    }
    std::string_view rest = *bytes;
    for (unsigned number = 0; number < target_.general_register_count(); ++number) {
        const size_t length = target_.read_register(*thread, number).size();
        // Those that cannot be set keep what they have.
        (void)target_.write_register(*thread, number, rest.substr(0, length));
        rest.remove_prefix(length);
    }
    return std::string(kOk);
}

Session::Reply Session::read_register(std::string_view arguments) {
    const auto thread = general_thread();
    const auto number = hex_number(arguments);
    if (!thread || !number || *number >= target_.register_count()) {
        return std::string(thread ? kBadArguments : kNoSuchThread);
    }
    const std::string bytes = target_.read_register(*thread, static_cast<unsigned>(*number));
    return bytes.empty() ? std::string(kBadArguments) : to_hex(bytes);
}

Session::Reply Session::write_register(std::string_view arguments) {
    const auto thread = general_thread();
    const auto number = hex_number(take_until(arguments, '='));
    const auto bytes = from_hex(arguments);
    if (!thread || !number || !bytes || *number >= target_.register_count()) {
        return std::string(thread ? kBadArguments : kNoSuchThread);
    }
    const bool done = target_.write_register(*thread, static_cast<unsigned>(*number), *bytes);
    return std::string(done ? kOk : kBadArguments);
}

// ---- memory ----

void Session::look_at_general_thread() {
    if (const auto thread = general_thread()) {
        target_.look_at(*thread);
    }
}

Session::Reply Session::read_memory(std::string_view arguments) {
    const auto range = read_range(arguments);
    if (!range) {
        return std::string(kBadArguments);
    }
    look_at_general_thread();
    // "The reply may contain fewer addressable memory units than requested".
    const size_t size = std::min<uint64_t>(range->size, kMostBytes);
    const std::string bytes = target_.read_memory(range->start, size);
    return bytes.empty() && size != 0 ? std::string(kBadAddress) : to_hex(bytes);
}

Session::Reply Session::write_memory(std::string_view arguments) {
    const auto range = read_range(take_until(arguments, ':'));
    const auto bytes = from_hex(arguments);
    if (!range || !bytes || bytes->size() != range->size) {
        return std::string(kBadArguments);
    }
    look_at_general_thread();
    return std::string(target_.write_memory(range->start, *bytes) ? kOk : kBadAddress);
}

// With no bytes it asks whether there is the command.
Session::Reply Session::write_binary(std::string_view arguments) {
    const auto range = read_range(take_until(arguments, ':'));
    if (!range || arguments.size() != range->size) {
        return std::string(kBadArguments);
    }
    look_at_general_thread();
    const bool done = arguments.empty() || target_.write_memory(range->start, arguments);
    return std::string(done ? kOk : kBadAddress);
}

// ---- breakpoints ----

// "ADDRESS,KIND"; conditions and commands, which are not announced, are not looked for.
Session::Reply Session::insert_breakpoint(std::string_view arguments) {
    const auto place = read_range(arguments);
    if (!place) {
        return std::string(kBadArguments);
    }
    return std::string(target_.insert_breakpoint(place->start, place->size) ? kOk : kBadArguments);
}

Session::Reply Session::remove_breakpoint(std::string_view arguments) {
    const auto place = read_range(arguments);
    if (!place) {
        return std::string(kBadArguments);
    }
    return std::string(target_.remove_breakpoint(place->start, place->size) ? kOk : kBadArguments);
}

namespace {

// "": there is no such kind.
std::string answer(std::optional<bool> done) { return std::string(!done ? "" : *done ? kOk : kBadArguments); }

}  // namespace

Session::Reply Session::insert_hardware_breakpoint(std::string_view arguments) {
    const auto place = read_range(arguments);
    return place ? answer(target_.insert_hardware_breakpoint(place->start, place->size))
                 : std::string(kBadArguments);
}

Session::Reply Session::remove_hardware_breakpoint(std::string_view arguments) {
    const auto place = read_range(arguments);
    return place ? answer(target_.remove_hardware_breakpoint(place->start, place->size))
                 : std::string(kBadArguments);
}

template <WatchKind kKind>
Session::Reply Session::insert_watchpoint(std::string_view arguments) {
    const auto place = read_range(arguments);
    return place ? answer(target_.insert_watchpoint(kKind, place->start, place->size))
                 : std::string(kBadArguments);
}

template <WatchKind kKind>
Session::Reply Session::remove_watchpoint(std::string_view arguments) {
    const auto place = read_range(arguments);
    return place ? answer(target_.remove_watchpoint(kKind, place->start, place->size))
                 : std::string(kBadArguments);
}

template Session::Reply Session::insert_watchpoint<WatchKind::write>(std::string_view);
template Session::Reply Session::insert_watchpoint<WatchKind::read>(std::string_view);
template Session::Reply Session::insert_watchpoint<WatchKind::access>(std::string_view);
template Session::Reply Session::remove_watchpoint<WatchKind::write>(std::string_view);
template Session::Reply Session::remove_watchpoint<WatchKind::read>(std::string_view);
template Session::Reply Session::remove_watchpoint<WatchKind::access>(std::string_view);

// ---- objects ----

// "qXfer:OBJECT:read:ANNEX:OFFSET,LENGTH"
Session::Reply Session::transfer(std::string_view arguments) {
    const std::string_view name = take_until(arguments, ':');
    if (std::ranges::count(target_.objects(), name) == 0 || take_until(arguments, ':') != "read") {
        return std::string();  // "An empty reply indicates the object string was not recognized by the stub"
    }
    const std::string_view annex = take_until(arguments, ':');
    const auto range = read_range(arguments);
    const auto thread = general_thread();
    if (!range || !thread) {
        return std::string(kBadArguments);
    }
    const auto object = target_.object(name, annex, *thread);
    if (!object) {
        return "E00";  // "the request was malformed, or annex was invalid"
    }
    if (range->start >= object->size()) {
        return "l";
    }
    // Each byte may become two.
    const size_t size = std::min<uint64_t>(range->size, kMostBytes - 1);
    const bool last = object->size() - range->start <= size;
    return fmt::format("{}{}", last ? 'l' : 'm', std::string_view(*object).substr(range->start, size));
}

}  // namespace weft::control::gdb
