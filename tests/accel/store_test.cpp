// Translations that outlast the process: what one made, the next one finds, wherever its code lies, and runs to the same end.
// Other tests of the accelerator run with a store as well (WEFT_TEST_CACHE). Native code alone can be stored.
#include <catch2/catch.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "accel/tcg/store/store_folder.h"
#include "tests/accel/process_programs.h"
#include "tests/support/subprocess.h"

using namespace toy;
using weft::VcpuStop;

namespace {

struct Counts {
    uint64_t made, stored;
};

// Adds to a word in memory as often as r1 says; then a system call.
Assembler program(uint64_t pc, int64_t step) {
    Assembler code = at(pc);
    code.li(2, 0);
    const uint64_t loop = code.pc();
    code.op(Opcode::ld, 4, 3);
    code.addi(4, step);
    code.op(Opcode::st, 4, 3);
    code.addi(1, -1);
    code.bne(1, 2, loop);
    code.op(Opcode::ecall);
    return code;
}

struct Run {
    const std::string& folder;
    uint64_t pc = kCode;
    int64_t step = 3;
    bool of_file = true;
    Properties properties = {};
    uint64_t model_id = 0;

    Counts operator()() const {
        Properties all = properties;
        all["cache"] = folder;
        all["backend"] = "native";
        all["translate-after"] = "0";
        weft::GuestArch arch = process_arch();
        arch.model_id = model_id;
        ToyProcess process(all, 0, 4, arch);
        REQUIRE(process.error().empty());
        process.of_file = of_file;
        ToyProcess::load(program(pc, step), pc);
        ToyProcess::Thread thread(process, pc);
        constexpr uint64_t kRounds = 1000;
        thread.reg(1) = kRounds;
        thread.reg(3) = kData;
        CHECK(thread.run() == VcpuStop::exception);
        CHECK(thread.state().exception_cause == kEcall);
        CHECK(*reinterpret_cast<const int64_t*>(kData) == static_cast<int64_t>(kRounds) * step);
        return {process.stat("translations"), process.stat("translations_stored")};
    }
};

}  // namespace

TEST_CASE("what one process made, the next one finds, at whatever address") {
    const weft::test::TempDir parent;
    const std::string folder = parent.file("cache");
    const Counts first = Run{folder}();
    CHECK(first.made >= 2);
    CHECK(first.stored == 0);
    const Counts second = Run{folder}();
    CHECK(second.made == first.made);
    CHECK(second.stored == first.made);
    // Another page; not another place in a page.
    CHECK(Run{folder, page_address(7)}().stored == first.made);
    CHECK(Run{folder, page_address(7) + 64}().stored == 0);
}

TEST_CASE("other bytes are other units") {
    const weft::test::TempDir parent;
    const std::string folder = parent.file("cache");
    const Counts first = Run{folder}();
    const Counts changed = Run{folder, kCode, 5}();
    CHECK(changed.stored < changed.made);
    CHECK(Run{folder, kCode, 5}().stored == changed.made);
    CHECK(Run{folder}().stored == first.made);
}

TEST_CASE("settings that make other code have units of their own") {
    // Every switch there is, as the accelerator lists them where it is given an unknown one.
    const weft::test::TempDir parent;
    const std::string error = ToyProcess({{"backend", "native"}, {"disable", "no-such"}}).error();
    const size_t begin = error.find("there are: ") + 11;
    std::istringstream names(error.substr(begin, error.rfind(')') - begin));
    // What makes no other code, or none in process mode.
    const std::set<std::string> no_matter = {"remember-insns",   "grow-jump-cache", "contexts-apart",
                                             "share-tlb-probes", "carry-pages",     "pages-ahead",
                                             "small-first",      "young-processes"};
    unsigned switches = 0;
    for (std::string name; std::getline(names >> std::ws, name, ',');) {
        CAPTURE(name);
        // A folder has room for a few settings only.
        const std::string folder = parent.file(name);
        const Counts first = Run{folder}();
        const Run run{folder, kCode, 3, true, {{"disable", name}}};
        CHECK((run().stored == 0) != no_matter.contains(name));
        CHECK(run().stored > 0);
        CHECK(Run{folder}().stored == first.made);
        ++switches;
    }
    CHECK(switches > 15);
}

TEST_CASE("models of a CPU have units of their own") {
    const weft::test::TempDir parent;
    const std::string folder = parent.file("models");
    const Counts first = Run{folder}();
    CHECK(Run{folder, kCode, 3, true, {}, 1}().stored == 0);
    CHECK(Run{folder, kCode, 3, true, {}, 1}().stored == first.made);
    CHECK(Run{folder}().stored == first.made);
}

TEST_CASE("code that is of no file is not kept") {
    const weft::test::TempDir parent;
    const std::string folder = parent.file("cache");
    const Run run{folder, kCode, 3, false};
    CHECK(run().stored == 0);
    CHECK(run().stored == 0);
}

TEST_CASE("a folder that cannot be used is no reason not to run") {
    const weft::test::TempDir parent;
    const std::string folder = parent.file("no/such");
    CHECK(Run{folder}().stored == 0);
    CHECK(Run{folder}().stored == 0);
}

TEST_CASE("what does not go together with kept translations is said") {
    for (const auto& [name, value] : {std::pair("backend", "interp"), std::pair("profile", "on")}) {
        Properties properties = {{"cache", "/nowhere"}, {"backend", "native"}};
        properties[name] = value;
        const ToyProcess process(properties);
        CHECK(process.error() ==
              "property 'cache' needs backend=native, and neither clock=insn nor profile=on");
    }
}
