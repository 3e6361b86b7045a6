"""Runs the program that calls by semihosting, on weft or on QEMU.

  semihosting_test.py EMULATOR MODULES WAY PROGRAM CASE

WAY is native, interp, run, insn (clock=insn) or peer: then QEMU runs it, from WEFT_PEER_DIR (else the test is skipped). What the program
finds right, what comes out and the exit status have to be the same whoever runs it.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

SKIP = 77
ACCELERATORS = {
    "native": "tcg,translate-after=0,backend=native",
    "interp": "tcg,translate-after=0,backend=interp",
    "run": "tcg,translate-after=255",
    "insn": "tcg,thread=single,clock=insn",
}
CONFIG = "-semihosting-config"


class Case:
    """Options besides the usual, what the program is fed, and what comes of it."""

    def __init__(self, options, given=b"", status=42, out=b"", err=b"", report="PASS ", stopped=False):
        self.options, self.given, self.status, self.out, self.err, self.report = options, given, status, out, err, report
        self.stopped = stopped  # by a signal, once all that is to come out has, while the guest waits for more


def run(case, command, folder):
    if not case.stopped:
        done = subprocess.run(command, input=case.given, capture_output=True, cwd=folder, check=False)
        return done.returncode, done.stdout, done.stderr
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder) as process:
        process.stdin.write(case.given)
        process.stdin.flush()
        out = process.stdout.read(len(case.out))
        process.terminate()
        out += process.stdout.read()
        return process.wait(), out, b""


CASES = {
    "all": Case([CONFIG, "enable=on,target=native,arg=all,arg=words"], b"ab\ncd", out=b"out\nagain\n", err=b"err\nc\nzero\n"),
    # The characters are RAM's last one, of SYS_WRITEC and of SYS_WRITE0, which finds no end.
    "hostile": Case([CONFIG, "enable=on,target=auto,arg=hostile"], err=b"xx"),
    # The kernel's name and its command line, by -semihosting alone.
    "plain": Case(["-semihosting", "-append", "some words"], status=1, report="semihosting.elf some words\n"),
    "readc": Case(["-chardev", "stdio,id=c", CONFIG, "enable=on,chardev=c,arg=readc"], b"console\n", out=b"console\n"),
    # A guest that waits for its console, and one for standard input, can be stopped.
    "wait": Case(["-chardev", "stdio,id=c", CONFIG, "enable=on,chardev=c,arg=readc"], b"co", status=0, out=b"co", report="",
                 stopped=True),
    "wait-file": Case([CONFIG, "enable=on,arg=echo"], b"x", status=0, out=b"x", report="", stopped=True),
    "user": Case([CONFIG, "enable=on,userspace=on,arg=user"]),
    "extended": Case([CONFIG, "enable=on,arg=extended"], status=7, report=""),
    "other": Case([CONFIG, "enable=on,arg=other"], status=1, report=""),
}


def main():
    emulator, modules, way, program, name = sys.argv[1:]
    case = CASES[name]
    command = [emulator, "-module-dir", modules, "-accel", ACCELERATORS.get(way, "")]
    if way == "peer":
        if not os.environ.get("WEFT_PEER_DIR"):
            print("skipped: WEFT_PEER_DIR is not set (scripts/fetch-peer gets QEMU)")
            return SKIP
        command = [os.path.join(os.environ["WEFT_PEER_DIR"], "bin/qemu-system-riscv64")]
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        serial = pathlib.Path(folder) / "serial"
        command += ["-M", "virt", "-bios", "none", "-m", "128M", "-display", "none", "-monitor", "none", "-serial",
                    "file:%s" % serial, "-kernel", os.path.abspath(program), *case.options]
        # Files that the program makes are the folder's.
        status, out, err = run(case, command, folder)
        report = serial.read_text(errors="replace") if serial.exists() else ""
        left = sorted(path.name for path in pathlib.Path(folder).iterdir() if path != serial)
    if status != case.status:
        wrong.append("exit status %d, not %d" % (status, case.status))
    if case.report not in report:
        wrong.append("the program's report lacks %r" % case.report)
    if "goes on" in report:
        wrong.append("the program went on behind its end")
    for stream, got, expected in (("output", out, case.out), ("error", err, case.err)):
        if got != expected:
            wrong.append("standard %s: %r, not %r" % (stream, got, expected))
    if left:
        wrong.append("files that are left: %s" % left)
    if wrong:
        print(" ".join(command))
        print(report)
        print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
