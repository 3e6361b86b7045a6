"""Interrupt latencies, as the guest sees them."""

from . import Failure, bare_metal, emulators, measure, report

NAME = "latency"
HELP = "microseconds from software and timer interrupts to their handlers, weft and peer"

# See tests/bench/latency_main.cpp.
CASES = {
    "ipi-running": "msip of another hart that runs",
    "ipi-halted": "msip of another hart that halted",
    "timer-running": "mtimecmp of a hart that runs",
    "timer-halted": "mtimecmp of a hart that halted",
}
PERCENTILES = ("p50", "p99", "largest")


def add_options(parser):
    parser.add_argument("--timeout", type=float, default=600, help="seconds that one run may take (default 600)")


def microseconds(lines):
    """{"case p50": microseconds} of what the guest printed: name, and the percentiles in ticks of 100 ns."""
    values = {}
    for line in lines:
        words = line.split()
        if len(words) != 1 + len(PERCENTILES) or words[0] not in CASES:
            raise Failure(f"the guest printed '{line}'")
        for percentile, word in zip(PERCENTILES, words[1:]):
            values[f"{words[0]} {percentile}"] = int(word, 16) / 10
    if len(values) != len(CASES) * len(PERCENTILES):
        raise Failure(f"the guest printed {len(values) // len(PERCENTILES)} of {len(CASES)} cases")
    return values


def run(arguments, root):
    program = bare_metal.build(root, "latency", "tests/isa/guest/start.S", "tests/bench/latency_main.cpp")
    programs = {emulator.name: emulator for emulator in (emulators.weft(root), emulators.peer(root))}

    def sample(case):
        return bare_metal.Sample(microseconds(bare_metal.run(programs[case[0]], program, 2, arguments.timeout)))

    samples = measure.interleaved([(name,) for name in programs], arguments.rounds, sample)
    results = []
    for case in CASES:
        for percentile in PERCENTILES:
            key = f"{case} {percentile}"
            weft, peer = (measure.summary([one.values[key] for one in samples[name,]]) for name in ("weft", "peer"))
            results.append({"case": case, "what": CASES[case], "value": percentile, "unit": "us", "weft": weft,
                            "peer": peer})
    report.print_table(["case", "value", "weft us", "peer us"],
                       [[r["case"], r["value"], r["weft"]["median"], r["peer"]["median"]] for r in results])
    report.write_json(arguments.json, {
        "benchmark": NAME, "what": HELP, "rounds": arguments.rounds, "host": report.host(),
        "emulators": {name: emulator.version for name, emulator in programs.items()}, "results": results})
