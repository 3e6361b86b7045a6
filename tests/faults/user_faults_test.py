#!/usr/bin/env python3
"""weft's allocations and system calls fail, while weft-riscv64 starts a program that makes threads and processes, and edits its
memory and its code.

    user_faults_test.py WEFT INJECTOR GUEST KIND HOW ACCEL [OPTION...]

As faults_test.py, but for what a process is: the guest (user_guest.c) goes on without what it was refused, and checks itself. weft's
failures end the process that they are in, which may be a child of the guest's, with exit code 1 and a line; the guest counts such children.
OPTIONs are weft's. An allocation in a signal handler is an error, whether or not it fails.
"""

import re
import subprocess
import sys
import tempfile

import injection

PREFIX = "weft-riscv64: "
WARNING = PREFIX + "warning: "
SHORT_RUNS = 60
FAILED = 1
NOT_EXECUTED = 126  # there was no memory to load it to
MOST_CHILDREN = 3


def complaint(run, usual):
    lines = run.errors.splitlines()
    if run.report.in_handler != 0:
        return "%d allocations in signal handlers" % run.report.in_handler
    if run.code not in (0, FAILED, NOT_EXECUTED):
        return "exit code %s" % run.code
    if any(not line.startswith(PREFIX) for line in lines):
        return "a line that is no message"
    told = sum(not line.startswith(WARNING) for line in lines)
    if run.code == 0:
        right = re.fullmatch(r"right (\d)\+(\d)\n", run.output)
        if not right:
            return "the guest's output"
        if not 0 <= told - int(right[1]) <= int(right[2]):
            return "%d messages for %s processes" % (told, right[1])
    elif run.code == NOT_EXECUTED and (run.output or told != 1):
        return "the program began"
    elif not 1 <= told <= 1 + MOST_CHILDREN:
        return "%d messages" % told
    if not run.report.failed and told != 0:
        return "nothing failed, and yet"
    return None


def main():
    weft, library, guest, kind, how, accel = sys.argv[1:7]
    command = [weft, "-accel", accel] + sys.argv[7:] + [guest]
    injection.stop_at_limit()
    with tempfile.TemporaryDirectory() as folder:
        injector = injection.Injector(library, kind, how, folder)

        def run(number):
            done = subprocess.run(command, env=injector.environment(number), text=True, stdin=subprocess.DEVNULL,
                                  capture_output=True, errors="backslashreplace")
            return injection.Run(done.returncode, done.stdout, done.stderr, injector.report())

        return injection.campaign("%s %s" % (kind, how), run, complaint, SHORT_RUNS)


if __name__ == "__main__":
    sys.exit(main())
