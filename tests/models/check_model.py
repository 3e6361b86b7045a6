#!/usr/bin/env python3
"""Checks a model exhaustively with spin, and that spin finds what its mutants break.

  check_model.py MODEL.pml

A model says in its comment at the top what is to be checked:

  CASE -DX=1 ...         definitions of a run that must find no error; several lines, several runs
  CASE_FULL -DX=2 ...    the same, for long runs: only where WEFT_TEST_FULL is 1
  MUTANT_1  WHAT         with -DMUTANT_1 one step is missing or out of order: one of the cases must find an error
  UNREACHED PROCESS TEXT a statement of that process that no case comes to, for a reason that the comment gives

Every other statement must be reached by one of the cases: what is not reached is not checked. Exits with 77 (skipped) where
spin is not installed.
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
# Deeper than any model's longest path; the verifier says so if not.
DEPTH = 100_000
MEMORY_MIB = 6000


class Model:
    """What the comment at the top of a model says."""

    def __init__(self, path, full):
        self.path = pathlib.Path(path).resolve()
        text = self.path.read_text(encoding="utf-8").split("*/")[0]
        self.cases = [shlex.split(options) for options in re.findall(r"^ *CASE (-D.*)$", text, re.MULTILINE)]
        if full:
            self.cases += [shlex.split(options) for options in re.findall(r"^ *CASE_FULL (-D.*)$", text, re.MULTILINE)]
        self.mutants = re.findall(r"^ *(MUTANT_\d+) ", text, re.MULTILINE)
        self.unreached = {(process, statement.strip())
                          for process, statement in re.findall(r"^ *UNREACHED (\w+) (.*)$", text, re.MULTILINE)}


class Run:
    """What the verifier said."""

    def __init__(self, output):
        self.output = output
        errors = re.search(r"errors: (\d+)", output)
        states = re.search(r"(\d+) states, stored", output)
        self.complete = (errors is not None and states is not None and "Search not completed" not in output
                         and "max search depth too small" not in output and "out of memory" not in output)
        self.errors = int(errors.group(1)) if errors else 0
        self.states = int(states.group(1)) if states else 0
        self.found = re.search(r"^pan:1: (.*)$", output, re.MULTILINE)
        self.unreached = set(unreached_statements(output))


def unreached_statements(output):
    """(process, file and line, statement) for each that the verifier did not come to; the end of a process that never ends
    does not count."""
    process = None
    for line in output.splitlines():
        heading = re.match(r"unreached in (?:proctype )?(\S+)", line)
        if heading:
            process = heading.group(1)
            continue
        statement = re.match(r'\s+(\S+:\d+), state \d+, "(.*)"$', line)
        if statement and process and statement.group(2) != "-end-":
            yield process, os.path.basename(statement.group(1)), statement.group(2)


def verify(model, options, optimize):
    """Generates, compiles (with `optimize`: -O0 to -O2) and runs the verifier in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="weft-model-") as folder:
        def command(*words):
            done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                                  text=True)
            return done.returncode, done.stdout

        status, output = command("spin", "-a", *options, str(model.path))
        if status != 0 or not os.path.exists(os.path.join(folder, "pan.c")):
            return Run(output)
        status, output = command(os.environ.get("CC", "cc"), optimize, "-w", "-DSAFETY", "-DCOLLAPSE", f"-DMEMLIM={MEMORY_MIB}",
                                 "-o", "pan", "pan.c")
        if status != 0:
            return Run(output)
        _, output = command("./pan", f"-m{DEPTH}", "-w22")
        return Run(output)


def trail_hint(model, options):
    defines = " ".join(options)
    return (f"  to see how: spin -a {defines} {model.path.name} && cc -DSAFETY -o pan pan.c && ./pan -m{DEPTH} && "
            f"spin -t -p {defines} {model.path.name}")


def check_cases(model):
    """Yields what is wrong with the model as it is."""
    unreached = None
    for options in model.cases:
        run = verify(model, options, "-O2")
        print(f"{model.path.stem} {' '.join(options)}: {run.states} states, {run.errors} errors", flush=True)
        if not run.complete and not run.errors:
            yield f"{' '.join(options)}: the search was not completed\n{run.output}"
        elif run.errors:
            yield f"{' '.join(options)}: {run.found.group(1) if run.found else 'an error'}\n{trail_hint(model, options)}"
        unreached = run.unreached if unreached is None else unreached & run.unreached
    for process, place, statement in sorted(unreached or ()):
        if (process, statement) not in model.unreached:
            yield f"{place}: no case comes to '{statement}' of {process}"


def check_mutants(model):
    """Yields the mutants that live."""
    for mutant in model.mutants:
        for options in model.cases:
            # Found soon: compiling takes longer than searching.
            run = verify(model, [f"-D{mutant}", *options], "-O0")
            if run.found and run.errors:
                print(f"{model.path.stem} {mutant}: found ({run.found.group(1)})", flush=True)
                break
        else:
            yield f"{mutant} is not found by any case"


def main(arguments):
    if len(arguments) != 1:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    if shutil.which("spin") is None:
        print("spin is not installed")
        return SKIPPED
    model = Model(arguments[0], os.environ.get("WEFT_TEST_FULL") == "1")
    problems = []
    if not model.cases or not model.mutants:
        problems.append("there must be a case and a mutant at least")
    problems += check_cases(model)
    problems += check_mutants(model)
    for problem in problems:
        print(f"{model.path.name}: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
