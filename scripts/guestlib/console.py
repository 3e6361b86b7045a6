"""A guest's console: an emulator whose standard input and output are its serial port, typed to and waited for."""

import os
import re
import select
import signal
import subprocess
import time

# What terminals are told: colours, cursor movements, modes. EDK2 and systemd draw with them.
ESCAPES = re.compile(r"\x1b\[[0-9;?=]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>78cDEHM]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")


class Failure(Exception):
    """What the guest did not do, in one line; `console` has what it printed."""


class Stopped(Failure):
    """Told to end by a signal: no other guest is begun."""


class Console:
    """One run of an emulator, of at most `limit` seconds (None: it has none). Starts at once; `close` ends it, whatever state it is in."""

    def __init__(self, command, limit, environment=None):
        self.command = [str(word) for word in command]
        self.raw = b""
        self.text = ""
        self.position = 0
        self.start = time.monotonic()
        self.limit = limit
        self.process = subprocess.Popen(self.command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, env=environment, start_new_session=True)

    def seconds(self):
        return time.monotonic() - self.start

    def read(self):
        """Takes what was printed; false at its end. Waits for some, up to the limit if there is one."""
        left = None if self.limit is None else max(0, self.limit - self.seconds())
        if left == 0 or not select.select([self.process.stdout], [], [], left)[0]:
            raise Failure("still running after %d s" % self.limit)
        data = os.read(self.process.stdout.fileno(), 65536)
        self.raw += data
        # As a whole: a sequence may come in two pieces.
        self.text = ESCAPES.sub("", self.raw.decode("utf-8", "replace")).replace("\r", "")
        return bool(data)

    def wait_for(self, pattern, never=None):
        """Reads on until `pattern` matches what was printed since the last match, and returns the match. Fails where
        `never` matches before."""
        while True:
            tail = self.text[self.position:]
            found = re.search(pattern, tail, re.M)
            bad = re.search(never, tail[:found.start()] if found else tail, re.M) if never else None
            if bad:
                raise Failure("printed %r before /%s/" % (bad.group(0), pattern))
            if found:
                self.position += found.end()
                return found
            if not self.read():
                raise Failure("ended (%s) without printing /%s/" % (self.process.wait(), pattern))

    def type(self, text):
        try:
            self.process.stdin.write(text.encode())
        except BrokenPipeError:
            raise Failure("ended before %r was typed" % text) from None

    def ended(self, status=0):
        """Waits for the end of the emulator, which has to have this exit code."""
        while self.read():
            pass
        found = self.process.wait()
        if found != status:
            raise Failure("ended with exit code %s instead of %s" % (found, status))

    def close(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
