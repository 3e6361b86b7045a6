#!/usr/bin/env python3
"""Runs the conformance programs with options of weft's, none of which changes what a program sees.

  configurations.py WEFT FOLDER CONFIGURATION [PROGRAM...]

FOLDER has the programs, built for the host and for the guest. Without PROGRAMs: the configuration's own, or all of them with
WEFT_TEST_FULL=1.
"""

import os
import pathlib
import sys
import tempfile

from compare import compare

FULL = os.environ.get("WEFT_TEST_FULL") == "1"

# In an option: an empty folder, which goes at the end.
EMPTY_FOLDER = "@FOLDER@"

# Name: options, and the programs of an ordinary run: those that reach what the option changes.
CONFIGURATIONS = {
    # Guest addresses are no host addresses: where each is made from the other.
    "guest-base": (["-B", "0x200000000000"], ["clone_fork", "exec", "file_attributes", "identity_time", "ipc", "isolation", "locks_watches", "memory",
                                              "other_processes", "pipes_files", "signals", "sockets", "terminals_network", "waiting_sending"]),
    # The same, and a space that ends.
    "reserved": (["-R", "64G"], ["exec", "limits_scheduling", "memory", "signals"]),
    # Each access is compared with the end of the space.
    "bounds": (["-accel", "tcg,bounds=on"], ["clone_fork", "memory", "signals"]),
    "bounds-interp": (["-accel", "tcg,bounds=on,backend=interp"], ["memory", "signals"]),
    # Memory of code that a forked child shares.
    "split-wx": (["-accel", "tcg,split-wx=on"], ["clone_fork", "exec", "signals"]),
    # Signals and waiting calls at each instruction.
    "one-insn-per-tb": (["-one-insn-per-tb"], ["clone_fork", "signals", "events_timers"]),
    # Little memory for code: it is emptied under way.
    "tb-size": (["-tb-size", "1"], ["clone_fork", "signals", "pipes_files"]),
    "evict-flush": (["-accel", "tcg,evict=flush,tb-size=1"], ["clone_fork", "signals", "threads"]),
    # Translations from a folder: each program twice, so that it finds what was kept, with descriptors that are not the guest's.
    "cache": (["-accel", "tcg,translate-after=0,cache=" + EMPTY_FOLDER], ["clone_fork", "exec", "pipes_files", "signals", "threads"]),
}


def main():
    weft, folder = os.path.abspath(sys.argv[1]), pathlib.Path(os.path.abspath(sys.argv[2]))
    options, chosen = CONFIGURATIONS[sys.argv[3]]
    names = sys.argv[4:]
    if not names:
        names = sorted(path.stem for path in folder.glob("*.riscv64")) if FULL else chosen
    with tempfile.TemporaryDirectory() as empty:
        given = [option.replace(EMPTY_FOLDER, empty) for option in options]
        if given != options:
            names = [name for name in names for _ in range(2)]
        failed = [name for name in names
                  if compare(str(folder / f"{name}.host"), weft, str(folder / f"{name}.riscv64"), given) != 0]
        if given != options and not any(pathlib.Path(empty).iterdir()):
            failed.append("what is kept")
    print(f"{' '.join(options)}: {len(names)} programs" + "".join(f", {name} differs" for name in failed))
    return 1 if failed or not names else 0


if __name__ == "__main__":
    sys.exit(main())
