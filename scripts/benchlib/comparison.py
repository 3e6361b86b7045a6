"""The programs of tests/bench on several machines side by side: what `system` and `user` share."""

from . import chart, measure, programs, report, results


def run(benchmark, arguments, root, chosen, machines, facts):
    """Runs the programs on machines {name: runner}, one of them perhaps "native", for each number of processors in
    arguments.vcpus; prints tables and writes the result. `facts` is added to the JSON file.
    """
    references = results.References()

    def sample(case):
        vcpus, name = case
        repeats = [program.native_repeats if name == "native" else program.guest_repeats for program in chosen]
        samples = machines[name].run([programs.job(*pair) for pair in zip(chosen, repeats)], vcpus)
        return references.checked(name, samples, [program.name for program in chosen])

    cases = [(vcpus, name) for vcpus in arguments.vcpus for name in machines]
    samples = measure.interleaved(cases, arguments.rounds, sample, warm_up=arguments.rounds > 1, show=progress)

    document = {"benchmark": benchmark.NAME, "what": benchmark.HELP, "rounds": arguments.rounds, "host": report.host(),
                **facts, "machines": {name: machine.version for name, machine in machines.items()}, "results": []}
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
        report.write_text(arguments.svg or root / "build/bench" / f"{benchmark.NAME}.svg", picture)
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
