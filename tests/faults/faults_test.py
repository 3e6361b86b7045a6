#!/usr/bin/env python3
"""weft's allocations and system calls fail, while weft-system-riscv64 makes a machine, runs a short guest and ends.

    faults_test.py EMULATOR MODULE_DIR INJECTOR GUEST KIND HOW ACCEL

HOW is `at`: the n-th one fails, or `from`: the n-th one and all that follow fail. It is done for every n that a run gets to
(WEFT_TEST_FULL; else for some of them, WEFT_TEST_SEED says which, so that it does not take long), in random order. Each run
has to do its work in spite of it (exit code 0), or to say what is wrong, in one line that begins with the program's name,
and end with exit code 1. No signal, no hang; nothing alive at the end that is not without a failure.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile

PREFIX = "weft-system-riscv64: "
WARNING = PREFIX + "warning: "
SHORT_RUNS = 150
# Numbers beyond those of the first run: not every run gets to as many.
SLACK = 1.1


class Stopped(Exception):
    """A run hangs: meson's limit on time, the only one there is, so that its multiplier holds."""


def stop(number, frame):
    raise Stopped


class Runner:
    def __init__(self, emulator, modules, injector, guest, kind, how, accel, folder):
        self.command = [emulator, "-module-dir", modules, "-accel", accel, "-bios", guest, "-smp", "4", "-m", "16M",
                        "-serial", "stdio"]
        self.environment = dict(os.environ, LD_PRELOAD=injector, WEFT_FAIL_KIND=kind,
                                WEFT_FAIL_REPORT=os.path.join(folder, "report"))
        self.variable = {"at": "WEFT_FAIL_AT", "from": "WEFT_FAIL_FROM"}[how]

    def run(self, number):
        """(exit code, output, errors, failed, calls, what is alive)"""
        report = self.environment["WEFT_FAIL_REPORT"]
        if os.path.exists(report):
            os.remove(report)
        environment = dict(self.environment)
        environment[self.variable] = str(number)
        done = subprocess.run(self.command, env=environment, text=True, stdin=subprocess.DEVNULL, capture_output=True)
        if not os.path.exists(report):
            return done.returncode, done.stdout, done.stderr, True, 0, []
        with open(report) as file:
            failed, calls, *alive = (int(word) for word in file.read().split())
        return done.returncode, done.stdout, done.stderr, failed == 1, calls, alive


def complaint(result, usual):
    code, output, errors, failed, _, alive = result
    lines = errors.splitlines()
    if code == "hangs":
        return "it hangs"
    if code not in (0, 1):
        return "exit code %s" % code
    if any(not line.startswith(PREFIX) for line in lines):
        return "a line that is no message"
    told = sum(not line.startswith(WARNING) for line in lines)
    if code == 0 and output != "0\n":
        return "the guest's output"
    if told != code:
        return "%d messages" % told
    if not failed and code != 0:
        return "nothing failed, and yet"
    for name, now, before in zip(("allocations", "bytes mapped", "descriptors"), alive, usual):
        if now > before:
            return "%d %s alive at the end instead of %d" % (now, name, before)
    return None


def numbers(calls, source):
    """Which one fails, in each run."""
    most = int(calls * SLACK) + 1
    if os.environ.get("WEFT_TEST_FULL"):
        chosen = list(range(most))
    else:
        # One of each part.
        step = max(1, most // SHORT_RUNS)
        chosen = [start + source.randrange(step) for start in range(0, most, step)]
    source.shuffle(chosen)
    return chosen


def main():
    signal.signal(signal.SIGTERM, stop)
    kind, how = sys.argv[5:7]
    seed = int(os.environ.get("WEFT_TEST_SEED") or 1)
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(*sys.argv[1:8], folder)
        first = runner.run(1 << 40)
        usual = first[5]
        if first[0] != 0 or complaint(first, usual):
            print("without a failure: %s\n%s%s" % (complaint(first, usual), first[1], first[2]))
            return 1
        wrong = 0
        refused = 0
        chosen = numbers(first[4], random.Random(seed))
        for number in chosen:
            try:
                result = runner.run(number)
            except Stopped:
                print("%s %s %d fails: stopped, meson's limit on time; WEFT_TEST_SEED=%d" % (kind, how, number, seed))
                return 1
            trouble = complaint(result, usual)
            refused += result[0] == 1
            if trouble:
                wrong += 1
                print("%s %s %d fails: %s\n%s%s" % (kind, how, number, trouble, result[1], result[2]), flush=True)
        print("%d calls, %d runs, %d refused, %d wrong; WEFT_TEST_SEED=%d"
              % (first[4], len(chosen), refused, wrong, seed))
        if refused == 0:
            print("nothing was ever refused: the failures do not reach weft")
            return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
