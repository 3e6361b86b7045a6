"""The command line. A benchmark is a module with NAME, HELP, add_options(parser) and run(arguments, root).

run() returns the exit code; None is 0. One with SAMPLED = False counts what needs no rounds.
"""

import argparse
import pathlib
import signal
import sys

from . import (Failure, boot, cache, contexts, debian, disk_net, hash_boot, inflation, jobs, latency, oversubscribed, qht,
               smc, startup, system, user)

BENCHMARKS = [boot, cache, contexts, debian, disk_net, hash_boot, inflation, jobs, latency, oversubscribed, qht, smc,
              startup, system, user]


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not positive")
    return number


def main(arguments=None):
    root = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(prog="bench", description="measures weft and its peer side by side")
    commands = parser.add_subparsers(dest="benchmark", required=True)
    for benchmark in BENCHMARKS:
        command = commands.add_parser(benchmark.NAME, help=benchmark.HELP, description=benchmark.HELP)
        if getattr(benchmark, "SAMPLED", True):
            command.add_argument("--rounds", type=positive, default=5, help="samples of each case (default 5)")
        command.add_argument("--json", type=pathlib.Path, default=root / "build/bench" / f"{benchmark.NAME}.json",
                             help="where to write the result (default build/bench/NAME.json)")
        benchmark.add_options(command)
        command.set_defaults(run=benchmark.run)
    parsed = parser.parse_args(arguments)
    # Being told to end takes the way of an error: no emulator goes on running.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        return parsed.run(parsed, root) or 0
    except Failure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
