"""Transitions between address spaces."""

from . import bare_metal, emulators, measure

NAME = "contexts"
HELP = "nanoseconds a transition of a guest that goes round address spaces and calls code of each, weft and peer"

# How many spaces there are in each case: see tests/bench/contexts_main.cpp.
CASES = {f"spaces-{count}": f"satp written, 32 routines called; {count} in turn" for count in (1, 2, 4, 8, 16, 32)}


def add_options(parser):
    parser.add_argument("--timeout", type=float, default=600, help="seconds that one run may take (default 600)")


def run(arguments, root):
    program = bare_metal.build(root, "contexts", "tests/isa/guest/start.S", "tests/isa/guest/probe_switch.S",
                               "tests/bench/contexts_main.cpp")
    programs = {emulator.name: emulator for emulator in (emulators.weft(root), emulators.peer(root))}

    def sample(case):
        lines = bare_metal.run(programs[case[0]], program, 1, arguments.timeout)
        return bare_metal.Sample(bare_metal.nanoseconds(lines, CASES))

    samples = measure.interleaved([(name,) for name in programs], arguments.rounds, sample)
    bare_metal.report_cases(arguments, NAME, HELP, CASES, programs, samples)
