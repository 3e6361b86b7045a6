#!/usr/bin/env python3
"""Debugs a program by a client of its own.

  protocol_test.py WEFT PROGRAM NM
"""

import os
import signal
import socket
import struct
import sys
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../control/gdb"))
import cases  # pylint: disable=wrong-import-position
from client import stop, symbols  # pylint: disable=wrong-import-position
from debugged import Program  # pylint: disable=wrong-import-position

A0, PC, FIRST_F = 10, 32, 33
SIGINT, SIGTRAP, SIGSEGV, SIGTERM, SIGUSR1 = 2, 5, 11, 15, 30  # gdb's numbers
LINUX_SIGUSR1 = 10


class Test:
    def __init__(self, weft, program, nm):
        self.weft, self.program, self.at = weft, program, symbols(nm, program)

    def start(self, what, **more):
        return Program(self.weft, self.program, what, **more)

    @staticmethod
    def host_call(pid):
        with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
            return file.read()

    def run_to(self, client, name):
        address = self.at[name]
        assert client.ask(f"Z0,{address:x},2") == "OK"
        signal_number, thread, reasons = stop(client.ask("vCont;c"))
        assert signal_number == SIGTRAP and "swbreak" in reasons, (signal_number, reasons)
        assert client.register(PC) == address
        assert client.ask(f"z0,{address:x},2") == "OK"
        return thread

    # ---- tests ----

    def registers_and_exit(self):
        with self.start("add") as run:
            client = run.client
            pid = run.process.pid
            assert stop(client.ask("?"))[:2] == (SIGTRAP, f"p{pid:x}.{pid:x}")
            assert client.ask("qC") == f"QCp{pid:x}.{pid:x}"
            assert client.ask("QStartNoAckMode") == "OK"
            client.acknowledges = False
            # Fields of the ELF header (System V ABI, "ELF Header"): the entry is at 24.
            with open(self.program, "rb") as file:
                header = file.read(64)
            assert client.register(PC) == struct.unpack_from("<Q", header, 24)[0]
            thread = self.run_to(client, "add")
            assert thread == f"p{pid:x}.{pid:x}", thread
            assert (client.register(A0), client.register(A0 + 1)) == (3, 4)
            # All of them, in the order of the description.
            everything = bytes.fromhex(client.ask("g"))
            assert len(everything) == 65 * 8 + 3 * 4, len(everything)
            assert everything[A0 * 8:A0 * 8 + 8] == (3).to_bytes(8, "little")
            assert client.ask("G" + everything.hex()) == "OK"
            client.set_register(A0, 30)
            client.set_register(0, 5)
            assert client.register(0) == 0
            # As the architecture has it, there is no odd pc.
            at = client.register(PC)
            client.set_register(PC, at | 1)
            assert client.register(PC) == at
            client.set_register(FIRST_F + 4, 0x4045000000000000)
            assert client.register(FIRST_F + 4) == 0x4045000000000000
            # fcsr and its fields.
            assert client.ask("P43=ff000000") == "OK"
            assert client.register(0x41) == 0x1f and client.register(0x42) == 7
            assert client.ask("P42=01000000") == "OK"
            assert client.register(0x43) == 0x3f
            assert client.ask("p44") == "E16" and client.ask("P0=00") == "E16"
            assert client.ask("vCont;c") == f"W22;process:{pid:x}"
            assert run.finish() == (34, "sum 34\n")

    def description(self):
        with self.start("add") as run:
            text = run.client.ask("qXfer:features:read:target.xml:0,4000")
            assert text[0] == "l"
            root = xml.etree.ElementTree.fromstring(text[1:].split("\n", 2)[2])
            assert root.find("architecture").text == "riscv:rv64"
            features = {feature.get("name"): feature.findall("reg") for feature in root.findall("feature")}
            names = [register.get("name") for register in features["org.gnu.gdb.riscv.cpu"]]
            assert len(names) == 33 and names[2] == "sp" and names[-1] == "pc"
            floats = [register.get("name") for register in features["org.gnu.gdb.riscv.fpu"]]
            assert len(floats) == 35 and floats[32:] == ["fflags", "frm", "fcsr"]
            # In pieces.
            whole, offset = "", 0
            while True:
                part = run.client.ask(f"qXfer:features:read:target.xml:{offset:x},64")
                whole += part[1:]
                offset += len(part) - 1
                if part[0] == "l":
                    break
            assert whole == text[1:]
            assert run.client.ask("qXfer:features:read:other.xml:0,64") == "E00"
            assert run.client.ask("qXfer:unknown:read::0,64") == ""

    def objects_and_files(self):
        with self.start("add") as run:
            client = run.client
            assert client.ask("qXfer:exec-file:read::0,1000") == "l" + os.path.realpath(self.program)
            auxv = client.ask("qXfer:auxv:read::0,1000")[1:].encode("latin-1")
            pairs = dict(struct.iter_unpack("<QQ", auxv))
            assert pairs[6] == 4096 and pairs[9] == client.register(PC)  # AT_PAGESZ, AT_ENTRY
            name = self.program.encode().hex()
            assert client.ask("vFile:setfs:0") == "F0"
            file = client.ask(f"vFile:open:{name},0,0")[1:]
            reply = client.ask(f"vFile:pread:{file},10,0")
            assert reply == "F10;" + open(self.program, "rb").read(16).decode("latin-1"), reply
            status = client.ask(f"vFile:fstat:{file}")
            assert status.startswith("F40;"), status
            size = struct.unpack_from(">Q", status[4:].encode("latin-1"), 28)[0]
            assert size == os.stat(self.program).st_size
            assert client.ask(f"vFile:close:{file}") == "F0"
            assert client.ask(f"vFile:close:{file}") == "F-1,9"
            assert client.ask(f"vFile:open:{b'/no/such'.hex()},0,0") == "F-1,2"
            assert client.ask(f"vFile:open:{name},2,0") == "F-1,d"
            assert client.ask(f"vFile:readlink:{b'/proc/self/exe'.hex()}").split(";")[1].startswith("/")
            # What the server has open the guest's threads do not.
            own = os.listdir(f"/proc/{run.process.pid}/fd")
            assert not any(os.readlink(f"/proc/{run.process.pid}/fd/{fd}").startswith("socket") for fd in own)

    def memory(self):
        with self.start("code") as run:
            client = run.client
            add = self.at["add"]
            code = client.read(add, 8)
            assert client.ask(f"Z0,{add:x},2") == "OK"
            assert client.read(add, 8) == code
            counter = self.at["counter"]
            client.write(counter, b"\x01\x02\x03")
            assert client.read(counter, 4) == b"\x01\x02\x03\x00"
            client.send(b"X%x,4:\x7d\x23\x24\x2a" % counter)
            assert client.receive() == b"OK" and client.read(counter, 4) == b"}#$*"
            assert client.ask("m0,4") == "E0e" and client.ask("M0,1:00") == "E0e"
            assert client.ask("mffffffffffffffff,10") == "E0e"
            assert client.ask("Z0,0,4") == "E16" and client.ask(f"Z0,{add:x},3") == "E16"
            for kind in "1234":
                assert client.ask(f"Z{kind},{add:x},4") == ""
            assert stop(client.ask("vCont;c"))[2] == {"swbreak": ""}
            # The program reads its own code while the breakpoint is in it.
            assert client.ask(f"z0,{add:x},2") == "OK" and stop(client.ask("vCont;s"))[0] == SIGTRAP
            assert client.ask(f"Z0,{add:x},2") == "OK"
            assert client.ask("vCont;c").startswith("W00")
            assert run.finish() == (0, "same\n")

    def steps(self):
        """Each step is one instruction: those of `triple`, by its bytes."""
        with self.start("add") as run:
            client = run.client
            self.run_to(client, "add")
            pc, seen = client.register(PC), 0
            here = self.at["here"]
            while pc != here:
                length = 4 if client.read(pc, 1)[0] & 3 == 3 else 2
                signal_number, _, reasons = stop(client.ask("vCont;s"))
                assert signal_number == SIGTRAP and not reasons
                now = client.register(PC)
                assert now in (pc + length, here), (hex(pc), hex(now))
                pc, seen = now, seen + 1
            assert seen > 2
            # Back by the return, which is a jump through a register.
            after = client.register(1)
            while client.register(PC) != after:
                assert stop(client.ask("s"))[0] == SIGTRAP
            # Through calls of the system.
            for _ in range(3000):
                if client.ask("vCont;s").startswith("W"):
                    break
            else:
                assert client.ask("vCont;c").startswith("W07")
            assert run.finish() == (7, "sum 7\n")

    def threads(self):
        with self.start("threads") as run:
            client = run.client
            first = self.run_to(client, "here")
            # Off the place, at which the others are to stop.
            assert stop(client.ask(f"vCont;s:{first}"))[:2] == (SIGTRAP, first)
            all_threads = client.threads()
            assert len(all_threads) == 4 and first in all_threads, all_threads
            assert all(client.ask("T" + thread) == "OK" for thread in all_threads)
            assert client.ask("Tp1.1") == "E03"
            # Off the place, at which there will be a breakpoint again: an interrupt may come before the thread has run.
            assert stop(client.ask(f"vCont;s:{first}"))[:2] == (SIGTRAP, first)
            client.send("vCont;c")
            client.interrupt()
            signal_number, thread, _ = stop(client.receive())
            assert signal_number == SIGINT and thread in all_threads
            # Nothing moves while everybody is stopped.
            counter = self.at["counter"]
            value = client.read(counter, 8)
            programs = [client.ask("Hg" + each) == "OK" and client.register(PC) for each in all_threads]
            assert client.read(counter, 8) == value
            assert [client.ask("Hg" + each) == "OK" and client.register(PC) for each in all_threads] == programs
            # One thread alone, then all.
            worker = [each for each in all_threads if each != first][0]
            assert stop(client.ask(f"vCont;s:{worker}"))[:2] == (SIGTRAP, worker)
            client.write(self.at["go_on"], b"\1")
            assert client.ask(f"Z0,{self.at['here']:x},2") == "OK"
            seen = set()
            reply = client.ask("vCont;c")
            while reply.startswith("T"):
                seen.add(stop(reply)[1])
                # Over the breakpoint as clients do it: without it, by that thread alone.
                assert client.ask(f"z0,{self.at['here']:x},2") == "OK"
                assert stop(client.ask(f"vCont;s:{stop(reply)[1]}"))[0] == SIGTRAP
                assert client.ask(f"Z0,{self.at['here']:x},2") == "OK"
                reply = client.ask("vCont;c")
            assert reply.startswith("W05"), reply
            assert seen == set(all_threads) - {first}, (seen, all_threads)

    def interrupted_call(self):
        """A thread in read(): it stops without being disturbed, and a function can be called meanwhile."""
        with self.start("read") as run:
            client = run.client
            self.run_to(client, "run_read" if "run_read" in self.at else "main")
            client.send("vCont;c")
            # Until the host's thread is in the call (proc(5), /proc/PID/syscall; read is 0).
            while not self.host_call(run.process.pid).startswith("0 "):
                os.sched_yield()
            client.interrupt()
            assert stop(client.receive())[0] == SIGINT
            assert client.read(client.register(PC), 4) == bytes.fromhex("73000000")  # ecall
            assert self.host_call(run.process.pid).startswith("0 ")
            saved = client.ask("g")
            # triple(14), which returns to a breakpoint.
            back = self.at["main"]
            assert client.ask(f"Z0,{back:x},2") == "OK"
            client.set_register(A0, 14)
            client.set_register(1, back)
            client.set_register(PC, self.at["triple"])
            signal_number, _, reasons = stop(client.ask("vCont;c"))
            assert (signal_number, reasons) == (SIGTRAP, {"swbreak": ""})
            assert client.register(A0) == 42 and client.register(PC) == back
            assert client.ask(f"z0,{back:x},2") == "OK"
            assert client.ask("G" + saved) == "OK"
            client.send("vCont;c")
            run.process.stdin.write(b"hello")
            run.process.stdin.flush()
            assert client.receive().startswith(b"W05")
            assert run.finish() == (5, "read 5\n")

    def signals(self):
        with self.start("signals") as run:
            client = run.client
            signal_number, thread, _ = stop(client.ask("vCont;c"))
            assert signal_number == SIGUSR1
            info = client.ask("qXfer:siginfo:read::0,100")[1:].encode("latin-1")
            assert len(info) == 128 and struct.unpack_from("<i", info)[0] == LINUX_SIGUSR1
            signal_number, _, _ = stop(client.ask(f"vCont;C{SIGUSR1:02x}:{thread};c"))
            assert signal_number == SIGTERM
            # Not passed: the program goes on.
            assert client.ask("vCont;c").startswith("W06")
            assert run.finish() == (6, "handled 10\nwent on\n")
        with self.start("signals") as run:
            client = run.client
            assert client.ask(f"QPassSignals:{SIGUSR1:x}") == "OK"
            signal_number, thread, _ = stop(client.ask("vCont;c"))
            assert signal_number == SIGTERM
            assert client.ask(f"vCont;C{SIGTERM:02x}:{thread}").startswith("X0f")
            assert run.finish() == (-signal.SIGTERM, "handled 10\n")

    def fault(self):
        with self.start("fault") as run:
            client = run.client
            signal_number, _, _ = stop(client.ask("vCont;c"))
            assert signal_number == SIGSEGV
            info = client.ask("qXfer:siginfo:read::0,100")[1:].encode("latin-1")
            assert struct.unpack_from("<Q", info, 16)[0] == 16
            # Without the signal the instruction is done again.
            assert stop(client.ask("vCont;c"))[0] == SIGSEGV
            assert client.ask(f"vCont;C{SIGSEGV:02x}").startswith("X0b")
            assert run.finish()[0] == -signal.SIGSEGV

    def fork(self):
        """The child runs on without a debugger, and without the parent's breakpoints."""
        with self.start("fork") as run:
            client = run.client
            here = self.at["here"]
            for name in ("here", "add"):
                assert client.ask(f"Z0,{self.at[name]:x},2") == "OK"
            pid = run.process.pid
            signal_number, thread, reasons = stop(client.ask("vCont;c"))
            assert (signal_number, thread) == (SIGTRAP, f"p{pid:x}.{pid:x}") and client.register(PC) == here
            assert client.ask(f"z0,{here:x},2") == "OK"
            # The child's status is what it computed.
            assert client.ask("vCont;c").startswith("W03")

    def execs(self):
        with self.start("exec") as run:
            assert run.client.ask("vCont;c") is None
            assert run.finish() == (7, "sum 7\n")

    def detaches(self):
        with self.start("add") as run:
            assert run.client.ask(f"Z0,{self.at['add']:x},2") == "OK"
            assert run.client.ask(f"D;{run.process.pid:x}") == "OK"
            assert run.finish() == (7, "sum 7\n")
        # As does one that goes without a word, while the program runs or not.
        for resumed in (False, True):
            with self.start("threads") as run:
                client = run.client
                self.run_to(client, "here")
                client.write(self.at["go_on"], b"\1")
                assert client.ask(f"Z0,{self.at['add']:x},2") == "OK"
                if resumed:
                    client.send("vCont;c")
                run.connection.close()
                assert run.finish()[0] == 5

    def never_reads(self):
        """A client that asks and takes no answer is dropped, and the program runs on: stopped, running, and at its end."""
        def ask_often(client, at):
            for _ in range(400):
                client.send(f"m{at:x},1000")

        for resumes in (False, True):
            with self.start("add") as run:
                ask_often(run.client, self.at["add"] & ~0xFFF)
                if resumes:
                    run.client.send("vCont;c")
                assert run.finish() == (7, "sum 7\n")

    def kills(self):
        with self.start("read") as run:
            assert run.client.ask(f"vKill;{run.process.pid:x}") == "OK"
            assert run.finish()[0] == -signal.SIGKILL

    def without_features(self):
        """A client that announces nothing: plain thread ids, no reasons."""
        with self.start("add", features="") as run:
            client = run.client
            pid = run.process.pid
            assert client.ask("?") == f"T05thread:{pid:x};"
            assert client.ask(f"Z0,{self.at['add']:x},2") == "OK"
            assert client.ask("c") == f"T05thread:{pid:x};"
            assert client.ask(f"z0,{self.at['add']:x},2") == "OK"
            assert client.ask("c") == "W07"

    def ports(self):
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        import subprocess
        refused = subprocess.run([self.weft, "-g", str(port), self.program], check=False, capture_output=True)
        text = refused.stderr.decode()
        assert refused.returncode == 1 and text.count("\n") == 1 and f"-g: 127.0.0.1:{port}: " in text, text
        listener.close()
        with self.start("add", by_port=port) as run:
            assert run.where == f"127.0.0.1:{port}"
            assert run.client.ask("vCont;c").startswith("W07")


def main():
    test = Test(*(os.path.abspath(path) if "/" in path else path for path in sys.argv[1:4]))
    return cases.run(test, ("start", "run_to", "host_call"), sys.argv[4:])


if __name__ == "__main__":
    sys.exit(main())
