"""What the tests with injected failures share: inject.cpp's variables and its report, and runs in which each n-th call fails.

A test makes a function that runs its program with some variables more, and one that says what is wrong with a run. campaign() does
the rest. WEFT_TEST_FULL takes every n that a run gets to, else some, which WEFT_TEST_SEED chooses.
"""

import collections
import os
import random
import signal
import struct

# Numbers beyond those of the first run: not every run gets to as many.
SLACK = 1.1
NEVER = 1 << 40

# inject.cpp's Report.
Report = collections.namedtuple("Report", "failed calls allocations bytes descriptors in_handler")
REPORT = struct.Struct("6q")
ALIVE = {"allocations": "allocations", "bytes": "bytes mapped", "descriptors": "descriptors"}

Run = collections.namedtuple("Run", "code output errors report")


class Stopped(Exception):
    """A run hangs: meson's limit on time, the only one there is, so that its multiplier holds."""


def _stop(number, frame):
    raise Stopped


def stop_at_limit():
    signal.signal(signal.SIGTERM, _stop)


class Injector:
    """The variables that inject.cpp is told by, for the programs of one test; reports go to `folder`."""

    def __init__(self, library, kind, how, folder):
        self.path = os.path.join(folder, "report")
        self.variable = {"at": "WEFT_FAIL_AT", "from": "WEFT_FAIL_FROM"}[how]
        self.common = {"LD_PRELOAD": library, "WEFT_FAIL_KIND": kind, "WEFT_FAIL_REPORT": self.path}

    def environment(self, number):
        """For a run in which call `number` fails; without the report of the last one."""
        if os.path.exists(self.path):
            os.remove(self.path)
        return dict(os.environ, **self.common, **{self.variable: str(number)})

    def report(self):
        with open(self.path, "rb") as file:
            return Report(*REPORT.unpack(file.read()))


def leak(report, usual, kinds=tuple(ALIVE)):
    """What is alive that is not without a failure, as a text, or None."""
    for kind in kinds:
        now, before = getattr(report, kind), getattr(usual, kind)
        if now > before:
            return "%d %s alive at the end instead of %d" % (now, ALIVE[kind], before)
    return None


def _numbers(calls, most_runs, source):
    """Which one fails, in each run."""
    most = int(calls * SLACK) + 1
    if os.environ.get("WEFT_TEST_FULL"):
        chosen = list(range(most))
    else:
        # One of each part.
        step = max(1, most // most_runs)
        chosen = [start + source.randrange(step) for start in range(0, most, step)]
    source.shuffle(chosen)
    return chosen


def campaign(what, run, complaint, most_runs, is_refused=lambda run: run.code == 1):
    """The test's exit code. run(number) gives a Run; complaint(run, usual) what is wrong with it, or None, `usual` being the report
    of a run without a failure. It has to be refused somewhere, as is_refused(run) says: else no failure would reach weft."""
    seed = int(os.environ.get("WEFT_TEST_SEED") or 1)
    first = run(NEVER)
    trouble = complaint(first, first.report)
    if first.code != 0 or trouble:
        print("without a failure: %s\n%s%s" % (trouble, first.output, first.errors))
        return 1
    wrong = refused = 0
    chosen = _numbers(first.report.calls, most_runs, random.Random(seed))
    for number in chosen:
        try:
            result = run(number)
        except Stopped:
            print("%s %d fails: stopped, meson's limit on time; WEFT_TEST_SEED=%d" % (what, number, seed))
            return 1
        trouble = complaint(result, first.report)
        refused += bool(is_refused(result))
        if trouble:
            wrong += 1
            print("%s %d fails: %s\n%s%s" % (what, number, trouble, result.output, result.errors), flush=True)
    print("%d calls, %d runs, %d refused, %d wrong; WEFT_TEST_SEED=%d"
          % (first.report.calls, len(chosen), refused, wrong, seed))
    if refused == 0:
        print("nothing was ever refused: the failures do not reach weft")
        return 1
    return 1 if wrong else 0
