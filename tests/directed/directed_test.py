"""Runs one self-checking bare-metal program on weft.

  directed_test.py EMULATOR MODULES WAY PROGRAM

WAY is native or interp, where everything is translated, or run: as much as possible is executed without a translation.
"""

import subprocess
import sys


def main():
    emulator, modules, way, program = sys.argv[1:]
    accel = "tcg,translate-after=255" if way == "run" else "tcg,translate-after=0,backend=" + way
    result = subprocess.run([emulator, "-module-dir", modules, "-accel", accel, "-M", "virt", "-bios", "none", "-m", "128M",
                             "-serial", "stdio", "-kernel", program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, check=False)
    output = result.stdout.decode(errors="replace")
    # An emulator that ends at once with 0 has shown nothing.
    passed = result.returncode == 0 and "PASS " in output
    if not passed:
        print(output)
        print("exit status", result.returncode)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
