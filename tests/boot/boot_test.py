#!/usr/bin/env python3
"""Boots Debian's kernel on weft and checks what the guest itself prints.

    boot_test.py EMULATOR MODULE_DIR CASE [SLOW_TIME]

SLOW_TIME, for sanitizers, is the program made of slow_time.cpp: guests in the interpreter then have SLOWNESS times as long
seconds, and their kernel leaves out the tests of its own cryptography.

WEFT_GUEST_DIR holds the guest (scripts/fetch-guest, scripts/make-initramfs); without it the test is skipped (exit
code 77). The cases are in CASES: options, the kernel's command line, and what has to be true afterwards. The results of
the guest's own programs are compared with the host's, not with an earlier run of weft.
"""

import hashlib
import json
import os
import pathlib
import re
import signal
import sys
import tempfile

from boot_run import Failure, Guest, NeverBoth, Run, SKIP, Skipped, VcpuThreads, stop
from device_cases import console_ports, disk, disk_pci, disk_pci_modern, net, rng, rng_equal, share, write_disk, \
    write_disk_qcow2, write_disk_queues


def plain(accel, smp, rounds=1):
    """More rounds than one are for what goes wrong once in a hundred process starts."""
    if rounds > 1 and os.environ.get("WEFT_TEST_FULL"):
        rounds *= 20

    def case(emulator, modules, guest):
        run = Run(emulator, modules, guest, accel, smp, "weft.check weft.rounds=%d" % rounds)
        yield run
        run.check(guest, smp, rounds)
        run.ended()

    return case


def aclint(emulator, modules, guest):
    """The firmware takes timer and interrupts of harts from the nodes that stand for the CLINT's."""
    run = Run(emulator, modules, guest, "tcg", 2, "weft.check", machine="virt,aclint=on")
    yield run
    run.check(guest, 2)
    run.ended()
    for device in ("Platform IPI Device", "Platform Timer Device"):
        found = [line for line in run.lines if line.startswith(device)]
        if len(found) != 1 or "aclint" not in found[0]:
            raise Failure("%s: %s" % (device, found))


def four_threads(emulator, modules, guest, threads_at_most=4):
    threads = VcpuThreads()
    run = Run(emulator, modules, guest, "tcg,thread=multi,max-threads=%d" % threads_at_most, 4, "weft.check", watch=threads)
    yield run
    run.check(guest, 4)
    run.ended()
    if threads.busy != {"CPU %d/TCG" % i for i in range(threads_at_most)}:
        raise Failure("these vCPU threads used processor time: %s" % sorted(threads.busy))


def shared_threads(emulator, modules, guest):
    return four_threads(emulator, modules, guest, 2)


def one_thread(emulator, modules, guest):
    threads = VcpuThreads()
    run = Run(emulator, modules, guest, "tcg,thread=single", 4, "weft.check", watch=threads)
    yield run
    run.check(guest, 4)
    run.ended()
    if len(threads.busy) != 1:
        raise Failure("these vCPU threads used processor time: %s" % sorted(threads.busy))


def split_wx(emulator, modules, guest):
    never = NeverBoth()
    run = Run(emulator, modules, guest, "tcg,split-wx=on", 4, "weft.check", watch=never)
    yield run
    run.check(guest, 4)
    run.ended()
    if never.looks == 0:
        raise Failure("the mappings were never looked at")


def interp(emulator, modules, guest):
    def never_executable(process):
        try:
            lines = pathlib.Path("/proc/%d/maps" % process.pid).read_text().split("\n")
        except OSError:
            return
        for line in lines:
            fields = line.split()
            if fields and "x" in fields[1] and (len(fields) < 6 or fields[5].startswith("/memfd")):
                raise Failure("memory of the interpreter's is executable: %s" % line)

    run = Run(emulator, modules, guest, "tcg,backend=interp", 1, "weft.init", watch=never_executable)
    yield run
    run.has("WEFT init")
    run.ended()


def interp_four_threads(emulator, modules, guest):
    threads = VcpuThreads()
    run = Run(emulator, modules, guest, "tcg,backend=interp,max-threads=4", 4, "weft.check", watch=threads)
    yield run
    run.check(guest, 4)
    run.ended()
    if len(threads.busy) != 4:
        raise Failure("these vCPU threads used processor time: %s" % sorted(threads.busy))


def small_cache(emulator, modules, guest, evict="region", counter="evictions"):
    with tempfile.TemporaryDirectory() as folder:
        stats = pathlib.Path(folder) / "stats"
        run = Run(emulator, modules, guest, "tcg,tb-size=4,evict=%s,stats=%s" % (evict, stats), 4,
                  "weft.check" if evict == "region" else "weft.init")
        yield run
        if evict == "region":
            run.check(guest, 4)
        else:
            run.has("WEFT init")
        run.ended()
        found = re.search(r'"%s": *(\d+)' % counter, stats.read_text())
        if not found or int(found.group(1)) < 1:
            raise Failure("there were no %s: %s" % (counter, stats.read_text()))


def small_cache_flush(emulator, modules, guest):
    yield from small_cache(emulator, modules, guest, "flush", "flushes")


def no_reboot(emulator, modules, guest):
    run = Run(emulator, modules, guest, "tcg", 1, "weft.reboot", ("-no-reboot",))
    yield run
    run.has("WEFT reboot")
    run.ended()
    run.booted(1)


def reboots(emulator, modules, guest):
    """Two resets, and three boots that each find on the disk what the one before wrote."""
    rest = bytes(range(256)) * 8
    with tempfile.TemporaryDirectory() as folder:
        image = pathlib.Path(folder) / "disk"
        image.write_bytes(b"0\n".ljust(512, b"\0") + rest)
        run = Run(emulator, modules, guest, "tcg", 2, "weft.reboots=2",
                  ("-drive", "file=%s,format=raw" % image))
        yield run
        run.ended()
        counts = [line for line in run.lines if line.startswith("WEFT ")]
        if counts != ["WEFT boot=1", "WEFT boot=2", "WEFT boot=3"]:
            raise Failure("the guest's boots were %s" % counts)
        run.booted(3)
        if image.read_bytes() != b"3\n".ljust(512, b"\0") + rest:
            raise Failure("the disk holds %r..." % image.read_bytes()[:16])


def counted(smp, *ways):
    """clock=insn: one boot for each of `ways`, which change nothing that the guest or its user can see."""

    def case(emulator, modules, guest):
        content = bytes((i * 7 + (i >> 8)) & 0xFF for i in range(2 << 20))
        first = None
        with tempfile.TemporaryDirectory() as folder:
            image = pathlib.Path(folder) / "disk"
            image.write_bytes(content)
            stats = pathlib.Path(folder) / "stats"
            for way in ways:
                run = Run(emulator, modules, guest, "tcg,thread=single,clock=insn,stats=%s%s" % (stats, way), smp,
                          "weft.check weft.disk",
                          ("-drive", "file=%s,format=raw,if=none,id=d0" % image, "-device", "virtio-blk-device,drive=d0"))
                yield run
                run.check(guest, smp)
                run.has("WEFT disk=%s" % hashlib.sha256(content[:1 << 20]).hexdigest())
                run.ended()
                report = json.loads(stats.read_text())
                if report["insns"] < 100_000_000:
                    raise Failure("only %d instructions" % report["insns"])
                result = {name: report[name] for name in ("insns", "time_ns", "state_hash")}
                result["output"] = run.lines
                if first is None:
                    first = result
                for name, value in first.items():
                    if result[name] != value:
                        raise Failure("%s differs from the first run's: %s, %s" % (name, result[name], value))

    return case


CASES = {
    "smp1": plain("tcg", 1),
    "smp4": four_threads,
    "aclint": aclint,
    "smp4-shared": shared_threads,
    "single": one_thread,
    "split-wx": split_wx,
    "no-split-wx": plain("tcg,split-wx=off", 2),
    "translators": plain("tcg,translate-threads=2", 4),
    "tb-size-4": small_cache,
    "tb-size-4-flush": small_cache_flush,
    "interp": interp,
    "interp-smp4": interp_four_threads,
    "disk": disk,
    "disk-pci": disk_pci,
    "disk-pci-modern": disk_pci_modern,
    "write-disk": write_disk,
    "write-disk-qcow2": write_disk_qcow2,
    "write-disk-queues": write_disk_queues,
    "rng": rng,
    "rng-equal": rng_equal,
    "net": net(1),
    "net-smp2": net(2),
    "net-pci": net(2, "virtio-net-pci"),
    "share": share(),
    "share-mmio": share(device="virtio-9p-device", options="msize=8192,cache=mmap"),
    "share-mapped": share(model="mapped-xattr"),
    "share-insn": share(accel="tcg,thread=single,clock=insn"),
    "console": console_ports,
    "reboot": reboots,
    "no-reboot": no_reboot,
    "soak": plain("tcg", 1, 5),
    "soak-evictions": plain("tcg,tb-size=4", 2, 3),
    "insn-smp1": counted(1, "", ""),
    "insn-smp2": counted(2, "", ",tb-size=4,disable=pin-registers"),
}


def main():
    emulator, modules, name = sys.argv[1:4]
    slow_time = sys.argv[4] if len(sys.argv) > 4 else None
    folder = os.environ.get("WEFT_GUEST_DIR")
    if not folder:
        print("skipped: WEFT_GUEST_DIR is not set (scripts/fetch-guest gets the guest)")
        return SKIP
    run = None
    signal.signal(signal.SIGTERM, stop)
    try:
        case = CASES[name](emulator, modules, Guest(folder, slow_time))
        run = next(case)
        for run in case:
            pass
    except Skipped as skipped:
        print("skipped: %s" % skipped)
        return SKIP
    except Failure as failure:
        if run is not None:
            print(run.text)
            print("\n".join(run.lines[-60:]))
            print("(the emulator ended with %s)" % run.status)
        print("boot_test: %s: %s" % (name, failure))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
