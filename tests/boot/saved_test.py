#!/usr/bin/env python3
"""Machines with Debian's kernel that are saved and go on, in the same process or in others.

    saved_test.py EMULATOR MODULE_DIR CASE

WEFT_GUEST_DIR as for boot_test.py. The guest does the work that it does there, while it is saved and loaded, and its own shell is asked
what it remembers. Where a machine is saved is decided by what its console shows, not by time.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import qmp  # noqa: E402
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from boot_run import SKIP, Failure, Guest, Stopped, stop  # noqa: E402

RUNNING = "running"


class Machine:
    """An emulator, its console and its QMP."""

    def __init__(self, world, *extra, kernel=True, append=""):
        self.qmp_path = world.folder / ("qmp%d" % world.machines)
        world.machines += 1
        command = [world.emulator, "-module-dir", world.modules, "-accel", world.accel, "-M", "virt", "-smp", str(world.smp), "-m",
                   "256M", "-display", "none", "-serial", "stdio", "-monitor", "none", "-qmp", "unix:%s,server=on,wait=off" % self.qmp_path]
        if kernel:
            command += ["-bios", world.guest.firmware, "-kernel", world.guest.image, "-initrd", world.guest.initramfs,
                        "-append", "console=ttyS0 " + append]
        else:
            command += ["-bios", "none"]
        self.command = [str(word) for word in command + list(world.options) + list(extra)]
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        world.started.append(self)
        self.text = ""
        self.changed = threading.Condition()
        self.ended = False
        threading.Thread(target=self.read, daemon=True).start()
        self.line = None
        self.events = []

    def read(self):
        while True:
            data = os.read(self.process.stdout.fileno(), 65536)
            with self.changed:
                self.text += data.decode("utf-8", "replace").replace("\r", "")
                self.ended = not data
                self.changed.notify_all()
            if not data:
                return

    def wait_for(self, text, count=1):
        with self.changed:
            self.changed.wait_for(lambda: self.text.count(text) >= count or self.ended)
            if self.text.count(text) < count:
                raise Failure("the emulator ended without %r" % text)

    def type(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, line, marker):
        """A command of the shell's; `marker` is written so that its echo is none."""
        begin = len(self.text)
        self.type("%s; echo END-$((%d + 1))" % (line, marker - 1))
        self.wait_for("END-%d\n" % marker)
        return self.text[begin:]

    def connect(self):
        while self.line is None:
            try:
                self.line = qmp.Line(self.qmp_path)
            except (FileNotFoundError, ConnectionRefusedError):
                if self.process.poll() is not None:
                    raise Failure("the emulator ended: %s" % self.text)
                continue
            self.qmp("qmp_capabilities")

    def message(self):
        try:
            return self.line.take()
        except ConnectionError:
            raise Failure("QMP ended: %s" % self.text[-2000:])

    def answer(self, command, **arguments):
        self.connect()
        self.line.send(command, arguments)
        while True:
            message = self.message()
            if "event" not in message:
                return message
            self.events.append(message)

    def qmp(self, command, **arguments):
        answer = self.answer(command, **arguments)
        if "return" not in answer:
            raise Failure("%s: %s" % (command, answer))
        return answer["return"]

    def error(self, command, **arguments):
        answer = self.answer(command, **arguments)
        if "error" not in answer:
            raise Failure("%s was done: %s" % (command, answer))
        return answer["error"]["desc"]

    def monitor(self, line):
        return self.qmp("human-monitor-command", **{"command-line": line}).replace("\r", "")

    def event(self, name, **data):
        """The next event of this name, and data, that has not been looked at."""
        while True:
            for i, event in enumerate(self.events):
                if event["event"] == name and all(event.get("data", {}).get(k) == v for k, v in data.items()):
                    del self.events[:i + 1]
                    return event
            self.events.append(self.message())

    def status(self):
        return self.qmp("query-status")["status"]

    def send(self, uri):
        """By QMP, to its end."""
        self.qmp("migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}])
        self.qmp("migrate", uri=uri)
        self.event("MIGRATION", status="completed")

    def quit(self):
        self.connect()
        self.line.send("quit", {})
        self.exit()

    def exit(self, status=0):
        ended = self.process.wait()
        with self.changed:
            self.changed.wait_for(lambda: self.ended)
        if ended != status:
            raise Failure("the emulator ended with %s instead of %s: %s" % (ended, status, self.text[-1000:]))


class World:
    def __init__(self, emulator, modules, guest, folder):
        self.emulator, self.modules, self.guest, self.folder = emulator, modules, guest, pathlib.Path(folder)
        self.machines = 0
        self.started = []
        self.accel, self.smp, self.options = "tcg", 1, []


def check(what, right, said):
    if not right:
        raise Failure("%s: %r" % (what, said))


def equal(what, said, expected):
    check(what, said == expected, said)


def check_work(world, text):
    """What the guest's jobs give is what the host's gave, whatever was done to the machine meanwhile."""
    lines = text.split("\n")
    for line in world.guest.expected:
        job, result = line.split()
        check("the guest's work", "WEFT job=%s sum=%s" % (job, result) in lines, lines[-40:])
    check("the guest's work", "WEFT work=ok" in lines and "WEFT differs" not in text, lines[-40:])


def moves(smp, accel, options=()):
    """Saved and loaded in the firmware, in the kernel's boot, and while the guest works, each time in another process."""
    def case(world):
        world.accel, world.smp = accel, smp
        world.options = ["-netdev", "user,id=n0", "-device", "virtio-net-device,netdev=n0", "-device", "virtio-rng-device", *options]
        machine = Machine(world, append="weft.check")
        text = ""
        for number, place in enumerate(("OpenSBI v", "Linux version", "Freeing unused kernel", "WEFT nproc=", "WEFT job=")):
            if place not in text:
                machine.wait_for(place)
            file = world.folder / ("saved%d" % number)
            machine.send("file:%s" % file)
            equal("status", machine.status(), "postmigrate")
            machine.quit()
            text += machine.text
            machine = Machine(world, "-incoming", "file:%s" % file, kernel=False)
        machine.exit()
        check_work(world, text + machine.text)
    return case


def shell(world):
    """A shell that remembers, a process that counts, and a disk that is written, over a save to a file and through a command."""
    image = world.folder / "disk"
    image.write_bytes(bytes(1 << 20))
    world.smp = 2
    world.options = ["-drive", "file=%s,format=raw,if=none,id=d0" % image, "-device", "virtio-blk-pci,drive=d0", "-device", "virtio-rng-pci"]
    machine = Machine(world)
    machine.wait_for("Run /init")
    machine.ask("remembered=yes; while read -r m; do insmod /modules/$m; done </modules/order", 11)
    machine.ask("echo first | dd of=/dev/vda bs=512 conv=sync,notrunc 2>/dev/null", 12)
    machine.ask("(i=0; while :; do i=$((i + 1)); echo $i >/run/next; mv /run/next /run/count; done) & counter=$!", 13)
    machine.ask("cat /proc/uptime", 14)
    file = world.folder / "saved"
    machine.monitor("stop")
    machine.type("echo t$((2+3))")  # 15 characters: the serial port has room for them
    machine.send("exec:gzip>%s" % file)
    machine.quit()
    check("the file", file.read_bytes()[:2] == b"\x1f\x8b", file.read_bytes()[:8])

    machine = Machine(world, "-incoming", "exec:gzip -dc %s" % file, kernel=False)
    machine.connect()
    while machine.qmp("query-migrate")["status"] != "completed":
        pass
    equal("a machine that was stopped", machine.status(), "paused")
    machine.monitor("cont")
    machine.wait_for("\nt5\n")
    check("memory", "yes yes" in machine.ask("echo; echo $remembered $remembered", 21), machine.text)
    said = machine.ask("a=$(cat /run/count); while [ $(cat /run/count) = $a ]; do :; done; kill $counter; echo it counts", 22)
    check("the process", "\nit counts\n" in said, said)
    machine.ask("echo second | dd of=/dev/vda bs=512 seek=1 conv=sync,notrunc 2>/dev/null; sync", 23)
    said = machine.ask("head -c 5 /dev/vda", 24)
    check("the disk", "first" in said, said)
    machine.type("poweroff -f")
    machine.exit()
    equal("the image", image.read_bytes()[:1024].replace(b"\0", b""), b"first\nsecond\n")


def sockets(world):
    """Over sockets and by QMP: states, statuses and events."""
    machine = Machine(world)
    machine.wait_for("Run /init")
    machine.ask("remembered=$((6 * 7))", 11)
    for number, uri in enumerate(("unix:%s" % (world.folder / "way"), "tcp:127.0.0.1:%d" % free_port())):
        incoming = Machine(world, "-incoming", "defer" if number else uri, kernel=False)
        equal("status", incoming.status(), "inmigrate")
        if number:
            incoming.qmp("migrate-incoming", uri=uri)
        machine.events.clear()
        machine.send(uri)
        info = machine.qmp("query-migrate")
        check("query-migrate", info["status"] == "completed" and info["ram"]["remaining"] == 0 and info["ram"]["transferred"] > 0, info)
        equal("status", machine.status(), "postmigrate")
        check("info status", "postmigrate" in machine.monitor("info status"), machine.monitor("info status"))
        while incoming.status() == "inmigrate":
            pass
        equal("status", incoming.status(), RUNNING)
        said = incoming.ask("echo it is $remembered", 21 + number)
        check("memory", "\nit is 42\n" in said, said)
        # The one that was sent may go on, too.
        machine.qmp("cont")
        said = machine.ask("echo it was $remembered", 31)
        check("memory", "\nit was 42\n" in said, said)
        machine.quit()
        machine = incoming
    machine.quit()


def refusals(world):
    """What cannot be sent or loaded is one line, and the machine goes on."""
    machine = Machine(world)
    machine.wait_for("Run /init")
    machine.ask("remembered=$((6 * 7))", 11)
    nowhere = world.folder / "nowhere/file"
    check("a file that cannot be made", "No such file" in machine.error("migrate", uri="file:%s" % nowhere), "")
    check("no URI", "is none of file:PATH" in machine.error("migrate", uri="carrier:pigeon"), "")
    machine.qmp("migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}])
    check("without -d", "as with -d" in machine.monitor("migrate \"exec:cat >/dev/null; exit 3\""), machine.text)
    machine.event("MIGRATION", status="failed")
    check("a command that fails", "ended with status 3" in machine.monitor("info migrate"), machine.text)
    equal("status", machine.status(), RUNNING)
    check("a capability", "is not there" in machine.error(
        "migrate-set-capabilities", capabilities=[{"capability": "postcopy-ram", "state": True}]), "")
    check("migrate-incoming", "no machine is awaited" in machine.error("migrate-incoming", uri="file:x"), "")
    check("savevm", "no disk is there" in machine.monitor("savevm a"), machine.monitor("savevm a"))
    # Somebody who does not read: it can be cancelled, and goes on.
    machine.qmp("migrate", uri="exec:exec sleep 100000")
    check("cont", "is being sent" in machine.error("cont"), "")
    check("a second one", "already" in machine.error("migrate", uri="file:x"), "")
    machine.qmp("migrate_cancel")
    machine.event("MIGRATION", status="cancelled")
    equal("status", machine.status(), RUNNING)
    said = machine.ask("echo it is $remembered", 21)
    check("memory", "\nit is 42\n" in said, said)

    file = world.folder / "saved"
    machine.send("file:%s" % file)
    machine.quit()
    whole = file.read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    for name, content, reason in (("half", whole[:len(whole) // 2], "it ends early"), ("damaged", bytes(damaged), "it is damaged"),
                                  ("foreign", b"QEVM" + whole, "it is no saved machine of weft's")):
        (world.folder / name).write_bytes(content)
        other = Machine(world, "-incoming", "file:%s" % (world.folder / name), kernel=False)
        other.exit(1)
        check(name, reason in other.text and other.text.count("\n") == 1, other.text)
    other = Machine(world, "-device", "virtio-rng-device", "-incoming", "file:%s" % file, kernel=False)
    other.exit(1)
    check("another machine", "its machine has virtio-mmio.7 'device 0', and this one 'device 4'" in other.text, other.text)


def snapshots(world):
    """savevm, loadvm and -loadvm: machine and disks go back together."""
    for number in range(2):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(world.folder / ("disk%d" % number)), "8M"], check=True)
        world.options += ["-drive", "file=%s,format=qcow2,if=none,id=d%d" % (world.folder / ("disk%d" % number), number),
                          "-device", "virtio-blk-device,drive=d%d" % number]
    world.smp = 2
    machine = Machine(world)
    machine.wait_for("Run /init")
    machine.ask("remembered=one; while read -r m; do insmod /modules/$m; done </modules/order", 11)
    put = "for d in vda vdb; do echo %s | dd of=/dev/$d bs=4096 oflag=direct conv=sync,notrunc 2>/dev/null; done"
    get = "for d in vda vdb; do dd if=/dev/$d bs=4096 count=1 iflag=direct 2>/dev/null | head -n 1; done"
    machine.ask(put % "one", 12)
    equal("savevm", machine.monitor("savevm first"), "")
    machine.ask("remembered=two; " + put % "two", 13)
    equal("savevm", machine.monitor("savevm \"the second\""), "")
    machine.ask("remembered=three; " + put % "three", 14)
    listed = machine.monitor("info snapshots")
    check("info snapshots", " first " in listed and " the second " in listed, listed)
    check("loadvm of nothing", "has no snapshot 'none'" in machine.monitor("loadvm none"), "")
    for marker, name, word in ((21, "first", "one"), (22, "\"the second\"", "two"), (23, "first", "one")):
        equal("loadvm", machine.monitor("loadvm " + name), "")
        said = machine.ask("echo; echo it is $remembered; " + get, marker)
        check("loadvm " + name, "\nit is %s\n%s\n%s\n" % (word, word, word) in said, said)
    equal("delvm", machine.monitor("delvm first"), "")
    check("delvm twice", "no disk has a snapshot" in machine.monitor("delvm first"), "")
    machine.quit()
    for number in range(2):
        image = str(world.folder / ("disk%d" % number))
        subprocess.run(["qemu-img", "check", "-q", image], check=True)
        listed = subprocess.run(["qemu-img", "snapshot", "-l", image], check=True, capture_output=True, text=True).stdout
        check("qemu-img", "the second" in listed and "first" not in listed, listed)
    machine = Machine(world, "-loadvm", "the second", kernel=False)
    said = machine.ask("echo; echo it is $remembered; " + get, 31)
    check("-loadvm", "\nit is two\ntwo\ntwo\n" in said, said)
    machine.type("poweroff -f")
    machine.exit()
    for number in range(2):
        subprocess.run(["qemu-img", "check", "-q", str(world.folder / ("disk%d" % number))], check=True)
    missing = Machine(world, "-loadvm", "first", kernel=False)
    missing.exit(1)
    check("-loadvm of nothing", "-loadvm: disk 'd0' has no snapshot 'first'" in missing.text, missing.text)


def forgotten(world):
    """savevm and loadvm over and over with snapshot=on, as fuzzers of kernels do: the image stays what it was."""
    image = world.folder / "disk"
    image.write_bytes(bytes(1 << 20))
    world.options = ["-snapshot", "-drive", "file=%s,format=raw,if=none,id=d0" % image, "-device", "virtio-blk-pci,drive=d0"]
    machine = Machine(world)
    machine.wait_for("Run /init")
    machine.ask("remembered=one; while read -r m; do insmod /modules/$m; done </modules/order", 11)
    put = "echo %s | dd of=/dev/vda bs=4096 oflag=direct conv=sync,notrunc 2>/dev/null"
    machine.ask(put % "one", 12)
    equal("savevm", machine.monitor("savevm a"), "")
    for marker in range(20, 24):
        machine.ask("remembered=two; " + put % "two", 10 * marker)
        equal("loadvm", machine.monitor("loadvm a"), "")
        said = machine.ask("echo; echo it is $remembered; dd if=/dev/vda bs=4096 count=1 iflag=direct 2>/dev/null | head -n 1", marker)
        check("loadvm", "\nit is one\none\n" in said, said)
    machine.quit()
    equal("the image", image.read_bytes(), bytes(1 << 20))


def counted(world):
    """clock=insn: all runs from one saved machine are equal."""
    world.accel = "tcg,thread=single,clock=insn"
    machine = Machine(world, append="weft.check")
    machine.wait_for("WEFT nproc=")
    file = world.folder / "saved"
    machine.send("file:%s" % file)
    machine.quit()
    texts, reports = [], []
    for number in range(2):
        stats = world.folder / ("stats%d" % number)
        world.accel = "tcg,thread=single,clock=insn,stats=%s" % stats
        other = Machine(world, "-incoming", "file:%s" % file, kernel=False)
        other.exit()
        texts.append(other.text)
        report = json.loads(stats.read_text())
        reports.append({name: report[name] for name in ("insns", "time_ns", "state_hash")})
    check_work(world, machine.text + texts[0])
    equal("two runs from one saved machine", reports[0], reports[1])
    equal("what they print", texts[0] == texts[1], True)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


CASES = {
    "moves-smp1": moves(1, "tcg"),
    "moves-smp4": moves(4, "tcg,thread=multi,max-threads=4"),
    "moves-single": moves(4, "tcg,thread=single"),
    "shell": shell,
    "sockets": sockets,
    "refusals": refusals,
    "snapshots": snapshots,
    "forgotten": forgotten,
    "counted": counted,
}


def main():
    emulator, modules, name = sys.argv[1:4]
    folder = os.environ.get("WEFT_GUEST_DIR")
    if not folder:
        print("skipped: WEFT_GUEST_DIR is not set (scripts/fetch-guest gets the guest)")
        return SKIP
    if name == "snapshots" and not shutil.which("qemu-img"):
        print("skipped: there is no qemu-img")
        return SKIP
    signal.signal(signal.SIGTERM, stop)
    with tempfile.TemporaryDirectory() as temporary:
        world = World(emulator, modules, Guest(folder, None), temporary)
        try:
            CASES[name](world)
        except (Failure, Stopped) as failure:
            for machine in world.started[-2:]:
                print(" ".join(machine.command))
                print(machine.text[-3000:])
            print("saved_test: %s: %s" % (name, failure))
            return 1
        finally:
            for machine in world.started:
                machine.process.kill()
                machine.process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
