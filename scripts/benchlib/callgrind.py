"""Host instructions of a program and of the code it generates, counted by valgrind's callgrind.

The format of its file is in valgrind's manual, "Callgrind Format Specification".
"""

import collections
import dataclasses
import pathlib
import re
import shutil
import subprocess
import tempfile

from . import Failure, emulators

# callgrind's name for code that is in no file: what was generated while the program ran.
GENERATED = "???"
NAME = re.compile(r"\((\d+)\)(?: (.*))?")
COST = re.compile(r"[+*\-0-9]")


@dataclasses.dataclass(frozen=True)
class Counts:
    generated: int  # instructions executed in generated code
    elsewhere: int  # and in all other code of the process; the host's kernel is never counted
    calls: int  # from generated code to other code

    def __sub__(self, other):
        return Counts(self.generated - other.generated, self.elsewhere - other.elsewhere, self.calls - other.calls)


def parse(lines):
    """The Counts of a profile with one event, Ir, by lines; names are compressed, '(1) name' and then '(1)'."""
    names = {}
    costs = collections.Counter()
    calls = 0
    here = called = None
    of_call = False

    def named(text):
        number, name = NAME.fullmatch(text).groups()
        return names.setdefault(number, name)

    for line in lines:
        line = line.rstrip("\n")
        if line.startswith("ob="):
            here = called = named(line[3:])
        elif line.startswith("fn="):
            called = here
        elif line.startswith("cob="):
            called = named(line[4:])
        elif line.startswith("calls="):
            if here == GENERATED and called != GENERATED:
                calls += int(line[6:].split()[0])
            called = here
            of_call = True  # the next line has what the called function cost, which has lines of its own
        elif COST.match(line):
            if not of_call:
                costs[here] += int(line.split()[1])
            of_call = False
    if not costs:
        raise Failure("callgrind wrote an empty profile")
    generated = costs.pop(GENERATED, 0)
    return Counts(generated, sum(costs.values()), calls)


def run(command, timeout):
    """Runs a command that ends with 0; gives its Counts and its lines, as emulators.lines_of() does."""
    if shutil.which("valgrind") is None:
        raise Failure("'valgrind' is missing; run scripts/deps --full first")
    with tempfile.TemporaryDirectory(prefix="bench-callgrind.") as folder:
        profile = pathlib.Path(folder)
        # Of all code that is not mapped from a file valgrind looks whether it changed. A script may start the program.
        lines = list(emulators.lines_of(
            ["valgrind", "--quiet", "--tool=callgrind", "--smc-check=all-non-file", "--trace-children=yes",
             f"--callgrind-out-file={profile}/%p", *command], timeout))
        # A script's other processes leave small ones.
        largest = max(profile.iterdir(), key=lambda file: file.stat().st_size, default=None)
        if largest is None:
            raise Failure(f"{' '.join(command)}: callgrind wrote no profile")
        with open(largest, encoding="utf-8", errors="replace") as text:
            return parse(text), lines


def version():
    return subprocess.run(["valgrind", "--version"], check=True, text=True, stdout=subprocess.PIPE).stdout.strip()
