"""The programs that are measured, and the guest they run."""

import os
import pathlib
import select
import subprocess
import time

from . import Failure


def cache_of(root):
    return pathlib.Path(os.environ.get("WEFT_CACHE") or root / "build/cache")


class Emulator:
    """A system emulator with the options that weft and its peer have in common."""

    def __init__(self, name, program, accelerator="tcg", options=()):
        self.name = name
        self.program = program
        self.accelerator = accelerator
        self.options = options
        try:
            output = subprocess.run([program, "--version"], stdin=subprocess.DEVNULL, text=True, timeout=60,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failure(f"{name} does not start: {error}") from error
        if output.returncode != 0:
            raise Failure(f"{name}: '{program} --version' ended with {output.returncode}: {output.stdout.strip()}")
        self.version = output.stdout.splitlines()[0] if output.stdout else ""

    def command(self, guest, vcpus, append, initramfs=None, memory="1G"):
        return [str(self.program), *self.options, "-accel", self.accelerator, "-M", "virt", "-smp", str(vcpus),
                "-m", memory, "-nographic", "-bios", str(guest.firmware), "-kernel", str(guest.kernel),
                "-initrd", str(initramfs or guest.initramfs), "-append", append]


class UserEmulator(Emulator):
    """One that runs a process; `options` are before the program's path."""

    def process(self, more):
        return [str(self.program), *self.options, *more]


class Guest:
    def __init__(self, folder):
        self.kernel = folder / "Image"
        self.firmware = folder / "fw_dynamic.bin"
        self.initramfs = folder / "initramfs.cpio.gz"
        if not self.initramfs.is_file():
            raise Failure(f"no {self.initramfs}; run scripts/fetch-guest and scripts/make-initramfs first")
        self.versions = (folder / "stamp").read_text().splitlines()


def guest(root):
    return Guest(cache_of(root) / "guest")


def weft(root, build=None, accelerator="tcg"):
    """weft from a build folder, or what WEFT_EMULATOR names, or the release build."""
    program = None if build else os.environ.get("WEFT_EMULATOR")
    if not program:
        program = (build or root / "build/release") / "emulator/system/weft-system-riscv64"
        if not program.is_file():
            raise Failure(f"no {program}; scripts/quickstart makes the release build")
    return Emulator("weft", program, accelerator)


def peer(root, accelerator="tcg"):
    program = cache_of(root) / "peer/bin/qemu-system-riscv64"
    if not program.is_file():
        raise Failure(f"no {program}; run scripts/fetch-peer first")
    return Emulator("peer", program, accelerator)


def weft_user(root, build=None, accelerator="tcg", name="weft-riscv64"):
    program = (build or root / "build/release") / "emulator/linux-user" / name
    if not program.is_file():
        raise Failure(f"no {program}; scripts/quickstart makes the release build")
    return UserEmulator("weft", program, options=("-accel", accelerator))


def peer_user(root):
    program = cache_of(root) / "peer/bin/qemu-riscv64"
    if not program.is_file():
        raise Failure(f"no {program}; run scripts/fetch-peer first")
    # Vectors, which the programs do not use, cost it half its speed in the C library's functions.
    return UserEmulator("peer", program, options=("-cpu", "rv64,v=false"))


def output_of(command, timeout, **options):
    """Starts a program and yields what it prints as (seconds since the start, bytes), as soon as it comes.

    The program has to end by itself, with exit code 0, within the timeout (None: whenever that is). It gets no input.
    `options` are Popen's.
    """
    start = time.monotonic()

    def left():
        return None if timeout is None else max(0.0, start + timeout - time.monotonic())

    seen = b""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               **options)
    try:
        while True:
            if left() == 0 or not select.select([process.stdout], [], [], left())[0]:
                raise Failure(failed(command, f"still running after {timeout} s", seen))
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                break
            seen += data
            yield time.monotonic() - start, data
        try:
            code = process.wait(None if timeout is None else max(1.0, left()))
        except subprocess.TimeoutExpired as error:
            raise Failure(failed(command, f"still running after {timeout} s", seen)) from error
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    if code != 0:
        raise Failure(failed(command, f"ended with {code}", seen))


def seconds_until(command, mark, timeout):
    """Starts a program and returns the seconds until `mark` (bytes) is in its output; see output_of()."""
    seen = b""
    found = None
    for when, data in output_of(command, timeout):
        seen += data
        # The mark may be split over two reads.
        if found is None and mark in seen[-len(data) - len(mark):]:
            found = when
    if found is None:
        raise Failure(failed(command, f"never printed '{mark.decode()}'", seen))
    return found


def lines_of(command, timeout, **options):
    """Starts a program and yields its lines as (seconds since the start, text); see output_of()."""
    rest = b""
    for when, data in output_of(command, timeout, **options):
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield when, line.decode(errors="replace").rstrip("\r")
    if rest:
        yield when, rest.decode(errors="replace").rstrip("\r")


def failed(command, reason, seen):
    last = "\n".join(seen.decode(errors="replace").splitlines()[-15:])
    return f"{' '.join(command)}\n{last}\nbench: the emulator {reason}"
