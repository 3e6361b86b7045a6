#!/usr/bin/env python3
"""What weft shows of itself: -d, the counters, the monitor, perf's files, gdb.

    observe_test.py EMULATOR MODULE_DIR GUEST CASE

GUEST is one of the programs in guest/, loaded as firmware. Formats are read here by parsers of their own; where perf or
gdb is not there or may not do its work, the case that needs it is skipped (exit code 77).
"""

import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

SKIP = 77


class Failure(Exception):
    pass


class Stopped(Failure):
    """meson's limit, the only one there is, so that its multiplier holds: SIGTERM first, and half a second for last words."""


def stop(number, frame):
    raise Stopped("stopped: meson's limit on time, or its user")


class Skip(Exception):
    pass


def expect(condition, message):
    if not condition:
        raise Failure(message)


class Started:
    """A program in a session of its own, which ends with the block whatever happens: its children with it."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen([str(word) for word in command], start_new_session=True, **options)

    def __enter__(self):
        return self.process

    def __exit__(self, *_):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def run(command, folder):
    """To its end. Returns the exit code, standard output and standard error."""
    with Started(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                 text=True) as process:
        try:
            output, errors = process.communicate()
        except Stopped as stopped:
            os.killpg(process.pid, signal.SIGKILL)
            raise Failure("%s: %s; it said\n%s" % (pathlib.Path(command[0]).name, stopped, process.communicate()[0][-6000:]))
        return process.returncode, output, errors


class Weft:
    def __init__(self, emulator, modules, guest, folder):
        self.emulator = emulator
        self.modules = modules
        self.guest = guest
        self.folder = pathlib.Path(folder)

    def command(self, *options, accel="tcg"):
        return [self.emulator, "-module-dir", self.modules, "-accel", accel, "-bios", self.guest, "-serial", "null",
                "-monitor", "none", *options]

    def run(self, *options, accel="tcg"):
        """To the guest's end. Returns standard error."""
        code, _, errors = run(self.command(*options, accel=accel), self.folder)
        expect(code == 0, "exit code %d: %s" % (code, errors))
        return errors


class Monitor(Started):
    """A guest that runs, with the monitor on pipes."""

    PROMPT = "(weft) "

    def __init__(self, weft, *options, accel="tcg"):
        command = list(weft.command(*options, accel=accel))
        command[command.index("none")] = "stdio"
        super().__init__(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=weft.folder)

    def __enter__(self):
        self.until_prompt()
        return self

    def until_prompt(self):
        text = b""
        while not text.endswith(self.PROMPT.encode()):
            byte = self.process.stdout.read(1)
            expect(byte, "the monitor went away after %r" % text)
            text += byte
        return text.decode()[:-len(self.PROMPT)]

    def ask(self, command):
        self.process.stdin.write((command + "\n").encode())
        self.process.stdin.flush()
        return self.until_prompt().split("\n", 1)[1]

    def quit(self):
        self.process.stdin.write(b"quit\n")
        self.process.stdin.flush()
        self.process.communicate()
        expect(self.process.returncode == 0, "exit code %d" % self.process.returncode)


# ---- -d ----

# By item: what the log has, as regular expressions of whole lines; and what marks the item in logs of others.
LOG = {
    "in_asm": [r"IN:", r"0x0*80000000:\s+\S+\s+auipc .*", r"0x0*8000[0-9a-f]{4}:\s+00000073\s+ecall.*"],
    "op": [r"OP: pc 0x80000000", r" ---- pc\+0x4", r" call csr,.*", r" exit_check .*"],
    "op_opt": [r"OP after optimization: pc 0x80000000", r" ---- pc\+0x4", r" call csr,.*"],
    "out_asm": [r"OUT: \[size=[1-9]\d*\] pc 0x80000000"],
    "int": [r"trap: hart 0 to M-mode, pc 0x800000[0-9a-f]{2}, tval 0x0, .*M-mode.*",
            r"trap: hart 0 to M-mode, pc 0x80000[0-9a-f]{3}, tval 0xc0000000, load page fault",
            r"trap: hart 0 to M-mode, .* machine software interrupt",
            r"cpu 0: exception at 0x800000[0-9a-f]{2}, to 0x800000[0-9a-f]{2}",
            r"cpu 0: interrupt at 0x800000[0-9a-f]{2}, to 0x800000[0-9a-f]{2}"],
    "exec": [r"cpu 0: exec 0x80000000 \[[0-9a-fx]+\]"],
    "mmu": [r"mmu: vcpu 0 load 0x0*40001234 mode 1: 0x80001234 rwx, 1048576 KiB.*",
            r"mmu: vcpu 0 load 0x0*c0000000 mode 1: fault", r"mmu: vcpu 0 fetch 0x0*80000000 mode 3: .*"],
    "guest_errors": [r"clint: read of 0xb000, where no register is"],
    "unimp": [r"uart16550: sending a break"],
}
MARKS = {
    "in_asm": r"^IN:$", "op": r"^OP: pc", "op_opt": r"^OP after", "out_asm": r"^OUT:", "int": r"^(trap:|cpu \d+: (exc|int))",
    "exec": r"^cpu \d+: exec", "mmu": r"^mmu:", "guest_errors": r"where no register is", "unimp": r"sending a break",
}


def check_log(weft, item, accel="tcg"):
    log = weft.folder / ("log-" + item)
    errors = weft.run("-d", item, "-D", log, accel=accel)
    expect(errors == "", "-d %s -D: standard error has %r" % (item, errors))
    text = log.read_text()
    lines = text.split("\n")
    for pattern in LOG[item]:
        expect(any(re.fullmatch(pattern, line) for line in lines), "-d %s: no line %r in\n%s" % (item, pattern, text[:4000]))
    for other, mark in MARKS.items():
        if other != item:
            found = re.search(mark, text, re.M)
            expect(found is None, "-d %s also logs %s: %r" % (item, other, found and found.group(0)))
    return text


def log_case(weft):
    for item in LOG:
        text = check_log(weft, item)
        if item == "exec":
            # Nothing is linked: the loop of ten rounds comes by ten times, once as part of what comes before it.
            counts = {}
            for pc in re.findall(r"exec (0x[0-9a-f]+)", text):
                counts[pc] = counts.get(pc, 0) + 1
            expect(9 in counts.values(), "-d exec: no TB was entered nine times: %s" % counts)
        if item == "out_asm":
            size = sum(int(size) for size in re.findall(r"OUT: \[size=(\d+)\]", text))
            expect(len(re.findall(r"^0x[0-9a-f]{16}:  \S+", text, re.M)) > size / 15, "-d out_asm: no disassembly")
    everything = weft.folder / "log-all"
    weft.run("-d", "all", "-D", everything)
    for item, mark in MARKS.items():
        expect(re.search(mark, everything.read_text(), re.M), "-d all lacks %s" % item)
    # Without -D the log goes to standard error.
    expect("uart16550: sending a break\n" == weft.run("-d", "unimp"), "-d unimp on standard error")


def log_interp_case(weft):
    for item in LOG:
        check_log(weft, item, "tcg,backend=interp")


def log_off_case(weft):
    log = weft.folder / "log"
    expect(weft.run("-D", log) == "", "standard error is not empty")
    expect(not log.exists() or log.read_text() == "", "something is logged without -d")


def log_filter_case(weft):
    log = weft.folder / "log"
    weft.run("-d", "in_asm,op,op_opt,out_asm,exec", "-dfilter", "0x80000000+0x10", "-D", log)
    text = log.read_text()
    pcs = [int(pc, 16) for pc in re.findall(r"(?:pc|exec|IN:\n)\s*(0x[0-9a-f]+)", text)]
    expect(pcs, "nothing is logged")
    expect(all(0x80000000 <= pc < 0x80000010 for pc in pcs), "the log has other addresses: %s" % sorted(set(pcs)))
    weft.run("-d", "in_asm,op,op_opt,out_asm,exec", "-dfilter", "0x1000000+0x10", "-D", log)
    expect(log.read_text() == "", "something is logged at addresses that do not occur")


# ---- counters ----

def stats_case(weft, backend="native"):
    file = weft.folder / "stats.json"
    # The loop's first rounds run cold, with what stands before it.
    weft.run(accel="tcg,backend=%s,stats=%s" % (backend, file))
    cold = json.loads(file.read_text())
    expect(cold["cold_runs"] > 0 and cold["cold_insns"] >= cold["cold_runs"], "%(cold_runs)d cold runs of %(cold_insns)d" % cold)
    # From here on everything is translated, so that it is counted.
    accel = "tcg,translate-after=0,backend=%s" % backend
    weft.run(accel="%s,stats=%s" % (accel, file))
    plain = json.loads(file.read_text())
    expect(plain["cold_runs"] == 0, "%d cold runs with translate-after=0" % plain["cold_runs"])
    expect(plain["translations"] >= cold["translations"] > 0, "cold runs add translations")
    expect("block_entries" not in plain, "entries are reported without being counted")
    weft.run(accel="%s,profile=on,stats=%s" % (accel, file))
    counters = json.loads(file.read_text())
    # The first round is part of the TB before the loop's, which is entered for each of the others.
    expect(counters["block_entries"] - 999999 in range(1, 100), "block_entries is %d" % counters["block_entries"])
    expect(counters["linked_entries"] - 999990 in range(0, 100), "linked_entries is %d" % counters["linked_entries"])
    for name in ("blocks", "translations", "code_size", "translate_ns", "loop_entries", "fetch_walks"):
        expect(counters[name] > 0, "%s is 0" % name)
    for name in ("flushes", "invalidations", "exclusive_sections", "exclusive_held_ns", "tlb_flushes", "tlb_asid_flushes",
                 "tlb_page_flushes", "tlb_fills_load", "tlb_fills_store", "probe_hits", "probe_misses"):
        expect(name in counters, "%s is missing" % name)
    regions = counters["region"]
    expect(len(regions) == counters["regions"], "not all regions are listed")
    expect(sum(region["code_size"] for region in regions) == counters["code_size"], "regions do not sum up to code_size")
    # What they lack are the prologue and the thunks in front of the first one.
    rest = counters["code_capacity"] - sum(region["code_capacity"] for region in regions)
    expect(0 <= rest < 65536, "code_capacity has %d bytes more than the regions" % rest)
    if backend == "native":
        # Counting costs three instructions a TB, and none when it is off.
        expect(counters["translations"] == plain["translations"], "profile=on changes what is translated")
        expect(counters["host_insns"] - plain["host_insns"] == 3 * plain["translations"],
               "%d and %d host instructions with %d translations" % (counters["host_insns"], plain["host_insns"],
                                                                      plain["translations"]))


def monitor_case(weft):
    file = weft.folder / "stats.json"
    with Monitor(weft, "-smp", "2", accel="tcg,profile=on,stats=%s" % file) as monitor:
        before = check_monitor(weft, monitor, file)
        monitor.quit()
    expect(json.loads(file.read_text())["block_entries"] > before, "the counters are not written at the end")


def check_monitor(weft, monitor, file):
    """Returns an early number of entries."""
    expect(not file.exists(), "the counters are written before they are asked for")
    # Both harts have come round the loop once their counters grow.
    before = 0
    for _ in range(2):
        while True:
            expect(monitor.ask("stats") == "counters written to %s\n" % file, "stats")
            entries = json.loads(file.read_text())["block_entries"]
            if entries > before + 1000:
                break
        before = entries
    own = weft.folder / "own.json"
    expect(monitor.ask("stats %s" % own) == "", "stats FILE")
    expect(json.loads(own.read_text())["block_entries"] >= before, "stats FILE is behind stats")
    expect(json.loads(monitor.ask("info jit -j")).keys() == json.loads(own.read_text()).keys(), "info jit -j")
    text = monitor.ask("info jit")
    for line in (r"  backend +\S+", r"  block_entries +\d+", r"  0 +leased +\d+ of \d+", r"  exclusive_sections +\d+"):
        expect(re.search("^%s$" % line, text, re.M), "info jit: no %r in\n%s" % (line, text))

    hot = monitor.ask("info tb-list 3").split("\n")
    expect(re.fullmatch(r"\d+ blocks, entered \d+ times", hot[0]), "info tb-list: %r" % hot[0])
    counts = [int(line.split()[0]) for line in hot[2:5]]
    expect(len(hot) == 6 and counts == sorted(counts, reverse=True) and counts[0] > 1000, "info tb-list 3: %s" % hot)
    detailed = monitor.ask("info tb-list -d 5")
    for part in ("guest:\n0x", "host:\n0x", "csrrs", "amoadd.d"):
        expect(part in detailed, "info tb-list -d: no %r in\n%s" % (part, detailed))
    pc = hot[2].split()[2]
    host = hot[2].split()[6]
    for address in (pc, "0x" + host):
        block = monitor.ask("info tb %s" % address)
        expect("0x" + pc in block and "0x" + host in block, "info tb %s: %s" % (address, block))
    expect("no translation contains" in monitor.ask("info tb 0x123"), "info tb of nothing")

    tlb = monitor.ask("info tlb")
    expect(re.search(r"^CPU 0: \d+ fills", tlb, re.M) and re.search(r"^CPU 1: \d+ fills", tlb, re.M), "info tlb: " + tlb)
    entries = monitor.ask("info tlb 1")
    expect("CPU 0" not in entries, "info tlb 1 has CPU 0")
    expect(re.search(r"^ +0000000080001000 ram +000000001000 rw", entries, re.M), "info tlb 1: no RAM in\n" + entries)
    expect(re.search(r"^ +000000000200b000 device +00000200b000 rw", entries, re.M), "info tlb 1: no device in\n" + entries)
    expect("there is no CPU '7'" in monitor.ask("info tlb 7"), "info tlb 7")

    tree = monitor.ask("info mtree")
    expect(re.search(r"^  0{16}-f{16} \(prio 0, container\): \S+", tree, re.M), "info mtree: " + tree)
    expect(re.search(r"^ {4,}0000000080000000-[0-9a-f]{16} \(prio 0, ram\): \S+", tree, re.M), "info mtree: " + tree)
    flat = monitor.ask("info mtree -f")
    expect(flat.startswith("FlatView #0\n") and "(prio" not in flat, "info mtree -f: " + flat)
    expect(len(re.findall(r"^CPU [01]: hart [01], pc [0-9a-f]{16}, running; \d+ inter", monitor.ask("info cpus"), re.M)) == 2, "info cpus")
    expect(re.search(r"mscratch +[0-9a-f]{16}", monitor.ask("info registers 1")), "info registers 1")
    return before


def hang_case(weft):
    """What docs/debugging.md finds in its example."""
    with Monitor(weft, accel="tcg,profile=on") as monitor:
        check_hang(monitor)
        monitor.quit()


def check_hang(monitor):
    while True:
        registers = dict(re.findall(r"^ (\S+) +([0-9a-f]{16})$", monitor.ask("info registers"), re.M))
        if int(registers["mip"], 16) & 0x80:
            break
    expect(int(registers["mstatus"], 16) & 8 and int(registers["mie"], 16) == 0, "mstatus and mie: %s" % registers)
    expect(registers["x10/a0"] == "0" * 16, "a0 is not 0")
    expect(registers["x8/s0"] == "0000000080001000", "s0 is %s" % registers["x8/s0"])
    cpus = monitor.ask("info cpus")
    expect(re.fullmatch(r"CPU 0: hart 0, pc 00000000800000[0-9a-f]{2}, running; 0 interrupts, 0 exceptions, 0 halts\n", cpus),
           cpus)
    hot = monitor.ask("info tb-list -d 1")
    expect(re.search(r"^ +\d+ +(99\.\d|100\.0)%  0000000080000038", hot, re.M) and "ld          a0, 0(s0)" in hot, hot)


# ---- perf ----

def until_grown(path, process):
    """Waits until the file has translations of the guest's loop."""
    while process.poll() is None:
        if path.exists() and b"guest:0x8000001" in path.read_bytes():
            return
        time.sleep(0.01)
    raise Failure("%s does not get translations" % path)


def listed(weft, option, path_of):
    """Runs the guest with an option until its file has something, and ends it. Returns the file and its mappings."""
    # All of the guest is to be listed.
    command = weft.command(option, accel="tcg,translate-after=0")
    with Started(command, cwd=weft.folder, stdin=subprocess.DEVNULL) as process:
        path = path_of(process.pid)
        until_grown(path, process)
        maps = pathlib.Path("/proc/%d/maps" % process.pid).read_text()
        process.send_signal(signal.SIGTERM)
        process.wait()
        return path, maps, process.pid


def executable_ranges(maps):
    ranges = []
    for line in maps.split("\n"):
        fields = line.split()
        if fields and "x" in fields[1]:
            start, end = (int(number, 16) for number in fields[0].split("-"))
            ranges.append((start, end, fields[5] if len(fields) > 5 else ""))
    return ranges


def perfmap_case(weft):
    path, maps, _ = listed(weft, "-perfmap", lambda pid: pathlib.Path("/tmp/perf-%d.map" % pid))
    text = path.read_text()
    path.unlink()
    # Code lies in anonymous memory, else perf does not look into the map.
    anonymous = [(start, end) for start, end, name in executable_ranges(maps) if name == ""]
    names = set()
    ends = []
    for line in text.split("\n")[:-1]:
        start, size, name = line.split(" ", 2)
        start, size = int(start, 16), int(size, 16)
        expect(any(low <= start and start + size <= high for low, high in anonymous),
               "%s is not in anonymous executable memory" % line)
        ends.append((start, start + size))
        names.add(name)
    for (_, end), (start, _) in zip(sorted(ends), sorted(ends)[1:]):
        expect(end <= start, "pieces overlap at %x" % start)
    for name in ("weft_enter", "weft_lookup", "weft_call_csr", "guest:0x80000000"):
        expect(name in names, "no %s among %s" % (name, sorted(names)))


class JitDump:
    """A reader of perf's jitdump format, version 1, by its specification."""

    def __init__(self, data):
        magic, version, size, self.machine, _, self.pid, self.time, flags = struct.unpack_from("<IIIIIIQQ", data)
        expect(magic == 0x4A695444, "magic number %x" % magic)
        expect((version, size, flags) == (1, 40, 0), "version, size, flags %s" % ((version, size, flags),))
        self.loads = []
        self.closed = False
        at = size
        while at < len(data):
            kind, size, stamp = struct.unpack_from("<IIQ", data, at)
            expect(not self.closed, "there is something behind the end")
            expect(size >= 16 and at + size <= len(data), "a record of %d bytes at %d" % (size, at))
            if kind == 0:
                pid, tid, vma, address, length, index = struct.unpack_from("<IIQQQQ", data, at + 16)
                end = data.index(b"\0", at + 56)
                code = data[end + 1:at + size]
                expect(len(code) == length and vma == address, "a record's code at %d" % at)
                self.loads.append((stamp, pid, tid, address, code, index, data[at + 56:end].decode()))
            else:
                expect(kind == 3 and size == 16, "a record of kind %d" % kind)
                self.closed = True
            at += size


def jitdump_case(weft):
    start = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    path, maps, pid = listed(weft, "-jitdump", lambda pid: weft.folder / ("jit-%d.dump" % pid))
    end = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    dump = JitDump(path.read_bytes())
    expect(dump.machine == 62 and dump.pid == pid, "machine and process %s" % ((dump.machine, dump.pid),))
    expect(dump.closed, "the list is not ended")
    stamps = [dump.time] + [load[0] for load in dump.loads]
    expect(stamps == sorted(stamps) and start < stamps[0] and stamps[-1] < end, "times are not in order, or of another clock")
    expect([load[5] for load in dump.loads] == list(range(1, len(dump.loads) + 1)), "numbers are not unique")
    expect(all(load[1] == pid for load in dump.loads), "records are of other processes")
    marked = [name for _, _, name in executable_ranges(maps) if name == str(path)]
    expect(marked, "the file is not mapped executable: perf does not find it")
    by_name = {load[6]: load for load in dump.loads}
    for name in ("weft_enter", "weft_lookup", "guest:0x80000000"):
        expect(name in by_name, "no %s among %s" % (name, sorted(by_name)))
    # push rbp is the prologue's first instruction.
    expect(by_name["weft_enter"][4][0] == 0x55, "the prologue's code begins with %r" % by_name["weft_enter"][4][:4])


def perf():
    program = shutil.which("perf")
    if program is None:
        raise Skip("perf is not installed (Debian: linux-perf)")
    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run([program, "record", "-e", "cpu-clock", "-o", folder + "/data", "true"], cwd=folder,
                               capture_output=True)
    if tried.returncode != 0:
        raise Skip("perf may not record here: %s" % tried.stderr.decode()[-300:])
    return program


def record(weft, option):
    """Has perf sample the guest until samples are there for certain."""
    program = perf()
    command = [program, "record", "-k", "mono", "-e", "cpu-clock", "-F", "999", "-o", "perf.data", *weft.command(option)]
    with Started(command, cwd=weft.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL) as process:
        # A second of the guest's processor time is some thousand samples.
        children = pathlib.Path("/proc/%d/task/%d/children" % (process.pid, process.pid))
        ticks = 0
        while ticks < os.sysconf("SC_CLK_TCK"):
            expect(process.poll() is None, "the guest does not run")
            try:
                child = int(children.read_text().split()[0])
                ticks = int(pathlib.Path("/proc/%d/stat" % child).read_text().rsplit(")", 1)[1].split()[11])
            except (OSError, IndexError):
                pass
            time.sleep(0.05)
        os.kill(child, signal.SIGTERM)
        process.wait()
        return program, child


def report(program, weft, data):
    code, output, errors = run([program, "report", "-i", data, "--stdio", "--sort", "symbol", "-q"], weft.folder)
    expect(code == 0, "perf report: " + errors)
    for name in ("guest:0x8000", "weft_call_csr"):
        expect(name in output, "perf report does not name %s:\n%s" % (name, output))


def perfmap_perf_case(weft):
    program, child = record(weft, "-perfmap")
    try:
        report(program, weft, "perf.data")
    finally:
        pathlib.Path("/tmp/perf-%d.map" % child).unlink()


def jitdump_perf_case(weft):
    program, _ = record(weft, "-jitdump")
    code, _, errors = run([program, "inject", "--jit", "-i", "perf.data", "-o", "perf.jit.data"], weft.folder)
    expect(code == 0, "perf inject: " + errors)
    report(program, weft, "perf.jit.data")


# ---- gdb ----

def gdb_case(weft):
    program = shutil.which("gdb")
    if program is None:
        raise Skip("gdb is not installed")
    script = pathlib.Path(__file__).with_name("gdb_steps.py")
    for accel in ("tcg", "tcg,disable=own-probes"):
        # One view of the code, in which gdb can set breakpoints. A hart of its own slice leaves generated code now and then.
        command = weft.command("-smp", "2", accel=f"{accel},split-wx=off,thread=single")
        _, output, errors = run([program, "--batch", "-nx", "-x", script, "--args", *command], weft.folder)
        output += errors
        if re.search(r"(ptrace|personality).*(not permitted|denied)", output):
            raise Skip("gdb may not trace here")
        expect("HELPER True" in output, "the helper's backtrace:\n" + output)
        expect("THUNK True" in output, "names of generated code:\n" + output)
        steps = re.search(r"^STEPS 0 (\{.*\})$", output, re.M)
        expect(steps, "a step without a whole backtrace:\n" + output)
        # What these steps come to without own-probes, indirect jumps, they pass in the units themselves with it.
        for name in ("weft_call_csr", "weft_generated_code", "weft_access", *(["weft_probe"] if "own-probes" in accel else [])):
            expect(name in steps.group(1), "no step was in %s:\n%s" % (name, output))
        ends = re.search(r"^ENDS 0 (\{.*\})$", output, re.M)
        expect(ends, "a step of prologue or epilogue without a whole backtrace:\n" + output)
        for name in ("weft_enter", "weft_leave"):
            expect(name in ends.group(1), "no step was in %s:\n%s" % (name, output))


CASES = {
    "log": log_case,
    "log-off": log_off_case,
    "log-filter": log_filter_case,
    "log-interp": log_interp_case,
    "stats": stats_case,
    "stats-interp": lambda weft: stats_case(weft, "interp"),
    "monitor": monitor_case,
    "hang": hang_case,
    "perfmap": perfmap_case,
    "perfmap-perf": perfmap_perf_case,
    "jitdump": jitdump_case,
    "jitdump-perf": jitdump_perf_case,
    "gdb": gdb_case,
}


def main():
    signal.signal(signal.SIGTERM, stop)
    emulator, modules, guest, name = sys.argv[1:5]
    paths = [os.path.abspath(path) for path in (emulator, modules, guest)]
    with tempfile.TemporaryDirectory() as folder:
        try:
            CASES[name](Weft(*paths, os.path.realpath(folder)))
        except Skip as reason:
            print("skipped: %s" % reason)
            return SKIP
        except Failure as failure:
            print("observe_test: %s: %s" % (name, failure))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
