"""Adds devices to a machine, and takes them away, in orders that an operator may come to and nobody has planned.

  slots_test.py EMULATOR MODULES CASE PROGRAM

PROGRAM is the guest that lets go of devices. A case whose name ends in -peer is run by QEMU, from WEFT_PEER_DIR (else the test is skipped).
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from pcie_port_test import SKIP, Qmp, expect  # noqa: E402


class Machine:
    def __init__(self, emulator, folder, program, options):
        self.peer = len(emulator) == 1
        line = folder / "qmp"
        command = [*emulator, "-display", "none", "-nodefaults", "-serial", "stdio", "-M", "virt", "-bios", "none", "-m", "128M",
                   "-kernel", program, "-qmp", "unix:%s,server=on,wait=off" % line]
        for number in range(4):
            command += ["-device", "pcie-root-port,id=p%d,bus=pcie.0,addr=1.%d,chassis=%d,slot=%d%s"
                        % (number, number, number + 1, number + 1, "" if number else ",multifunction=on")]
        self.process = subprocess.Popen([str(word) for word in [*command, *options]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        text = self.process.stdout.readline()
        if text.strip() != b"READY":
            raise AssertionError("the guest does not begin: %r" % (text + self.process.stdout.read()))
        self.qmp = Qmp(line)

    def ask(self, command, **arguments):
        answer = self.qmp.ask(command, **arguments)
        if "return" not in answer:
            raise AssertionError("%s: %s" % (command, answer))
        return answer["return"]

    def error(self, command, **arguments):
        answer = self.qmp.ask(command, **arguments)
        if "error" not in answer:
            raise AssertionError("%s was done" % command)
        return answer["error"]["desc"]

    def monitor(self, line):
        return self.ask("human-monitor-command", **{"command-line": line}).replace("\r", "")

    def gone(self, count):
        """What DEVICE_DELETED says of the next so many devices; None: that it has no id."""
        def names():
            # QEMU tells of the halves of its virtio devices as well.
            return [event["data"].get("device") for event in self.qmp.events
                    if event["event"] == "DEVICE_DELETED" and not event["data"]["path"].endswith("/virtio-backend")]

        while len(names()) < count:
            expect("an event", self.qmp.take(), None)
        found = names()
        self.qmp.events.clear()
        return found

    def remove(self, name):
        self.ask("device_del", id=name)
        expect("gone", self.gone(1), [name])

    def quit(self):
        self.ask("quit")
        text = self.process.stdout.read().decode(errors="replace")
        expect("exit status", self.process.wait(), 0)
        expect("what it says", text, "")


def image(folder, name):
    with open(folder / name, "wb") as file:
        file.truncate(1 << 20)
    return folder / name


def nameless(start, folder):
    """A slot with two functions, of which one has no name: they go together, and nothing else does."""
    machine = start("-device", "virtio-rng-pci,bus=p0,addr=0.0,multifunction=on,id=a", "-device", "virtio-rng-pci,bus=p0,addr=0.1",
                    "-drive", "if=none,id=d0,format=raw,file=%s" % image(folder, "one"), "-device", "virtio-blk-device,drive=d0")
    before = [block["device"] for block in machine.ask("query-block")]
    machine.error("device_del", id="")
    machine.ask("device_del", id="a")
    expect("gone", sorted(machine.gone(2), key=str), [None, "a"])
    expect("disks", [block["device"] for block in machine.ask("query-block")], before)
    # The place is free for others, and the drive is not.
    expect("a drive in use", "in use" in machine.error("device_add", driver="virtio-blk-pci", bus="p0", drive="d0", id="b"), True)
    machine.ask("device_add", driver="virtio-rng-pci", bus="p0", id="a")
    # QEMU presses the slot's button when a device comes, too: the guest may have let go of it by now.
    answer = machine.qmp.ask("device_del", id="a")
    if not machine.peer or answer.get("error", {}).get("class") != "DeviceNotFound":
        expect("removed", answer, {"return": {}})
    expect("gone", machine.gone(1), ["a"])
    machine.quit()


def snapshots(start, folder):
    """A disk that went is not asked for its snapshots, and one that came is."""
    path = folder / "disk"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "8M"], check=True)
    subprocess.run(["qemu-img", "snapshot", "-c", "kept", path], check=True)
    machine = start("-drive", "if=none,id=d0,format=qcow2,file=%s" % path, "-device", "virtio-blk-pci,drive=d0,bus=p0,id=a")
    expect("info snapshots", " kept " in machine.monitor("info snapshots"), True)
    machine.remove("a")
    expect("info snapshots", "no disk is there" in machine.monitor("info snapshots"), True)
    expect("delvm", "no disk is there" in machine.monitor("delvm kept"), True)
    machine.ask("blockdev-add", **{"driver": "qcow2", "node-name": "n1", "file": {"driver": "file", "filename": str(path)}})
    machine.ask("device_add", driver="virtio-blk-pci", bus="p1", drive="n1", id="b")
    expect("info snapshots", " kept " in machine.monitor("info snapshots"), True)
    expect("savevm", machine.monitor("savevm new"), "")
    expect("info snapshots", " new " in machine.monitor("info snapshots"), True)
    expect("delvm", machine.monitor("delvm kept"), "")
    machine.remove("b")
    machine.quit()


def folders(start, folder):
    """A folder that no device shared at the start."""
    (folder / "shared").mkdir()
    machine = start("-fsdev", "local,id=f0,security_model=none,path=%s" % (folder / "shared"))
    for number in range(3):
        machine.ask("device_add", **{"driver": "virtio-9p-pci", "bus": "p%d" % (number % 2), "fsdev": "f0", "mount_tag": "t", "id": "a"})
        if number:
            machine.ask("system_reset")
            while machine.process.stdout.readline().strip() != b"READY":
                pass
        machine.remove("a")
    machine.quit()


def balloons(start, folder):
    """There is one at most, and it may go and come again."""
    machine = start("-device", "virtio-balloon-pci,bus=p0,id=a")
    expect("a second one", machine.error("device_add", driver="virtio-balloon-pci", bus="p1", id="b"), "a machine has one balloon at most")
    machine.ask("balloon", value=64 << 20)
    machine.remove("a")
    expect("none", "balloon" in machine.error("query-balloon"), True)
    machine.ask("device_add", driver="virtio-balloon-pci", bus="p1", id="b")
    expect("all that there is", machine.ask("query-balloon"), {"actual": 128 << 20})
    machine.remove("b")
    machine.quit()


def again(start, folder):
    """Asked for twice, in all slots at once, over and over, and with a reset in between."""
    machine = start()
    for number in range(16):
        for port in range(4):
            machine.ask("device_add", driver="virtio-rng-pci", bus="p%d" % port, id="r%d" % port)
        if number % 4 == 3:
            machine.ask("system_reset")
            while machine.process.stdout.readline().strip() != b"READY":
                pass
        machine.ask("stop")
        for port in range(4):
            machine.ask("device_del", id="r%d" % port)
            # One that came before its slot had power again is gone at once.
            answer = machine.qmp.ask("device_del", id="r%d" % port)
            if answer.get("error", {}).get("class") != "DeviceNotFound":
                expect("asked again", answer, {"return": {}})
        machine.ask("cont")
        expect("gone", sorted(machine.gone(4)), ["r0", "r1", "r2", "r3"])
    machine.quit()


CASES = {"nameless": nameless, "snapshots": snapshots, "folders": folders, "balloons": balloons, "again": again}


def stop(number, frame):
    raise AssertionError("stopped: meson's limit on time, or its user")


def main():
    emulator, modules, case, program = sys.argv[1:]
    command = [emulator, "-module-dir", modules]
    if case.endswith("-peer"):
        if not os.environ.get("WEFT_PEER_DIR"):
            print("skipped: WEFT_PEER_DIR is not set (scripts/fetch-peer gets QEMU)")
            return SKIP
        case = case.removesuffix("-peer")
        command = [os.path.join(os.environ["WEFT_PEER_DIR"], "bin/qemu-system-riscv64")]
    machines = []

    def start(*options):
        machines.append(Machine(command, folder, program, options))
        return machines[-1]

    signal.signal(signal.SIGTERM, stop)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        try:
            CASES[case](start, folder)
        finally:
            for machine in machines:
                machine.process.kill()
                machine.process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
