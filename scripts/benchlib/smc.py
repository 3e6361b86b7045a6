"""Stores beside and into running code."""

from . import bare_metal, emulators, measure

NAME = "smc"
HELP = "nanoseconds a round of guests that store beside and into running code, weft and peer"

# What a round of each case is: see tests/bench/smc_main.cpp.
CASES = {
    "elsewhere": "store to a page without code, call",
    "same-page": "store to the code's page, call",
    "same-line": "store to the code's cache line, call",
    "one-of-32": "change one of a page's 32 routines, fence.i, call all",
    "rewrite": "change the routine, fence.i, call it; others in its page",
    "rewrite-alone": "the same, alone in its page",
}


def add_options(parser):
    parser.add_argument("--timeout", type=float, default=600, help="seconds that one run may take (default 600)")


def run(arguments, root):
    program = bare_metal.build(root, "smc", "tests/isa/guest/start.S", "tests/bench/smc_main.cpp")
    programs = {emulator.name: emulator for emulator in (emulators.weft(root), emulators.peer(root))}

    def sample(case):
        lines = bare_metal.run(programs[case[0]], program, 1, arguments.timeout)
        return bare_metal.Sample(bare_metal.nanoseconds(lines, CASES))

    samples = measure.interleaved([(name,) for name in programs], arguments.rounds, sample)
    bare_metal.report_cases(arguments, NAME, HELP, CASES, programs, samples)
