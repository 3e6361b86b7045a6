#!/usr/bin/env python3
"""Boots Debian's kernel on two machines that a line connects: each fetches a file of the other's.

    line_test.py EMULATOR MODULE_DIR WAY OTHER

WAY is one of WAYS, OTHER says what is at the other end: weft, or peer (QEMU, in WEFT_PEER_DIR). WEFT_GUEST_DIR holds the guest (scripts/fetch-guest,
scripts/make-initramfs). Without either the test is skipped (exit code 77). The limit on time is meson's.
"""

import hashlib
import os
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from benchlib import cpio  # noqa: E402

SKIP = 77
NUMBERS = 150_000

# The options of both ends; {} is a folder.
WAYS = {
    "stream": ("stream,id=n,server=on,addr.type=unix,addr.path={}/s", "stream,id=n,addr.type=unix,addr.path={}/s"),
    "dgram": ("dgram,id=n,local.type=unix,local.path={0}/a,remote.type=unix,remote.path={0}/b",
              "dgram,id=n,local.type=unix,local.path={0}/b,remote.type=unix,remote.path={0}/a"),
}

INIT = """#!/bin/sh
export PATH=/bin LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
echo 1 >/proc/sys/kernel/printk
read -r command_line </proc/cmdline
for word in $command_line; do
    case $word in weft.line=*) number=${word#*=} ;; esac
done
while read -r module; do insmod /modules/$module; done </modules/order
ifconfig eth0 10.9.0.$number netmask 255.255.255.0 up
mkdir /www
seq $number %d >/www/file
httpd -h /www
until wget -q -O /got http://10.9.0.$((3 - number))/file; do sleep 1; done
echo "WEFT got=$(sha256sum </got)"
while :; do sleep 60; done
""" % NUMBERS


def content(first):
    return "".join(f"{number}\n" for number in range(first, NUMBERS + 1)).encode()


class Machine:
    """Its lines come into a queue, as (number, text); at its end None for the text."""

    def __init__(self, number, command, lines):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.seen = []
        threading.Thread(target=self.read, args=(number, lines), daemon=True).start()

    def read(self, number, lines):
        for line in self.process.stdout:
            lines.put((number, line.decode(errors="replace").strip()))
        lines.put((number, None))

    def stop(self):
        self.process.kill()
        self.process.wait()


def main():
    emulator, modules, way, other = sys.argv[1:5]
    needed = ["WEFT_GUEST_DIR"] + ["WEFT_PEER_DIR"] * (other == "peer")
    for variable in needed:
        if not os.environ.get(variable):
            print(f"skipped: {variable} is not set")
            return SKIP
    guest = pathlib.Path(os.environ["WEFT_GUEST_DIR"])
    programs = [[emulator, "-module-dir", modules]] * 2
    if other == "peer":
        programs[1] = [str(pathlib.Path(os.environ["WEFT_PEER_DIR"]) / "bin/qemu-system-riscv64")]
    lines = queue.Queue()
    machines = []
    with tempfile.TemporaryDirectory() as folder:
        archive = pathlib.Path(folder) / "initramfs"
        archive.write_bytes(cpio.append((guest / "initramfs.cpio.gz").read_bytes(), {"line-init": INIT.encode()}))
        try:
            for number, (program, network) in enumerate(zip(programs, WAYS[way]), 1):
                command = [*program, "-M", "virt", "-m", "256M", "-nographic", "-bios", str(guest / "fw_dynamic.bin"),
                           "-kernel", str(guest / "Image"), "-initrd", str(archive),
                           "-append", f"console=ttyS0 quiet rdinit=/line-init weft.line={number}",
                           "-netdev", network.format(folder), "-device", f"virtio-net-device,netdev=n,mac=52:54:00:00:00:0{number}"]
                machines.append(Machine(number, command, lines))
                # Who connects has to find somebody.
                while way == "stream" and number == 1 and not os.path.exists(f"{folder}/s"):
                    if machines[0].process.poll() is not None:
                        break
            got = {}
            while len(got) < 2:
                number, text = lines.get()
                if text is None:
                    print("\n".join(machines[number - 1].seen[-15:]))
                    print(f"line_test: machine {number} ended")
                    return 1
                machines[number - 1].seen.append(text)
                if text.startswith("WEFT got="):
                    got[number] = text.split("=")[1].split()[0]
        finally:
            for machine in machines:
                machine.stop()
    expected = {number: hashlib.sha256(content(3 - number)).hexdigest() for number in (1, 2)}
    print(f"line_test: got {got}, expected {expected}")
    return 0 if got == expected else 1


if __name__ == "__main__":
    sys.exit(main())
