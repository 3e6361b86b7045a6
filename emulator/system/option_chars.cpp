// -serial, -monitor, -chardev, -mon, -qmp: the lines that the serial port, the monitor and QMP are on.
#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "emulator/system/option_values.h"

namespace weft::sys {

namespace {

using Kind = SerialChoice::Kind;

SerialChoice plain(Kind kind) {
    SerialChoice line;
    line.kind = kind;
    return line;
}

// "HOST:PORT" or "[HOST]:PORT".
bool split_address(const std::string& text, backend::SocketChoice& socket) {
    const size_t colon = text.rfind(':');
    if (colon == std::string::npos || colon + 1 == text.size()) {
        return false;
    }
    socket.host = text.substr(0, colon);
    socket.port = text.substr(colon + 1);
    if (socket.host.size() >= 2 && socket.host.front() == '[' && socket.host.back() == ']') {
        socket.host = socket.host.substr(1, socket.host.size() - 2);
    }
    return true;
}

// Keys that sockets have in both forms. True: it was one.
Result<bool> set_socket(backend::SocketChoice& socket, std::optional<bool>& wait, const KeyValue& item) {
    bool* const to = item.key == "server" ? &socket.server : item.key == "telnet" ? &socket.telnet : nullptr;
    const bool accepted = item.key == "nodelay" || item.key == "delay";
    if (item.key == "nowait") {
        wait = false;
        return true;
    }
    if (to == nullptr && !accepted && item.key != "wait") {
        return false;
    }
    const Result<bool> on = switch_of(item);
    if (!on) {
        return std::unexpected(on.error());
    }
    if (to != nullptr) {
        *to = *on;
    } else if (!accepted) {
        wait = *on;
    }
    return true;
}

// A server's machine waits for its client unless told not to.
Result<> settle_wait(backend::SocketChoice& socket, std::optional<bool> wait) {
    if (wait == true && !socket.server) {
        return fail("wait=on is a server's");
    }
    socket.wait = wait.value_or(socket.server);
    return {};
}

// "tcp:HOST:PORT,server,nowait" and its like.
Result<SerialChoice> parse_socket(const std::string& kind, const std::string& value) {
    SerialChoice line = plain(Kind::socket);
    const size_t comma = value.find(',');
    const std::string where = value.substr(0, comma);
    line.socket.telnet = kind == "telnet";
    if (kind == "unix") {
        line.socket.path = where;
    }
    if (kind == "unix" ? where.empty() : !split_address(where, line.socket)) {
        return fail(fmt::format("{} is not {}:{}", in_quotes(kind + ":" + where), kind,
                                kind == "unix" ? "PATH" : "HOST:PORT"));
    }
    std::optional<bool> wait;
    if (comma != std::string::npos) {
        const Result<KeyValueList> list = parse_key_values(std::string_view(value).substr(comma + 1), false);
        if (!list) {
            return std::unexpected(list.error());
        }
        for (const KeyValue& item : list->items) {
            const Result<bool> taken = set_socket(line.socket, wait, item);
            if (!taken) {
                return std::unexpected(taken.error());
            }
            if (!*taken) {
                return fail(fmt::format("unknown parameter {} (there are server, wait, nowait and telnet)",
                                        in_quotes(item.key)));
            }
        }
    }
    const Result<> settled = settle_wait(line.socket, wait);
    return settled ? Result<SerialChoice>(std::move(line)) : std::unexpected(settled.error());
}

SerialChoice share(SerialChoice line) {
    if (line.kind == Kind::stdio) {
        line.kind = Kind::mux_stdio;
    } else {
        line.shared = line.kind == Kind::pty || line.kind == Kind::socket;
    }
    return line;
}

// A line as -serial and -monitor write it. "chardev:ID" has only its id yet.
Result<SerialChoice> parse_line(const std::string& value) {
    const size_t colon = value.find(':');
    const std::string kind = value.substr(0, colon);
    const std::string rest = colon == std::string::npos ? std::string() : value.substr(colon + 1);
    if (value == "stdio") {
        return plain(Kind::stdio);
    }
    if (value == "pty") {
        return plain(Kind::pty);
    }
    if (value == "null" || value == "none") {
        return plain(Kind::null);
    }
    if (kind == "tcp" || kind == "telnet" || kind == "unix") {
        return parse_socket(kind, rest);
    }
    if (kind == "file" && !rest.empty()) {
        SerialChoice line = plain(Kind::file);
        line.path = rest;
        return line;
    }
    if (kind == "chardev" && !rest.empty()) {
        SerialChoice line = plain(Kind::null);
        line.id = rest;
        return line;
    }
    if (kind == "mon" && !rest.empty()) {
        Result<SerialChoice> line = parse_line(rest);
        return line ? Result<SerialChoice>(share(std::move(*line))) : line;
    }
    return fail(
        fmt::format("{} is none of stdio, file:PATH, pty, null, none, tcp:HOST:PORT, telnet:HOST:PORT, "
                    "unix:PATH, chardev:ID, mon:LINE",
                    in_quotes(value)));
}

Result<> add_qmp(RawOptions& raw, const std::string& value, bool pretty) {
    Result<SerialChoice> line = parse_line(value);
    if (!line) {
        return std::unexpected(line.error());
    }
    if (value != "none") {
        raw.qmp.push_back({std::move(*line), pretty});
    }
    return {};
}

Result<> set_chardev(SerialChoice& line, std::optional<bool>& wait, bool& mux, const std::string& kind,
                     const KeyValue& item) {
    if (item.key == "mux" || (item.key == "append" && line.kind == Kind::file) ||
        (item.key == "signal" && line.kind == Kind::stdio)) {
        const Result<bool> on = switch_of(item);
        if (!on) {
            return std::unexpected(on.error());
        }
        (item.key == "mux" ? mux : line.append) = *on;
        return {};
    }
    if (line.kind == Kind::socket) {
        const Result<bool> taken = set_socket(line.socket, wait, item);
        if (!taken || *taken) {
            return taken ? Result<>() : std::unexpected(taken.error());
        }
    }
    if (item.key == "fd" && line.kind == Kind::socket) {
        const std::optional<uint64_t> fd = parse_uint(item.value.value_or(""));
        if (!fd || *fd > INT_MAX) {
            return fail(fmt::format("fd is the number of an open socket, not {}",
                                    in_quotes(item.value.value_or(""))));
        }
        line.socket.fd = static_cast<int>(*fd);
        return {};
    }
    std::string* const to = item.key == "path" && line.kind == Kind::file     ? &line.path
                            : item.key == "path" && line.kind == Kind::socket ? &line.socket.path
                            : item.key == "host" && line.kind == Kind::socket ? &line.socket.host
                            : item.key == "port" && line.kind == Kind::socket ? &line.socket.port
                                                                              : nullptr;
    if (to == nullptr) {
        return fail(fmt::format("{} has no parameter {}", kind, in_quotes(item.key)));
    }
    const Result<std::string> text = value_of(item);
    if (!text) {
        return std::unexpected(text.error());
    }
    *to = *text;
    return {};
}

}  // namespace

bool on_stdio(const SerialChoice& line) { return line.kind == Kind::stdio || line.kind == Kind::mux_stdio; }

Result<> look_up_chardev(const RawOptions& raw, SerialChoice& line) {
    if (line.id.empty()) {
        return {};
    }
    const auto found = std::ranges::find(raw.chardevs, line.id, &SerialChoice::id);
    if (found == raw.chardevs.end()) {
        return fail(fmt::format("there is no chardev {}", in_quotes(line.id)));
    }
    line = *found;
    return {};
}

Result<> parse_serial(RawOptions& raw, const std::string& value) {
    Result<SerialChoice> line = parse_line(value);
    if (!line) {
        return std::unexpected(line.error());
    }
    if (raw.serial) {
        raw.further_serials.push_back(std::move(*line));
        return {};
    }
    raw.serial = std::move(*line);
    return {};
}

Result<> parse_monitor(RawOptions& raw, const std::string& value) {
    Result<SerialChoice> line = parse_line(value);
    if (!line) {
        return std::unexpected(line.error());
    }
    raw.monitor_line = std::move(*line);
    return {};
}

Result<> parse_mon(RawOptions& raw, const std::string& value) {
    const Result<KeyValueList> list = parse_key_values(value, true);
    if (!list) {
        return std::unexpected(list.error());
    }
    SerialChoice line = plain(Kind::null);
    line.id = list->head.value_or("");
    bool control = false;
    std::optional<bool> pretty;
    for (const KeyValue& item : list->items) {
        const std::string text = item.value.value_or("");
        if (item.key == "chardev") {
            line.id = text;
        } else if (item.key == "mode") {
            if (text != "control" && text != "readline") {
                return fail(fmt::format("mode={}: there are readline and control", text));
            }
            control = text == "control";
        } else if (item.key == "pretty") {
            const Result<bool> on = switch_of(item);
            if (!on) {
                return std::unexpected(on.error());
            }
            pretty = *on;
        } else if (item.key != "id") {
            return fail(fmt::format("unknown parameter {} (there are chardev, mode and pretty)",
                                    in_quotes(item.key)));
        }
    }
    if (line.id.empty()) {
        return fail("needs chardev=ID");
    }
    if (pretty && !control) {
        return fail("pretty is for mode=control");
    }
    if (control) {
        raw.qmp.push_back({std::move(line), pretty.value_or(false)});
    } else {
        raw.monitor_line = std::move(line);
    }
    return {};
}

Result<> parse_qmp(RawOptions& raw, const std::string& value) { return add_qmp(raw, value, false); }
Result<> parse_qmp_pretty(RawOptions& raw, const std::string& value) { return add_qmp(raw, value, true); }

// A debugger's line may come and go: of TCP, weft listens and does not wait, whatever else is said (as QEMU).
Result<> parse_gdb(RawOptions& raw, const std::string& value) {
    if (value == "none") {
        raw.gdb_line.reset();
        return {};
    }
    Result<SerialChoice> line = parse_line(value);
    if (!line) {
        return std::unexpected(line.error());
    }
    const bool named = line->kind == Kind::null && !line->id.empty();
    if (!named && line->kind != Kind::stdio && line->kind != Kind::pty && line->kind != Kind::socket) {
        return fail(
            fmt::format("{}: a debugger's line is none, tcp:HOST:PORT, unix:PATH, stdio, pty or chardev:ID",
                        in_quotes(value)));
    }
    if (line->kind == Kind::socket && line->socket.path.empty()) {
        line->socket.server = true;
        line->socket.wait = false;
    }
    if (line->shared) {
        return fail("a debugger shares its line with nobody");
    }
    raw.gdb_line = std::move(*line);
    return {};
}

Result<> parse_gdb_usual(RawOptions& raw, const std::string&) { return parse_gdb(raw, "tcp::1234"); }

Result<> parse_chardev(RawOptions& raw, const std::string& value) {
    const Result<KeyValueList> list = parse_key_values(value, true);
    if (!list) {
        return std::unexpected(list.error());
    }
    static constexpr struct {
        const char* name;
        Kind kind;
    } kKinds[] = {{"stdio", Kind::stdio},
                  {"null", Kind::null},
                  {"file", Kind::file},
                  {"pty", Kind::pty},
                  {"socket", Kind::socket}};
    const std::string kind = list->head.value_or("");
    const auto row = std::ranges::find_if(kKinds, [&](const auto& one) { return kind == one.name; });
    if (row == std::end(kKinds)) {
        return fail(
            fmt::format("unknown kind {} (there are stdio, null, file, pty and socket)", in_quotes(kind)));
    }
    SerialChoice line = plain(row->kind);
    std::optional<bool> wait;
    bool mux = false;
    for (const KeyValue& item : list->items) {
        if (item.key == "id") {
            line.id = item.value.value_or("");
        } else if (Result<> set = set_chardev(line, wait, mux, kind, item); !set) {
            return set;
        }
    }
    if (line.id.empty()) {
        return fail("a chardev must be named: id=ID");
    }
    if (std::ranges::find(raw.chardevs, line.id, &SerialChoice::id) != raw.chardevs.end()) {
        return fail(fmt::format("two chardevs have the id {}", in_quotes(line.id)));
    }
    if (line.kind == Kind::file && line.path.empty()) {
        return fail("a file needs path=PATH");
    }
    const bool named = !line.socket.path.empty() || !line.socket.port.empty();
    if (line.kind == Kind::socket && !named && !line.socket.fd) {
        return fail("a socket needs path=PATH, host= and port=, or fd=N");
    }
    if (line.socket.fd && named) {
        return fail("fd= says all: neither path= nor host= and port= go with it");
    }
    if (Result<> settled = settle_wait(line.socket, wait); line.kind == Kind::socket && !settled) {
        return settled;
    }
    raw.chardevs.push_back(mux ? share(std::move(line)) : std::move(line));
    return {};
}

namespace {

// Looks QMP's lines up, after those of the serial port and the monitor: each is on a line of its own.
Result<> choose_qmp(RawOptions& raw) {
    std::vector<std::string> used;
    for (const auto* line : {&raw.serial, &raw.monitor_line}) {
        if (*line && !(*line)->id.empty()) {
            used.push_back((*line)->id);
        }
    }
    bool on_terminal = false;
    for (QmpChoice& qmp : raw.qmp) {
        if (Result<> found = look_up_chardev(raw, qmp.line); !found) {
            return std::unexpected(found.error().within("-qmp"));
        }
        if (!qmp.line.id.empty()) {
            if (std::ranges::find(used, qmp.line.id) != used.end()) {
                return fail(fmt::format("-qmp: chardev {} is used already", in_quotes(qmp.line.id)));
            }
            used.push_back(qmp.line.id);
        }
        if (qmp.line.kind == Kind::mux_stdio || qmp.line.shared) {
            return fail("-qmp: its line cannot be shared");
        }
        if (qmp.line.kind == Kind::stdio && std::exchange(on_terminal, true)) {
            return fail("-qmp: stdio is asked for twice");
        }
    }
    const bool others = (raw.serial && on_stdio(*raw.serial)) ||
                        (raw.monitor_line && on_stdio(*raw.monitor_line)) || (raw.nographic && !raw.serial);
    if (on_terminal && others) {
        return fail("-qmp: stdio is the serial port's or the monitor's");
    }
    return {};
}

// Behind the serial port and the monitor.
Result<> choose_gdb_line(RawOptions& raw) {
    if (!raw.gdb_line) {
        return {};
    }
    const std::string id = raw.gdb_line->id;
    if (Result<> found = look_up_chardev(raw, *raw.gdb_line); !found) {
        return std::unexpected(found.error().within("-gdb"));
    }
    const Options& options = raw.options;
    const auto taken = [&id](const std::optional<SerialChoice>& line) {
        return line && !id.empty() && line->id == id;
    };
    if (raw.gdb_line->kind == Kind::mux_stdio || raw.gdb_line->shared || taken(options.serial) ||
        taken(options.monitor)) {
        return fail("-gdb: a debugger shares its line with nobody");
    }
    const bool terminal_taken = on_stdio(options.serial) || options.monitor_on_stdio || options.daemonize;
    if (raw.gdb_line->kind == Kind::stdio && terminal_taken) {
        return fail(
            "-gdb stdio: the serial port or the monitor has the terminal (-serial null -monitor none)");
    }
    if (raw.gdb_line->kind == Kind::file) {
        return fail("-gdb: a debugger's line is no file");
    }
    if (raw.gdb_line->kind != Kind::null) {
        raw.options.gdb = std::move(raw.gdb_line);
    }
    return {};
}

}  // namespace

Result<> choose_lines(RawOptions& raw) {
    Options& options = raw.options;
    if (raw.no_defaults && !raw.serial) {
        raw.serial = plain(Kind::null);
    }
    if (raw.no_defaults && !raw.monitor_line) {
        raw.monitor_line = plain(Kind::null);
    }
    if (raw.serial) {
        if (Result<> found = look_up_chardev(raw, *raw.serial); !found) {
            return std::unexpected(found.error().within("-serial"));
        }
    }
    for (SerialChoice& line : raw.further_serials) {
        if (Result<> found = look_up_chardev(raw, line); !found) {
            return std::unexpected(found.error().within("-serial"));
        }
    }
    std::optional<bool> monitor;  // on the terminal, or on none
    if (raw.monitor_line) {
        const bool shared = raw.serial && !raw.serial->id.empty() && raw.monitor_line->id == raw.serial->id;
        if (Result<> found = look_up_chardev(raw, *raw.monitor_line); !found) {
            return std::unexpected(found.error().within("-monitor"));
        }
        if (shared && raw.serial->kind != Kind::mux_stdio && !raw.serial->shared) {
            return fail(fmt::format("-serial and -monitor both ask for chardev {} (mux=on lets them)",
                                    in_quotes(raw.serial->id)));
        }
        if (shared) {
            monitor = false;
        } else if (on_stdio(*raw.monitor_line)) {
            monitor = true;
        } else {
            monitor = false;
            if (raw.monitor_line->kind != Kind::null) {
                options.monitor = *raw.monitor_line;
            }
        }
    }
    if (Result<> chosen = choose_qmp(raw); !chosen) {
        return chosen;
    }
    const bool qmp_on_stdio =
        std::ranges::any_of(raw.qmp, [](const QmpChoice& qmp) { return qmp.line.kind == Kind::stdio; });
    const bool serial_on_stdio = raw.serial && on_stdio(*raw.serial);
    const bool asks_for_terminal = raw.nographic && !raw.no_defaults;
    if (options.daemonize &&
        (!raw.serial || serial_on_stdio || monitor == true || qmp_on_stdio || asks_for_terminal)) {
        return fail(
            "-daemonize: the terminal cannot have the serial port, the monitor or QMP (-serial file:PATH, "
            "-serial null; -monitor none)");
    }
    options.qmp = raw.qmp;
    if (raw.serial) {
        options.serial = *raw.serial;
    } else if (monitor == true || qmp_on_stdio || device_on_stdio(raw)) {
        options.serial.kind = Kind::null;
    } else if (monitor == false) {
        options.serial.kind = Kind::stdio;
    }
    if (monitor == true && serial_on_stdio) {
        return fail("-serial and -monitor both ask for stdio (-serial mon:stdio shares it)");
    }
    if (options.monitor && (options.serial.kind == Kind::mux_stdio || options.serial.shared)) {
        return fail(
            "-monitor: the serial port's line has the monitor already (-serial without mon: or mux=on leaves "
            "it)");
    }
    options.monitor_on_stdio =
        monitor.value_or(raw.nographic && raw.serial && !serial_on_stdio && !raw.serial->shared &&
                         !qmp_on_stdio && !device_on_stdio(raw));
    return choose_gdb_line(raw);
}

}  // namespace weft::sys
