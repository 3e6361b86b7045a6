"""What a small code cache costs: a boot, and a load with a large code footprint, by tb-size and way of eviction."""

import gzip
import math
import os
import pathlib
import resource
import subprocess
import tempfile

from . import Failure, cpio, emulators, measure, report

NAME = "cache"
HELP = "seconds of a boot and of a load with much code, by tb-size: weft with evict=region and evict=flush, and peer"

BEGIN = b"WEFT cache begin"
END = b"WEFT cache end"
WAYS = {"region": ",evict=region", "flush": ",evict=flush", "peer": ""}
PARTS = ("boot", "load")


def numbers(text):
    return [int(word) for word in text.split(",")]


def ways(text):
    words = text.split(",")
    if not set(words) <= set(WAYS):
        raise ValueError
    return words


def parts(text):
    words = text.split(",")
    if not set(words) <= set(PARTS):
        raise ValueError
    return words


def add_options(parser):
    parser.add_argument("--sizes", type=numbers, default=[4, 8, 16, 32, 0],
                        help="values of tb-size in MiB, 0 being the default (default 4,8,16,32,0)")
    parser.add_argument("--ways", type=ways, default=list(WAYS), help="what runs (default region,flush,peer)")
    parser.add_argument("--parts", type=parts, default=list(PARTS), help="what is run (default boot,load)")
    parser.add_argument("--vcpus", type=int, default=1, help="number of vCPUs (default 1)")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall",
                        help="seconds that pass, or processor seconds of the whole run, its boot included, which a busy "
                             "host disturbs less (default wall)")
    parser.add_argument("--timeout", type=float, default=120,
                        help="seconds that one run may take; a case that took longer is not run again (default 120)")


def build_load(root):
    """The load's initial RAM disk and the lines that the guest has to print; made again where its source changed."""
    source = root / "tests/bench/make_cache_load.py"
    folder = root / "build/bench/cache"
    folder.mkdir(parents=True, exist_ok=True)
    archive, expected = folder / "initramfs.cpio.gz", folder / "expected"
    made = [path for path in (archive, expected) if path.is_file()]
    if len(made) == 2 and min(path.stat().st_mtime for path in made) > source.stat().st_mtime:
        return archive, expected.read_text()
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        work = pathlib.Path(temporary)
        code = work / "load.c"
        for command in (["python3", source, code],
                        ["riscv64-linux-gnu-gcc", "-O1", "-static", "-o", work / "guest", code],
                        ["gcc", "-O1", "-o", work / "host", code]):
            try:
                subprocess.run(command, check=True)
            except (OSError, subprocess.CalledProcessError) as error:
                raise Failure(f"cannot make the load: {error}") from error
        text = subprocess.run([work / "host"], check=True, text=True, stdout=subprocess.PIPE).stdout
        (work / "archive").write_bytes(gzip.compress(cpio.archive({"init": (work / "guest").read_bytes()}), 1, mtime=0))
        os.replace(work / "archive", archive)
        expected.write_text(text)
    return archive, expected.read_text()


def run(arguments, root):
    guest = emulators.guest(root)
    programs = {"weft": emulators.weft(root)}
    if "peer" in arguments.ways:
        programs["peer"] = emulators.peer(root)
    archive, expected = build_load(root)
    sums = sorted(line for line in expected.splitlines() if "sum=" in line)
    too_long = set()

    def command_of(way, size, part):
        program = programs["peer" if way == "peer" else "weft"]
        command = program.command(guest, arguments.vcpus, "console=ttyS0 quiet" + (" weft.init" * (part == "boot")),
                                  archive if part == "load" else None)
        command[command.index("-accel") + 1] = "tcg" + WAYS[way] + (f",tb-size={size}" if size else "")
        return command

    def seconds(way, size, part):
        command = command_of(way, size, part)
        if part == "boot":
            return emulators.seconds_until(command, b"WEFT init", arguments.timeout)
        # Without the boot: the load's share is what is asked for.
        times, output = {}, []
        for when, line in emulators.lines_of(command, arguments.timeout):
            output.append(line)
            times.setdefault(line.encode(), when)
        if sorted(line for line in output if "sum=" in line) != sums or END not in times:
            raise Failure(f"{' '.join(command)}\n" + "\n".join(output[-15:]) + "\nbench: the load's results are wrong")
        return times[END] - times[BEGIN]

    def sample(case):
        if case in too_long:
            return math.inf
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            wall = seconds(*case)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return wall if arguments.clock == "wall" else after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        except Failure as failure:
            if "still running" not in str(failure):
                raise
            too_long.add(case)
            return math.inf

    cases = [(way, size, part) for part in arguments.parts for size in arguments.sizes for way in arguments.ways]
    samples = measure.interleaved(cases, arguments.rounds, sample, warm_up=False)

    def median(way, size, part):
        return measure.summary(samples[way, size, part])["median"] if (way, size, part) in samples else math.nan

    def cell(value):
        return f"> {arguments.timeout:g}" if math.isinf(value) else "" if math.isnan(value) else value

    results = []
    for part in arguments.parts:
        base = median("region", 0, part)
        rows = []
        for size in arguments.sizes:
            row = {way: median(way, size, part) for way in arguments.ways}
            rows.append([size or "default"] + [cell(row[way]) for way in arguments.ways] +
                        [cell(row["region"] / base) if "region" in row else ""])
            results.append({"part": part, "tb_size": size, "unit": "s", "region_to_default": row.get("region", 0) / base,
                            **{way: None if math.isinf(row[way]) else measure.summary(samples[way, size, part])
                               for way in arguments.ways}})
        print(f"{part}, {arguments.vcpus} vCPU(s), {'processor ' * (arguments.clock == 'cpu')}seconds")
        report.print_table(["tb-size"] + arguments.ways + ["region to default"], rows)
    report.write_json(arguments.json, {
        "benchmark": NAME, "what": HELP, "rounds": arguments.rounds, "clock": arguments.clock, "vcpus": arguments.vcpus, "host": report.host(),
        "guest": guest.versions, "emulators": {name: each.version for name, each in programs.items()},
        "results": results})
