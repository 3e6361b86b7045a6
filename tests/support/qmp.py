"""A connection to QMP, for tests in Python: what is sent, and what comes, in its order."""

import json
import socket


class Line:
    """To the socket at `path`, which has to listen. The greeting is read; nothing is negotiated."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(str(path))
        except OSError:
            self.socket.close()
            raise
        # Read only: a text file for both drops what it has read ahead whenever it is written to.
        self.reader = self.socket.makefile("r", encoding="utf-8", newline="\n")
        self.greeting = self.take()

    def send(self, command, arguments, descriptor=None, **members):
        """`descriptor`: goes with the command; `members`: of the request, besides."""
        request = {"execute": command, **members}
        if arguments:
            request["arguments"] = arguments
        line = (json.dumps(request) + "\r\n").encode()
        socket.send_fds(self.socket, [line], [] if descriptor is None else [descriptor])

    def take(self):
        """The next message: an answer, an event. ConnectionError: the other end has gone."""
        line = self.reader.readline()
        if not line:
            raise ConnectionError("QMP's other end has gone")
        return json.loads(line)
