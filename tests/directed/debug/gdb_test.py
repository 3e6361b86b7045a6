#!/usr/bin/env python3
"""Has Debian's gdb-multiarch debug a machine.

  gdb_test.py EMULATOR MODULES ACCEL PROGRAM [CASE...]

As protocol_test.py; the serial port's output and the exit status are the emulator's. Exits with 77, "skipped", where there is no
gdb-multiarch.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile

from machine import PEER, emulator_command
import cases  # of tests/control/gdb, as machine.py has it

SKIPPED = 77
DEADLINE = 120
GDB = shutil.which("gdb-multiarch")
BEFORE = ["set pagination off", "set confirm off", "set width 0", "set debuginfod enabled off", "set style enabled off"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Test:
    def __init__(self, emulator, modules, accel, program):
        self.peer = accel == PEER
        self.command, self.program = emulator_command(emulator, modules, accel), program

    def run(self, commands, smp=1, options=("-S",), status=0):
        """What gdb says to these commands, by itself, over TCP as most people have it."""
        port = free_port()
        with tempfile.TemporaryDirectory() as folder:
            machine = subprocess.Popen(
                [*self.command, "-M", "virt", "-bios", "none", "-m", "128M", "-smp", str(smp), "-display", "none", "-serial",
                 "file:" + os.path.join(folder, "serial"), "-monitor", "none", "-gdb", f"tcp:127.0.0.1:{port}", *options,
                 "-kernel", self.program], stdin=subprocess.DEVNULL)
            try:
                # It tries again for 15 s, while nobody listens yet.
                before = [*BEFORE, f"file {self.program}", "set architecture riscv:rv64", f"target remote 127.0.0.1:{port}"]
                done = subprocess.run([GDB, "-q", "-nx", "-batch", *(word for each in before + commands for word in ("-ex", each))],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      timeout=DEADLINE, check=False)
                text = done.stdout.decode(errors="replace")
                if status is not None:
                    machine.wait(timeout=DEADLINE)
                    assert machine.returncode == status, (machine.returncode, text)
                return text
            finally:
                if machine.poll() is None:
                    machine.kill()
                machine.wait()

    # The guest sleeps at its end, from which this takes it.
    TO_THE_END = ["delete", "break spin", "continue", "set var go_on = 1", "delete", "break sleep_wfi", "continue", "delete",
                  "set $pc = &sleep_done", "continue"]

    def like_xv6(self):
        text = self.run(["b *0x80000000", "c", "si", "print/x $pc", "info threads", "x/3i $pc", "p $mstatus", "p/x $satp", "p $priv", "thread 3", "p $mhartid",
                         "info registers pc", "detach"], smp=4, status=None)
        cases.expect(text, r"^Breakpoint 1 at 0x80000000", r"Thread \d .*hit Breakpoint 1, .*_start", r"= 0x80000004$",
               r"Thread 1\.1 \(CPU#0 \[running\]\)", r"Thread 1\.4 \(CPU#3 \[running\]\)", r"^=> 0x80000004", r"= \S", r"= 0x0$", r"= .*3",
               r"Switching to thread 3", r"= 2$", r"^pc .*0x", r"[Dd]etach")

    def functions(self):
        text = self.run(["break add", "continue", "backtrace", "print b", "continue", "print b", "finish", "print $a0", "next", "info registers s0 a0",
                         *self.TO_THE_END])
        cases.expect(text, r"^Breakpoint 1, add ", r"^#0 +add ", r"^#1 .* main ", r"= 0$", r"^Breakpoint 1, add ", r"= 1$", r"Value returned",
               r"= 1$", r"^s0", r"^Breakpoint 2, spin", r"^Breakpoint 3, .*sleep", r"exited normally")

    def watchpoints(self):
        word = "*(unsigned long*)&watched_pages[0][256]"
        text = self.run(["break *accesses", "continue", "set $fa0 = 1.5",
                         f"watch {word}", f"rwatch {word}", f"awatch {word}", f"set var {word} = 7", "continue", "continue", "continue", "continue",
                         "info breakpoints", *self.TO_THE_END])
        cases.expect(text, r"^Breakpoint 1", r"Hardware watchpoint 2", r"Hardware read watchpoint 3", r"Hardware access \(read/write\) watchpoint 4",
               r"^Hardware read watchpoint 3", r"^Hardware access", r"^Hardware watchpoint 2", r"^Old value = 7", r"^New value = 14", r"access_sc", r"hw watchpoint", r"exited normally")

    def user_mode(self):
        text = self.run(["break *0x100000000", "continue", "print $priv", "x/2i $pc", "stepi", "stepi", "x/gx $a2", "stepi", "print $a0",
                         "maintenance packet Qqemu.PhyMemMode:1", "x/gx &user_word", "maintenance packet Qqemu.PhyMemMode:0", *self.TO_THE_END])
        cases.expect(text, r"^Breakpoint 1, 0x0000000100000000", r"= .*0", r"^=> 0x100000000:\s+auipc", r"0029$", r"= 41$", r'received: "OK"', r"0x.*29$",
               r"exited normally")

    def harts(self):
        text = self.run(["break spin", "continue", "delete", "thread apply all print $mhartid", "monitor info registers", "kill"], smp=4)
        cases.expect(text, r"hit Breakpoint 1, spin", r"Thread 4 .*\n.*= 3$", r"Thread 1 .*\n.*= 0$", r"pc ", r"killed")

    def running_machine(self):
        """Nobody waited, and it runs on when the debugger has gone."""
        text = self.run(["print $pc != 0", "detach"], options=(), status=None)
        cases.expect(text, r"= 1$", r"[Dd]etach")


def main():
    if GDB is None:
        print("there is no gdb-multiarch")
        return SKIPPED
    return cases.run(Test(*map(str, sys.argv[1:5])), ("run",), sys.argv[5:])


if __name__ == "__main__":
    sys.exit(main())
