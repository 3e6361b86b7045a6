"""Stores beside and into running code."""

from . import Failure, bare_metal, emulators, measure, report

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


def nanoseconds(lines):
    """{case: nanoseconds a round} of what the guest printed: name, rounds, ticks of 100 ns."""
    values = {}
    for line in lines:
        words = line.split()
        if len(words) != 3 or words[0] not in CASES:
            raise Failure(f"the guest printed '{line}'")
        values[words[0]] = int(words[2], 16) * 100 / int(words[1], 16)
    if set(values) != set(CASES):
        raise Failure(f"the guest printed {len(values)} of {len(CASES)} cases")
    return values


def run(arguments, root):
    program = bare_metal.build(root, "smc", "tests/isa/guest/start.S", "tests/bench/smc_main.cpp")
    programs = {emulator.name: emulator for emulator in (emulators.weft(root), emulators.peer(root))}

    def sample(case):
        return bare_metal.Sample(nanoseconds(bare_metal.run(programs[case[0]], program, 1, arguments.timeout)))

    samples = measure.interleaved([(name,) for name in programs], arguments.rounds, sample)
    results = []
    for case in CASES:
        weft, peer = (measure.summary([one.values[case] for one in samples[name,]]) for name in ("weft", "peer"))
        results.append({"case": case, "what": CASES[case], "unit": "ns", "weft": weft, "peer": peer,
                        "ratio": measure.ratio(peer, weft)})
    report.print_table(["case", "weft ns", "peer ns", "times as fast"],
                       [[r["case"], r["weft"]["median"], r["peer"]["median"], r["ratio"]] for r in results])
    report.write_json(arguments.json, {
        "benchmark": NAME, "what": HELP, "rounds": arguments.rounds, "host": report.host(),
        "emulators": {name: emulator.version for name, emulator in programs.items()}, "results": results})
