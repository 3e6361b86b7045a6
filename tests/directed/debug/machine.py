"""A machine with a gdb stub, of weft or of QEMU, for the tests of the stub."""

import os
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../control/gdb"))
from client import DEADLINE, Client  # pylint: disable=wrong-import-position

PEER = "peer"


def emulator_command(emulator, modules, accel):
    """`accel` is PEER: `emulator` is QEMU."""
    if accel == PEER:
        return [emulator]
    return [emulator, "-module-dir", modules, "-accel", accel]


class Machine:
    """Runs `program` on a machine, stopped, and connects to it by a Unix socket."""

    def __init__(self, command, program, smp=1, options=("-S",), features="multiprocess+;swbreak+;no-resumed+"):
        self.folder = tempfile.TemporaryDirectory()
        self.where = self.path("gdb")
        self.process = subprocess.Popen(
            [*command, "-M", "virt", "-bios", "none", "-m", "128M", "-smp", str(smp), "-display", "none", "-serial",
             "file:" + self.path("serial"), "-monitor", f"unix:{self.path('monitor')},server=on,wait=off", "-gdb",
             f"unix:{self.where},server=on,wait=off", *options, "-kernel", program],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.client = None
        self.features = features
        self.supported = []
        try:
            self.connect()
        except BaseException:
            self.__exit__()
            raise

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def open(self, name):
        """A connection, when the emulator listens: its socket's name is there then, or soon."""
        ends = time.monotonic() + DEADLINE
        while True:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(DEADLINE)
            try:
                connection.connect(self.path(name))
                return connection
            except OSError:
                connection.close()
                assert self.process.poll() is None and time.monotonic() < ends, self.process.communicate()[0]
                time.sleep(0.01)

    def connect(self):
        self.client = Client(self.open("gdb"))
        self.supported = self.client.ask("qSupported:" + self.features).split(";")

    def monitor(self, command):
        """Has weft's monitor do `command`, by its own line. What it answers, with a prompt behind it."""
        with self.open("monitor") as line:
            line.sendall(command.encode() + b"\n")
            text = b""
            while not text.endswith(b"(weft) "):
                part = line.recv(4096)
                assert part, text
                text += part
            return text.decode()

    def serial(self):
        with open(self.path("serial"), encoding="latin-1") as file:
            return file.read()

    def status(self):
        self.process.communicate(timeout=DEADLINE)
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.client is not None:
            self.client.connection.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self.folder.cleanup()
