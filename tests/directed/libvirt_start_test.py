"""Starts a machine with the command line and the QMP commands by which libvirt 9 does, without libvirt.

  libvirt_start_test.py WEFT PROGRAM [MODULES]

PROGRAM is a guest that ends by itself. The shapes are those of a domain of type qemu with two disks, a network card, a serial port, a
balloon and random numbers: the monitor's socket is an open descriptor, descriptions are JSON where libvirt writes JSON.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import qmp  # noqa: E402

UUID = "11111111-2222-3333-4444-555555555555"


class Failure(Exception):
    pass


def expect(what, got, wanted):
    if got != wanted:
        raise Failure("%s: %s, not %s" % (what, got, wanted))


class Monitor:
    def __init__(self, path):
        self.line = qmp.Line(path)
        self.events = []
        self.number = 0
        self.greeting = self.line.greeting
        self.ask("qmp_capabilities")

    def ask(self, command, descriptor=None, **arguments):
        """The answer's `return`. `descriptor`: goes with the command."""
        answer = self.answer(command, descriptor, **arguments)
        if "return" not in answer:
            raise Failure("%s: %s" % (command, answer))
        return answer["return"]

    def answer(self, command, descriptor=None, **arguments):
        self.number += 1
        name = "libvirt-%d" % self.number
        self.line.send(command, {key.replace("_", "-"): value for key, value in arguments.items()}, descriptor, id=name)
        while True:
            message = self.line.take()
            if "event" not in message:
                expect("id of the answer", message["id"], name)
                return message
            self.events.append((message["event"], message.get("data")))

    def wait_for(self, event):
        """The data of the next event of that name; those before it are forgotten."""
        while True:
            while self.events:
                name, data = self.events.pop(0)
                if name == event:
                    return data
            message = self.line.take()
            self.events.append((message["event"], message.get("data")))


def listener(path):
    path.unlink(missing_ok=True)
    line = socket.socket(socket.AF_UNIX)
    line.bind(str(path))
    line.listen(1)
    os.set_inheritable(line.fileno(), True)
    return line


def image(path):
    with open(path, "wb") as file:
        file.truncate(1 << 20)
    return str(path)


def devices(pci, folder):
    """What libvirt writes for a domain whose devices are on PCI, or in virtio slots."""
    one, two = image(folder / "one"), image(folder / "two")
    words = []

    def add(option, value):
        words.extend(["-" + option, json.dumps(value)])

    def device(kind, **properties):
        if pci:
            device.number += 1
            place = {"bus": "pci.%d" % device.number, "addr": "0x0"}
        add("device", {"driver": "%s-%s" % (kind, "pci" if pci else "device"), **properties, **(place if pci else {})})

    device.number = 0
    if pci:
        for port in range(8):
            more = {"multifunction": True} if port == 0 else {}
            add("device", {"driver": "pcie-root-port", "port": 8 + port, "chassis": 1 + port, "id": "pci.%d" % (1 + port),
                           "bus": "pcie.0", **more, "addr": "0x1" if port == 0 else "0x1.0x%d" % port})
    for number, path in ((2, one), (1, two)):
        add("blockdev", {"driver": "file", "filename": path, "node-name": "libvirt-%d-storage" % number, "auto-read-only": True,
                         "discard": "unmap"})
        add("blockdev", {"node-name": "libvirt-%d-format" % number, "read-only": False, "driver": "raw",
                         "file": "libvirt-%d-storage" % number})
        device("virtio-blk", drive="libvirt-%d-format" % number, id="virtio-disk%d" % (2 - number), bootindex=3 - number)
    add("netdev", {"type": "user", "id": "hostnet0"})
    device("virtio-net", netdev="hostnet0", id="net0", mac="52:54:00:11:22:33")
    words += ["-chardev", "pty,id=charserial0", "-serial", "chardev:charserial0"]
    add("audiodev", {"id": "audio1", "driver": "none"})
    device("virtio-balloon", id="balloon0")
    add("object", {"qom-type": "rng-random", "id": "objrng0", "filename": "/dev/urandom"})
    device("virtio-rng", rng="objrng0", id="rng0")
    return words


def start(weft, modules, program, folder, pci, *extra, fds=()):
    """With more options, and descriptors that it inherits."""
    line = listener(folder / "monitor")
    key = folder / "master-key.aes"
    key.write_bytes(os.urandom(32))
    command = [weft, *(["-module-dir", modules] if modules else []), "-name", "guest=a,debug-threads=on", "-S",
               "-object", json.dumps({"qom-type": "secret", "id": "masterKey0", "format": "raw", "file": str(key)}),
               "-machine", "virt,usb=off,dump-guest-core=off,memory-backend=ram0",
               "-accel", "tcg", "-m", "128", "-object", json.dumps({"qom-type": "memory-backend-ram", "id": "ram0", "size": 128 << 20}),
               "-overcommit", "mem-lock=off", "-smp", "2,sockets=2,cores=1,threads=1", "-uuid", UUID, "-display", "none",
               "-no-user-config", "-nodefaults", "-chardev", "socket,id=charmonitor,fd=%d,server=on,wait=off" % line.fileno(),
               "-mon", "chardev=charmonitor,id=monitor,mode=control", "-rtc", "base=utc", "-no-shutdown", "-boot", "strict=on",
               "-bios", "none", "-kernel", program, *devices(pci, folder), "-sandbox", "off", "-msg", "timestamp=on", *extra]
    process = subprocess.Popen(command, pass_fds=[line.fileno(), *fds], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    line.close()
    return process


def run(weft, modules, program, pci):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        process = start(weft, modules, program, folder, pci)
        try:
            monitor = Monitor(folder / "monitor")
            check(monitor, pci, program)
            expect("exit status", process.wait(), 0)
        finally:
            process.kill()
            output = process.communicate()[0].decode(errors="replace")
            if process.returncode != 0:
                print(output)


def check(monitor, pci, program):
    """What libvirt asks before it lets the CPUs run, and what it waits for afterwards."""
    if not isinstance(monitor.greeting["QMP"]["version"]["qemu"]["major"], int):
        raise Failure("greeting: %s" % monitor.greeting)
    # By these libvirt decides where devices go, and that there is what it needs for that.
    types = {one["name"] for one in monitor.ask("qom-list-types")}
    expect("types", {"gpex-pcihost", "pcie-root-port", "virtio-blk-pci-non-transitional", "virtio-mmio"} - types, set())
    monitor.ask("query-migrate-capabilities")
    monitor.ask("migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}])
    lines = {line["label"]: line["filename"] for line in monitor.ask("query-chardev")}
    if not lines["charserial0"].startswith("pty:/dev/pts/") or "charmonitor" not in lines:
        raise Failure("lines: %s" % lines)
    cpus = monitor.ask("query-cpus-fast")
    expect("CPUs", [cpu["cpu-index"] for cpu in cpus], [0, 1])
    if not all(os.path.exists("/proc/%d" % cpu["thread-id"]) for cpu in cpus):
        raise Failure("threads: %s" % cpus)
    monitor.ask("query-iothreads")
    expect("status", monitor.ask("query-status"), {"running": False, "status": "prelaunch"})
    expect("UUID", monitor.ask("query-uuid"), {"UUID": UUID})
    expect("RAM", monitor.ask("query-balloon"), {"actual": 128 << 20})
    monitor.ask("balloon", value=64 << 20)
    named = {one["name"]: one["type"] for one in monitor.ask("qom-list", path="/machine/peripheral")}
    expect("balloon", named["balloon0"], "child<virtio-balloon-%s>" % ("pci" if pci else "device"))
    expect("its type", monitor.ask("qom-get", path="/machine/peripheral/balloon0", property="type"),
           "virtio-balloon-%s" % ("pci" if pci else "device"))
    monitor.ask("qom-list", path="/machine/peripheral/balloon0")
    expect("no object", monitor.answer("qom-list", path="/machine/peripheral/no")["error"]["class"], "DeviceNotFound")
    nodes = {node["node-name"]: node["file"] for node in monitor.ask("query-named-block-nodes", flat=True)}
    expect("nodes", sorted(nodes), ["libvirt-1-format", "libvirt-2-format"])
    expect("disks", len(monitor.ask("query-block")), 2)
    if pci:
        plug(monitor, nodes["libvirt-1-format"] + "-three")
    monitor.ask("cont")
    monitor.wait_for("RESUME")
    expect("end", monitor.wait_for("SHUTDOWN"), {"guest": True, "reason": "guest-shutdown"})
    monitor.wait_for("STOP")
    expect("status", monitor.ask("query-status"), {"running": False, "status": "shutdown"})
    expect("cont", monitor.answer("cont")["error"]["class"], "GenericError")
    monitor.ask("system_reset")
    expect("reset", monitor.wait_for("RESET"), {"guest": False, "reason": "host-qmp-system-reset"})
    expect("status", monitor.ask("query-status"), {"running": False, "status": "paused"})
    monitor.ask("cont")
    monitor.wait_for("SHUTDOWN")
    monitor.ask("quit")


def plug(monitor, path):
    """virsh attach-disk, attach-interface, and the ways that they fail."""
    image(path)
    node = {"driver": "file", "filename": path, "node-name": "libvirt-3-storage", "auto-read-only": True, "discard": "unmap"}
    monitor.ask("blockdev-add", **node)
    monitor.ask("blockdev-add", driver="raw", node_name="libvirt-3-format", read_only=False, file="libvirt-3-storage")
    disk = {"driver": "virtio-blk-pci", "bus": "pci.6", "addr": "0x0", "drive": "libvirt-3-format", "id": "virtio-disk2"}
    monitor.ask("device_add", **disk)
    names = [one["node-name"] for one in monitor.ask("query-named-block-nodes")]
    expect("nodes", sorted(names), ["libvirt-1-format", "libvirt-2-format", "libvirt-3-format"])
    monitor.ask("netdev_add", type="user", id="hostnet1")
    monitor.ask("device_add", driver="virtio-net-pci", netdev="hostnet1", id="net1", bus="pci.7", addr="0x0")
    monitor.ask("object-add", **{"qom-type": "rng-builtin", "id": "r"})
    for command, arguments, error in (
            ("device_add", {"driver": "no-such", "id": "x"}, "GenericError"),
            ("device_add", {"driver": "virtio-rng-pci", "id": "x"}, "GenericError"),  # the host bridge's bus
            ("device_add", {"driver": "virtio-rng-pci", "id": "x", "bus": "pci.99"}, "GenericError"),
            ("device_add", {"driver": "virtio-rng-pci", "id": "x", "bus": "pci.6"}, "GenericError"),  # taken
            ("device_add", {"driver": "virtio-rng-pci", "id": "net1", "bus": "pci.8"}, "GenericError"),
            ("device_add", {"driver": "virtio-rng-pci", "id": "x", "bus": "pci.8", "rng": "no-such"}, "GenericError"),
            ("device_add", {"driver": "virtio-blk-pci", "id": "x", "bus": "pci.8", "drive": "libvirt-3-format"}, "GenericError"),
            ("device_add", {"driver": "virtio-net-pci", "id": "x", "bus": "pci.8", "netdev": "hostnet1"}, "GenericError"),
            ("device_add", {"driver": "pcie-root-port", "id": "x"}, "GenericError"),
            ("device_add", {"driver": "virtio-rng-pci", "id": "x", "bus": "pci.8", "no-such": 1}, "GenericError"),
            ("device_add", {"driver": "virtio-rng-device", "id": "x"}, "GenericError"),
            ("device_del", {"id": "no-such"}, "DeviceNotFound"),
            ("device_del", {"id": "pci.1"}, "GenericError"),
            ("netdev_add", {"type": "user", "id": "hostnet1"}, "GenericError"),
            ("netdev_del", {"id": "hostnet1"}, "GenericError"),  # in use
            ("netdev_del", {"id": "no-such"}, "GenericError"),
            ("blockdev-add", {"driver": "raw", "node-name": "y", "file": "no-such"}, "GenericError"),
            ("blockdev-add", {"driver": "file", "node-name": "y", "filename": "/no/such/file"}, "GenericError"),
            ("blockdev-add", {"driver": "raw", "node-name": "libvirt-3-format", "file": "libvirt-3-storage"}, "GenericError"),
            ("blockdev-del", {"node-name": "libvirt-3-format"}, "GenericError"),  # in use
            ("blockdev-del", {"node-name": "libvirt-3-storage"}, "GenericError"),  # below another
            ("blockdev-del", {"node-name": "y"}, "GenericError"),
            ("object-add", {"qom-type": "no-such", "id": "z"}, "GenericError"),
            ("object-del", {"id": "objrng0"}, "GenericError"),  # in use
            ("object-del", {"id": "no-such"}, "GenericError")):
        answer = monitor.answer(command, **arguments)
        if answer.get("error", {}).get("class") != error:
            raise Failure("%s %s: %s" % (command, arguments, answer))
    monitor.ask("object-del", id="r")
    # What no device uses goes, and may come again.
    image(path + "-four")
    for _ in range(2):
        monitor.ask("blockdev-add", driver="file", filename=path + "-four", node_name="s")
        monitor.ask("blockdev-add", driver="raw", file="s", node_name="f")
        monitor.ask("blockdev-del", node_name="f")
        monitor.ask("blockdev-del", node_name="s")
    monitor.ask("netdev_add", type="user", id="n")
    monitor.ask("netdev_del", id="n")


def main():
    weft, program, *modules = sys.argv[1:]
    for pci in (False, True):
        run(weft, modules[0] if modules else None, program, pci)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(str(failure))
