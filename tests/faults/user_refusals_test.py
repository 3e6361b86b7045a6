#!/usr/bin/env python3
"""The kernel refuses system calls of a program that weft-riscv64 runs: those that weft makes in the guest's name, and its own.

    user_refusals_test.py REFUSE_CALLS GUEST WEFT HOW ACCEL

refuse_calls.cpp says which calls, and with which errors. What holds is what holds of user_faults_test.py: the guest is told of what it
was refused and goes on, or the process that it happens in ends with one line. An access to memory that the kernel does not let weft make
accessible again is SIGBUS, with a line that says so before that of the end.
"""

import os
import signal
import subprocess
import sys
import tempfile

import injection
from user_faults_test import FAILED, PREFIX, WARNING, complaint

SHORT_RUNS = 60
SKIPPED = 77
REASON = WARNING + "guest memory: the host "  # does not give the right to write back, or refuses an access


def refusal_complaint(run, usual):
    run = run._replace(errors=run.errors.replace("weft-riscv64-static: ", PREFIX))
    reasons = [line for line in run.errors.splitlines() if line.startswith(REASON)]
    if "does not fit" in run.errors:
        return "not the reason"
    by_signal = run.code == -signal.SIGBUS
    if by_signal and not reasons:
        return "SIGBUS without a reason"
    others = "".join(line + "\n" for line in run.errors.splitlines() if line not in reasons)
    return complaint(run._replace(errors=others, code=FAILED if by_signal else run.code), usual)


def main():
    refuse, guest, weft, how, accel = sys.argv[1:6]
    command = [weft, "-accel", accel, guest]
    injection.stop_at_limit()
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report")

        def run(number):
            done = subprocess.run([refuse, report, how, str(number)] + command, text=True, stdin=subprocess.DEVNULL,
                                  capture_output=True, errors="backslashreplace")
            with open(report, "rb") as file:
                return injection.Run(done.returncode, done.stdout, done.stderr,
                                     injection.Report(*injection.REPORT.unpack(file.read())))

        if (first := run(injection.NEVER)).code == SKIPPED:
            print(first.errors)
            return SKIPPED
        return injection.campaign("refused %s" % how, run, refusal_complaint, SHORT_RUNS,
                                  # The kernel itself refused.
                                  is_refused=lambda result: result.report.failed)


if __name__ == "__main__":
    sys.exit(main())
