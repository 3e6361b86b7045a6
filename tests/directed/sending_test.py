"""A machine is sent to those who do not take it: it stays what it was, and its operator may do everything meanwhile.

  sending_test.py EMULATOR MODULES CASE

The guest is empty memory, in which the CPU runs from trap to trap, and two megabytes that do not get smaller.
"""

import os
import pathlib
import random
import select
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from pcie_port_test import Qmp, expect  # noqa: E402


class Machine:
    def __init__(self, command, folder, descriptors=()):
        self.folder = folder
        self.process = subprocess.Popen(
            [*command, "-display", "none", "-nodefaults", "-serial", "null", "-M", "virt", "-bios", "none", "-m", "16M",
             "-device", "loader,file=%s,addr=0x80400000" % (folder / "noise"), "-qmp", "unix:%s,server=on,wait=off" % (folder / "qmp"), "-monitor", "unix:%s,server=on,wait=off" % (folder / "monitor")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=descriptors)
        self.qmp = None
        while self.qmp is None:
            try:
                self.qmp = Qmp(folder / "qmp")
            except (FileNotFoundError, ConnectionRefusedError):
                if self.process.poll() is not None:
                    raise AssertionError("it does not begin: %s" % self.process.stdout.read())
        self.ask("migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}])

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

    def until(self, status):
        """Until the transfer has this status; what it says of it then."""
        def seen():
            return any(event["event"] == "MIGRATION" and event["data"]["status"] == status for event in self.qmp.events)

        while not seen():
            expect("an event", self.qmp.take(), None)
        self.qmp.events.clear()
        return self.ask("query-migrate")

    def runs(self):
        expect("status", self.ask("query-status")["status"], "running")

    def ends(self, status):
        text = self.process.stdout.read().decode(errors="replace")
        expect("exit status", self.process.wait(), status)
        return text

    def quit(self):
        self.ask("quit")
        expect("what it says", self.ends(0), "")


class Monitor:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.text = ""

    def type(self, text):
        self.socket.sendall(text.encode())

    def until(self, text):
        while text not in self.text:
            data = self.socket.recv(4096)
            if not data:
                raise AssertionError("the monitor ended without %r: %r" % (text, self.text))
            self.text += data.decode().replace("\r", "")
        said, self.text = self.text.split(text, 1)
        return said


def monitor(start, folder):
    """The monitor waits for the end, and nobody else does; what was typed meanwhile is done then."""
    machine = start()
    people = Monitor(folder / "monitor")
    people.until("(weft) ")
    people.type("migrate \"exec:exec sleep 100000\"\ninfo status\nhelp info migrate\n")
    machine.until("active")
    expect("cont", "being sent" in machine.error("cont"), True)
    machine.ask("migrate_cancel")
    machine.until("cancelled")
    said = people.until("how far the machine is saved")
    expect("in this order", said.index("it was cancelled") < said.index("VM status: running"), True)
    machine.runs()
    # Whoever waits may go, and another one come.
    people.type("migrate \"exec:exec sleep 100000\"\n")
    machine.until("active")
    people.socket.close()
    people = Monitor(folder / "monitor")
    people.until("monitor - ")
    machine.ask("migrate_cancel")
    people.until("it was cancelled")
    people.until("(weft) ")
    people.type("migrate file:%s\n" % (folder / "saved"))
    machine.until("completed")
    people.until("(weft) ")
    people.type("info status\n")
    people.until("postmigrate")
    machine.quit()


def signals(start, folder):
    """The emulator ends when it is told to, also while it sends."""
    machine = start()
    people = Monitor(folder / "monitor")
    people.type("migrate \"exec:exec sleep 100000\"\n")
    machine.until("active")
    machine.process.send_signal(signal.SIGTERM)
    machine.ends(0)


def full(start, folder):
    """No room, a reader that goes, and one that is not there."""
    machine = start()
    machine.ask("migrate", uri="file:/dev/full")
    expect("why", "No space left on device" in machine.until("failed")["error-desc"], True)
    machine.runs()
    machine.ask("migrate", uri="exec:exec 0<&-; exec sleep 100000")
    expect("why", "Broken pipe" in machine.until("failed")["error-desc"], True)
    machine.runs()
    os.mkfifo(folder / "fifo")
    expect("a FIFO", "cannot be opened" in machine.error("migrate", uri="file:%s" % (folder / "fifo")), True)
    machine.runs()
    machine.quit()


def descriptors(start, folder):
    """A pipe and a socket of others' that nobody reads from: they block, and the emulator does not."""
    ours, theirs = socket.socketpair()
    pairs = os.pipe(), (ours.detach(), theirs.detach())
    machine = start(descriptors=[writer for _, writer in pairs])
    for reader, writer in pairs:
        machine.ask("migrate", uri="fd:%d" % writer)
        machine.until("active")
        # It has begun, and will not end.
        expect("what comes", os.read(reader, 6), b"weftvm")
        while select.select([], [writer], [], 0)[1]:
            pass
        machine.ask("migrate_cancel")
        machine.until("cancelled")
        machine.runs()
    machine.ask("migrate", uri="fd:%d" % pairs[0][1])
    machine.until("active")
    machine.quit()


CASES = {"monitor": monitor, "signals": signals, "full": full, "descriptors": descriptors}


def stop(number, frame):
    raise AssertionError("stopped: meson's limit on time, or its user")


def main():
    emulator, modules, case = sys.argv[1:]
    machines = []

    def start(**more):
        machines.append(Machine([emulator, "-module-dir", modules], folder, **more))
        return machines[-1]

    signal.signal(signal.SIGTERM, stop)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "noise").write_bytes(random.Random(1).randbytes(2 << 20))
        try:
            CASES[case](start, folder)
        finally:
            for machine in machines:
                machine.process.kill()
                machine.process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
