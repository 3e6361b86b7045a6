#!/usr/bin/env python3
"""Runs a program as the host's and as the guest's, and compares what they print and how they end.

  compare.py HOST_PROGRAM WEFT GUEST_PROGRAM [OPTION...]

OPTIONs are weft's.

Differences that are meant are in the table below, each with its reason.
"""

import difflib
import os
import pathlib
import subprocess
import sys
import tempfile

# {program: {line of the host's: line of the guest's}}
MEANT = {}
# With a sanitizer that knows threads by their numbers, vfork is a fork (emulator/linux-user/life/vfork.cpp): the child cannot tell
# its parent anything.
if any(name in os.environ.get("WEFT_TEST_SANITIZER", "") for name in ("address", "thread")):
    MEANT = {"clone_fork": {"vfork told: 17": "vfork told: 0"},
             "exec": {"spawn of nothing: 1": "spawn of nothing: 0", "still here: 0": "still here: 1"}}


def run(command):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
    text = done.stdout.decode(errors="backslashreplace")
    # Of signals that nobody takes, the host says nothing.
    sys.stderr.write(done.stderr.decode(errors="backslashreplace"))
    return text.splitlines() + [f"status {done.returncode}"]


def compare(host, weft, guest, options):
    """The exit code."""
    name = pathlib.Path(host).stem
    meant = MEANT.get(name, {})
    expected = [meant.get(line, line) for line in run([host])]
    found = run([weft, *options, guest])
    if expected == found:
        print(f"{name}: {len(found)} lines are equal")
        return 0
    print("\n".join(difflib.unified_diff(expected, found, "host", "guest", lineterm="")))
    return 1


def main():
    host, weft, guest = (os.path.abspath(path) for path in sys.argv[1:4])
    return compare(host, weft, guest, sys.argv[4:])


if __name__ == "__main__":
    sys.exit(main())
