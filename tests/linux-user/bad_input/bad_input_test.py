#!/usr/bin/env python3
"""Bad programs: files that are none, and programs that go wrong. weft ends as Linux does with the same program for the host.

  bad_input_test.py WEFT HOST_PROGRAM GUEST_PROGRAM [GROUP]

Natively, execve of a bad file gives an error, or kills the process that has nothing left to return to. weft says which in one line
and has a shell's exit code: 127 if nothing is there, 126 if it cannot be executed. What happens once the program runs is the
program's: its exit code, or the same signal. HOST_PROGRAM and GUEST_PROGRAM are bad_program.c for both.
"""

import dataclasses
import errno
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile

from elf_files import BASE, CODE, EHDR_SIZE, ET_DYN, EXIT_CODE, PF_R, PF_W, PF_X, PHDR_SIZE, PT_GNU_STACK, PT_INTERP, PT_PHDR, Elf, \
    Phdr, changed, interpreted, more, program

TIMEOUT = 60
FULL = os.environ.get("WEFT_TEST_FULL") == "1"
NOT_THERE, NOT_EXECUTABLE, ERROR = 127, 126, 1


@dataclasses.dataclass(frozen=True)
class End:
    """How a program ended: error is execve's, status Popen's (negative: a signal)."""

    error: int = 0
    status: int = 0
    errors: str = ""
    output: str = ""

    def __str__(self):
        if self.error:
            return errno.errorcode[self.error]
        what = signal.strsignal(-self.status) if self.status < 0 else f"exit {self.status}"
        return f"{what} {self.output!r} {self.errors!r}"


def run(command, limits=(), environment=None):
    def prepare():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for which, value in limits:
            resource.setrlimit(which, (value, resource.getrlimit(which)[1]))

    try:
        done = subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT,
                              preexec_fn=prepare, env=environment)
    except subprocess.TimeoutExpired:
        return End(status=-signal.SIGKILL, errors="it hangs")
    except OSError as error:
        return End(error=error.errno)
    return End(0, done.returncode, done.stderr.decode(errors="backslashreplace"), done.stdout.decode(errors="backslashreplace"))


def one_line(text):
    return text.endswith("\n") and text.count("\n") == 1 and text.startswith("weft-riscv64: ") and len(text) > 20


class Test:
    def __init__(self, weft, host, guest, folder):
        self.weft, self.host, self.guest, self.folder = weft, host, guest, folder
        self.checks = 0
        self.failures = []

    def expect(self, what, is_true):
        self.checks += 1
        if not is_true:
            self.failures.append(what)

    def expect_refused(self, what, end, status):
        self.expect(f"{what}: exit {status} and one line, not {end}", end.status == status and one_line(end.errors) and
                    end.output == "")

    def expect_like(self, what, native, end):
        """The rule of the head of this file; a native process that was killed before its first instruction looks like one that
        ran, so the signal counts as well as a refusal."""
        if native.error:
            missing = native.error in (errno.ENOENT, errno.ENOTDIR)
            self.expect_refused(f"{what} ({native})", end, NOT_THERE if missing else NOT_EXECUTABLE)
        elif native.status < 0:
            self.expect(f"{what}: {native}, not {end}", one_line(end.errors) and end.status in (native.status, NOT_EXECUTABLE))
        else:
            self.expect(f"{what}: {native}, not {end}", (end.status, end.output, end.errors) ==
                        (native.status, native.output, native.errors))

    def write(self, name, contents, mode=0o755):
        path = self.folder / name
        path.write_bytes(contents)
        path.chmod(mode)
        return str(path)

    def compare_files(self, what, host, guest):
        """Runs the same file, as the host's and as the guest's. Both have names of the same length."""
        native = run([self.write("host_", host)])
        end = run([self.weft, self.write("guest", guest)])
        self.expect_like(what, native, end)
        return native, end

    def compare(self, what, elf):
        return self.compare_files(what, elf.bytes("host"), elf.bytes("guest"))


HIGH = 1 << 46  # the end of weft's space; natively it is the host's
HUGE = (1 << 63, (1 << 64) - 1, (1 << 64) - 0x1000, 1 << 62, (1 << 47) - 0x1000, 1 << 47, HIGH - 0x1000, HIGH)


def test_headers(test):
    native, end = test.compare("a good program", program())
    test.expect(f"which runs: {native}, {end}", native.status == end.status == EXIT_CODE)
    native, end = test.compare("a good program, anywhere", program(type=ET_DYN))
    test.expect(f"which runs anywhere: {native}, {end}", native.status == end.status == EXIT_CODE)

    for name, contents in {"empty": b"", "text": b"no program\n", "zeros": bytes(4096), "ELF": b"\x7fELF", "newlines": b"\n" * 300,
                           "archive": b"!<arch>\n", "bytes": bytes(range(256)) * 20}.items():
        test.compare_files(name, contents, contents)
    for name, elf in {
            "no magic": program(magic=b"\x7fELG"),
            "other bytes": program(data=2),
            "another machine": program(machine={"host": 183, "guest": 183}),
            "no program headers": program(phnum=0),
            "65535 program headers": program(phnum=65535),
            "1171 program headers": program(phnum=1171),
            "program headers of 32 bytes": program(phentsize=32),
            "program headers of no bytes": program(phentsize=0),
            "program headers of 65535 bytes": program(phentsize=65535),
            "nothing to load": Elf(phdrs=[Phdr(type=PT_GNU_STACK)]),
            **{f"type {kind}": program(type=kind) for kind in (0, 1, 4, 0xFFFF)},
            **{f"headers at {at:#x}": program(phoff=at) for at in (0, 1, 0x1000, 0x7FFFFFFF, *HUGE)},
    }.items():
        test.compare(name, elf)
    # x86-64 lets the class be anything; RISC-V's elf_check_arch() in Linux looks at it.
    test.expect_refused("32 bits", run([test.weft, test.write("guest", program(elf_class=1).bytes("guest"))]), NOT_EXECUTABLE)
    # Another machine's is not run by the host, though the host could.
    test.expect_refused("the host's program", run([test.weft, test.host]), NOT_EXECUTABLE)


def test_segments(test):
    sizes = (0, 1, 0xFFF, 0x1000, 1 << 20, 1 << 40, *HUGE)
    cases = {}
    for size in sizes:
        cases[f"bss of {size:#x} bytes"] = changed(1, memsz=size)
        cases[f"data of {size:#x} bytes"] = changed(1, filesz=size)
        cases[f"data and bss of {size:#x} bytes"] = changed(1, filesz=size, memsz=size)
        cases[f"data from {size:#x} on"] = changed(1, offset=size)
        # What the host lets nobody, or only the privileged, map is another test.
        if 0x10000 <= size < HIGH - 0x2000 or size > 1 << 47:
            cases[f"data at {size:#x}"] = changed(1, vaddr=size)
    for align in (0, 1, 2, 3, 0x800, 0x2000, 0x200000, 1 << 30, 1 << 40, 1 << 62, 1 << 63, (1 << 64) - 1):
        cases[f"alignment {align:#x}"] = changed(1, align=align)
        elf = program(type=ET_DYN)
        elf.phdrs[0].align = align
        cases[f"alignment {align:#x} of the first, anywhere"] = elf
    for flags in range(8):
        cases[f"data with flags {flags}"] = changed(1, flags=flags)
        cases[f"code with flags {flags}"] = changed(0, flags=flags)
    # Not within the headers: what instructions these are is another matter for each CPU.
    for entry in (0x1000, 0x2100, BASE + 0x2000, BASE - 0x1000, BASE + 0x1FFF, *HUGE):
        cases[f"entry at {entry:#x}"] = program(entry=entry)
        cases[f"entry at {entry:#x}, anywhere"] = program(entry=entry, type=ET_DYN)
    cases["segments that overlap"] = more(Phdr(offset=0, vaddr=BASE, filesz=0x300, memsz=0x300))
    cases["data over the code"] = more(Phdr(offset=0, flags=PF_R | PF_W, vaddr=BASE, filesz=0x300, memsz=0x300))
    cases["bss over the code"] = more(Phdr(offset=0x1000, flags=PF_R | PF_W, vaddr=BASE, filesz=0, memsz=0x1000))
    cases["segments in falling order"] = more(Phdr(offset=0, vaddr=BASE - 0x10000, filesz=0x300, memsz=0x300))
    cases["1000 segments"] = more(*[Phdr(vaddr=BASE + 0x10000 + 0x1000 * i, filesz=0x100, memsz=0x100) for i in range(1000)],
                                  code_at=0xE000, entry=BASE + 0xE000, size=0xF000)
    cases["1000 segments"].phdrs[0] = Phdr(filesz=0xF000, memsz=0xF000)
    cases["1000 segments"].phdrs[1].vaddr = BASE + 0x800000
    cases["two stacks"] = more(Phdr(type=PT_GNU_STACK, flags=PF_R | PF_W | PF_X), Phdr(type=PT_GNU_STACK, flags=0))
    cases["headers beyond"] = more(Phdr(type=PT_PHDR, offset=HUGE[0], vaddr=HUGE[0], filesz=1, memsz=1))
    cases["a page behind the file's end"] = program(size=0x1000)
    for name, elf in cases.items():
        test.compare(name, elf)


def test_truncated(test):
    # Small, so that each length can be tried.
    elf = Elf(phdrs=[Phdr(flags=PF_R | PF_W | PF_X, filesz=0xD0, memsz=0x1100)], code_at=0xC0, entry=BASE + 0xC0)
    whole = elf.bytes("guest")
    code_end = 0xC0 + len(CODE["guest"])
    for length in range(len(whole) + 1):
        cut = whole[:length]
        native = run([test.write("host_", elf.bytes("host")[:length])])
        end = run([test.weft, test.write("guest", cut)])
        if length < EHDR_SIZE + PHDR_SIZE:
            test.expect_like(f"{length} bytes", native, end)
        elif length < code_end - 3:
            # Zeros are no instruction; on the host they are one that stores.
            test.expect(f"{length} bytes: {end}", end.status == -signal.SIGILL and one_line(end.errors))
        else:  # the last three bytes are zeros
            test.expect(f"{length} bytes: {end}", end.status == EXIT_CODE)
    # Code, then data, in a page behind the file's end.
    far = Elf(phdrs=[Phdr(filesz=0x3000, memsz=0x3000)], code_at=0x2200, entry=BASE + 0x2200)
    for length in (0x1000, 0x1FFF, 0x2000):
        image = {who: far.bytes(who)[:length] for who in ("host", "guest")}
        native, end = test.compare_files(f"code in pages that the file lacks, {length:#x}", image["host"], image["guest"])
        test.expect(f"which is SIGBUS: {native}, {end}", native.status == end.status == -signal.SIGBUS)


def test_interpreters(test):
    folder = test.folder
    (folder / "dir").mkdir()
    for name, contents in {"good": program(type=ET_DYN), "far": program(type=ET_DYN, entry=1 << 63),
                           "wild": program(type=ET_DYN, entry=0x100000), "other": program(type=ET_DYN, machine={"host": 183, "guest": 183}),
                           "itself": interpreted("self", type=ET_DYN), "huge": changed(1, memsz=1 << 63),
                           "type": program(type=1)}.items():
        for who in ("host", "guest"):
            test.write(f"{name}_{who}", contents.bytes(who))
    for name, contents in {"text": b"no program", "empty": b"", "short": program().bytes("guest")[:70], "script": b"#!/bin/sh\n"}.items():
        for who in ("host", "guest"):
            test.write(f"{name}_{who}", contents)
    os.mkfifo(folder / "fifo_host")
    os.mkfifo(folder / "fifo_guest")
    for who in ("host", "guest"):
        test.write(f"plain_{who}", program(type=ET_DYN).bytes(who), 0o644)
        os.symlink(f"loop_{who}", folder / f"loop_{who}")

    def both(what, path, **changes):
        elves = {who: interpreted(path(who), **changes) for who in ("host", "guest")}
        test.compare_files("interpreter " + what, *(elves[who].bytes(who) for who in ("host", "guest")))

    for name in ("good", "far", "wild", "other", "itself", "huge", "type", "text", "empty", "short", "script", "fifo", "plain", "loop",
                 "missing"):
        for kind in (ET_DYN, 2):
            both(f"{name}, program of type {kind}", lambda who, name=name: f"{folder}/{name}_{who}", type=kind)
    both("a folder", lambda who: f"{folder}/dir")
    both("below a file", lambda who: f"{folder}/text_{who}/x")
    both("of a long name", lambda who: "/" + "x" * 300)
    both("of no name", lambda who: "")
    both("a device", lambda who: "/dev/null")
    both("by /proc", lambda who: "/proc/self/exe")
    # Itself, which has a PT_INTERP; it is the program, and its own interpreter.
    for who, name in (("host", "host_"), ("guest", "guest")):
        path = str(folder / name)
        (folder / name).unlink(missing_ok=True)
        test.write(name, interpreted(path, type=ET_DYN).bytes(who))
    test.expect_like("interpreter of itself", run([str(folder / "host_")]), run([test.weft, str(folder / "guest")]))
    for size in (0, 1, 2, 4096, 4097, *HUGE):
        elf = interpreted("/none")
        elf.phdrs[-1].filesz = size
        test.compare(f"interpreter's name of {size:#x} bytes", elf)
        elf = interpreted("/none")
        elf.phdrs[-1].offset = size
        test.compare(f"interpreter's name at {size:#x}", elf)
    elf = interpreted("/none")
    elf.phdrs.append(Phdr(type=PT_INTERP, offset=HUGE[0], filesz=5))
    test.compare("two interpreters", elf)


def test_scripts(test):
    good = {who: test.write(f"good_{who}", program().bytes(who)) for who in ("host", "guest")}
    for name, text in {
            "no name": "#!", "a newline": "#!\n", "blanks": "#!   \t \n", "zero": "#!\0\n", "long": "#!/" + "x" * 300 + "\n",
            "long with blank": "#!/bin/none " + "x" * 300 + "\n", "missing": "#!/no/such/file\n", "below": "#!/dev/null/x\n",
            "folder": f"#!{test.folder}\n", "device": "#!/dev/null\n", "no end": "#!/no/such", "good": "#!GOOD\n",
            "good with an argument": "#!GOOD   one two  \n", "good without end": "#!GOOD", "relative": "#!none\n",
            "itself": "#!SELF\n", "carriage return": "#!GOOD\r\n",
    }.items():
        files = {}
        for who, self_name in (("host", "host_"), ("guest", "guest")):
            files[who] = text.replace("GOOD", good[who]).replace("SELF", str(test.folder / self_name)).encode()
        test.compare_files("script: " + name, files["host"], files["guest"])
    # Chains: each the interpreter of the one before. Linux follows five.
    for length in range(1, 9):
        for who in ("host", "guest"):
            below = good[who]
            for i in range(length):
                below = test.write(f"chain{i}_{who}", f"#!{below}\n".encode())
            if who == "host":
                native = run([below])
        test.expect_like(f"{length} scripts", native, run([test.weft, below]))
    circle = [f"{test.folder}/circle{i}" for i in range(2)]
    for i in range(2):
        test.write(f"circle{i}", f"#!{circle[1 - i]}\n".encode())
    test.expect_like("scripts in a circle", run([circle[0]]), run([test.weft, circle[0]]))


def test_executed(test):
    """By execve of a running program: what it cannot return from any more, it dies of."""
    high = program(type=ET_DYN)
    high.phdrs[1].vaddr = 1 << 47
    cases = {
        "a good program": program(),
        "no program": program(magic=b"\x7fELG"),
        "bss of 2^63 bytes": changed(1, memsz=1 << 63),
        "bss of 2^62 bytes": changed(1, memsz=1 << 62),
        "an offset that no file has": changed(1, offset=1 << 63),
        "an offset that does not fit": changed(1, offset=0x1001),
        "data above the space": high,
        "an entry above the space": program(entry=1 << 63),
        "much bss": changed(1, memsz=1 << 33),
        "an interpreter that is not there": interpreted("/no/such/file"),
    }
    for who in ("host", "guest"):
        test.write(f"huge_{who}", changed(1, memsz=1 << 63).bytes(who))
    limits = {"": [], "space": [str(resource.RLIMIT_AS), str(4 << 30)], "data": [str(resource.RLIMIT_DATA), str(4 << 30)]}
    killed = 0
    for name, elf in [*cases.items(), ("a huge interpreter", None)]:
        if elf:
            files = {who: elf.bytes(who) for who in ("host", "guest")}
        else:
            files = {who: interpreted(f"{test.folder}/huge_{who}").bytes(who) for who in ("host", "guest")}
        for limit, words in limits.items():
            native = run([test.host, "exec", test.write("host_", files["host"]), *words])
            end = run([test.weft, test.guest, "exec", test.write("guest", files["guest"]), *words])
            what = f"{name}, executed with a limit of {limit or 'nothing'}: {native}, not {end}"
            test.expect(what, (end.status, end.output) == (native.status, native.output))
            test.expect(what, one_line(end.errors) if native.status < 0 else end.errors == "")
            killed += native.status == -signal.SIGSEGV
    test.expect("some are killed", killed > len(limits))


def test_names(test):
    plain = {who: test.write(f"plain_{who}", program().bytes(who), 0o644) for who in ("host", "guest")}
    test.expect_like("without the right", run([plain["host"]]), run([test.weft, plain["guest"]]))
    for name in ("/no/such/file", str(test.folder), "/dev/null", "/dev/null/x", "/proc/self/mem", "/" + "x" * 300, "/x" * 3000):
        test.expect_like(name[:40], run([name]), run([test.weft, name]))
    test.expect_refused("an empty name", run([test.weft, ""]), NOT_THERE)
    test.expect_refused("no name", run([test.weft]), ERROR)


def test_room(test):
    fixed = test.write("fixed", program().bytes("guest"))
    low = program(entry=0x10000 + 0x200)
    for each in low.phdrs:
        each.vaddr += 0x10000 - BASE
    low = test.write("low", low.bytes("guest"))
    below = program(entry=0x200)
    for each in below.phdrs:
        each.vaddr -= BASE
    below = test.write("below", below.bytes("guest"))
    for path in (fixed, low):
        end = run([test.weft, path])
        test.expect(f"{path} runs: {end}", (end.status, end.errors) == (EXIT_CODE, ""))
    # Page 0 stays free: natively it takes a privilege to have something there.
    for options in ([], ["-B", "0"], ["-B", hex(1 << 45)]):
        test.expect_refused(f"page 0 {options}", run([test.weft, *options, below]), NOT_EXECUTABLE)
    for base in ("0x1000", "1", "0xffffffffffffffff", "0xfffffffffffff000", hex(1 << 47), hex((1 << 47) - 0x1000), hex(1 << 63), "0x7ffff0000000"):
        end = run([test.weft, "-B", base, fixed])
        test.expect(f"-B {base}: {end}", (end.status, end.errors) == (EXIT_CODE, "") or
                    (end.status in (ERROR, NOT_EXECUTABLE) and one_line(end.errors)))
    for size in ("1", "4095", "4096", "64K", "1M", "4M", "5M", "16M", "1G", "64G", "64T", "128T", hex(1 << 63), hex((1 << 64) - 1)):
        end = run([test.weft, "-R", size, fixed])
        test.expect(f"-R {size}: {end}", (end.status, end.errors) == (EXIT_CODE, "") or
                    (end.status in (ERROR, NOT_EXECUTABLE) and one_line(end.errors)))
    # A word of the host's dynamic linker is none of weft's.
    for which, name in ((resource.RLIMIT_AS, "space"), (resource.RLIMIT_DATA, "data"), (resource.RLIMIT_NOFILE, "files"),
                        (resource.RLIMIT_STACK, "stack")):
        # With less stack the host's dynamic linker dies before weft's first instruction.
        least = 15 if which == resource.RLIMIT_STACK else 12
        values = range(0, 40) if which == resource.RLIMIT_NOFILE else \
            [1 << shift for shift in range(least, 40)] + [x << 20 for x in range(12, 400, 8)]
        for value in values:
            end = run([test.weft, fixed], [(which, value)])
            linker = end.status == 127 and "error while loading shared libraries" in end.errors
            # Linux kills what it has no room for: weft does not even say its version.
            kernel = end.status < 0 and end.errors == "" and run([test.weft, "-version"], [(which, value)]).status == end.status
            module = end.status == ERROR and end.errors.startswith("weft-riscv64: ") and "cannot open shared object" in end.errors
            test.expect(f"limit of {name} {value:#x}: {end}", end.status == EXIT_CODE or end.error or linker or kernel or module or
                        (end.status in (ERROR, NOT_EXECUTABLE) and one_line(end.errors)))


def test_arguments(test):
    path = {who: test.write(f"good_{who}", program().bytes(who)) for who in ("host", "guest")}
    # Weft's own name and path need a little of the same room, so it is less by that.
    for stack in (1 << 20, 4 << 20, 8 << 20):
        limit = [(resource.RLIMIT_STACK, stack)]
        room = stack // 4
        for size in (room // 2, room + 8192, 2 * room):
            words = ["x" * 1000] * (size // 1009)
            native = run([path["host"], *words], limit, {})
            end = run([test.weft, path["guest"], *words], limit, {"WEFT_MODULE_DIR": os.environ.get("WEFT_MODULE_DIR", "")})
            test.expect(f"{size} bytes of arguments: {native}, {end}", native.error == end.error and native.status == end.status)
    long = "x" * (128 * 1024)
    test.expect("a variable that no execve takes", run([path["host"]], environment={"A": long}).error == errno.E2BIG)
    # Each allowed, but not together.
    words = [word for i in range(18) for word in ("-E", f"V{i}=" + "y" * 120000)]
    end = run([test.weft, *words, path["guest"]], [(resource.RLIMIT_STACK, 16 << 20)])
    test.expect(f"2 MiB of variables: {end}", end.status == EXIT_CODE)
    end = run([test.weft, "-s", "1M", *words, path["guest"]], [(resource.RLIMIT_STACK, 16 << 20)])
    test.expect_refused("2 MiB of variables on a stack of 1 MiB", end, NOT_EXECUTABLE)
    end = run([test.weft, "-0", "x" * 100000, path["guest"], "x"])
    test.expect(f"a long argument 0: {end}", end.status == EXIT_CODE)


def test_running(test):
    names = run([test.host, "list"]).output.split()
    test.expect("there are cases", len(names) > 20)
    others = [["-accel", "tcg,bounds=on"], ["-B", hex(1 << 45)], ["-one-insn-per-tb"]]
    for number, name in enumerate(names):
        native = run([test.host, name])
        for options in [[]] + (others if FULL else [others[number % len(others)]]):
            end = run([test.weft, *options, test.guest, name])
            if native.status < 0:
                # Of one that was sent, the kernel alone may know.
                told = one_line(end.errors) or (name.startswith("sent-") and end.errors == "")
                test.expect(f"{name} {options}: {native}, not {end}", end.status == native.status and end.output == native.output and
                            told)
            else:
                test.expect(f"{name} {options}: {native}, not {end}", (end.status, end.output, end.errors) ==
                            (native.status, native.output, native.errors))
    # Which of the threads that die together comes first is another one each time.
    for _ in range(200 if FULL else 20):
        end = run([test.weft, test.guest, "together"])
        test.expect(f"together: {end}", end.status == -signal.SIGSEGV and one_line(end.errors))
    # What only this CPU has; expected by the manuals.
    end = run([test.weft, test.guest, "cpu"])
    test.expect(f"cpu: {end}", (end.status, end.errors) == (0, ""))
    print(end.output, end="")


GROUPS = {"headers": test_headers, "segments": test_segments, "truncated": test_truncated, "interpreters": test_interpreters,
          "scripts": test_scripts, "executed": test_executed,
          "names": test_names, "room": test_room, "arguments": test_arguments, "running": test_running}


def main():
    weft, host, guest = (os.path.abspath(path) for path in sys.argv[1:4])
    failed = 0
    for group in sys.argv[4:] or GROUPS:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            test = Test(weft, host, guest, pathlib.Path(folder))
            GROUPS[group](test)
            os.chdir("/")
        print(f"{group}: {test.checks} checks, {len(test.failures)} failed")
        for failure in test.failures:
            print("failed:", failure)
        failed += len(test.failures)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
