// The monitor's commands and its line editing.
#include <catch2/catch.hpp>

#include "emulator/control/expression.h"
#include "emulator/control/line_editor.h"
#include "emulator/control/monitor.h"
#include "tests/control/fake_machine.h"
#include "tests/support/subprocess.h"

using namespace weft;
using test::FakeLine;
using test::FakeMachine;

namespace {

// Of FakeMachine, behind a CPU's first line.
const std::string kDump = "\n pc        0000000080000010\n x2/sp     0000000000001008\n";

const control::MachineFacts kFacts = {
    .version = "1.2.3",
    .architecture = "riscv64",
    .name = "box",
    .disks = {{.name = "d0", .file = "disk.img", .size = 4096, .read_only = true}},
    .networks = {{"net0", "user"}},
    .chars = [] { return std::vector<control::CharFacts>{{"serial0", "null"}}; },
};

}  // namespace

TEST_CASE("each command does its thing", "[monitor]") {
    FakeMachine machine;
    FakeLine line;
    control::Monitor monitor(line, machine, kFacts);
    CHECK(monitor.execute("quit") == "");
    CHECK(monitor.execute("system_reset") == "");
    CHECK(machine.calls == "quit;reset;");
    CHECK(monitor.execute("info status") == "VM status: running\n");
    CHECK(monitor.execute("stop") == "");
    CHECK(monitor.execute("info status") == "VM status: paused\n");
    CHECK(monitor.execute("cont") == "");
    CHECK(machine.is_running);
    CHECK(monitor.execute("info registers") == "CPU 0\nx0" + kDump);
    CHECK(monitor.execute("  info   registers  2 ") == "CPU 2\nx2" + kDump);
    CHECK(monitor.execute("info registers -a") ==
          "CPU 0\nx0" + kDump + "CPU 1\nx1" + kDump + "CPU 2\nx2" + kDump);
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
    FakeLine line;
    control::Monitor monitor(line, machine, kFacts);
    CHECK(monitor.execute("info registers 3") == "info registers: there is no CPU '3' (0 to 2)\n");
    CHECK(monitor.execute("info mtree -g") == "info mtree: '-g' is not -f\n");
    CHECK(monitor.execute("info stats") == "info stats: no such report\n");
    CHECK(monitor.execute("info jit -j") == "info jit: no such report\n");
    CHECK(monitor.execute("info jit -k") == "info jit: '-k' is not -j\n");
    CHECK(monitor.execute("info tb") == "info tb: needs an address of the guest or of generated code\n");
    CHECK(monitor.execute("stats /tmp") == "stats: no such report\n");
    CHECK(monitor.execute("stop now") == "stop: too much: 'now'\n");
    CHECK(monitor.execute("infoo") == "unknown command: 'infoo'\n");
    CHECK(monitor.execute("info foo") == "unknown command: 'info foo'\n");
    CHECK(monitor.execute("xx/4 0") == "unknown command: 'xx/4'\n");
    CHECK(monitor.execute("nmi") == "nmi: the board has no non-maskable interrupt\n");
    CHECK(monitor.execute("system_wakeup") == "system_wakeup: the guest is not suspended: it cannot be\n");
    CHECK(monitor.execute("cpu") == "cpu: needs N\n");
    CHECK(monitor.execute("cpu 3") == "cpu: there is no CPU '3' (0 to 2)\n");
    CHECK(monitor.execute("help frob") == "help: there is no command 'frob'\n");
    CHECK(monitor.execute(std::string(5000, 'x')) == "the line is too long\n");
    machine.refuse = true;
    CHECK(monitor.execute("cont") == "cont: out of threads\n");
}

TEST_CASE("help lists every command", "[monitor]") {
    FakeMachine machine;
    FakeLine line;
    control::Monitor monitor(line, machine, kFacts);
    const std::string help = monitor.execute("help");
    for (const char* command : {"help", "quit", "system_reset", "stop", "cont", "info registers [CPU|-a]",
                                "info mtree [-f]", "info jit [-j]", "info cpus", "info tlb [CPU]",
                                "info tb-list [-d] [N]", "info tb ADDRESS", "stats [FILE]"}) {
        INFO(command);
        CHECK(("\n" + help).find(std::string("\n") + command) != std::string::npos);
    }
}

TEST_CASE("names, aliases and what is told of the machine", "[monitor]") {
    FakeMachine machine;
    FakeLine line;
    control::Monitor monitor(line, machine, kFacts);
    CHECK(monitor.execute("s") == "");
    CHECK_FALSE(machine.is_running);
    machine.was_started = false;
    CHECK(monitor.execute("info status") == "VM status: paused (prelaunch)\n");
    CHECK(monitor.execute("c") == "");
    CHECK(machine.is_running);
    CHECK(monitor.execute("q") == "");
    CHECK(machine.calls == "quit;");
    CHECK(monitor.execute("info version") == "1.2.3\n");
    CHECK(monitor.execute("info name") == "box\n");
    CHECK(monitor.execute("info uuid") == "00000000-0000-0000-0000-000000000000\n");
    CHECK(monitor.execute("info block") ==
          "d0: disk.img (raw, read-only)\n    Cache mode:       writeback\n");
    CHECK(monitor.execute("info chardev") == "serial0: filename=null\n");
    CHECK(monitor.execute("info network") == "net0: index=0,type=user\n");
    CHECK(monitor.execute("help stop") == "stop|s                      stop all CPUs\n");
    CHECK(monitor.execute("? info tb").starts_with("info tb ADDRESS "));
    CHECK(monitor.execute("info") == monitor.execute("help info"));
    CHECK(monitor.execute("cpu 2") == "");
    CHECK(monitor.execute("info registers").starts_with("CPU 2\n"));
    machine.cpus = 0;
    CHECK(monitor.execute("info registers") == "info registers: the machine has no CPU\n");
    CHECK(monitor.execute("info registers -a") == "");
}

TEST_CASE("memory is shown as gdb and QEMU do", "[monitor]") {
    FakeMachine machine;
    FakeLine line;
    control::Monitor monitor(line, machine, kFacts);
    const struct {
        const char* command;
        const char* answer;
    } cases[] = {
        {"xp 0x1000", "00001000: 0x03020100\n"},
        {"xp/3xg 0x1000", "00001000: 0x0706050403020100 0x0f0e0d0c0b0a0908\n00001010: 0x1716151413121110\n"},
        {"xp /2xh 0x1000", "00001000: 0x0100 0x0302\n"},
        {"xp/9xb 0x1000", "00001000: 0x00 0x01 0x02 0x03 0x04 0x05 0x06 0x07\n00001008: 0x08\n"},
        {"xp/2dh 0x1000", "00001000:   256   770\n"},
        {"xp/ub 0x1000", "00001000:   0\n"},
        {"xp/oh 0x1002", "00001002: 0001402\n"},
        {"xp/3c 0x1026", "00001026: '&' '\\'' '('\n"},
        {"xp/2i 0x1000", "insn 4096\ninsn 4098\n"},
        {"x $sp", "0000000000001008: 0x0b0a0908\n"},
        {"x/w $sp + 4", "000000000000100c: 0x0f0e0d0c\n"},
        // What can be had, and the reason.
        {"xp/4xg 0x1030", "00001030: 0x3736353433323130 0x3f3e3d3c3b3a3938\nxp: there is no memory\n"},
        {"xp/i 0x103e", "insn 4158\n"},
        {"xp 0", "xp: there is no memory\n"},
        {"xp", "xp: needs [/FORMAT] ADDRESS\n"},
        {"xp/2q 0", "xp: 'q' is neither a format (x d u o c i) nor a size (b h w g)\n"},
        {"xp/99999999x 0", "xp: so much is not shown at once (1 MiB is)\n"},
        {"xp/99999999999999999999x 0", "xp: '99999999999999999999' is no number of items\n"},
        {"p $pc", "2147483664\n"},
        {"print/x $pc + 4", "0x80000014\n"},
        {"p/d 3+4*2", "11\n"},
        {"p/c 'a'", "'a'\n"},
        {"p/o 8", "010\n"},
        {"p/u -1", "18446744073709551615\n"},
        {"p -1", "-1\n"},
        {"p/x $nope", "print: unknown register 'nope'\n"},
        {"p/i 1", "print: a number is no instruction\n"},
    };
    for (const auto& test : cases) {
        INFO(test.command);
        CHECK(monitor.execute(test.command) == test.answer);
    }
    CHECK(monitor.execute("cpu 1") == "");
    CHECK(monitor.execute("x/b 0x11001") == "0000000000011001: 0x01\n");
    const test::TempDir dir;
    const std::string file = dir.file("a b");
    CHECK(monitor.execute("pmemsave 0x1004 2*2 \"" + file + "\"") == "");
    CHECK(test::read_file(file) == "\4\5\6\7");
    CHECK(monitor.execute("memsave 0x11001 1 \"" + file + "\"") == "");
    CHECK(test::read_file(file) == "\1");
    CHECK(monitor.execute("memsave 0x1 1 \"" + file + "\"") == "memsave: there is no memory\n");
    CHECK(monitor.execute("pmemsave 0x1000 4") == "pmemsave: needs ADDRESS SIZE FILE\n");
    CHECK(monitor.execute("pmemsave 0x1000 4 " + dir.path()) ==
          "pmemsave: '" + dir.path() + "': Is a directory\n");
}

TEST_CASE("expressions", "[monitor]") {
    const auto lookup = [](std::string_view name) {
        return name == "a0" ? std::optional<uint64_t>(7) : std::nullopt;
    };
    const auto value = [&](std::string_view text) {
        const Result<uint64_t> result = control::evaluate(text, lookup);
        return result ? std::to_string(static_cast<int64_t>(*result)) : result.error().message();
    };
    const struct {
        std::string text, value;
    } cases[] = {
        {"1+2*3", "7"},
        {"(1 + 2) * 3", "9"},
        {" 0x10 - 020 ", "0"},
        {"1 + 6 & 3", "3"},
        {"6|1^3", "4"},
        {"-7/2", "-3"},
        {"-7%4", "-3"},
        {"0x8000000000000000/-1", "-9223372036854775808"},
        {"0x8000000000000000%-1", "0"},
        {"~0", "-1"},
        {"- - +1", "1"},
        {"$a0*2", "14"},
        {"'A'", "65"},
        {"1/0", "division by zero"},
        {"1%0", "division by zero"},
        {"", "a number is missing"},
        {"1+", "a number is missing"},
        {"(1", "')' is missing"},
        {"1 2", "unexpected '2'"},
        {"08", "'08' is no number"},
        {"0x", "'0x' is no number"},
        {"18446744073709551616", "'18446744073709551616' is no number"},
        {"$", "unknown register ''"},
        {std::string(100000, '('), "the expression is too deep"},
        {std::string(100000, '-') + "1", "the expression is too deep"},
    };
    for (const auto& test : cases) {
        INFO(test.text.substr(0, 50));
        CHECK(value(test.text) == test.value);
    }
}

// What a terminal shows that knows characters, backspace and line feed: its last line, and where its cursor is.
class Screen {
  public:
    void show(std::string_view text) {
        for (const char c : text) {
            if (c == '\n') {
                line_.clear();
                at_ = 0;
            } else if (c == '\b') {
                REQUIRE(at_ > 0);
                --at_;
            } else {
                line_.resize(std::max(line_.size(), at_ + 1), ' ');
                line_[at_++] = c;
            }
        }
    }
    std::string shown() const {
        return line_.substr(0, line_.find_last_not_of(' ') + 1) + "|" + std::to_string(at_);
    }

  private:
    std::string line_;
    size_t at_ = 0;
};

TEST_CASE("each key edits the line, and the terminal shows it", "[monitor]") {
    const struct {
        std::string typed, line, shown;
    } cases[] = {
        {"abc", "abc", "abc|3"},
        {"abc\x7f", "ab", "ab|2"},
        {"abc\b\b\b\b", "", "|0"},
        {"abc\x01X", "Xabc", "Xabc|1"},
        {"abc\x01X\x05Y", "XabcY", "XabcY|5"},
        {"abc\x02\x02X", "aXbc", "aXbc|2"},
        {"abc\x01\x06\x0b", "a", "a|1"},
        {"abc\x02\x04", "ab", "ab|2"},
        {"abc\x04", "abc", "abc|3"},
        {"abc def  \x17", "abc ", "abc|4"},
        {"abc def\x02\x17", "abc f", "abc f|4"},
        {"abc\x02\x15", "", "|0"},
        {"abc\x1b[D\x1b[DX", "aXbc", "aXbc|2"},
        {"abc\x1b[H\x1b[CX", "aXbc", "aXbc|2"},
        {"abc\x1bOH\x1b[3~", "bc", "bc|0"},
        {"abc\x1b[1~X\x1b[4~Y", "XabcY", "XabcY|5"},
        {"abc\x1b[99;5QX", "abcX", "abcX|4"},
        {"\x1b[A\x1b[B\x10\x0e\x02\x06", "", "|0"},
        {"a\x1b"
         "bc",
         "ac", "ac|2"},
        {"one\rtwo\r\x10", "two", "two|3"},
        {"one\rtwo\r\x10\x10", "one", "one|3"},
        {"one\rtwo\r\x10\x10\x10", "one", "one|3"},
        {"one\rtwo\rnew\x1b[A\x1b[A\x1b[B", "two", "two|3"},
        {"one\rlonger\rnew\x1b[A\x1b[B", "new", "new|3"},
        {"one\rone\rtwo\r\x10\x10", "one", "one|3"},
        {"one\r\r\x10x", "onex", "onex|4"},
    };
    for (const auto& test : cases) {
        INFO(test.typed);
        Screen screen;
        control::LineEditor editor([&](std::string_view text) { screen.show(text); });
        for (const char c : test.typed) {
            if (editor.type(static_cast<uint8_t>(c))) {
                editor.take();
            }
        }
        CHECK(screen.shown() == test.shown);
        while (!editor.type('\r')) {
        }
        CHECK(editor.take() == test.line);
    }
    // Neither line nor history grows without end.
    control::LineEditor editor([](std::string_view) {});
    for (int i = 0; i < 200; ++i) {
        for (int n = 0; n < 2000; ++n) {
            editor.type(static_cast<uint8_t>('a' + i % 26));
        }
        CHECK(editor.type('\n'));
        CHECK(editor.take().size() == 1024);
    }
    CHECK(editor.history().size() == 64);
}

TEST_CASE("a line can be edited before it is sent", "[monitor]") {
    FakeMachine machine;
    FakeLine line;
    control::Monitor monitor(line, machine, kFacts);
    monitor.show_prompt();
    CHECK(line.output == "(weft) ");
    CHECK(line.type("info jut\x7f\x7fit\r\n") == "info jut\b \b\b \bit\njit\n(weft) ");
    CHECK(line.type("junk\x15info status\n") ==
          "junk\b\b\b\b    \b\b\b\binfo status\nVM status: running\n(weft) ");
    CHECK(line.type("\n\n") == "\n(weft) \n(weft) ");
    CHECK(line.type("\x7f\x1b") == "");
    CHECK(line.type("[A\n").ends_with("info status\nVM status: running\n(weft) "));
    CHECK(
        line.type("info history\n").ends_with("0: 'info jit'\n1: 'info status'\n2: 'info history'\n(weft) "));
}

TEST_CASE("whoever comes to a line is greeted, with the line ends that it needs", "[monitor]") {
    FakeMachine machine;
    FakeLine line;
    control::Monitor monitor(line, machine, kFacts, "\r\n");
    CHECK(line.type("half a li") == "half a li");
    line.output.clear();
    line.receiver->opened();
    CHECK(line.output == "weft 1.2.3 monitor - type 'help' for more information\r\n(weft) ");
    CHECK(line.type("info status\r") == "info status\r\nVM status: running\r\n(weft) ");
}
