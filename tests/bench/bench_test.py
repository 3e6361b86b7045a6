#!/usr/bin/env python3
"""Runs each benchmark program at its smallest size on the host and in a guest of weft's, and compares what they compute.

    bench_test.py EMULATOR MODULE_DIR

WEFT_GUEST_DIR holds the guest (scripts/fetch-guest, scripts/make-initramfs) and WEFT_BENCH_DIR the programs
(scripts/make-bench); where one is not set, the test is skipped (exit code 77). Times are not looked at; the limit is meson's.
"""

import os
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from benchlib import emulators, programs, results, runners  # noqa: E402

SKIP = 77


def main():
    emulator, modules = sys.argv[1:3]
    for variable in ("WEFT_GUEST_DIR", "WEFT_BENCH_DIR"):
        if not os.environ.get(variable):
            print(f"skipped: {variable} is not set")
            return SKIP
    folder = pathlib.Path(os.environ["WEFT_BENCH_DIR"])
    guest = emulators.Guest(pathlib.Path(os.environ["WEFT_GUEST_DIR"]))
    weft = emulators.Emulator("weft", emulator, "tcg,backend=native", ("-module-dir", modules))
    jobs = [(program.name, program.smallest, 1) for program in [*programs.PROGRAMS, *programs.CROWDS]]
    native = runners.Native(folder, None, compare_clocks=False).run(jobs, 2)
    with tempfile.TemporaryDirectory() as work:
        in_guest = runners.InGuest(ROOT, guest, weft, folder, pathlib.Path(work), None, compare_clocks=False).run(jobs, 2)
    wrong = 0
    for name, _, _ in jobs:
        expected = results.checked(native.get(name), None)
        got = results.checked(in_guest.get(name), expected)
        for where, outcome in (("host", expected), ("guest", got)):
            if not isinstance(outcome, results.Outcome):
                print(f"bench_test: {name}, {where}: {outcome.why}")
                wrong += 1
    print(f"{len(jobs)} programs, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
