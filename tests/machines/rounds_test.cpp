// Machines that come and go in one process leave nothing behind: see rounds.h.
#define CATCH_CONFIG_RUNNER
#include "tests/machines/rounds.h"

#include "tests/machines/machine_run.h"

using namespace weft::test;

TEST_CASE("machines come and go") {
    for (const char* accel :
         {"tcg,tb-size=8", "tcg,split-wx=on", "tcg,thread=single,clock=insn", "tcg,backend=interp"}) {
        DYNAMIC_SECTION(accel) {
            repeat_rounds([accel] {
                MachineSetup setup({"-accel", accel, "-bios", GUEST, "-smp", "4", "-m", "16M"}, MODULES);
                REQUIRE(setup.error().empty());
                const MachineOutcome outcome = setup.run();
                REQUIRE(outcome.error.empty());
                REQUIRE(outcome.exit_code == 0);
                REQUIRE(outcome.output == "0\n");
            });
        }
    }
}

int main(int argc, char** argv) {
    steady_malloc();
    return Catch::Session().run(argc, argv);
}
