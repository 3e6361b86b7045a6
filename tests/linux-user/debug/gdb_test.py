#!/usr/bin/env python3
"""Has Debian's gdb-multiarch debug a program.

  gdb_test.py WEFT STATIC_PROGRAM DYNAMIC_PROGRAM PREFIX

PREFIX has the libraries of DYNAMIC_PROGRAM (-L). Exits with 77, "skipped", where there is no gdb-multiarch.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../control/gdb"))
import cases  # pylint: disable=wrong-import-position

SKIPPED = 77
DEADLINE = 120
GDB = shutil.which("gdb-multiarch")
BEFORE = ["set pagination off", "set confirm off", "set width 0", "set debuginfod enabled off", "set style enabled off"]


class Debugged:
    def __init__(self, command, program, gdb_settings=()):
        self.folder = tempfile.TemporaryDirectory()
        self.weft = subprocess.Popen([command[0], "-g", os.path.join(self.folder.name, "s%d"), *command[1:]],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                     cwd=self.folder.name)
        line = self.weft.stderr.readline().decode()
        where = re.search(r"waiting for a debugger at (\S+)\n", line)[1]
        settings = [*BEFORE, *gdb_settings, f"file {program}" if program else "", f"target remote {where}"]
        self.command = [GDB, "-q", "-nx", *(word for each in settings if each for word in ("-ex", each))]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.weft.poll() is None:
            self.weft.kill()
        self.weft.communicate()
        self.folder.cleanup()

    def run(self, commands):
        """What gdb says to these commands, by itself."""
        done = subprocess.run([*self.command, "-batch", *(word for each in commands for word in ("-ex", each))],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=DEADLINE, check=False, cwd=self.folder.name)
        return done.stdout.decode(errors="replace")

    def status(self):
        self.weft.wait(timeout=DEADLINE)
        return self.weft.returncode


class Test:
    def __init__(self, weft, static, dynamic, prefix):
        self.weft, self.static, self.dynamic, self.prefix = weft, static, dynamic, prefix

    def start(self, what):
        return Debugged([self.weft, self.static, what], self.static)

    def one_thread(self):
        with self.start("add") as run:
            text = run.run(["break add", "continue", "backtrace", "print a", "print b", "print number", "info registers pc",
                            "next", "next", "print sum", "call triple(14)", "print $fcsr", "set var sum = 9", "finish", "stepi",
                            "info threads", "info auxv", "continue"])
            cases.expect(text, r"Breakpoint 1, add \(a=(a@entry=)?3, b=(b@entry=)?4\)", r"^#0  add \(", r"^#1 .* run_add ", r"^#2 .* main ",
                   r"= 3$", r"= 4$", r"= 1\.5$", r"^pc .*<add", r"= 7$", r"= 42$", r"= 0$", r"Value returned is .* = 9$",
                   r"Thread \d+\.\d+", r"AT_ENTRY", r"exited with code 011\]")
            assert run.status() == 9

    def threads(self):
        with self.start("threads") as run:
            text = run.run(["break here", "continue", "info threads", "thread apply all backtrace 1", "thread 3", "stepi",
                            "print go_on = 1", "delete", "continue"])
            cases.expect(text, r"Breakpoint 1, .*here \(\)", r"^\* 1 +Thread", r"^  4 +Thread", r"Thread 4 .*\n.*#0 ", r"Thread 1 .*\n.*#0 ",
                   r"Switching to thread 3", r"= 1$", r"exited with code 05\]")
            assert run.status() == 5

    def signals(self):
        with self.start("signals") as run:
            text = run.run(["continue", "print $_siginfo.si_signo", "continue", "continue"])
            cases.expect(text, r"received signal SIGUSR1", r"= 10$", r"received signal SIGTERM", r"terminated with signal SIGTERM")
            assert run.status() == -signal.SIGTERM

    def fault(self):
        with self.start("fault") as run:
            text = run.run(["continue", "backtrace", "print $_siginfo._sifields._sigfault.si_addr", "continue"])
            cases.expect(text, r"received signal SIGSEGV", r"^#0 .*run_fault", r"0x10", r"terminated with signal SIGSEGV")

    def interrupt(self):
        with self.start("read") as run:
            gdb = subprocess.Popen(run.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   cwd=run.folder.name)
            # As Ctrl-C does: its signal would be lost if it came before gdb waits for the program.
            gdb.stdin.write(b"continue &\ninterrupt\n")
            gdb.stdin.flush()
            text = b""
            while b"received signal SIGINT" not in text:
                line = gdb.stdout.readline()
                assert line, text
                text += line
            run.weft.stdin.write(b"four")
            run.weft.stdin.close()
            run.weft.stdin = None
            rest, _ = gdb.communicate(b"print triple(5)\ncontinue\nquit\n", timeout=DEADLINE)
            cases.expect(rest.decode(), r"= 15$", r"exited with code 04\]")
            assert run.status() == 4

    def shared_libraries(self):
        """By the target's files alone: gdb is told of no program."""
        with Debugged([self.weft, "-L", self.prefix, self.dynamic, "add"], None, ["set sysroot target:"]) as run:
            text = run.run(["break add", "continue", "info sharedlibrary", "backtrace", "print $pc == &add", "kill"])
            cases.expect(text, r"Breakpoint 1, .*add ", r"Yes .*target:.*ld-linux-riscv64", r"Yes .*target:.*libc\.so\.6", r"^#0 .*add ")
            assert run.status() == -signal.SIGKILL

    def detaching(self):
        with self.start("add") as run:
            cases.expect(run.run(["break add", "continue", "detach"]), r"Breakpoint 1, add", r"Detaching from program|detached")
            assert run.status() == 7


def main():
    if GDB is None:
        print("there is no gdb-multiarch")
        return SKIPPED
    return cases.run(Test(*map(os.path.abspath, sys.argv[1:5])), ("start",), sys.argv[5:])


if __name__ == "__main__":
    sys.exit(main())
