#!/usr/bin/env python3
"""Each of weft's allocations and system calls fails in turn, while weft-system-riscv64 makes a machine, runs a short guest
and ends.

    faults_test.py EMULATOR MODULE_DIR INJECTOR GUEST KIND ACCEL

The n-th one fails, for n from 0 until a run gets by without (WEFT_TEST_FULL; else for every few n, so that it does not take
long). Each run has to do its work in spite of it (exit code 0), or to say what is wrong, in lines that begin with the
program's name, and end with exit code 1. No signal, no hang; nothing alive at the end that is not without a failure.
"""

import os
import subprocess
import sys
import tempfile

LIMIT = 60  # seconds: a bound against hangs
PREFIX = "weft-system-riscv64: "
SHORT_RUNS = 250


class Runner:
    def __init__(self, emulator, modules, injector, guest, kind, accel, folder):
        self.command = [emulator, "-module-dir", modules, "-accel", accel, "-bios", guest, "-smp", "4", "-m", "16M",
                        "-serial", "stdio"]
        self.environment = dict(os.environ, LD_PRELOAD=injector, WEFT_FAIL_KIND=kind,
                                WEFT_FAIL_REPORT=os.path.join(folder, "report"))

    def run(self, number):
        """(exit code, output, errors, failed, calls, what is alive)"""
        report = self.environment["WEFT_FAIL_REPORT"]
        if os.path.exists(report):
            os.remove(report)
        try:
            done = subprocess.run(self.command, env=dict(self.environment, WEFT_FAIL_AT=str(number)), text=True,
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            return "hangs", "", "", True, 0, []
        if not os.path.exists(report):
            return done.returncode, done.stdout, done.stderr, True, 0, []
        with open(report) as file:
            failed, calls, *alive = (int(word) for word in file.read().split())
        return done.returncode, done.stdout, done.stderr, failed == 1, calls, alive


def complaint(result, usual):
    code, output, errors, failed, _, alive = result
    lines = errors.splitlines()
    if code not in (0, 1):
        return "exit code %s" % code
    if any(not line.startswith(PREFIX) for line in lines):
        return "a line that is no message"
    if code == 0 and output != "0\n":
        return "the guest's output"
    if code == 1 and not lines:
        return "no message"
    if not failed and code != 0:
        return "nothing failed, and yet"
    for name, now, before in zip(("allocations", "bytes mapped", "descriptors"), alive, usual):
        if now > before:
            return "%d %s alive at the end instead of %d" % (now, name, before)
    return None


def main():
    kind = sys.argv[5]
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(*sys.argv[1:7], folder)
        first = runner.run(1 << 40)
        usual = first[5]
        wrong = 0
        if first[0] != 0 or complaint(first, usual):
            print("without a failure: %s\n%s%s" % (complaint(first, usual), first[1], first[2]))
            return 1
        step = 1 if os.environ.get("WEFT_TEST_FULL") else max(1, first[4] // SHORT_RUNS)
        number = 0
        refused = 0
        while True:
            result = runner.run(number)
            trouble = complaint(result, usual)
            refused += result[0] == 1
            if trouble:
                wrong += 1
                print("%s %d fails: %s\n%s%s" % (kind, number, trouble, result[1], result[2]))
            if not result[3]:
                break
            number += step
        print("%d calls, %d runs, %d refused, %d wrong" % (first[4], number // step + 1, refused, wrong))
        if refused == 0:
            print("nothing was ever refused: the failures do not reach weft")
            return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
