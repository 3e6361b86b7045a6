"""The programs of tests/bench: on the host, and in guests of weft's and of the peer's."""

import pathlib

from . import chart, emulators, measure, programs, report, results, runners

NAME = "system"
HELP = "programs in a guest of weft's, in one of the peer's, and on the host"


def names(text):
    return [word for word in text.split(",") if word]


def vcpu_list(text):
    return [int(word) for word in text.split(",")]


def add_options(parser):
    parser.add_argument("--vcpus", type=vcpu_list, default=[1, 2], help="numbers of vCPUs (default 1,2)")
    parser.add_argument("--only", type=names, metavar="NAME,...",
                        help="these programs: " + ", ".join(program.name for program in programs.PROGRAMS))
    parser.add_argument("--without", type=names, default=[], metavar="MACHINE,...",
                        help="leave out native, weft or peer")
    parser.add_argument("--weft-build", type=pathlib.Path, metavar="DIR", help="weft's build folder (build/release)")
    parser.add_argument("--weft-accel", default="tcg", metavar="OPTIONS", help="weft's -accel option (default tcg)")
    parser.add_argument("--peer-accel", default="tcg", metavar="OPTIONS", help="the peer's (default tcg)")
    parser.add_argument("--timeout", type=float, default=900,
                        help="seconds that all programs may take together in one boot (default 900)")
    parser.add_argument("--svg", type=pathlib.Path, metavar="FILE",
                        help="where to write the chart (default build/bench/system.svg)")


def run(arguments, root):
    chosen = programs.chosen(arguments.only)
    folder = programs.build(root, programs.folder(root))
    guest = emulators.guest(root)
    machines = {}
    if "native" not in arguments.without:
        machines["native"] = runners.Native(folder, arguments.timeout)
    for name, emulator in (
            ("weft", lambda: emulators.weft(root, arguments.weft_build, arguments.weft_accel)),
            ("peer", lambda: emulators.peer(root, arguments.peer_accel))):
        if name not in arguments.without:
            machines[name] = runners.InGuest(root, guest, emulator(), folder, root / "build/bench/guest",
                                             arguments.timeout)

    # What a sample is compared with: the host's results if it takes part, else those of whoever came first.
    reference = {}

    def sample(case):
        vcpus, name = case
        repeats = [program.native_repeats if name == "native" else program.guest_repeats for program in chosen]
        samples = machines[name].run([programs.job(*pair) for pair in zip(chosen, repeats)], vcpus)
        for program, value in samples.items():
            if isinstance(value, results.Outcome):
                reference.setdefault(program, value)
        return {program.name: results.checked(samples.get(program.name), reference.get(program.name))
                for program in chosen}

    cases = [(vcpus, name) for vcpus in arguments.vcpus for name in machines]
    samples = measure.interleaved(cases, arguments.rounds, sample, warm_up=arguments.rounds > 1, show=progress)

    document = {"benchmark": NAME, "what": HELP, "rounds": arguments.rounds, "host": report.host(),
                "guest": guest.versions, "machines": {name: machine.version for name, machine in machines.items()},
                "accelerators": {"weft": arguments.weft_accel, "peer": arguments.peer_accel}, "results": []}
    wrong = []
    for vcpus in arguments.vcpus:
        rows = [results.row(program.name, program.group, {
            name: results.summary([outcome[program.name] for outcome in samples[vcpus, name]]) for name in machines})
            for program in chosen]
        means = results.means(rows, programs.GROUPS)
        document["results"].append({"vcpus": vcpus, "programs": rows, "means": means})
        wrong += [(vcpus, *what) for what in results.wrongs(rows)]
        show(vcpus, list(machines), rows, means)
    for vcpus, program, machine, why in wrong:
        print(f"\nbench: wrong: {program}, {machine}, {vcpus} vCPUs: {why}")
    print()
    report.write_json(arguments.json, document)
    picture = chart.system(document)
    if picture:
        report.write_text(arguments.svg or root / "build/bench/system.svg", picture)
    return 1 if wrong else 0


def progress(samples):
    outcomes = [value for value in samples.values() if isinstance(value, results.Outcome)]
    wrong = len(samples) - len(outcomes)
    return f"{len(outcomes)} programs" + (f", {wrong} WRONG" if wrong else "")


def milliseconds(summary):
    return "wrong" if "wrong" in summary else f"{summary['median'] * 1000:.3f}"


def times(value):
    return "-" if value is None else f"{value:.2f}"


TITLES = {"weft_over_native": "weft/native", "peer_over_native": "peer/native", "times_as_fast": "times as fast"}


def show(vcpus, machines, rows, means):
    ratios = [key for key, _, _ in results.RATIOS if any(key in line for line in rows)]
    print(f"\n{vcpus} vCPU{'s' if vcpus > 1 else ''}, milliseconds a repeat")
    table = [[line["program"], *(milliseconds(line[name]) for name in machines),
              *(times(line.get(key)) for key in ratios)] for line in rows]
    table += [[f"= {mean['group']} ({mean['programs']})", *("" for _ in machines), *(times(mean[key]) for key in ratios)]
              for mean in means]
    report.print_table(["program", *machines, *(TITLES[key] for key in ratios)], table)
