"""The hash table of translation blocks beside liburcu's and TBB's."""

import subprocess

from . import Failure, measure, report

NAME = "qht"
HELP = "operations a second of base/qht.h, liburcu's cds_lfht and TBB's concurrent_hash_map"

TABLES = ("weft", "lfht", "tbb")


class Sample(float):
    """A run's geometric mean, for the progress line, with its cells: {(threads, updates): (elapsed, processor)}."""

    def __new__(cls, cells):
        product = 1.0
        for _, processor in cells.values():
            product *= processor
        sample = super().__new__(cls, product ** (1 / len(cells)))
        sample.cells = cells
        return sample


def numbers(text):
    return [int(word) for word in text.split(",")]


def add_options(parser):
    parser.add_argument("--bits", type=numbers, default=[10, 14, 18, 22],
                        help="binary logarithms of the number of entries (default 10,14,18,22)")
    parser.add_argument("--threads", type=numbers, default=[1, 2, 4, 8], help="numbers of threads (default 1,2,4,8)")
    parser.add_argument("--updates", type=numbers, default=[0, 20, 90],
                        help="shares of insertions and removals, in percent (default 0,20,90)")
    parser.add_argument("--milliseconds", type=int, default=200, help="length of one measurement (default 200)")


def build(root):
    """The benchmark program, made in a build folder of its own where it is not up to date."""
    folder = root / "build/bench-qht"
    target = "tests/bench_qht/bench-qht"
    commands = [["ninja", "-C", str(folder), target]]
    if not (folder / "build.ninja").is_file():
        commands.insert(0, ["meson", "setup", str(folder), str(root), "--buildtype=release", "-Dtests=false",
                            "-Dbench=enabled"])
    for command in commands:
        output = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True)
        if output.returncode != 0:
            raise Failure(f"{' '.join(command)}\n{output.stdout}\nbuilding failed; scripts/deps --full installs "
                          "liburcu-dev and libtbb-dev")
    return folder / target


def cells_of(output):
    """What the program printed: {(threads, updates): (millions a second, millions a second of processor time)}."""
    cells = {}
    for line in output.splitlines():
        threads, updates, elapsed, processor = line.split()
        cells[int(threads), int(updates)] = float(elapsed), float(processor)
    return cells


def run(arguments, root):
    program = build(root)
    lists = [",".join(map(str, values)) for values in (arguments.threads, arguments.updates)]

    def sample(case):
        bits, table = case
        command = [str(program), table, str(bits), *lists, str(arguments.milliseconds)]
        output = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True)
        if output.returncode != 0:
            raise Failure(f"{' '.join(command)} ended with {output.returncode}: {output.stdout}")
        return Sample(cells_of(output.stdout))

    cases = [(bits, table) for bits in arguments.bits for table in TABLES]
    samples = measure.interleaved(cases, arguments.rounds, sample)

    results = []
    for updates in arguments.updates:
        for threads in arguments.threads:
            for bits in arguments.bits:
                result = {"updates": updates, "threads": threads, "bits": bits, "unit": "million operations a second"}
                for table in TABLES:
                    cells = [one.cells[threads, updates] for one in samples[bits, table]]
                    result[table] = {"elapsed": measure.summary([cell[0] for cell in cells]),
                                     "processor": measure.summary([cell[1] for cell in cells])}
                results.append(result)

    def row(result):
        medians = [result[table][kind]["median"] for kind in ("processor", "elapsed") for table in TABLES]
        best = max(medians[1:3])
        return [result["updates"], result["threads"], f"2^{result['bits']}", *medians, medians[0] / best]

    report.print_table(["updates %", "threads", "entries", *TABLES, *(f"{table} wall" for table in TABLES),
                        "weft / best"], [row(result) for result in results])
    print("Millions of operations a second: of the threads' processor time, and of elapsed time (wall).")
    report.write_json(arguments.json, {"benchmark": NAME, "what": HELP, "rounds": arguments.rounds,
                                       "host": report.host(), "results": results})
