#!/usr/bin/env python3
"""The line of weft-riscv64 -print-binfmt: which files it means, and that Linux takes it.

  binfmt_test.py WEFT RISCV_CC HOST_CC

The line is read by the rules of Linux' documentation of binfmt_misc, and held against the headers of programs that are compiled
here. Where the host lets a user namespace have a binfmt_misc of its own (Linux 6.7), and the program needs no other file, the line
is registered in one, and programs are run by their names.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

C_SOURCE = """
#include <stdio.h>
int main(int argc, char** argv) { printf("%d %s %s\\n", argc, argv[0], argv[1]); }
"""
# Without a libc there need be none for the target.
BARE_SOURCE = "void _start(void) { for (;;) {} }\n"
BARE = ["-nostdlib", "-ffreestanding"]

# In the namespace: mounts, registers, then a root folder that has only programs of the guest, to which this changes. The program is
# run by its name, with an argument 0 of its own, and by a descriptor, whose name by /dev/fd leads nowhere.
IN_NAMESPACE = r"""
import os, subprocess, sys
line, folder = sys.argv[1:]
try:
    subprocess.run(["mount", "-t", "binfmt_misc", "none", "/proc/sys/fs/binfmt_misc"], check=True, capture_output=True)
    if set(os.listdir("/proc/sys/fs/binfmt_misc")) != {"register", "status"}:
        raise OSError("the mount is the host's own")
except (OSError, subprocess.CalledProcessError) as error:
    print("none:", error)
    sys.exit(0)
with open("/proc/sys/fs/binfmt_misc/register", "w") as register:
    register.write(line)
for method in ("name", "descriptor"):
    child = os.fork()
    if child == 0:
        os.chroot(folder)
        os.chdir("/")
        if method == "name":
            os.execv("/static", ["zero", "one"])
        program = os.open("/static", os.O_RDONLY)
        os.set_inheritable(program, True)
        os.execve(program, ["zero", "one"], {})
    _, status = os.waitpid(child, 0)
    print("status", status, flush=True)
"""


def compiled(folder, name, compiler, source, options):
    """A program, or None where the compiler cannot make one."""
    code = folder / (name + ".c")
    code.write_text(source)
    done = subprocess.run([compiler, *options, "-o", folder / name, code], check=False, capture_output=True)
    return folder / name if done.returncode == 0 else None


def fields(line):
    """Name, magic, mask, interpreter and flags of a registration, as the kernel reads it."""
    assert line.endswith("\n") and line.count("\n") == 1, line
    delimiter = line[0]
    _, name, kind, offset, magic, mask, interpreter, flags = line[:-1].split(delimiter)
    assert kind == "M" and offset == "", line
    assert len(line) <= 1920 and len(interpreter) <= 127 and interpreter.startswith("/"), line
    unquoted = [re.sub(rb"\\x([0-9a-fA-F]{2})", lambda m: bytes([int(m[1], 16)]), text.encode("latin-1")) for text in (magic, mask)]
    assert len(unquoted[0]) == len(unquoted[1]) <= 128, line
    return name, *unquoted, interpreter, flags


def means(magic, mask, header):
    return len(header) >= len(magic) and all((a ^ b) & m == 0 for a, b, m in zip(magic, header, mask))


def weft_prints(weft, *arguments):
    return subprocess.run([weft, *arguments], check=False, capture_output=True, text=True)


def main():
    weft, riscv, host = sys.argv[1:4]
    failures = []

    def expect(what, is_true):
        if not is_true:
            failures.append(what)

    done = weft_prints(weft, "-print-binfmt")
    expect("it ends well and says nothing else: " + done.stderr, done.returncode == 0 and done.stderr == "")
    name, magic, mask, interpreter, flags = fields(done.stdout)
    expect("name", name == "weft-riscv64")
    expect("flags", set(flags) == set("FOP"))
    expect("interpreter: " + interpreter, os.access(interpreter, os.X_OK))
    expect("two dashes", weft_prints(weft, "--print-binfmt").stdout == done.stdout)
    expect("flags of the user's", fields(weft_prints(weft, "-print-binfmt=CF").stdout)[4] == "CF")
    wrong = weft_prints(weft, "-print-binfmt=FX")
    expect("a wrong flag: " + wrong.stderr, wrong.returncode == 1 and wrong.stdout == "" and "'X'" in wrong.stderr)

    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        os.chmod(folder, 0o755)
        kinds = {
            "static": (riscv, C_SOURCE, ["-static"], True),
            "pie": (riscv, C_SOURCE, ["-pie", "-fpie"], True),
            "object": (riscv, BARE_SOURCE, [*BARE, "-c"], False),
            "rv32": (riscv, BARE_SOURCE, [*BARE, "-static", "-march=rv32i", "-mabi=ilp32"], False),
            "host": (host, C_SOURCE, [], False),
            "host-static": (host, BARE_SOURCE, [*BARE, "-static"], False),
        }
        types = set()
        for kind, (compiler, source, options, meant) in kinds.items():
            made = compiled(folder, kind, compiler, source, options)
            expect(f"{kind} is compiled", made is not None)
            if made is None:
                continue
            header = made.read_bytes()[:64]
            expect(f"{kind}: meant or not", means(magic, mask, header) == meant)
            if not meant:
                continue
            types.add(header[16])
            # What is not looked at, and what is.
            expect(f"{kind} of GNU's ABI", means(magic, mask, header[:7] + b"\3" + header[8:]))
            for index in [*range(7), *range(16, 20)]:
                other = bytearray(header)
                other[index] ^= 0x80
                expect(f"{kind} with another byte {index}", not means(magic, mask, bytes(other)))
        expect("there are programs of both types", types == {2, 3})

        if interpreter.endswith("-static"):
            done = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc",
                                   sys.executable, "-c", IN_NAMESPACE, weft_prints(weft, "-print-binfmt").stdout, str(folder)],
                                  check=False, capture_output=True, text=True)
            if done.returncode != 0 and "unshare" in done.stderr or done.stdout.startswith("none"):
                print("no binfmt_misc for this test:", done.stdout, done.stderr)
            else:
                want = "".join("2 zero one\nstatus 0\n" for _ in range(2))
                expect(f"run by Linux: {done.stdout}{done.stderr}", done.stdout == want)
                print("registered and run")
    for failure in failures:
        print("failed:", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
