"""A program that weft runs with a debugger."""

import os
import re
import socket
import subprocess
import tempfile

from client import DEADLINE, Client


class Program:
    """Runs `program what` under weft, which waits for a debugger, and connects to it."""

    def __init__(self, weft, program, what, features="multiprocess+;swbreak+;no-resumed+", by_port=None):
        self.folder = tempfile.TemporaryDirectory()
        address = str(by_port) if by_port else os.path.join(self.folder.name, "s%d")
        self.process = subprocess.Popen([weft, "-g", address, program, what], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder.name)
        # Says where, when it listens.
        line = self.process.stderr.readline().decode()
        found = re.search(r"waiting for a debugger at (\S+)\n", line)
        assert found, line
        self.where = found[1]
        if "/" in self.where:
            assert self.where.endswith(f"s{self.process.pid}"), self.where
            self.connection = socket.socket(socket.AF_UNIX)
            self.connection.connect(self.where)
        else:
            host, port = self.where.split(":")
            self.connection = socket.create_connection((host, int(port)))
        self.connection.settimeout(DEADLINE)
        self.client = Client(self.connection)
        self.supported = self.client.ask("qSupported:" + features).split(";")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self.folder.cleanup()

    def finish(self):
        """The program's status and what it printed."""
        output, _ = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, output.decode()
