"""More vCPUs than the host has processors: what is left of the throughput."""

import os
import pathlib

from . import Failure, emulators, measure, programs, report, results, runners
from .comparison import milliseconds, progress, times
from .system import names

NAME = "oversubscribed"
HELP = "programs whose threads contend in the kernel, in guests with more vCPUs than host processors, weft and peer"

# vCPUs for each host processor. The first is what the others are compared with.
FACTORS = (1, 2, 4)


def add_options(parser):
    parser.add_argument("--only", type=names, metavar="NAME,...",
                        help="these programs: " + ", ".join(program.name for program in programs.CROWDS))
    parser.add_argument("--processors", type=int, metavar="N", default=len(os.sched_getaffinity(0)),
                        help="host processors that the emulators may use (default all)")
    parser.add_argument("--weft-build", type=pathlib.Path, metavar="DIR", help="weft's build folder (build/release)")
    parser.add_argument("--weft-accel", action="append", metavar="OPTIONS",
                        help="weft's -accel option (default tcg); several are measured beside each other")
    parser.add_argument("--without-peer", action="store_true", help="leave out the peer")
    parser.add_argument("--timeout", type=float, default=900,
                        help="seconds that all programs may take together in one boot (default 900)")


def shares(by_vcpus):
    """{vCPUs: share of the throughput with the fewest}, of {vCPUs: summary of seconds}: the work is the same."""
    least = by_vcpus[min(by_vcpus)]
    return {vcpus: results.quotient(least, summary) for vcpus, summary in by_vcpus.items()}


def run(arguments, root):
    allowed = sorted(os.sched_getaffinity(0))[:arguments.processors]
    if not 0 < arguments.processors == len(allowed):
        raise Failure(f"--processors {arguments.processors}: there are {len(os.sched_getaffinity(0))}")
    chosen = programs.chosen(arguments.only, programs.CROWDS)
    folder = programs.build(root, programs.folder(root))
    guest = emulators.guest(root)
    emulated = {accel: emulators.weft(root, arguments.weft_build, accel) for accel in arguments.weft_accel or ["tcg"]}
    if not arguments.without_peer:
        emulated["peer"] = emulators.peer(root)
    machines = {name: runners.InGuest(root, guest, emulator, folder, root / "build/bench/guest", arguments.timeout)
                for name, emulator in emulated.items()}
    references = results.References()
    # Emulators inherit it.
    os.sched_setaffinity(0, allowed)

    def sample(case):
        vcpus, name = case
        samples = machines[name].run([programs.job(program, program.guest_repeats) for program in chosen], vcpus)
        return references.checked(name, samples, [program.name for program in chosen])

    counts = [factor * arguments.processors for factor in FACTORS]
    # The numbers of vCPUs of one emulator run next to each other: they are what is compared.
    cases = [(vcpus, name) for name in machines for vcpus in counts]
    samples = measure.interleaved(cases, arguments.rounds, sample, warm_up=arguments.rounds > 1, show=progress)

    rows, table, wrong = [], [], []
    for program in chosen:
        for name, machine in machines.items():
            by_vcpus = {vcpus: results.summary([outcome[program.name] for outcome in samples[vcpus, name]])
                        for vcpus in counts}
            share = shares(by_vcpus)
            rows.append({"program": program.name, "machine": name, "unit": "s", "vcpus": by_vcpus, "shares": share})
            table.append([program.name, name, *(milliseconds(by_vcpus[vcpus]) for vcpus in counts),
                          *(times(share[vcpus]) for vcpus in counts[1:])])
            wrong += [(program.name, name, vcpus, summary["wrong"]) for vcpus, summary in by_vcpus.items()
                      if "wrong" in summary]
    print(f"\n{arguments.processors} host processors; milliseconds a repeat, "
          f"and the share of the throughput with {counts[0]} vCPUs")
    report.print_table(["program", "machine", *(f"{vcpus} vCPUs" for vcpus in counts),
                        *(f"share of {vcpus}" for vcpus in counts[1:])], table)
    for program, name, vcpus, why in wrong:
        print(f"\nbench: wrong: {program}, {name}, {vcpus} vCPUs: {why}")
    report.write_json(arguments.json, {
        "benchmark": NAME, "what": HELP, "rounds": arguments.rounds, "host": report.host(), "guest": guest.versions,
        "processors": arguments.processors, "emulators": {name: machine.version for name, machine in machines.items()},
        "results": rows})
    return 1 if wrong else 0
