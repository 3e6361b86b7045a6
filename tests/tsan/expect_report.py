#!/usr/bin/env python3
"""Runs a program that was built with ThreadSanitizer and checks what is reported.

  expect_report.py KIND PROGRAM    KIND as reports name it ("data race"), or "nothing"
"""

import os
import subprocess
import sys


def main(arguments):
    kind, program = arguments
    environment = dict(os.environ, TSAN_OPTIONS="exitcode=66 halt_on_error=1 detect_deadlocks=1")
    done = subprocess.run([program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          text=True, errors="replace")
    reports = [line for line in done.stdout.splitlines() if "WARNING: ThreadSanitizer:" in line]
    if kind == "nothing":
        as_expected = done.returncode == 0 and not reports
    else:
        as_expected = done.returncode == 66 and len(reports) == 1 and kind in reports[0]
    if not as_expected:
        print(f"expected: {kind}; exit code {done.returncode}, reports: {reports}\n{done.stdout}", file=sys.stderr)
    return 0 if as_expected else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
