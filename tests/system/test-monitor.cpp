// The monitor's commands and its line editing.
#include <catch2/catch.hpp>

#include "emulator/control/monitor.h"

using namespace weft;

namespace {

void put(const TextSink& sink, const std::string& text) { sink.write(sink.opaque, text.data(), text.size()); }

struct FakeMachine final : machine::MachineOperations {
    void quit() override { calls += "quit;"; }
    void system_reset() override { calls += "reset;"; }
    Result<> set_running(bool on) override {
        if (refuse) {
            return fail("out of threads");
        }
        is_running = on;
        return {};
    }
    bool running() const override { return is_running; }
    unsigned cpu_count() const override { return 3; }
    void dump_registers(unsigned cpu, const TextSink& sink) override {
        put(sink, "x" + std::to_string(cpu) + "\n");
    }
    void dump_cpus(const TextSink& sink) override { put(sink, "cpus\n"); }
    void dump_memory(bool flat, const TextSink& sink) override { put(sink, flat ? "flat\n" : "tree\n"); }
    Result<> dump_accelerator(const std::string& topic, const TextSink& sink) override {
        if (topic == "stats") {
            return fail("no such report");
        }
        put(sink, topic + "\n");
        return {};
    }

    std::string calls;
    bool is_running = true;
    bool refuse = false;
};

struct Line final : backend::CharBackend {
    void write(std::span<const uint8_t> data) override {
        output.append(reinterpret_cast<const char*>(data.data()), data.size());
    }
    void set_receiver(Receiver* to) override { receiver = to; }
    void accept_input() override {}
    std::string type(std::string_view text) {
        output.clear();
        receiver->receive({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
        return output;
    }

    Receiver* receiver = nullptr;
    std::string output;
};

}  // namespace

TEST_CASE("each command does its thing", "[monitor]") {
    FakeMachine machine;
    Line line;
    control::Monitor monitor(line, machine);
    CHECK(monitor.execute("quit") == "");
    CHECK(monitor.execute("system_reset") == "");
    CHECK(machine.calls == "quit;reset;");
    CHECK(monitor.execute("info status") == "running\n");
    CHECK(monitor.execute("stop") == "");
    CHECK(monitor.execute("info status") == "stopped\n");
    CHECK(monitor.execute("cont") == "");
    CHECK(machine.is_running);
    CHECK(monitor.execute("info registers") == "CPU 0\nx0\n");
    CHECK(monitor.execute("  info   registers  2 ") == "CPU 2\nx2\n");
    CHECK(monitor.execute("info registers -a") == "CPU 0\nx0\nCPU 1\nx1\nCPU 2\nx2\n");
    CHECK(monitor.execute("info mtree") == "tree\n");
    CHECK(monitor.execute("info mtree -f") == "flat\n");
    CHECK(monitor.execute("info cpus") == "cpus\n");
    CHECK(monitor.execute("info jit") == "jit\n");
    CHECK(monitor.execute("info tlb") == "tlb\n");
    CHECK(monitor.execute("info tlb 2") == "tlb 2\n");
    CHECK(monitor.execute("info tb-list -d  3") == "tb-list -d 3\n");
    CHECK(monitor.execute("info tb 0x80000000") == "tb 0x80000000\n");
    CHECK(monitor.execute("stats") == "stats-file\n");
    CHECK(monitor.execute("") == "");
}

TEST_CASE("what a command cannot do it says", "[monitor]") {
    FakeMachine machine;
    Line line;
    control::Monitor monitor(line, machine);
    CHECK(monitor.execute("info registers 3") == "info registers: there is no CPU '3' (0 to 2)\n");
    CHECK(monitor.execute("info mtree -g") == "info mtree: '-g' is not -f\n");
    CHECK(monitor.execute("info stats") == "info stats: no such report\n");
    CHECK(monitor.execute("info jit -j") == "info jit: no such report\n");
    CHECK(monitor.execute("info jit -k") == "info jit: '-k' is not -j\n");
    CHECK(monitor.execute("info tb") == "info tb: needs an address of the guest or of generated code\n");
    CHECK(monitor.execute("stats /tmp") == "stats: no such report\n");
    CHECK(monitor.execute("stop now") == "stop: too much: 'now'\n");
    CHECK(monitor.execute("infoo") == "unknown command 'infoo' (help lists them)\n");
    CHECK(monitor.execute("info") == "unknown command 'info' (help lists them)\n");
    machine.refuse = true;
    CHECK(monitor.execute("cont") == "cont: out of threads\n");
}

TEST_CASE("help lists every command", "[monitor]") {
    FakeMachine machine;
    Line line;
    control::Monitor monitor(line, machine);
    const std::string help = monitor.execute("help");
    for (const char* command : {"help", "quit", "system_reset", "stop", "cont", "info registers [CPU|-a]",
                                "info mtree [-f]", "info jit [-j]", "info cpus", "info tlb [CPU]",
                                "info tb-list [-d] [N]", "info tb ADDRESS", "stats [FILE]"}) {
        INFO(command);
        CHECK(("\n" + help).find(std::string("\n") + command) != std::string::npos);
    }
}

TEST_CASE("a line can be edited before it is sent", "[monitor]") {
    FakeMachine machine;
    Line line;
    control::Monitor monitor(line, machine);
    monitor.show_prompt();
    CHECK(line.output == "(weft) ");
    CHECK(line.type("info jut\x7f\x7fit\r\n") == "info jut\b \b\b \bit\njit\n(weft) ");
    CHECK(line.type("junk\x15info status\n") == "junk\b \b\b \b\b \b\b \binfo status\nrunning\n(weft) ");
    CHECK(line.type("\n\n") == "\n(weft) \n(weft) ");
    CHECK(line.type("\x7f\x1b") == "");
}
