#!/usr/bin/env python3
"""Boots Debian's kernel with disks behind root ports, adds and takes away one while it runs, and compares what the guest reads.

    hotplug_test.py EMULATOR MODULE_DIR CPUS

That kernel has no driver for slots: the guest's shell looks for devices again, and takes the power from the slot by the port's registers
(PCI Express Base Specification 5.0, 7.5.3.10). WEFT_GUEST_DIR holds the guest; without it the test is skipped (exit code 77).
"""

import hashlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import qmp  # noqa: E402

SKIP = 77
# The slot's control register: indicators off, power off.
POWER_OFF = r"\300\007"
SLOT_CONTROL = 0x18
ROUNDS = 3


class Failure(Exception):
    pass


class Shell:
    """The guest's, on the serial port."""

    def __init__(self, process):
        self.process = process
        self.log = []

    def line(self):
        text = self.process.stdout.readline().decode(errors="replace")
        if not text:
            raise Failure("the emulator has ended")
        self.log.append(text.rstrip())
        return self.log[-1]

    def run(self, command):
        """What it prints, one line."""
        # The terminal shows the command, perhaps with a line's end in it: the words that are looked for do not stand there.
        self.process.stdin.write((command + " | sed \"s/^/$w=/\"; echo $w.\n").encode())
        self.process.stdin.flush()
        output = []
        while True:
            text = self.line()
            if re.fullmatch(r"(.*# )?WEFT\.", text):
                return "\n".join(output)
            found = re.match(r"WEFT=(.*)", text)
            output += [found.group(1)] if found else []


class Qmp:
    def __init__(self, path):
        self.line = qmp.Line(path)
        self.ask("qmp_capabilities")

    def ask(self, name, **arguments):
        arguments = {key.replace("_", "-"): value for key, value in arguments.items()}
        self.line.send(name, arguments)
        while True:
            answer = self.line.take()
            if "event" not in answer:
                if "return" not in answer:
                    raise Failure("%s: %s" % (name, answer))
                return answer["return"]

    def wait_for_gone(self, device):
        while True:
            message = self.line.take()
            if message.get("event") == "DEVICE_DELETED" and message["data"].get("device") == device:
                return


def expect(what, got, wanted):
    if got != wanted:
        raise Failure("%s: %r, not %r" % (what, got, wanted))


def contents(number):
    return bytes((i * 7 + number * 3 + (i >> 8)) & 0xFF for i in range(1 << 20))


def express_capability(shell, port):
    """Where it is in the port's configuration space, as the guest reads that."""
    space = bytes.fromhex(shell.run("{ hexdump -v -e '1/1 \"%%02x\"' /sys/bus/pci/devices/%s/config; echo; }" % port))
    where = space[0x34]
    while where and space[where] != 0x10:
        where = space[where + 1]
    if not where:
        raise Failure("the port has no capability of PCI Express")
    return where


def drive(shell, qmp, folder):
    while not shell.line().startswith("To leave"):
        pass
    process = shell.process
    process.stdin.write(b"w=WEFT\n")
    process.stdin.flush()
    shell.run("while read module; do insmod /modules/$module; done </modules/order")
    sums = lambda disk: shell.run("sha256sum /dev/%s | cut -c 1-64" % disk)
    expect("disk behind a port", sums("vda"), hashlib.sha256(contents(0)).hexdigest())
    expect("devices", shell.run("ls /sys/bus/pci/devices").split(),
           ["0000:00:00.0", "0000:00:01.0", "0000:00:01.1", "0000:01:00.0"])
    port, place = "0000:00:01.1", "0000:02:00.0"
    control = express_capability(shell, port) + SLOT_CONTROL
    for number in range(1, ROUNDS + 1):
        image = folder / ("disk%d" % number)
        image.write_bytes(contents(number))
        qmp.ask("blockdev-add", driver="raw", node_name="n%d" % number, file={"driver": "file", "filename": str(image)})
        qmp.ask("device_add", driver="virtio-blk-pci", bus="p2", addr="0x0", drive="n%d" % number, id="d")
        expect("rescan", shell.run("echo 1 >/sys/bus/pci/rescan; ls /sys/bus/pci/devices | grep -c ^0000:02"), "1")
        disk = shell.run("ls /sys/bus/pci/devices/%s/virtio*/block" % place)
        expect("added disk", sums(disk), hashlib.sha256(contents(number)).hexdigest())
        shell.run("echo weft%d | dd of=/dev/%s conv=notrunc 2>/dev/null; sync" % (number, disk))
        expect("written", image.read_bytes()[:6], b"weft%d\n" % number)
        qmp.ask("device_del", id="d")
        shell.run("echo 1 >/sys/bus/pci/devices/%s/remove" % place)
        shell.run("printf '%s' | dd of=/sys/bus/pci/devices/%s/config bs=2 seek=%d conv=notrunc 2>/dev/null"
                  % (POWER_OFF, port, control // 2))
        qmp.wait_for_gone("d")
        qmp.ask("blockdev-del", node_name="n%d" % number)
        # The slot has power again for the next one.
        shell.run("printf '\\300\\001' | dd of=/sys/bus/pci/devices/%s/config bs=2 seek=%d conv=notrunc 2>/dev/null"
                  % (port, control // 2))
        expect("rescan", shell.run("echo 1 >/sys/bus/pci/rescan; ls /sys/bus/pci/devices | grep -c ^0000:02"), "0")
    expect("first disk", sums("vda"), hashlib.sha256(contents(0)).hexdigest())
    shell.process.stdin.write(b"poweroff -f\n")
    shell.process.stdin.flush()


def stop(number, frame):
    raise Failure("stopped: meson's limit on time, or its user")


def main():
    emulator, modules, cpus = sys.argv[1:]
    guest = pathlib.Path(os.environ.get("WEFT_GUEST_DIR", ""))
    if not (guest / "Image").exists():
        print("skipped: WEFT_GUEST_DIR holds no guest (scripts/fetch-guest)")
        return SKIP
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "disk0").write_bytes(contents(0))
        line = folder / "qmp"
        command = [emulator, *(["-module-dir", modules] if modules else []), "-M", "virt", "-smp", cpus, "-m", "512M",
                   "-display", "none", "-nodefaults", "-serial", "stdio", "-qmp", "unix:%s,server=on,wait=off" % line, "-bios", guest / "fw_dynamic.bin",
                   "-kernel", guest / "Image", "-initrd", guest / "initramfs.cpio.gz", "-append", "console=ttyS0 quiet",
                   "-device", "pcie-root-port,id=p1,addr=1.0,multifunction=on,chassis=1,slot=1",
                   "-device", "pcie-root-port,id=p2,addr=1.1,chassis=2,slot=2",
                   "-drive", "if=none,id=d0,format=raw,file=%s" % (folder / "disk0"), "-device", "virtio-blk-pci,bus=p1,drive=d0"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        shell = Shell(process)
        signal.signal(signal.SIGTERM, stop)
        try:
            shell.line()
            drive(shell, Qmp(line), folder)
            process.stdout.read()
            expect("exit status", process.wait(), 0)
            return 0
        except Failure as failure:
            print("\n".join(shell.log))
            print("hotplug_test:", failure)
            return 1
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
