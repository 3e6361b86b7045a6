"""Runs one guest on one emulator."""

import os
import pathlib
import signal
import tempfile

from .console import Console, Stopped


def play(console, steps):
    """One run of an emulator; returns the seconds from its start to the mark, if there was one."""
    seconds = None
    for step in steps:
        if step.kind == "type":
            console.type(step.value)
        elif step.kind == "end":
            console.ended(step.value)
        else:
            console.wait_for(step.value, step.never)
            if step.kind == "mark":
                seconds = console.seconds()
    return seconds


def run(guest, program, files, limit=None, log=None):
    """All runs of a guest, with `program` a list of words. Returns the seconds of the first one; raises Failure. `log` is a file for
    what the guest printed. Without a limit (in seconds, for each run) it ends with the first that fails or by a signal."""
    # Firmware that is not named is found there; QEMU has its own.
    environment = {**os.environ, "WEFT_FIRMWARE_DIR": str(files.kernel)}
    seconds, printed = [], []
    try:
        with tempfile.TemporaryDirectory(prefix="weft-guest-") as folder:
            work = pathlib.Path(folder)
            guest.prepare(files, work)
            for steps in guest.boots:
                console = Console([*program, *guest.command(files, work)], limit, environment)
                try:
                    seconds.append(play(console, steps))
                finally:
                    console.close()
                    printed.append("$ %s\n%s" % (" ".join(console.command), console.text))
            guest.finish(files, work)
    finally:
        if log:
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text("\n".join(printed))
    return seconds[0]


def stoppable():
    """SIGTERM takes the way of an error, so that no emulator goes on running."""
    def stop(number, frame):
        raise Stopped("stopped by signal %d" % number)
    signal.signal(signal.SIGTERM, stop)
