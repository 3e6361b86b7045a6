// Accelerators that come and go in one process leave nothing behind: see rounds.h. The guest is the toy; in every other
// round it is destroyed while its vCPUs run.
#define CATCH_CONFIG_RUNNER
#include "tests/machines/rounds.h"

#include "tests/accel/toy_machine.h"

using namespace toy;

namespace {

// Tells its number, is busy for a while, and waits.
Assembler program() {
    Assembler code(0x1000);
    code.li(13, static_cast<int64_t>(kDevice));
    code.op(Opcode::id, 1);
    code.op(Opcode::st, 1, 13);
    code.li(2, 20'000);
    const uint64_t loop = code.pc();
    code.addi(2, -1);
    code.bne(2, 14, loop);
    const uint64_t end = code.pc();
    code.op(Opcode::halt);
    code.jmp(end);
    return code;
}

}  // namespace

TEST_CASE("accelerators with four vCPUs come and go") {
    const std::vector<Machine::Properties> ways = {
        {{"tb-size", "8"}},
        {{"split-wx", "on"}},
        {{"thread", "single"}},
        {{"thread", "single"}, {"clock", "insn"}},
    };
    for (const Machine::Properties& way : ways) {
        std::string text;
        for (const auto& [name, value] : way) {
            text += name + "=" + value + " ";
        }
        DYNAMIC_SECTION(text) {
            unsigned round = 0;
            weft::test::repeat_rounds([&] {
                Machine machine(4, way);
                REQUIRE(machine.error().empty());
                machine.load(program());
                for (int i = 0; i < 4; ++i) {
                    machine.add(0x1000);
                }
                machine.resume();
                machine.wait_for(4);
                if (++round % 2 == 0) {
                    machine.pause();
                    machine.remove(round % 4);
                }
            });
        }
    }
}

int main(int argc, char** argv) {
    weft::test::steady_malloc();
    return Catch::Session().run(argc, argv);
}
