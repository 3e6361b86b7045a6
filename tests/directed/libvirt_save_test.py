"""Saves a machine and starts it again by the command lines and the QMP commands of libvirt 9's `virsh save`, `restore`, `managedsave` and
`start`, without libvirt.

  libvirt_save_test.py WEFT PROGRAM [MODULES]

PROGRAM is remembers.c. libvirt opens the file, writes a header of its own, and hands the descriptor to the machine's monitor; the process
that goes on inherits one that stands behind the header.
"""

import os
import pathlib
import re
import sys
import tempfile
import tty

from libvirt_start_test import Failure, Monitor, expect, start

HEADER = b"LibvirtQemudSave" + bytes(76)
# What libvirt takes for no limit: the largest number of bytes a second that is a whole number of MiB.
UNLIMITED = 9223372036853727232


class Line:
    """The guest's serial port, behind a pseudo-terminal."""

    def __init__(self, monitor):
        names = {line["label"]: line["filename"] for line in monitor.ask("query-chardev")}
        self.fd = os.open(names["charserial0"].removeprefix("pty:"), os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.fd)
        self.text = ""

    def count(self):
        """Sends a character, and gives the number that the guest answers with."""
        os.write(self.fd, b"x")
        while True:
            found = re.search(r"note count = (?:0x)?([0-9a-f]+)\r?\n", self.text)
            if found:
                self.text = self.text[found.end():]
                return int(found.group(1), 16)
            self.text += os.read(self.fd, 4096).decode(errors="replace")

    def end(self):
        os.write(self.fd, b"q")

    def close(self):
        os.close(self.fd)


def begin(weft, modules, program, folder, pci, *extra, fds=()):
    process = start(weft, modules, program, folder, pci, *extra, fds=fds)
    try:
        monitor = Monitor(folder / "monitor")
        # Of each machine, before its CPUs run.
        monitor.ask("query-migrate-capabilities")
        monitor.ask("migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}])
        monitor.ask("query-migrate-parameters")
        monitor.ask("query-cpus-fast")
        monitor.ask("query-balloon")
        return process, monitor
    except BaseException:
        process.kill()
        print(process.communicate()[0].decode(errors="replace"))
        raise


def save(monitor, path):
    monitor.ask("stop")
    monitor.wait_for("STOP")
    expect("status", monitor.ask("query-status"), {"running": False, "status": "paused"})
    before = monitor.ask("query-migrate-parameters")
    capabilities = {one["capability"]: one["state"] for one in monitor.ask("query-migrate-capabilities")}
    expect("events", capabilities["events"], True)
    monitor.ask("migrate-set-parameters", max_bandwidth=UNLIMITED)
    with open(path, "wb") as file:
        file.write(HEADER)
        file.flush()
        monitor.ask("getfd", fdname="migrate", descriptor=file.fileno())
    monitor.ask("migrate", detach=True, resume=False, uri="fd:migrate")
    while monitor.wait_for("MIGRATION")["status"] not in ("completed", "failed"):
        pass
    info = monitor.ask("query-migrate")
    expect("query-migrate", info["status"], "completed")
    expect("what remains", info["ram"]["remaining"], 0)
    expect("the descriptor's name", monitor.answer("closefd", fdname="migrate")["error"]["class"], "GenericError")
    monitor.ask("migrate-set-parameters", **{name.replace("-", "_"): value for name, value in before.items()})
    expect("status", monitor.ask("query-status"), {"running": False, "status": "postmigrate"})
    expect("the header", path.read_bytes()[:len(HEADER)], HEADER)


def restore(monitor, descriptor):
    expect("status", monitor.ask("query-status"), {"running": False, "status": "inmigrate"})
    monitor.ask("migrate-incoming", uri="fd:%d" % descriptor)
    while monitor.wait_for("MIGRATION")["status"] != "completed":
        pass
    expect("status", monitor.ask("query-status"), {"running": False, "status": "paused"})
    expect("the balloon", monitor.ask("query-balloon"), {"actual": 128 << 20})
    monitor.ask("cont")
    monitor.wait_for("RESUME")


def run(weft, modules, program, pci):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        file = folder / "saved"
        process, monitor = begin(weft, modules, program, folder, pci)
        try:
            monitor.ask("cont")
            monitor.wait_for("RESUME")
            line = Line(monitor)
            expect("the guest", [line.count() for _ in range(3)], [1, 2, 3])
            for number in (4, 6):
                expect("the guest", line.count(), number)
                save(monitor, file)
                monitor.ask("quit")
                line.close()
                expect("exit status", process.wait(), 0)
                with open(file, "rb") as saved:
                    os.lseek(saved.fileno(), len(HEADER), os.SEEK_SET)
                    process, monitor = begin(weft, modules, program, folder, pci, "-incoming", "defer", fds=[saved.fileno()])
                    restore(monitor, saved.fileno())
                line = Line(monitor)
                expect("the guest", line.count(), number + 1)
            line.end()
            expect("end", monitor.wait_for("SHUTDOWN"), {"guest": True, "reason": "guest-shutdown"})
            monitor.ask("quit")
            expect("exit status", process.wait(), 0)
        finally:
            process.kill()
            output = process.communicate()[0].decode(errors="replace")
            if process.returncode != 0:
                print(output)


def main():
    weft, program, *modules = sys.argv[1:]
    for pci in (False, True):
        run(weft, modules[0] if modules else None, program, pci)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(str(failure))
