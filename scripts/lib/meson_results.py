#!/usr/bin/env python3
"""Prints "PASSED FAILED SKIPPED" for a testlog.json of `meson test`; no file means that no test ran."""

import json
import pathlib
import sys

log = pathlib.Path(sys.argv[1])
counts = {"passed": 0, "failed": 0, "skipped": 0}
for line in log.read_text(errors="replace").splitlines() if log.is_file() else []:
    if line.strip():
        result = json.loads(line)["result"]
        # Whatever meson may call it (FAIL, TIMEOUT, ERROR, UNEXPECTEDPASS, INTERRUPT), all else is a failure.
        counts[{"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}.get(result, "failed")] += 1
print(*counts.values())
