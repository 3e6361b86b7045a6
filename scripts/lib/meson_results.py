#!/usr/bin/env python3
"""Prints what became of the tests in a testlog.json of `meson test`; no file means that no test ran.

    meson_results.py LOG            "PASSED FAILED SKIPPED"
    meson_results.py --failed LOG   each test that failed, with the end of what it wrote
"""

import json
import pathlib
import sys

# Whatever meson may call it (FAIL, TIMEOUT, ERROR, UNEXPECTEDPASS, INTERRUPT), all else is a failure.
KINDS = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}
LINES_SHOWN = 25


def tests(log):
    for line in log.read_text(errors="replace").splitlines() if log.is_file() else []:
        if line.strip():
            test = json.loads(line)
            yield KINDS.get(test["result"], "failed"), test


def print_counts(log):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for kind, _ in tests(log):
        counts[kind] += 1
    print(*counts.values())


def print_failed(log):
    for kind, test in tests(log):
        if kind == "failed":
            print(f"{test['name']}: {test['result']}, exit code {test['returncode']}, {test['duration']:.1f} s")
            for stream in "stdout", "stderr":
                for line in (test.get(stream) or "").splitlines()[-LINES_SHOWN:]:
                    print(f"    {line[:300]}")


if sys.argv[1] == "--failed":
    print_failed(pathlib.Path(sys.argv[2]))
else:
    print_counts(pathlib.Path(sys.argv[1]))
