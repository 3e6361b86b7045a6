#!/usr/bin/env python3
"""weft's allocations and system calls fail, while weft-system-riscv64 makes a machine, runs a short guest and ends.

    faults_test.py EMULATOR MODULE_DIR INJECTOR GUEST KIND HOW ACCEL

HOW is `at`: the n-th one fails, or `from`: the n-th one and all that follow fail. It is done for every n that a run gets to
(WEFT_TEST_FULL; else for some of them), in random order (injection.py). Each run has to do its work in spite of it (exit code 0), or to
say what is wrong, in one line that begins with the program's name, and end with exit code 1. No signal, no hang; nothing alive at
the end that is not without a failure.
"""

import subprocess
import sys
import tempfile

import injection

PREFIX = "weft-system-riscv64: "
WARNING = PREFIX + "warning: "
SHORT_RUNS = 150


def complaint(run, usual):
    lines = run.errors.splitlines()
    if run.code not in (0, 1):
        return "exit code %s" % run.code
    if any(not line.startswith(PREFIX) for line in lines):
        return "a line that is no message"
    told = sum(not line.startswith(WARNING) for line in lines)
    if run.code == 0 and run.output != "0\n":
        return "the guest's output"
    if told != run.code:
        return "%d messages" % told
    if not run.report.failed and run.code != 0:
        return "nothing failed, and yet"
    return injection.leak(run.report, usual)


def main():
    emulator, modules, library, guest, kind, how, accel = sys.argv[1:]
    command = [emulator, "-module-dir", modules, "-accel", accel, "-bios", guest, "-smp", "4", "-m", "16M",
               "-serial", "stdio"]
    injection.stop_at_limit()
    with tempfile.TemporaryDirectory() as folder:
        injector = injection.Injector(library, kind, how, folder)

        def run(number):
            done = subprocess.run(command, env=injector.environment(number), text=True, stdin=subprocess.DEVNULL,
                                  capture_output=True)
            return injection.Run(done.returncode, done.stdout, done.stderr, injector.report())

        return injection.campaign("%s %s" % (kind, how), run, complaint, SHORT_RUNS)


if __name__ == "__main__":
    sys.exit(main())
