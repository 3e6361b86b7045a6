// QMP: what a client may send, in whatever pieces, and what it is answered; never more than it asked for.
#include <fcntl.h>
#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <map>
#include <string>
#include <vector>

#include "emulator/control/monitor_commands.h"
#include "emulator/control/qmp/commands.h"
#include "emulator/control/qmp/server.h"
#include "emulator/hw/device_types.h"
#include "emulator/hw/machine_types.h"
#include "tests/control/fake_machine.h"
#include "tests/support/subprocess.h"

using namespace weft;
using control::qmp::Json;
using control::qmp::Session;
using test::FakeMachine;

namespace {

control::MachineFacts facts() {
    return {
        .version = "1.2.3",
        .architecture = "riscv64",
        .accelerator = "tcg",
        .name = "box",
        .machine = &hw::machine_types().front(),
        .cpu_model = "rv64",
        .memory_bytes = 1 << 20,
        .disks = {{.name = "d0", .file = "disk.img", .size = 4096}},
        .chars = [] { return std::vector<control::CharFacts>{{"serial0", "null"}}; },
        .machine_types = hw::machine_types(),
        .device_types = hw::device_types(),
        .option_names = {"machine", "m"},
    };
}

// A conversation; what was said is kept as text, a line each without its end.
struct Talk {
    explicit Talk(bool pretty = false)
        : session(
              machine, told, pretty,
              [this](std::string_view text) {
                  REQUIRE(text.ends_with("\r\n"));
                  said += text.substr(0, text.size() - 2);
                  said += '\n';
              },
              &line) {
        session.start();
        greeting = std::exchange(said, {});
    }
    std::string send(std::string_view text) {
        session.receive({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
        return std::exchange(said, {});
    }
    void negotiate() { REQUIRE(send(R"({"execute":"qmp_capabilities"})") == "{\"return\": {}}\n"); }
    // The answer to a command, as JSON, and whether it is an error.
    Json ask(const std::string& command, const Json& arguments = Json::object()) {
        const Json request{{"execute", command}, {"arguments", arguments}};
        const Json answer = Json::parse(send(request.dump()), nullptr, false);
        REQUIRE(answer.is_object());
        return answer;
    }

    FakeMachine machine;
    test::FakeLine line;
    control::MachineFacts told = facts();
    std::string said;
    Session session;
    std::string greeting;
};

std::string error(const std::string& error_class, const std::string& text) {
    return R"({"error": {"class": ")" + error_class + R"(", "desc": ")" + text + "\"}}\n";
}
std::string generic(const std::string& text) { return error("GenericError", text); }

const std::string kGreeting =
    R"({"QMP": {"capabilities": [], "version": {"package": "weft 1.2.3", "qemu": {"major": 11, "micro": 0, "minor": 1}}}})";

}  // namespace

TEST_CASE("greeting and negotiation", "[qmp]") {
    Talk talk;
    CHECK(talk.greeting == kGreeting + "\n");
    CHECK(talk.send(R"({"execute":"query-status"})") ==
          error("CommandNotFound", "the negotiation comes first: qmp_capabilities"));
    talk.session.event("STOP");
    CHECK(talk.said.empty());
    CHECK(talk.send(R"({"execute":"qmp_capabilities","arguments":{"enable":["oob"]}})") ==
          generic(R"(capability \"oob\" is not offered)"));
    CHECK(talk.send(R"({"execute":"qmp_capabilities","arguments":{"enable":[]},"id":{"a":[1,2.5,null]}})") ==
          R"({"id": {"a": [1, 2.5, null]}, "return": {}})"
          "\n");
    CHECK(talk.send(R"({"execute":"qmp_capabilities"})") ==
          error("CommandNotFound", "the negotiation is over"));
    // The next client begins anew, also in the midst of what the one before it sent.
    CHECK(talk.send(R"({"execute": "qu)") == "");
    talk.session.start();
    CHECK(std::exchange(talk.said, {}) == kGreeting + "\n");
    CHECK(talk.send(R"({"execute":"stop"})") ==
          error("CommandNotFound", "the negotiation comes first: qmp_capabilities"));
}

TEST_CASE("what may be sent, at once and in pieces", "[qmp]") {
    const std::string status = R"({"return": {"running": true, "status": "running"}})"
                               "\n";
    const std::string no_json = generic("the text is no JSON");
    const std::string no_object = generic("a request must be a JSON object");
    const std::string ask = R"({"execute":"query-status"})";
    const struct {
        std::string input, output;
    } cases[] = {
        {ask, status},
        {"\r\n \t" + ask + "\n", status},
        {ask + ask + "\n" + ask, status + status + status},
        {"{'execute' : 'query-status'}", status},
        {R"({'execute':"query-status",'id':'it\'s "x"'})", R"({"id": "it's \"x\"", )" + status.substr(1)},
        {R"({"execute":"query-status","arguments":{}})", status},
        {R"({"execute":"query\u002dstatus"})", status},
        {"{\n\"execute\"\n:\n\"query-status\"\n}", status},
        // No request.
        {"[1]" + ask, no_object + status},
        {"\"a\"" + ask, no_object + status},
        {"12 " + ask, no_object + status},
        {"null" + ask, no_object + status},
        {"{}", generic("a request needs a member 'execute'")},
        {R"({"foo":1})", generic(R"(a request has no member \"foo\")")},
        {R"({"exec-oob":"x"})", generic(R"(a request has no member \"exec-oob\")")},
        {R"({"execute":3})", generic("the member 'execute' must be a string")},
        {R"({"execute":"query-status","arguments":[]})", generic("the member 'arguments' must be an object")},
        {R"({"execute":"query-status","arguments":{"a":1}})",
         generic(R"(query-status has no argument \"a\")")},
        {R"({"execute":"nope","id":1})",
         R"({"error": {"class": "CommandNotFound", "desc": "there is no command \"nope\""}, "id": 1})"
         "\n"},
        {R"({"execute":"savevm"})", error("CommandNotFound", R"(there is no command \"savevm\")")},
        // Of a machine that cannot be saved.
        {R"({"execute":"migrate","arguments":{"uri":"file:x"}})",
         generic("there is no machine to save or load")},
        {R"({"execute":"migrate","arguments":{"uri":"file:x","blk":true}})",
         generic("argument 'blk': the machine is saved in one way, without disks")},
        {R"({"execute":"migrate_cancel"})", generic("there is no machine to save or load")},
        {R"({"execute":"query-migrate"})", generic("there is no machine to save or load")},
        {R"({"execute":"query-migrate-capabilities"})",
         R"({"return": [{"capability": "events", "state": false}]})"
         "\n"},
        {R"({"execute":"human-monitor-command","arguments":{"command-line":"savevm a"}})",
         R"({"return": "savevm: there is no machine to save or load\r\n"})"
         "\n"},
        {R"({"execute":"human-monitor-command"})", generic("argument 'command-line' is missing")},
        {R"({"execute":"human-monitor-command","arguments":{"command-line":3}})",
         generic("argument 'command-line' must be of type string")},
        {R"({"execute":"human-monitor-command","arguments":{"command-line":"info status","cpu-index":9}})",
         generic("argument 'cpu-index': there is no CPU 9")},
        {R"({"execute":"human-monitor-command","arguments":{"command-line":"info status","cpu-index":-1}})",
         generic("argument 'cpu-index': there is no CPU -1")},
        {R"({"execute":"human-monitor-command","arguments":{"command-line":"info status","cpu-index":1.5}})",
         generic("argument 'cpu-index' must be of type integer")},
        // No JSON.
        {R"({"execute":"query-status",})" + ask, no_json + status},
        {R"({"execute":]})" + ask, no_json + generic("a text begins with no value") + status},
        {"{]" + ask, no_json + status},
        {"}" + ask, generic("a text begins with no value") + status},
        {":,\n" + ask,
         generic("a text begins with no value") + generic("a text begins with no value") + status},
        {"foo\n" + ask, no_json + status},
        {"{\"a\": tru}\n" + ask, no_json + status},
        {"\"\\q\"" + ask, no_json + status},
        {"\"\xc3(\"" + ask, no_json + status},
        {"{\"a\":\"b\n" + ask, generic("a control character in a string") + status},
        {"{\"a\":\"b\x01 }}}\n" + ask, generic("a control character in a string") + status},
        {"\x01{{{\n" + ask, generic("a control character") + status},
        {std::string(1, '\0') + "\n" + ask, generic("a control character") + status},
        {"\xff" + ask, status},
        {"{\"execute\": \"stop\xff" + ask, generic("a text is cut off") + status},
        {std::string(257, '[') + "\n" + ask, generic("the text is too deep") + status},
        {std::string(256, '[') + std::string(256, ']') + ask, no_object + status},
    };
    for (const auto& test : cases) {
        INFO(test.input.substr(0, 80));
        Talk whole;
        whole.negotiate();
        CHECK(whole.send(test.input) == test.output);
        for (size_t cut = 0; cut <= test.input.size(); ++cut) {
            Talk talk;
            talk.negotiate();
            std::string answer = talk.send(test.input.substr(0, cut));
            answer += talk.send(test.input.substr(cut));
            REQUIRE(answer == test.output);
        }
    }
}

TEST_CASE("a client cannot use memory up", "[qmp]") {
    Talk talk;
    talk.negotiate();
    const std::string much(1000, 'x');
    std::string answers = talk.send(R"({"execute":")");
    for (int i = 0; i < 5000; ++i) {
        answers += talk.send(much);
    }
    CHECK(answers == generic("the text is too long"));
    CHECK(talk.send("\"}\n{\"execute\":\"query-kvm\"}") ==
          "{\"return\": {\"enabled\": false, \"present\": false}}\n");
    // Words without brackets as well.
    for (int i = 0; i < 1100; ++i) {
        answers += talk.send(much);
    }
    CHECK(answers == generic("the text is too long") + generic("the text is too long"));
}

TEST_CASE("each command answers", "[qmp]") {
    const test::TempDir dir;
    const std::string file = dir.file("memory");
    // What is not here takes no arguments and gives no error.
    struct Case {
        Json arguments = Json::object();
        std::string error_class = {};
    };
    const std::map<std::string, Case> cases = {
        {"qmp_capabilities", {{}, "CommandNotFound"}},
        {"query-balloon", {Json::object(), "DeviceNotActive"}},
        {"system_wakeup", {Json::object(), "GenericError"}},
        {"inject-nmi", {Json::object(), "GenericError"}},
        {"device_add", {{{"driver", "virtio-blk-device"}, {"drive", "x"}}, "GenericError"}},
        {"device_del", {{{"id", "x"}}, "DeviceNotFound"}},
        {"netdev_add", {{{"type", "user"}, {"id", "x"}}, "GenericError"}},
        {"netdev_del", {{{"id", "x"}}, "GenericError"}},
        {"blockdev-add", {{{"driver", "raw"}, {"node-name", "x"}}, "GenericError"}},
        {"blockdev-del", {{{"node-name", "x"}}, "GenericError"}},
        {"object-add", {{{"qom-type", "rng-builtin"}, {"id", "x"}}, "GenericError"}},
        {"object-del", {{{"id", "x"}}, "GenericError"}},
        {"balloon", {{{"value", 1}}, "DeviceNotActive"}},
        {"migrate-set-capabilities", {{{"capabilities", Json::array()}}}},
        {"human-monitor-command", {{{"command-line", "info status"}}}},
        {"migrate", {{{"uri", "file:x"}}, "GenericError"}},
        {"getfd", {{{"fdname", "x"}}, "GenericError"}},
        {"closefd", {{{"fdname", "x"}}, "GenericError"}},
        {"add-fd", {Json::object(), "GenericError"}},
        {"remove-fd", {{{"fdset-id", 1}}, "GenericError"}},
        {"migrate_cancel", {Json::object(), "GenericError"}},
        {"migrate-incoming", {{{"uri", "file:x"}}, "GenericError"}},
        {"query-migrate", {Json::object(), "GenericError"}},
        {"qom-list", {{{"path", "/machine"}}}},
        {"qom-get", {{{"path", "/machine"}, {"property", "type"}}}},
        {"qom-list-properties", {{{"typename", "virt-machine"}}}},
        {"device-list-properties", {{{"typename", "virtio-blk-device"}}}},
        {"memsave", {{{"val", 0x1000}, {"size", 4}, {"filename", file}}}},
        {"pmemsave", {{{"val", 0x1000}, {"size", 4}, {"filename", file}}}},
    };
    Talk talk;
    talk.negotiate();
    for (const control::qmp::Command& command : control::qmp::commands()) {
        INFO(command.name);
        const auto found = cases.find(command.name);
        const Case test = found == cases.end() ? Case() : found->second;
        const Json arguments = test.arguments.is_null() ? Json::object() : test.arguments;
        const Json answer = talk.ask(command.name, arguments);
        CHECK(answer.contains("return") == test.error_class.empty());
        if (!test.error_class.empty()) {
            CHECK(answer["error"]["class"] == test.error_class);
        }
        // Each argument that must be there is missed, and each is looked at.
        for (const control::qmp::Parameter& parameter : command.parameters) {
            if (test.error_class == "CommandNotFound") {
                continue;
            }
            Json fewer = arguments;
            fewer.erase(parameter.name);
            CHECK((talk.ask(command.name, fewer).dump().find("is missing") != std::string::npos) ==
                  !parameter.optional);
            Json wrong = arguments;
            wrong[parameter.name] = nullptr;
            CHECK(talk.ask(command.name, wrong).dump().find("must be of type") != std::string::npos);
        }
    }
    CHECK(test::read_file(file) == std::string("\0\1\2\3", 4));
    CHECK(talk.machine.calls == "quit;reset;");
}

TEST_CASE("what the answers say", "[qmp]") {
    Talk talk;
    talk.negotiate();
    const auto returns = [&](const std::string& command, const Json& arguments = Json::object()) {
        const Json answer = talk.ask(command, arguments);
        return answer.contains("return") ? answer["return"].dump() : answer["error"].dump();
    };
    CHECK(returns("query-name") == R"({"name":"box"})");
    CHECK(returns("query-target") == R"({"arch":"riscv64"})");
    CHECK(returns("query-memory-size-summary") == R"({"base-memory":1048576})");
    CHECK(returns("query-chardev") == R"([{"filename":"null","frontend-open":true,"label":"serial0"}])");
    CHECK(returns("qom-list", {{"path", "/machine"}}) == R"([{"name":"type","type":"string"}])");
    CHECK(returns("qom-get", {{"path", "/machine"}, {"property", "type"}}) == R"("virt-machine")");
    CHECK(returns("qom-get", {{"path", "/"}, {"property", "x"}}) ==
          R"({"class":"DeviceNotFound","desc":"there is no object \"/\""})");
    CHECK(returns("device-list-properties", {{"typename", "x"}}) ==
          R"({"class":"DeviceNotFound","desc":"there is no kind of device \"x\""})");
    CHECK(returns("device-list-properties", {{"typename", "rv64-riscv-cpu"}}) == "[]");
    CHECK(returns("device-list-properties", {{"typename", "virt-machine"}}) ==
          R"({"class":"DeviceNotFound","desc":"there is no kind of device \"virt-machine\""})");
    CHECK(returns("qom-list-properties", {{"typename", "virt-machine"}}) == "[]");
    CHECK(returns("qom-list-properties", {{"typename", "virtio-rng-pci"}}) ==
          returns("device-list-properties", {{"typename", "virtio-rng-pci"}}));
    CHECK(returns("qom-list-properties", {{"typename", "x"}}) ==
          R"({"class":"DeviceNotFound","desc":"there is no kind of object \"x\""})");
    CHECK(returns("query-command-line-options", {{"option", "m"}}) == R"([{"option":"m","parameters":[]}])");
    CHECK(returns("human-monitor-command", {{"command-line", "info registers"}, {"cpu-index", 2}})
              .starts_with(R"("CPU 2\r\nx2\r\n)"));
    CHECK(returns("human-monitor-command", {{"command-line", "foo bar"}}) ==
          R"("unknown command: 'foo'\r\n")");
    const Json cpus = talk.ask("query-cpus-fast")["return"];
    REQUIRE(cpus.size() == 3);
    CHECK(cpus[2]["cpu-index"] == 2);
    const Json cpu_types = talk.ask("qom-list-types", {{"implements", "cpu"}})["return"];
    CHECK(cpu_types.dump().find(R"({"name":"rv64-riscv-cpu","parent":"riscv-cpu"})") != std::string::npos);
    CHECK(cpu_types.dump().find("virtio") == std::string::npos);
    CHECK(talk.ask("qom-list-types")["return"].dump().find("virtio-blk-device") != std::string::npos);
    // What libvirt goes by: a version that it takes, the accelerator, where virtio devices go, and kinds that it takes for granted.
    CHECK(talk.ask("query-version")["return"]["qemu"]["major"] == 11);
    for (const char* name :
         {"tcg-accel", "virtio-mmio", "memory-backend-file", "rng-random", "rng-builtin", "iothread"}) {
        INFO(name);
        CHECK(returns("qom-list-types", {{"implements", "object"}}).find(name) != std::string::npos);
        CHECK(returns("qom-list-properties", {{"typename", name}}) == "[]");
    }
    CHECK_FALSE(talk.ask("query-machines")["return"][0].contains("default-ram-id"));
    talk.machine.refuse = true;
    CHECK(returns("cont") == R"({"class":"GenericError","desc":"out of threads"})");
    talk.machine.is_running = false;
    CHECK(returns("query-status") == R"({"running":false,"status":"paused"})");
    talk.machine.was_started = false;
    CHECK(returns("query-status") == R"({"running":false,"status":"prelaunch"})");
    // Nothing that is not in the table, and all that is.
    const Json names = talk.ask("query-commands")["return"];
    CHECK(names.size() == control::qmp::commands().size());
    size_t commands = 0, events = 0;
    const Json schema = talk.ask("query-qmp-schema")["return"];
    for (const Json& entity : schema) {
        commands += entity["meta-type"] == "command" ? 1 : 0;
        events += entity["meta-type"] == "event" ? 1 : 0;
    }
    CHECK(commands == names.size());
    CHECK(events == control::qmp::events().size());
}

TEST_CASE("descriptors that a client hands over", "[qmp]") {
    const test::TempDir dir;
    Talk talk;
    talk.negotiate();
    control::Descriptors descriptors({{7, {{2, "for good"}}}});
    talk.told.descriptors = &descriptors;
    const auto returns = [&](const std::string& command, const Json& arguments = Json::object()) {
        const Json answer = talk.ask(command, arguments);
        return answer.contains("return") ? answer["return"].dump()
                                         : answer["error"]["desc"].get<std::string>();
    };
    const auto is_open = [](int fd) { return fcntl(fd, F_GETFD) >= 0; };
    // The number of a new one, which comes with the next command.
    const auto comes = [&](int flags) {
        talk.line.descriptor.reset(open(dir.write("file", "").c_str(), flags | O_CLOEXEC));
        REQUIRE(talk.line.descriptor);
        return talk.line.descriptor.get();
    };
    const std::string kNone = "no descriptor came with the command (SCM_RIGHTS, over a unix socket)";

    // Names.
    CHECK(returns("getfd", {{"fdname", "a"}}) == kNone);
    const int first = comes(O_RDWR);
    CHECK(returns("getfd", {{"fdname", "a"}}) == "{}");
    CHECK(returns("getfd", {{"fdname", "a"}}) == kNone);
    CHECK(is_open(first));
    const int second = comes(O_RDWR);
    CHECK(returns("getfd", {{"fdname", "a"}}) == "{}");
    CHECK_FALSE(is_open(first));
    CHECK(returns("closefd", {{"fdname", "b"}}) == "there is no descriptor \"b\"");
    CHECK(returns("closefd", {{"fdname", "a"}}) == "{}");
    CHECK_FALSE(is_open(second));
    for (const char* name : {"", "1", "0x"}) {
        const int unnamed = comes(O_RDWR);
        CHECK(returns("getfd", {{"fdname", name}}) ==
              "argument 'fdname': a name does not begin with a digit");
        CHECK_FALSE(is_open(unnamed));
    }
    const int channel = comes(O_RDWR);
    CHECK(returns("getfd", {{"fdname", "c"}}) == "{}");
    {
        UniqueFd taken;
        CHECK(control::resolve_channel(&descriptors, "fd:c", taken) == fmt::format("fd:{}", channel));
        CHECK(taken.get() == channel);
        UniqueFd none;
        CHECK(control::resolve_channel(&descriptors, "fd:c", none) == "fd:c");
        CHECK(control::resolve_channel(&descriptors, "fd:5", none) == "fd:5");
        CHECK(control::resolve_channel(&descriptors, "file:c", none) == "file:c");
        CHECK_FALSE(none);
    }
    CHECK_FALSE(is_open(channel));

    // Sets.
    const std::string kFirst = R"({"fds":[{"fd":2,"opaque":"for good"}],"fdset-id":7})";
    CHECK(returns("query-fdsets") == "[" + kFirst + "]");
    CHECK(returns("add-fd") == kNone);
    const int reader = comes(O_RDONLY);
    CHECK(returns("add-fd") == fmt::format(R"({{"fd":{},"fdset-id":0}})", reader));
    const int writer = comes(O_WRONLY);
    CHECK(returns("add-fd", {{"fdset-id", 0}, {"opaque", "w"}}) ==
          fmt::format(R"({{"fd":{},"fdset-id":0}})", writer));
    comes(O_RDWR);
    CHECK(returns("add-fd", {{"fdset-id", -1}}) == "argument 'fdset-id' is not negative");
    CHECK(returns("query-fdsets") ==
          fmt::format(R"([{{"fds":[{{"fd":{}}},{{"fd":{},"opaque":"w"}}],"fdset-id":0}},{}])", reader, writer,
                      kFirst));
    const auto path = [&](const std::string& name, bool reads, bool writes) {
        const Result<std::string> found = control::path_in_sets(descriptors.sets(), name, reads, writes);
        return found ? *found : found.error().message();
    };
    CHECK(path("/dev/fdset/0", true, false) == fmt::format("/proc/self/fd/{}", reader));
    CHECK(path("/dev/fdset/0", false, true) == fmt::format("/proc/self/fd/{}", writer));
    CHECK(path("/dev/fdset/0", true, true) ==
          "'/dev/fdset/0': no descriptor of the set can be read and written to");
    for (const char* name : {"/dev/fdset/1", "/dev/fdset/", "/dev/fdset/-1", "/dev/fdset/7x"}) {
        CHECK(path(name, true, false) ==
              fmt::format("'{}': there is no such set of descriptors (-add-fd)", name));
    }
    CHECK(path("/dev/null", true, true) == "/dev/null");
    CHECK(returns("remove-fd", {{"fdset-id", 3}}) == "there is no set 3 of descriptors");
    CHECK(returns("remove-fd", {{"fdset-id", 0}, {"fd", 2}}) == "set 0 has no descriptor 2");
    CHECK(returns("remove-fd", {{"fdset-id", 0}, {"fd", -2}}) == "argument 'fd' is out of range");
    CHECK(returns("remove-fd", {{"fdset-id", 0}, {"fd", reader}}) == "{}");
    CHECK_FALSE(is_open(reader));
    CHECK(is_open(writer));
    CHECK(returns("remove-fd", {{"fdset-id", 0}}) == "{}");
    CHECK_FALSE(is_open(writer));
    CHECK(returns("query-fdsets") == "[" + kFirst + "]");
    // What the process was started with stays open.
    CHECK(returns("remove-fd", {{"fdset-id", 7}}) == "{}");
    CHECK(is_open(2));
    CHECK(returns("query-fdsets") == "[]");
}

TEST_CASE("laid out for people", "[qmp]") {
    Talk talk(true);
    CHECK(talk.send(R"({"execute":"qmp_capabilities"})") == "{\n    \"return\": {}\n}\n");
    CHECK(talk.send(R"({"execute":"query-chardev"})") ==
          "{\n    \"return\": [\n        {\n            \"filename\": \"null\",\n            "
          "\"frontend-open\": true,\n"
          "            \"label\": \"serial0\"\n        }\n    ]\n}\n");
}

TEST_CASE("events come to those who have negotiated, on a line that has somebody", "[qmp]") {
    struct Line final : backend::CharBackend {
        void write(std::span<const uint8_t> data) override {
            output.append(reinterpret_cast<const char*>(data.data()), data.size());
        }
        bool write_whole(std::span<const uint8_t> data) override {
            if (!full) {
                write(data);
            }
            return !full;
        }
        bool hang_up() override {
            ++hung_up;
            return can_hang_up;
        }
        void set_receiver(Receiver* to) override { receiver = to; }
        void accept_input() override {}
        std::string send(std::string_view text) {
            output.clear();
            receiver->receive({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
            return output;
        }
        Receiver* receiver = nullptr;
        std::string output;
        bool full = false;
        bool can_hang_up = true;
        int hung_up = 0;
    };
    FakeMachine machine;
    const control::MachineFacts told = facts();
    Line line;
    {
        control::qmp::Server server(line, machine, told, false);
        CHECK(machine.listeners.size() == 1);
        CHECK(line.send("{\"execute\":\"stop\"}").empty());
        line.receiver->opened();
        CHECK(line.output == kGreeting + "\r\n");
        CHECK(line.send(R"({"execute":"qmp_capabilities"})") == "{\"return\": {}}\r\n");
        const auto event_of = [&](const std::string& command) {
            const std::string text = line.send(R"({"execute":")" + command + "\"}");
            const size_t end = text.find("\r\n");
            Json event = Json::parse(text.substr(0, end), nullptr, false);
            REQUIRE(event.is_object());
            CHECK(event["timestamp"]["seconds"].is_number_unsigned());
            CHECK(event["timestamp"]["microseconds"] < 1'000'000);
            event.erase("timestamp");
            CHECK(text.substr(end + 2) == "{\"return\": {}}\r\n");
            return event.dump();
        };
        CHECK(event_of("stop") == R"({"event":"STOP"})");
        CHECK(event_of("cont") == R"({"event":"RESUME"})");
        CHECK(event_of("system_powerdown") == R"({"event":"POWERDOWN"})");
        CHECK(event_of("system_reset") ==
              R"({"data":{"guest":false,"reason":"host-qmp-system-reset"},"event":"RESET"})");
        using machine::MachineCause;
        const struct {
            MachineCause cause;
            const char* data;
        } causes[] = {
            {MachineCause::guest_shutdown, R"({"guest": true, "reason": "guest-shutdown"})"},
            {MachineCause::guest_reset, R"({"guest": true, "reason": "guest-reset"})"},
            {MachineCause::operator_quit, R"({"guest": false, "reason": "host-qmp-quit"})"},
            {MachineCause::signal, R"({"guest": false, "reason": "host-signal"})"},
            {MachineCause::failure, R"({"guest": false, "reason": "host-error"})"},
        };
        for (const auto& test : causes) {
            line.output.clear();
            machine.listeners[0]->ends(test.cause);
            CHECK(line.output.find(std::string("\"event\": \"SHUTDOWN\"")) != std::string::npos);
            CHECK(line.output.find(test.data) != std::string::npos);
        }
        line.receiver->closed();
        line.output.clear();
        machine.listeners[0]->running_changed(false);
        CHECK(line.output.empty());
        // Who does not read is hung up, once, and nothing more is done for it.
        line.receiver->opened();
        line.send(R"({"execute":"qmp_capabilities"})");
        line.full = true;
        line.send(R"({"execute":"query-status"}{"execute":"stop"})");
        machine.listeners[0]->running_changed(false);
        CHECK(line.hung_up == 1);
        line.full = false;
        CHECK(line.send(R"({"execute":"query-status"})").empty());
        line.receiver->opened();
        CHECK(line.output == kGreeting + "\r\n");
        // Where that cannot be, messages are lost.
        line.can_hang_up = false;
        line.full = true;
        line.send(R"({"execute":"qmp_capabilities"})");
        line.full = false;
        CHECK(line.send(R"({"execute":"query-name"})") == "{\"return\": {\"name\": \"box\"}}\r\n");
    }
    CHECK(machine.listeners.empty());
    CHECK(line.receiver == nullptr);
}

namespace {

std::string escaped(const std::string& text) {
    std::string result;
    for (const char c : text) {
        result += c == '|' ? "\\|" : std::string(1, c);
    }
    return result;
}

}  // namespace

TEST_CASE("docs/monitor.md has each command as it is", "[qmp][monitor]") {
    const std::string page = test::read_file(SOURCE_ROOT "/docs/monitor.md");
    size_t rows = 0;
    const auto has = [&](const std::string& row) {
        INFO(row);
        CHECK(page.find("\n" + row + "\n") != std::string::npos);
        ++rows;
    };
    for (const control::qmp::Command& command : control::qmp::commands()) {
        std::string arguments;
        for (const control::qmp::Parameter& parameter : command.parameters) {
            arguments += arguments.empty() ? "" : ", ";
            arguments += parameter.optional ? fmt::format("[`{}`]", parameter.name)
                                            : fmt::format("`{}`", parameter.name);
        }
        has(fmt::format("| `{}` | {} | {} |", command.name, arguments, command.help));
    }
    for (const control::qmp::Event& event : control::qmp::events()) {
        std::string members;
        for (const control::qmp::Parameter& member : event.members) {
            members += fmt::format("{}`{}`", members.empty() ? "" : ", ", member.name);
        }
        has(fmt::format("| `{}` | {} | {} |", event.name, members, event.help));
    }
    for (const control::MonitorCommand& command : control::monitor_commands()) {
        const std::string alias = command.alias == nullptr ? "" : fmt::format(", `{}`", command.alias);
        const std::string arguments =
            command.arguments[0] == 0 ? "" : fmt::format("`{}`", escaped(command.arguments));
        has(fmt::format("| `{}`{} | {} | {} |", command.name, alias, arguments, command.help));
    }
    // And no others.
    size_t lines = 0;
    for (size_t at = page.find("\n| `"); at != std::string::npos; at = page.find("\n| `", at + 1)) {
        ++lines;
    }
    CHECK(lines == rows);
}
