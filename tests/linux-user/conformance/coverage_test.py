#!/usr/bin/env python3
"""Whether each system call that weft offers is made by a test that compares what comes of it.

  coverage_test.py WEFT TABLE_DUMP FOLDER SOURCE...

FOLDER has the conformance programs, whose calls are seen by -strace; the SOURCEs compare calls by name, in C++. A call without either
needs a row below, which says why. A row for a call that is made is a mistake as well.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

# What no program can compare with the host's kernel.
ELSEWHERE = {
    "pkey_alloc": "the host may have keys, riscv64 has none: tests/linux-user/memory/calls_test.cpp",
    "sync": "writes out all of the host's disks, however long that takes; it has no arguments",
    "riscv_hwprobe": "of riscv64 alone: tests/linux-user/abi/hwprobe_test.cpp",
}
# Long, and of calls that others make too.
LEFT_OUT = ("storms",)
LINE = re.compile(r"^\d+ ([a-z_0-9]+)\(", re.MULTILINE)
NAMED = re.compile(r'\{"([a-z_0-9]+)", \{')


def calls_of(weft, program):
    with tempfile.TemporaryDirectory() as folder:
        # A pipe, as limits of the size of files and other roots are among what programs try.
        done = subprocess.run([weft, "-strace", program], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, check=False)
    return set(LINE.findall(done.stderr.decode(errors="backslashreplace")))


def main():
    weft, dump, folder = (os.path.abspath(path) for path in sys.argv[1:4])
    rows = [line.split("\t") for line in subprocess.run([dump], capture_output=True, text=True, check=True).stdout.splitlines()]
    offered = {row[2] for row in rows if row[3] != "enosys"}
    programs = [path for path in sorted(pathlib.Path(folder).glob("*.riscv64")) if path.stem not in LEFT_OUT]
    made = set().union(*(calls_of(weft, str(path)) for path in programs))
    named = set().union(*(NAMED.findall(pathlib.Path(source).read_text()) for source in sys.argv[4:]))
    without = sorted(offered - made - named - set(ELSEWHERE))
    needless = sorted(name for name in ELSEWHERE if name not in offered or name in made | named)
    print(f"{len(offered)} calls are offered: {len(programs)} programs make {len(offered & made)}, tests compare {len(offered & named)}")
    for name in without:
        print(f"no test makes {name}")
    for name in needless:
        print(f"the row for {name} is not needed")
    return 1 if without or needless or not made or not named else 0


if __name__ == "__main__":
    sys.exit(main())
