"""How long it takes to run a program that does nothing: a static one, and a dynamic one of Debian's."""

import os
import pathlib
import subprocess
import time

from . import Failure, emulators, measure, report

NAME = "startup"
HELP = "programs that do nothing, as processes of weft's, of the peer's, and on the host"

STATIC = "int main(void) { return 0; }\n"


def add_options(parser):
    parser.add_argument("--weft-build", type=pathlib.Path, metavar="DIR", help="weft's build folder (build/release)")
    parser.add_argument("--weft-accel", default="tcg", metavar="OPTIONS", help="weft's -accel option (default tcg)")
    parser.add_argument("--times", type=int, default=100, help="programs in a sample (default 100)")


def build(folder):
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "nothing.c"
    source.write_text(STATIC)
    for arch, compiler in (("host", "cc"), ("riscv64", "riscv64-linux-gnu-gcc")):
        subprocess.run([compiler, "-O2", "-static", "-o", folder / f"nothing.{arch}", source], check=True)


def milliseconds(command, times):
    """Of one run; the parent's own share is that of posix_spawn and waitpid."""
    start = time.monotonic()
    for _ in range(times):
        status = os.waitpid(os.posix_spawn(command[0], command, os.environ), 0)[1]
        if status != 0:
            raise Failure(f"{' '.join(command)}: status {status}")
    return (time.monotonic() - start) * 1000 / times


def run(arguments, root):
    folder = root / "build/bench/startup"
    build(folder)
    weft = emulators.weft_user(root, arguments.weft_build, arguments.weft_accel)
    static = emulators.weft_user(root, arguments.weft_build, arguments.weft_accel, "weft-riscv64-static")
    peer = emulators.peer_user(root)
    commands = {
        ("static", "native"): [str(folder / "nothing.host")],
        ("static", "weft"): [*weft.process([]), str(folder / "nothing.riscv64")],
        ("static", "weft-static"): [*static.process([]), str(folder / "nothing.riscv64")],
        ("static", "peer"): [*peer.process([]), str(folder / "nothing.riscv64")],
    }
    sysroot = emulators.cache_of(root) / "riscv-root"
    true = sysroot / "usr/bin/true"
    if true.is_file():
        commands[("dynamic", "native")] = ["/usr/bin/true"]
        for name, emulator in (("weft", weft), ("weft-static", static), ("peer", peer)):
            commands[("dynamic", name)] = [*emulator.process(["-L", str(sysroot)]), str(true)]
    samples = measure.interleaved(list(commands), arguments.rounds,
                                  lambda case: milliseconds(commands[case], arguments.times))
    summaries = {case: measure.summary(values) for case, values in samples.items()}
    rows = [[program, name, summary["median"], summary["min"], summary["max"]]
            for (program, name), summary in summaries.items()]
    print("\nmilliseconds a program")
    report.print_table(["program", "as", "median", "least", "most"], rows)
    report.write_json(arguments.json, {
        "benchmark": NAME, "what": HELP, "host": report.host(), "rounds": arguments.rounds,
        "machines": {"weft": weft.version, "peer": peer.version},
        "results": [{"program": program, "machine": name, **summary}
                    for (program, name), summary in summaries.items()]})
    return 0
