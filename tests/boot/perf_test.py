#!/usr/bin/env python3
"""Boots Debian's kernel and has a program count and sample by perf_event_open: by the counters of the hart, and their interrupts.

    perf_test.py EMULATOR MODULE_DIR WAY PROGRAM

WAY is host, where counters count time, or insn (clock=insn), where they count instructions. PROGRAM is guest/perf_check.c, which the guest
runs out of a shared folder. A second boot is without Sscofpmf. WEFT_GUEST_DIR holds the guest; without it the test is skipped (exit
code 77).
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

SKIP = 77
WAYS = {"host": ("tcg", "time"), "insn": ("tcg,thread=single,clock=insn", "instructions")}
# What each boot asks for, the hardware counters that Linux finds (mcycle and minstret with them), and whether they have interrupts.
BOOTS = (("max", 18, True), ("max,sscofpmf=off,pmu-num=2", 4, False))


class Failure(Exception):
    pass


def boot(command, guest, cpu, folder):
    """The lines that the guest printed."""
    command = [*command, "-cpu", cpu, "-M", "virt", "-m", "512M", "-nographic", "-bios", guest / "fw_dynamic.bin", "-kernel", guest / "Image",
               "-initrd", guest / "initramfs.cpio.gz", "-append", "console=ttyS0 weft.share=msize=262144",
               "-fsdev", "local,id=f0,path=%s,security_model=none" % folder, "-device", "virtio-9p-pci,fsdev=f0,mount_tag=share"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def stop(number, frame):
        process.kill()  # meson's limit on time, or the user

    signal.signal(signal.SIGTERM, stop)
    text = process.communicate()[0]
    lines = text.decode("utf-8", "replace").replace("\r", "").split("\n")
    if process.returncode != 0:
        print("\n".join(lines[-60:]))
        raise Failure("the emulator ended with %s" % process.returncode)
    return lines


def look(lines, counters, samples, counts):
    found = [line for line in lines if re.search(r"riscv-pmu-sbi: \d+ firmware and %d hardware counters" % counters, line)]
    if not found:
        raise Failure("the driver does not have %d counters" % counters)
    if samples == any("sampling/filtering is not" in line for line in lines):
        raise Failure("the driver %s" % ("does not sample" if samples else "samples without an interrupt"))
    names = ["cycles=ok", "instructions=ok", "counted=" + counts, "samples-cycles=ok", "samples-instructions=ok"] if samples else ["cycles=ok"]
    for name in names:
        if "WEFT perf " + name not in lines:
            raise Failure("the guest did not print %r" % name)
    # With the host's clock it may be the host that makes it wait.
    if counts == "instructions" and any("detected stall" in line for line in lines):
        raise Failure("the kernel missed its timer")


def main():
    emulator, modules, way, program = sys.argv[1:]
    guest = pathlib.Path(os.environ.get("WEFT_GUEST_DIR", ""))
    if not (guest / "Image").exists():
        print("skipped: WEFT_GUEST_DIR holds no guest (scripts/fetch-guest)")
        return SKIP
    accel, counts = WAYS[way]
    lines = []
    try:
        for cpu, counters, samples in BOOTS:
            with tempfile.TemporaryDirectory() as folder:
                (pathlib.Path(folder) / "run").write_text("$1/perf-check\n")
                shutil.copy(program, pathlib.Path(folder) / "perf-check")
                lines = boot([emulator, "-module-dir", modules, "-accel", accel], guest, cpu, folder)
            look(lines, counters, samples, counts)
    except Failure as failure:
        print("\n".join(lines[-60:]))
        print("perf_test: %s: %s" % (way, failure))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
