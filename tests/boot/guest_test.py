#!/usr/bin/env python3
"""Runs one guest of scripts/guestlib/table.py on weft.

    guest_test.py EMULATOR MODULE_DIR NAME

WEFT_GUESTS_DIR and WEFT_GUEST_DIR hold what guests are made of (scripts/guests fetch, scripts/fetch-guest); without them, or without
the programs that make images, the test is skipped (exit code 77). What the guest prints decides: see the table.
"""

import os
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from guestlib import files as guest_files  # noqa: E402
from guestlib import run, table  # noqa: E402
from guestlib.console import Failure  # noqa: E402

SKIP = 77
SHOWN_LINES = 60


def main():
    emulator, modules, name = sys.argv[1:]
    guests, kernel = os.environ.get("WEFT_GUESTS_DIR"), os.environ.get("WEFT_GUEST_DIR")
    if not guests or not kernel:
        print("skipped: WEFT_GUESTS_DIR or WEFT_GUEST_DIR is not set")
        return SKIP
    files = guest_files.Files(guests, kernel)
    if missing := files.missing(table.BY_NAME[name].needs):
        print("skipped: missing: %s" % ", ".join(missing))
        return SKIP
    run.stoppable()
    log = pathlib.Path.cwd() / ("guest-%s.log" % name)
    try:
        run.run(table.BY_NAME[name], [emulator, "-module-dir", modules], files, log=log)
    except Failure as failure:
        print("\n".join(log.read_text().splitlines()[-SHOWN_LINES:]))
        print("%s: %s; all of it: %s" % (name, failure, log))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
