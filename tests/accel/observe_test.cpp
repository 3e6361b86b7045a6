// What the accelerator counts and announces: profile=on, the debugger's list, the file it is given.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <map>
#include <regex>
#include <sstream>

#include "accel/tcg/observe/debug_elf.h"
#include "accel/tcg/observe/profile.h"
#include "tcg/exec_state.h"
#include "tests/accel/toy_machine.h"
#include "tests/support/subprocess.h"

using namespace toy;
using namespace weft;

// As the interface of debuggers has them; the list is in accel/tcg/observe/gdb_jit.cpp.
extern "C" {
struct jit_code_entry {
    jit_code_entry* next_entry;
    jit_code_entry* prev_entry;
    const char* symfile_addr;
    uint64_t symfile_size;
};
struct jit_descriptor {
    uint32_t version;
    uint32_t action_flag;
    jit_code_entry* relevant_entry;
    jit_code_entry* first_entry;
};
extern jit_descriptor __jit_debug_descriptor;
}

namespace {

bool native() {
    const char* backend = std::getenv("WEFT_TEST_BACKEND");
    return backend != nullptr && std::string(backend) == "native";
}

// `rounds` times round a loop of one TB, then an event. The first round is in the TB that begins at `pc`.
Assembler loop_program(uint64_t pc, int64_t rounds, uint64_t* loop) {
    Assembler code(pc);
    code.li(13, static_cast<int64_t>(kDevice));
    code.li(2, rounds);
    *loop = code.pc();
    code.addi(2, -1);
    code.bne(2, 14, *loop);
    code.op(Opcode::st, 2, 13);
    code.op(Opcode::halt);
    code.jmp(code.pc());
    return code;
}

// Entries by guest pc, of all that there are.
std::map<uint64_t, uint64_t> entries(const Machine& machine, uint64_t* total = nullptr) {
    std::istringstream lines(machine.report("tb-list 100000"));
    std::string line;
    std::getline(lines, line);
    if (total != nullptr) {
        *total = std::strtoull(line.substr(line.find("entered ") + 8).c_str(), nullptr, 10);
    }
    std::getline(lines, line);
    std::map<uint64_t, uint64_t> found;
    while (std::getline(lines, line)) {
        std::istringstream words(line);
        uint64_t count = 0;
        std::string share;
        uint64_t pc = 0;
        words >> count >> share >> std::hex >> pc;
        found[pc] += count;
    }
    return found;
}

size_t debugger_entries() {
    size_t count = 0;
    const jit_code_entry* before = nullptr;
    for (const jit_code_entry* entry = __jit_debug_descriptor.first_entry; entry != nullptr;
         entry = entry->next_entry) {
        REQUIRE(entry->prev_entry == before);
        before = entry;
        ++count;
    }
    return count;
}

}  // namespace

TEST_CASE("a loop's entries are counted, each one") {
    Machine machine(1, {{"profile", "on"}});
    REQUIRE(machine.error().empty());
    uint64_t loop = 0;
    machine.load(loop_program(0x1000, 100000, &loop));
    machine.add(0x1000);
    machine.resume();
    machine.await_events(1);
    machine.pause();
    uint64_t total = 0;
    const std::map<uint64_t, uint64_t> found = entries(machine, &total);
    REQUIRE(found.at(0x1000) == 1);
    REQUIRE(found.at(loop) == 99999);
    uint64_t sum = 0;
    for (const auto& [pc, count] : found) {
        sum += count;
    }
    REQUIRE(sum == total);
    REQUIRE(machine.stat("block_entries") == total);
    // From the loop or past it, by the jump cache, by the look-up hook: else by a linked jump.
    REQUIRE(machine.stat("linked_entries") + machine.stat("loop_entries") + machine.stat("went_on") +
                machine.stat("probe_hits") + machine.stat("lookup_generated") ==
            total);
    REQUIRE(machine.stat("linked_entries") >= 99990);
}

TEST_CASE("entries by several vCPUs at the same time are all counted") {
    constexpr uint32_t kVcpus = 4;
    // So many that the vCPUs, which start one after the other, overlap.
    const uint64_t kRounds = native() ? 20000000 : 300000;
    Machine machine(kVcpus, {{"profile", "on"}});
    uint64_t loop = 0;
    machine.load(loop_program(0x1000, static_cast<int64_t>(kRounds), &loop));
    for (uint32_t i = 0; i < kVcpus; ++i) {
        machine.add(0x1000);
    }
    machine.resume();
    machine.await_events(kVcpus);
    machine.pause();
    uint64_t total = 0;
    REQUIRE(entries(machine, &total).at(loop) == kVcpus * (kRounds - 1));
    REQUIRE(machine.stat("block_entries") == total);
    // Those of a vCPU that has gone stay in the sum.
    machine.remove(kVcpus - 1);
    REQUIRE(machine.stat("block_entries") == total);
}

TEST_CASE("probes of the jump cache are counted by their result") {
    Machine machine(1, {{"profile", "on"}});
    Assembler code(0x1000);
    code.li(13, static_cast<int64_t>(kDevice));
    code.li(2, 1000);
    const auto target = code.li_later(3);
    code.land(target);
    const uint64_t loop = code.pc();
    code.addi(2, -1);
    const auto out = code.bne_later(2, 14);
    code.op(Opcode::st, 2, 13);
    code.op(Opcode::halt);
    code.jmp(code.pc());
    code.land(out);
    code.op(Opcode::jr, 3);
    machine.load(code);
    machine.add(0x1000);
    machine.resume();
    machine.await_events(1);
    machine.pause();
    // 999 indirect jumps to the loop. The first one finds nothing translated there, and the loop then fills the cache.
    REQUIRE(entries(machine).at(loop) == 999);
    REQUIRE(machine.stat("probe_misses") == 1);
    REQUIRE(machine.stat("probe_hits") == 998);
}

TEST_CASE("nothing is counted unless it is asked for") {
    Machine machine(1);
    uint64_t loop = 0;
    machine.load(loop_program(0x1000, 1000, &loop));
    machine.add(0x1000);
    machine.resume();
    machine.await_events(1);
    machine.pause();
    REQUIRE(machine.report("stats").find("block_entries") == std::string::npos);
    REQUIRE(machine.report("tb-list").find("profile=on") != std::string::npos);
}

TEST_CASE("a unit begins at zero where another one was") {
    auto profile = accel::Profile::create(1 << 20);
    REQUIRE(profile);
    profile->counters()[0x1230 >> tcg::kProfileShift] = 5;
    profile->counters()[0x1240 >> tcg::kProfileShift] = 6;
    REQUIRE(profile->entries(0x1230) == 5);
    profile->begin_unit(0x1230);
    REQUIRE(profile->entries(0x1230) == 0);
    REQUIRE(profile->entries(0x1240) == 6);
    // The last place of the buffer has a counter of its own.
    profile->begin_unit((1 << 20) - 16);
}

TEST_CASE("reports say what they cannot do") {
    Machine machine(1, {{"profile", "on"}});
    machine.add(0x1000);
    REQUIRE(machine.report("tb-list x") == "'x' is no number\n");
    REQUIRE(machine.report("tb x").find("'x' is no address") == 0);
    REQUIRE(machine.report("tlb 1") == "there is no CPU '1'\n");
    REQUIRE(machine.report("tlb 0").find("CPU 0: 0 fills") == 0);
    REQUIRE(machine.report("stats-file").find("no file was named") == 0);
    REQUIRE(machine.report("tlbs").empty());
}

TEST_CASE("a debugger's list has each machine's code, and nothing when they have gone") {
    REQUIRE(__jit_debug_descriptor.version == 1);
    REQUIRE(debugger_entries() == 0);
    const size_t each = native() ? 1 : 0;
    {
        const Machine one(1);
        REQUIRE(debugger_entries() == each);
        {
            const Machine two(1);
            const Machine three(1);
            REQUIRE(debugger_entries() == 3 * each);
        }
        REQUIRE(debugger_entries() == each);
        for (int i = 0; i < 1000; ++i) {
            const Machine more(1, {{"tb-size", "1"}});
            REQUIRE(debugger_entries() == 2 * each);
        }
        REQUIRE(debugger_entries() == each);
    }
    REQUIRE(debugger_entries() == 0);
}

// binutils' reader is the oracle.
TEST_CASE("the debugger's file is an ELF file with these frames") {
    tcg::RuntimeMap map{};
    map.elf_machine = 62;
    map.stack_register = 7;
    map.return_register = 16;
    map.saved_registers = {6, 3};
    map.state_register = 6;
    map.frame_word = -216;
    map.runtime_size = 0x80;
    map.runtime = {{0, 8, 0},     {1, 16, 1},    {2, 24, 2},   {9, 56, 2, true},
                   {0x20, 24, 2}, {0x22, 16, 1}, {0x40, 8, 0}, {0x44, 600, 0}};
    map.units = {0, 56, 2, true};
    map.symbols = {{"enter", 0, 0x20}, {"leave", 0x20, 0x60}};
    const test::TempDir folder;
    const std::string file = folder.write("debug.elf", accel::make_debug_elf(map, 0x7f0000400000, 0x100000));
    const auto readelf = [&file](const char* what) {
        const test::Outcome outcome =
            test::run({.arguments = {"/usr/bin/readelf", "-W", what, file}, .input = {}, .environment = {}});
        CHECK(outcome.exit_code == 0);
        CHECK(outcome.errors.empty());
        return outcome.output;
    };
    const auto has = [](const std::string& text, const char* pattern) {
        INFO(pattern << "\n" << text);
        CHECK(std::regex_search(text, std::regex(pattern)));
    };
    const std::string header = readelf("-h");
    has(header, "Type: +EXEC");
    has(header, "Machine: +Advanced Micro Devices X86-64");
    const std::string sections = readelf("-S");
    has(sections, "\\.text +NOBITS +00007f0000400000 [0-9a-f]+ 100000 00 +AX");
    has(sections, "\\.debug_frame +PROGBITS");
    const std::string symbols = readelf("-s");
    has(symbols, "00007f0000400000 +32 FUNC +GLOBAL DEFAULT +1 enter");
    has(symbols, "00007f0000400020 +96 FUNC +GLOBAL DEFAULT +1 leave");
    has(symbols, "00007f0000400080 0xfff80 FUNC +GLOBAL DEFAULT +1 weft_generated_code");
    const std::string frames = readelf("--debug-dump=frames-interp");
    has(frames, "pc=00007f0000400000\\.\\.00007f0000400080");
    has(frames, "00007f0000400000 rsp\\+8 +u +u +c-8");
    has(frames, "00007f0000400001 rsp\\+16 +u +c-16 +c-8");
    has(frames, "00007f0000400002 rsp\\+24 +c-24 +c-16 +c-8");
    has(frames, "00007f0000400009 exp +c-24 +c-16 +c-8");
    has(frames, "00007f0000400020 rsp\\+24 +c-24 +c-16 +c-8");
    has(frames, "00007f0000400022 rsp\\+16 +u +c-16 +c-8");
    has(frames, "00007f0000400040 rsp\\+8 +u +u +c-8");
    has(frames, "00007f0000400044 rsp\\+600 +u +u +c-8");
    has(frames, "pc=00007f0000400080\\.\\.00007f0000500000");
    has(frames, "00007f0000400080 exp +c-24 +c-16 +c-8");
    has(readelf("--debug-dump=frames"),
        "DW_CFA_def_cfa_expression \\(DW_OP_breg6 \\(rbp\\): -216; DW_OP_deref; DW_OP_plus_uconst: 56\\)");
}
