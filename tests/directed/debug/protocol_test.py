#!/usr/bin/env python3
"""Debugs a machine by a client of the protocol's.

  protocol_test.py EMULATOR MODULES ACCEL PROGRAM NM [CASE...]

EMULATOR is weft with ACCEL as its -accel; or, ACCEL being `peer`, QEMU, with which the cases that ask for no more than QEMU does are to
pass as well: they show what a stub has to do, by another one.
"""

import random
import socket
import struct
import sys
import xml.etree.ElementTree

from machine import PEER, Machine, emulator_command
import cases  # of tests/control/gdb, as machine.py has it
from client import stop, symbols

T0, A0, A1, PC, FIRST_F, PRIV, FIRST_CSR = 5, 10, 11, 32, 33, 65, 66
FCSR, SATP, MSTATUS, MTVEC, MSCRATCH, MCAUSE, MHARTID = 0x003, 0x180, 0x300, 0x305, 0x340, 0x342, 0xF14
SIGINT, SIGTRAP = 2, 5
RESET = 0x1000
UART_LINE_STATUS = 0x10000005
TVA = 0x100000000  # where the guest maps the page of in_user
STORES, LOADS, ACCESSES = 2, 3, 4  # of Z


class Test:
    def __init__(self, emulator, modules, accel, program, nm):
        self.peer = accel == PEER
        self.command = emulator_command(emulator, modules, accel)
        self.program, self.at = program, symbols(nm, program)

    def start(self, smp=1, **more):
        return Machine(self.command, self.program, smp, **more)

    # ---- steps of tests

    def go(self, client):
        """Lets all harts run until one stops: (thread, fields of the reply)."""
        signal_number, thread, fields = stop(client.ask("vCont;c"))
        assert signal_number == SIGTRAP, signal_number
        return thread, fields

    def step(self, client, thread="p1.1"):
        """One instruction of one hart, the others stay. The pc."""
        signal_number, stopped, fields = stop(client.ask(f"vCont;s:{thread}"))
        assert signal_number == SIGTRAP and int(stopped[1:].split(".")[1], 16) == int(thread.split(".")[1], 16), stopped
        assert not {"watch", "rwatch", "awatch"} & set(fields), fields
        return client.register(PC)

    def run_to(self, client, name, kind=0):
        address = self.at[name] if isinstance(name, str) else name
        assert client.ask(f"Z{kind},{address:x},4") == "OK"
        thread, fields = self.go(client)
        assert client.register(PC) == address, hex(client.register(PC))
        assert client.ask(f"z{kind},{address:x},4") == "OK"
        return thread, fields

    def csr(self, client, number):
        return client.register(FIRST_CSR + number)

    def set_csr(self, client, number, value):
        client.set_register(FIRST_CSR + number, value)

    def finish(self, machine, spins=False):
        """From anywhere before spin(), or in it: to the guest's end, which has checked itself."""
        client = machine.client
        if not spins:
            self.run_to(client, "spin")
        client.write(self.at["go_on"], struct.pack("<Q", 1))
        self.run_to(client, "sleep_wfi")
        client.set_register(PC, self.at["sleep_done"])
        assert client.ask("vCont;c").startswith("W00")
        assert machine.status() == 0
        return machine.serial()

    # ---- what there is

    def description(self):
        with self.start(smp=2) as machine:
            client = machine.client
            assert "qXfer:features:read+" in machine.supported and "multiprocess+" in machine.supported, machine.supported
            files = ["target.xml"]
            numbers = {}
            next_number = 0
            for file in files:
                text = self.object(client, "features", file)
                tree = xml.etree.ElementTree.fromstring(text.replace("xi:include", "include"))
                files += [each.get("href") for each in tree.iter("include")]
                for register in tree.iter("reg"):
                    next_number = int(register.get("regnum", next_number))
                    numbers[register.get("name")] = next_number
                    next_number += 1
            for name, number in {"zero": 0, "a0": A0, "pc": PC, "ft0": FIRST_F, "fcsr": FIRST_CSR + FCSR, "priv": PRIV,
                                 "mstatus": FIRST_CSR + MSTATUS, "satp": FIRST_CSR + SATP, "mhartid": FIRST_CSR + MHARTID}.items():
                assert numbers[name] == number, (name, numbers[name])
            general = bytes.fromhex(client.ask("g"))
            assert struct.unpack("<33Q", general)[PC] == RESET
            for number in numbers.values():
                reply = client.ask(f"p{number:x}")
                assert len(reply) == 16 or (self.peer and reply.startswith("E")), (number, reply)
            assert client.ask(f"p{FIRST_CSR + 0x7ff:x}").startswith("E")
            assert client.ask("pffffff").startswith("E")

    @staticmethod
    def object(client, name, annex):
        text, last = "", False
        while not last:
            reply = client.ask(f"qXfer:{name}:read:{annex}:{len(text):x},800")
            assert reply[0] in "lm", reply
            text, last = text + reply[1:], reply[0] == "l"
        return text

    def threads(self):
        with self.start(smp=4) as machine:
            client = machine.client
            ids = [[int(part, 16) for part in each[1:].split(".")] for each in client.threads()]
            assert ids == [[1, 1], [1, 2], [1, 3], [1, 4]], ids
            assert client.ask("qAttached") == "1"
            assert set(client.ask("vCont?").split(";")) >= {"vCont", "c", "C", "s", "S"}
            for hart in range(4):
                assert client.ask(f"Hgp1.{hart + 1}") == "OK"
                assert self.csr(client, MHARTID) == hart
                assert bytes.fromhex(client.ask(f"qThreadExtraInfo,p1.{hart + 1}")).decode() == f"CPU#{hart} [running]"
            assert client.ask("Hgp1.5").startswith("E")
            # One steps, the others stay.
            client.ask("Hgp1.1")
            assert self.step(client, "p1.3") == RESET + 4
            for hart, pc in enumerate((RESET, RESET, RESET + 4, RESET)):
                client.ask(f"Hgp1.{hart + 1}")
                assert client.register(PC) == pc

    # ---- breakpoints and steps

    def breakpoints(self):
        for kind in (0, 1):
            with self.start() as machine:
                client = machine.client
                code = client.read(self.at["add"], 16)
                assert client.ask(f"Z{kind},{self.at['add']:x},2") == "OK"
                for i in range(5):
                    thread, fields = self.go(client)
                    assert client.register(PC) == self.at["add"] and client.register(A1) == i
                    assert self.peer or ("swbreak" in fields) == (kind == 0), fields
                    assert client.read(self.at["add"], 16) == code
                    # Its instruction is executed by a step, and once.
                    assert self.step(client) == self.at["add"] + 2
                assert client.ask(f"z{kind},{self.at['add']:x},2") == "OK"
                assert "PASS" in self.finish(machine)

    def breakpoint_of_all_harts(self):
        with self.start(smp=4) as machine:
            client = machine.client
            place = self.at["spin"]
            assert client.ask(f"Z0,{place:x},2") == "OK"
            met = set()
            while len(met) < 3:
                thread, _ = self.go(client)
                hart = int(thread.split(".")[1], 16)
                met.add(hart)
                # The reported thread is the one that is looked at.
                assert client.register(PC) == place and client.register(A0) == hart - 1
                self.step(client, f"p1.{hart}")
            assert met <= {1, 2, 3, 4}

    def steps_that_meet_something_else(self):
        """A flash memory that shows its cells becomes registers by the first store: the step ends behind that store."""
        code, flash, read_identifiers, maker = 0x80400000, 0x20000000, 0x00900090, 0x00890089
        with self.start() as machine:
            client = machine.client
            client.write(code, struct.pack("<II", 0x00b52023, 0x00052603))  # sw a1, 0(a0); lw a2, 0(a0)
            client.set_register(PC, code)
            client.set_register(A0, flash)
            client.set_register(A0 + 1, read_identifiers)
            assert self.step(client) == code + 4, hex(client.register(PC))
            assert self.step(client) == code + 8
            assert client.register(A0 + 2) == maker, hex(client.register(A0 + 2))

    def steps(self):
        with self.start() as machine:
            client = machine.client
            assert self.step(client) == RESET + 4
            self.run_to(client, "calls")
            assert self.step(client) == self.at["m_trap"]  # the first instruction of the handler
            assert self.csr(client, MCAUSE) == 11
            self.run_to(client, "masked")
            # The timer is due, and interrupts are enabled; a step takes none.
            for label in ("masked_one", "masked_two", "masked_off"):
                assert self.step(client) == self.at[label], (label, hex(client.register(PC)))
            assert client.read(self.at["ticks"], 8) == bytes(8)
            assert client.ask("qqemu.sstepbits") == "ENABLE=1,NOIRQ=2,NOTIMER=4"
            assert client.ask("qqemu.sstep") == "0x7"
            assert client.ask("Qqemu.sstep=1") == "OK"
            assert client.ask("qqemu.sstep") == "0x1"
            assert self.step(client) == self.at["tick_handler"]
            assert client.ask("Qqemu.sstep=7") == "OK"
            assert self.csr(client, MCAUSE) == 1 << 63 | 7
            assert "PASS" in self.finish(machine)

    # ---- watchpoints

    # For each kind, what touches the word at watched_pages[0][256] in this order.
    TOUCHED = {
        STORES: ("access_store", "access_amo", "access_sc", "access_byte", "access_before", "access_float"),
        LOADS: ("access_load", "access_amo", "access_lr", "access_sc"),
        ACCESSES: ("access_load", "access_store", "access_amo", "access_lr", "access_sc", "access_byte", "access_before", "access_float"),
    }
    NAMES = {STORES: "watch", LOADS: "rwatch", ACCESSES: "awatch"}

    def watched(self, client, kind, address, size):
        """Until the end of accesses(): (name of the instruction, address told) of each stop, which comes before the access."""
        names = {self.at[name]: name for name in self.at if name.startswith("access_")}
        point = f"{kind},{address:x},{size:x}"
        assert client.ask("Z0,%x,4" % self.at["accesses_end"]) == "OK"
        met = []
        while True:
            assert client.ask("Z" + point) == "OK"
            before = client.read(address, size)
            _, fields = self.go(client)
            pc = client.register(PC)
            assert client.ask("z" + point) == "OK"
            if pc == self.at["accesses_end"]:
                assert not set(self.NAMES.values()) & set(fields), fields
                assert client.ask("z0,%x,4" % pc) == "OK"
                return met
            told = int(fields[self.NAMES[kind]], 16)
            assert address <= told < address + size
            met.append(names.get(pc, hex(pc)))
            # Nothing of the instruction was done.
            assert client.read(address, size) == before, names.get(pc)
            assert self.step(client) == pc + 4

    def watchpoints(self):
        word = self.at["watched_pages"] + 256 * 8
        for kind, expected in self.TOUCHED.items():
            with self.start() as machine:
                self.run_to(machine.client, "accesses")
                met = self.watched(machine.client, kind, word, 8)
                assert tuple(met) == expected, (kind, met)
                if kind == STORES:
                    assert "PASS" in self.finish(machine)

    def watchpoints_over_pages(self):
        meeting = self.at["watched_pages"] + 4096
        for kind, address, size, expected in ((STORES, meeting, 1, ["access_across"]), (STORES, meeting - 4, 1, ["access_across"]),
                                              (STORES, meeting - 5, 1, []), (STORES, meeting + 4, 1, []),
                                              (LOADS, meeting + 1, 1, ["access_across_load"]), (LOADS, meeting + 2, 8, []),
                                              (ACCESSES, meeting - 100, 300, ["access_across", "access_across_load"])):
            with self.start() as machine:
                self.run_to(machine.client, "accesses")
                met = self.watched(machine.client, kind, address, size)
                assert met == expected, (kind, address - meeting, size, met)

    def watchpoint_of_all_harts(self):
        with self.start(smp=4) as machine:
            client = machine.client
            self.run_to(client, "accesses")
            address = self.at["counters"] + 3 * 8
            assert client.ask(f"Z2,{address:x},8") == "OK"
            thread, fields = self.go(client)
            assert int(thread.split(".")[1], 16) == 4 and int(fields["watch"], 16) == address, (thread, fields)

    # ---- memory

    def user_mode(self):
        with self.start() as machine:
            client = machine.client
            assert client.ask(f"m{TVA:x},8").startswith("E")  # mapped by nobody yet
            self.run_to(client, TVA)
            assert client.register(PRIV) == 0 and self.csr(client, SATP) >> 60 == 8
            word = self.at["user_word"] - self.at["in_user"]
            assert client.read(TVA + word, 8) == struct.pack("<Q", 41)
            # A page that is S mode's alone.
            assert self.peer or client.read(self.at["user_word"], 8) == struct.pack("<Q", 41)
            # Over the page's end, behind which nothing is mapped.
            assert client.ask(f"m{TVA + 4096:x},1").startswith("E")
            assert client.ask("qqemu.PhyMemMode") == "0"
            assert client.ask("Qqemu.PhyMemMode:1") == "OK"
            assert client.ask("qqemu.PhyMemMode") == "1"
            assert client.ask(f"m{TVA + word:x},8").startswith("E") or self.peer
            assert client.read(self.at["user_word"], 8) == struct.pack("<Q", 41)
            assert client.ask("Qqemu.PhyMemMode:0") == "OK"
            # The second instruction of lla is next but one; then the load is watched at its virtual address.
            assert client.ask(f"Z3,{TVA + word:x},8") == "OK"
            _, fields = self.go(client)
            assert int(fields["rwatch"], 16) == TVA + word
            assert client.ask(f"z3,{TVA + word:x},8") == "OK"
            pc = client.register(PC)
            assert self.step(client) == pc + 4 and client.register(A0) == 41
            assert self.csr(client, SATP) >> 60 == 8
            assert "PASS" in self.finish(machine)

    def code_is_written(self):
        with self.start() as machine:
            client = machine.client
            # It has run, and is translated.
            self.run_to(client, "masked_one")
            addi = struct.unpack("<I", client.read(self.at["masked_two"], 4))[0]
            assert addi == 0x150513  # addi a0, a0, 1
            before = client.register(A0)
            client.write(self.at["masked_two"], struct.pack("<I", addi + (4 << 20)))
            assert client.ask("Qqemu.sstep=7") == "OK"
            self.step(client)
            self.step(client)
            assert client.register(A0) == before + 1 + 5
        with self.start() as machine:
            client = machine.client
            for _ in range(3):
                self.run_to(client, "add")
                self.step(client)
            assert client.read(self.at["add"], 4) == bytes.fromhex("2e958280")  # c.add a0, a1; c.ret
            self.run_to(client, "add")
            client.write(self.at["add"], bytes.fromhex("0505"))  # c.addi a0, 1
            assert client.register(A0) == 0 + 1 + 2
            self.run_to(client, "add_out")
            assert client.register(A0) == 0 + 1 + 2 + 1 + 1, client.register(A0)

    def devices(self):
        with self.start() as machine:
            client = machine.client
            assert client.read(UART_LINE_STATUS, 1) == b"\x60"
            # The CLINT's compare register, by 8 and by 4 bytes, and written.
            compare = 0x2004000
            client.write(compare, struct.pack("<Q", 0x123456789ABCDEF0))
            assert client.read(compare, 8) == struct.pack("<Q", 0x123456789ABCDEF0)
            assert client.read(compare + 4, 4) == struct.pack("<I", 0x12345678)
            assert self.peer or client.ask("m20,4").startswith("E")
            # ROM is read, and written as a debugger may.
            first = client.read(RESET, 4)
            client.write(RESET, b"\x13\0\0\0")
            assert client.read(RESET, 4) == b"\x13\0\0\0"
            client.write(RESET, first)

    # ---- registers

    def registers_are_set(self):
        with self.start(smp=2) as machine:
            client = machine.client
            self.run_to(client, "accesses")
            client.set_register(T0, 0x1122334455667788)
            assert client.register(T0) == 0x1122334455667788
            client.set_register(0, 5)
            assert client.register(0) == 0
            client.set_register(FIRST_F + 10, 0x4009000000000000)
            assert client.register(FIRST_F + 10) == 0x4009000000000000
            word = self.at["watched_pages"] + 256 * 8
            self.run_to(client, "accesses_end")  # past fsd fa0
            assert client.read(word, 8) == struct.pack("<Q", 0x4009000000000000)
            self.set_csr(client, MSCRATCH, 0xDEADBEEF00C0FFEE)
            assert self.csr(client, MSCRATCH) == 0xDEADBEEF00C0FFEE
            # Its rules hold: mode 2 is reserved, and MXL of nothing is written.
            old = self.csr(client, MTVEC)
            assert client.ask(f"P{FIRST_CSR + MTVEC:x}={struct.pack('<Q', old | 2).hex()}") in ("OK", "E16", "E14")
            assert self.csr(client, MTVEC) == old
            # FS off: what the floating-point unit is asked for traps.
            status = self.csr(client, MSTATUS)
            self.set_csr(client, MSTATUS, status & ~0x6000)
            assert self.csr(client, MSTATUS) & 0x6000 == 0
            client.set_register(PC, self.at["access_float"])
            assert self.step(client) == self.at["m_trap"] and self.csr(client, MCAUSE) == 2
            # The other hart has its own.
            assert client.ask("Hgp1.2") == "OK" and self.csr(client, MSCRATCH) != 0xDEADBEEF00C0FFEE
            if not self.peer:
                assert client.ask(f"P{FIRST_CSR + MHARTID:x}={struct.pack('<Q', 7).hex()}").startswith("E")
            assert self.csr(client, MHARTID) == 1

    def mode_is_set(self):
        with self.start() as machine:
            client = machine.client
            self.run_to(client, "accesses")
            client.set_register(PRIV, 1)
            assert client.register(PRIV) == 1
            client.set_register(PC, self.at["calls"])
            assert self.step(client) == self.at["m_trap"] and self.csr(client, MCAUSE) == 9  # of S mode
            assert client.register(PRIV) == 3

    # ---- running and stopping

    def interrupt(self):
        with self.start(smp=4) as machine:
            client = machine.client
            client.send("vCont;c")
            # Until all have counted, seen by stopping them.
            counted = []
            while not all(counted) or not counted:
                client.interrupt()
                signal_number, _, _ = stop(client.receive())
                assert signal_number == SIGINT, signal_number
                counted = struct.unpack("<4Q", client.read(self.at["counters"], 32))
                again = struct.unpack("<4Q", client.read(self.at["counters"], 32))
                assert counted == again  # they stand
                client.send("vCont;c")
            client.interrupt()
            stop(client.receive())
            client.write(self.at["go_on"], struct.pack("<Q", 1))
            # Now all sleep, for ever.
            names = [""]
            while not all("halted" in name for name in names):
                client.send("vCont;c")
                client.interrupt()
                stop(client.receive())
                names = [bytes.fromhex(client.ask(f"qThreadExtraInfo,p1.{hart}")).decode() for hart in range(1, 5)]
            assert names == [f"CPU#{hart} [halted ]" for hart in range(4)], names
            client.ask("Hgp1.1")
            assert client.register(PC) == self.at["sleep_done"], hex(client.register(PC))
            if not self.peer:
                # A step is made all the same.
                assert self.step(client) != self.at["sleep_done"]

    def wfi_is_stepped(self):
        if self.peer:
            return  # QEMU's step waits for an interrupt
        with self.start() as machine:
            client = machine.client
            self.run_to(client, "accesses")
            client.write(self.at["go_on"], struct.pack("<Q", 1))
            self.run_to(client, "sleep_wfi")
            assert self.step(client) == self.at["sleep_done"]
            # It sleeps now, and another step is made all the same.
            assert bytes.fromhex(client.ask("qThreadExtraInfo,p1.1")) == b"CPU#0 [halted ]"
            self.step(client)
            assert bytes.fromhex(client.ask("qThreadExtraInfo,p1.1")) == b"CPU#0 [running]"
            assert client.ask("vCont;c").startswith("W00")
            assert machine.status() == 0

    def detaching(self):
        with self.start() as machine:
            client = machine.client
            self.run_to(client, "accesses")
            client.write(self.at["go_on"], struct.pack("<Q", 1))
            client.write(self.at["sleep_wfi"], b"\x13\0\0\0")
            assert client.ask("Z0,%x,4" % self.at["calls"]) == "OK"
            self.go(client)
            assert client.ask("D;1") == "OK"
            assert machine.status() == 0 and "PASS" in machine.serial()

    def killing(self):
        for packet in ("k", "vKill;1"):
            with self.start() as machine:
                machine.client.send(packet)
                assert machine.status() == 0

    def exit_status(self):
        with self.start() as machine:
            client = machine.client
            self.run_to(client, "accesses")
            client.write(self.at["failures"], struct.pack("<Q", 3))  # wrong checks: the guest ends with as many
            self.run_to(client, "spin")
            client.write(self.at["go_on"], struct.pack("<Q", 1))
            self.run_to(client, "sleep_wfi")
            client.set_register(PC, self.at["sleep_done"])
            assert client.ask("vCont;c").startswith("W03")
            assert machine.status() == 3

    def monitor_commands(self):
        with self.start() as machine:
            client = machine.client
            client.send("qRcmd," + b"info registers".hex())
            text = b""
            while (reply := client.receive()) != b"OK":
                assert reply.startswith(b"O"), reply
                text += bytes.fromhex(reply[1:].decode())
            assert b"pc" in text and b"1000" in text, text
            if self.peer:
                return
            # From its own line: a stop is told, and what it lets run stops for the debugger's next question.
            client.send("vCont;c")
            machine.monitor("stop")
            signal_number, _, _ = stop(client.receive())
            assert signal_number == SIGINT
            counted = client.read(self.at["counters"], 8)
            machine.monitor("cont")
            while client.read(self.at["counters"], 8) == counted:
                machine.monitor("cont")
            # And the debugger's own points are told by nobody while it believes that all stand.
            assert client.ask("Z0,%x,2" % self.at["sleep_wfi"]) == "OK"
            client.write(self.at["go_on"], struct.pack("<Q", 1))
            machine.monitor("cont")
            while client.register(PC) != self.at["sleep_wfi"]:
                machine.monitor("cont")
            assert client.ask("qC") == "QCp1.1"

    def reset(self):
        with self.start(smp=2) as machine:
            client = machine.client
            self.run_to(client, "accesses")
            client.send("qRcmd," + b"system_reset".hex())
            while client.receive() != b"OK":
                pass
            # It happens on the main loop, soon; the machine stays as it is, stopped.
            while client.register(PC) != RESET:
                pass
            self.run_to(client, "accesses")
            assert "PASS" in self.finish(machine)

    # ---- clients

    def without_acknowledgements(self):
        with self.start(features="swbreak+") as machine:
            client = machine.client
            if self.peer:
                return
            assert client.ask("QStartNoAckMode") == "OK"
            client.acknowledges = False
            assert client.ask("?") == "T05thread:1;"
            assert client.ask("vAttach;1") == "T05thread:1;"

    def clients_go(self):
        if self.peer:
            return  # QEMU's machine stands still
        with self.start() as machine:
            # Who comes and goes without a word changes nothing: with -S nothing ran.
            for _ in range(3):
                machine.client.connection.close()
                machine.connect()
                assert machine.client.register(PC) == RESET
            client = machine.client
            assert client.ask("Z0,%x,2" % self.at["add"]) == "OK"
            self.go(client)
            assert client.ask("Qqemu.PhyMemMode:1") == "OK"
            client.connection.close()
            # It runs on, past the breakpoint, and the next one is asked anew.
            machine.connect()
            client = machine.client
            assert client.ask("qqemu.PhyMemMode") == "0"
            before = client.read(self.at["counters"], 8)
            client.send("vCont;c")
            client.connection.close()
            machine.connect()
            while machine.client.read(self.at["counters"], 8) == before:
                machine.client.connection.close()
                machine.connect()
            assert "PASS" in self.finish(machine, spins=True)

    def clients_come(self):
        """To a machine that runs, which stands while they are there."""
        with self.start(options=()) as machine:
            # Until it spins: where it is when a client comes is chance.
            while True:
                count = machine.client.ask("m%x,8" % self.at["counters"])
                assert machine.client.ask("m%x,8" % self.at["counters"]) == count
                if count.strip("0") and not count.startswith("E"):
                    break
                assert machine.client.ask("D;1") == "OK"
                machine.client.connection.close()
                machine.connect()
            assert "PASS" in self.finish(machine, spins=True)

    def garbage(self):
        rng = random.Random(1)
        with self.start() as machine:
            machine.client.connection.close()
            for size in (1, 100, 100_000):
                with machine.open("gdb") as bad:
                    bad.sendall(bytes(rng.randrange(256) for _ in range(size)))
            with machine.open("gdb") as bad:
                bad.sendall(b"$" + b"m" * 3_000_000)
            for packet in ("m0,ffffffffffffffff", "mffffffffffffffff,10", "M0,8:", "Z0,,", "Z2,0,0", "z4,1", "Z9,0,0", "p", "p-1", "G00",
                           "P20", "vCont;", "vCont;x", "vCont;s:p7.1", "Hg", "qRcmd,", "qRcmd,6", "Qqemu.sstep=", "Qqemu.sstep=ff",
                           "Qqemu.PhyMemMode:", "qXfer:features:read:x.xml:0,1", "qXfer:features:read:target.xml:ffffffffffffffff,ffffffff",
                           "vAttach;2", "D;2", "Tp1.9", "Xffffffff,1:"):
                machine.connect()
                machine.client.send(packet)
                if not packet.startswith("vCont") or self.peer:
                    machine.client.receive()
                machine.client.connection.close()
            # Half open: it never reads what it asks for.
            silent = machine.open("gdb")
            for _ in range(1000):
                silent.sendall(b"$g#67")
            silent.shutdown(socket.SHUT_WR)
            silent.close()
            machine.connect()
            assert "PASS" in self.finish(machine)

    garbage.weft_alone = True


HELPERS = ("start", "go", "step", "run_to", "csr", "set_csr", "finish", "object", "watched")


def main():
    test = Test(*sys.argv[1:6])
    names = sys.argv[6:]
    if test.peer and not names:
        names = [name for name, value in vars(Test).items() if callable(value) and not name.startswith("_") and name not in HELPERS
                 and not getattr(value, "weft_alone", False)]
    return cases.run(test, HELPERS, names)


if __name__ == "__main__":
    sys.exit(main())
