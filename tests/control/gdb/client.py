"""A client of gdb's remote protocol."""

import re
import subprocess

# Nothing here takes long; what waits for ever ends by this.
DEADLINE = 60


class Client:
    def __init__(self, connection):
        self.connection = connection
        self.bytes = b""
        self.acknowledges = True

    def take(self):
        """One byte; None at the end."""
        if not self.bytes:
            self.bytes = self.connection.recv(4096)
            if not self.bytes:
                return None
        first, self.bytes = self.bytes[:1], self.bytes[1:]
        return first

    def receive(self):
        """The next packet, without acknowledgements; None at the end."""
        byte = self.take()
        while byte in (b"+", b"-"):
            byte = self.take()
        if byte is None:
            return None
        assert byte == b"$", byte
        body = b""
        while (byte := self.take()) != b"#":
            assert byte is not None
            body += byte
        told = int(self.take() + self.take(), 16)
        assert told == sum(body) % 256, body
        if self.acknowledges:
            try:
                self.connection.sendall(b"+")
            except (BrokenPipeError, ConnectionResetError):
                pass  # it was the last packet
        return re.sub(rb"\}(.)", lambda found: bytes([found[1][0] ^ 0x20]), body, flags=re.DOTALL)

    def send(self, body):
        body = body.encode() if isinstance(body, str) else body
        escaped = re.sub(rb"[#$*}]", lambda found: b"}" + bytes([found[0][0] ^ 0x20]), body)
        self.connection.sendall(b"$" + escaped + b"#%02x" % (sum(escaped) % 256))

    def ask(self, body):
        self.send(body)
        reply = self.receive()
        return None if reply is None else reply.decode("latin-1")

    def interrupt(self):
        self.connection.sendall(b"\x03")

    def read(self, address, size):
        return bytes.fromhex(self.ask(f"m{address:x},{size:x}"))

    def write(self, address, content):
        assert self.ask(f"M{address:x},{len(content):x}:{content.hex()}") == "OK"

    def register(self, number):
        return int.from_bytes(bytes.fromhex(self.ask(f"p{number:x}")), "little")

    def set_register(self, number, value):
        assert self.ask(f"P{number:x}={value.to_bytes(8, 'little').hex()}") == "OK"

    def threads(self):
        reply = self.ask("qfThreadInfo")
        found = []
        while reply != "l":
            found += reply[1:].split(",")
            reply = self.ask("qsThreadInfo")
        return found


def stop(reply):
    """(signal, thread, {reason: value}) of a T packet."""
    reply = reply.decode() if isinstance(reply, bytes) else reply
    assert reply is not None and reply.startswith("T"), reply
    fields = dict(field.split(":") for field in reply[3:].split(";") if field)
    thread = fields.pop("thread")
    return int(reply[1:3], 16), thread, fields


def symbols(nm, program):
    lines = subprocess.run([nm, program], check=True, stdout=subprocess.PIPE).stdout.decode().splitlines()
    return {fields[2]: int(fields[0], 16) for fields in map(str.split, lines) if len(fields) == 3}
