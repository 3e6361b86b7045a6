"""Time of instructions, as a guest sees it, with weft and with QEMU.

  icount_test.py EMULATOR MODULES WAY SHIFT SLEEP PROGRAM

WAY is native or interp, or peer: QEMU, from WEFT_PEER_DIR (else the test is skipped). SHIFT and SLEEP are those of -icount. The program's
loop has to take 2^SHIFT nanoseconds an instruction; a wait has to end no earlier than it was to, in the guest's time, and with SLEEP on
in the host's as well. With it off the guest waits an hour, which nobody else does.
"""

import os
import re
import subprocess
import sys
import time

SKIP = 77
INSTRUCTIONS = 8_000_000  # of the loop in icount.c
TICK = 100                # ns


class Failure(Exception):
    pass


def run(command):
    began = time.monotonic()
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    output = result.stdout.decode(errors="replace")
    print(output)
    if result.returncode != 0 or "PASS " not in output:
        raise Failure("exit status %d" % result.returncode)
    return {name: int(value, 16) for name, value in re.findall(r"note (\w+) = (?:0x)?([0-9a-f]+)", output)}, time.monotonic() - began


def main():
    emulator, modules, way, shift, sleep, program = sys.argv[1:]
    ticks = (100_000_000 if sleep == "on" else 3_600_000_000_000) // TICK
    command = [emulator, "-module-dir", modules, "-accel", "tcg,backend=" + way]
    if way == "peer":
        if not os.environ.get("WEFT_PEER_DIR"):
            print("skipped: WEFT_PEER_DIR is not set (scripts/fetch-peer gets QEMU)")
            return SKIP
        command = [os.path.join(os.environ["WEFT_PEER_DIR"], "bin/qemu-system-riscv64"), "-display", "none"]
    command += ["-M", "virt", "-bios", "none", "-m", "128M", "-serial", "stdio", "-kernel", program,
                "-icount", "shift=%s,sleep=%s" % (shift, sleep),
                "-device", "loader,addr=0x84000000,data=%d,data-len=8" % ticks]
    seen, seconds = run(command)
    instruction = 1 << int(shift)  # ns
    wanted = INSTRUCTIONS * instruction // TICK
    # Around the loop, and where a tick lies between two instructions.
    slack = 100 * instruction // TICK + 2
    for name in ("spin", "again"):
        if not wanted <= seen[name] <= wanted + slack:
            raise Failure("%s: %d ticks, not %d" % (name, seen[name], wanted))
    if seen["wait"] < ticks:
        raise Failure("waited %d ticks, not %d" % (seen["wait"], ticks))
    if sleep == "on" and seconds < ticks * TICK / 1e9:
        raise Failure("waited less than it was to: %f s" % seconds)
    # weft's time comes to deadlines exactly.
    if way != "peer" and seen["wait"] > ticks + slack + 512 * instruction // TICK:
        raise Failure("waited %d ticks instead of %d" % (seen["wait"], ticks))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(str(failure))
