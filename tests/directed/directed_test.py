"""Runs one self-checking bare-metal program on weft.

  directed_test.py EMULATOR MODULES WAY PROGRAM [OPTION...]

WAY is native or interp, where everything is translated, or run: as much as possible is executed without a translation. With peer QEMU
runs it, from WEFT_PEER_DIR (else the test is skipped). Further options are the emulator's.
"""

import os
import subprocess
import sys

SKIP = 77


def main():
    emulator, modules, way, program, *options = sys.argv[1:]
    accel = "tcg,translate-after=255" if way == "run" else "tcg,translate-after=0,backend=" + way
    command = [emulator, "-module-dir", modules, "-accel", accel]
    if way == "peer":
        if not os.environ.get("WEFT_PEER_DIR"):
            print("skipped: WEFT_PEER_DIR is not set (scripts/fetch-peer gets QEMU)")
            return SKIP
        command = [os.path.join(os.environ["WEFT_PEER_DIR"], "bin/qemu-system-riscv64"), "-display", "none"]
    command += ["-M", "virt", "-bios", "none", "-m", "128M", "-serial", "stdio", "-kernel", program, *options]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    output = result.stdout.decode(errors="replace")
    # An emulator that ends at once with 0 has shown nothing.
    passed = result.returncode == 0 and "PASS " in output
    if not passed:
        print(output)
        print("exit status", result.returncode)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
