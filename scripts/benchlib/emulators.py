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

    def __init__(self, name, program):
        self.name = name
        self.program = program
        try:
            output = subprocess.run([program, "--version"], stdin=subprocess.DEVNULL, text=True, timeout=60,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failure(f"{name} does not start: {error}") from error
        if output.returncode != 0:
            raise Failure(f"{name}: '{program} --version' ended with {output.returncode}: {output.stdout.strip()}")
        self.version = output.stdout.splitlines()[0] if output.stdout else ""

    def command(self, guest, vcpus, append):
        return [str(self.program), "-accel", "tcg", "-M", "virt", "-smp", str(vcpus), "-m", "1G", "-nographic",
                "-bios", str(guest.firmware), "-kernel", str(guest.kernel), "-initrd", str(guest.initramfs),
                "-append", append]


class Guest:
    def __init__(self, root):
        folder = cache_of(root) / "guest"
        self.kernel = folder / "Image"
        self.firmware = folder / "fw_dynamic.bin"
        self.initramfs = folder / "initramfs.cpio.gz"
        if not self.initramfs.is_file():
            raise Failure(f"no {self.initramfs}; run scripts/fetch-guest and scripts/make-initramfs first")
        self.versions = (folder / "stamp").read_text().splitlines()


def weft(root):
    """weft's release build, or what WEFT_EMULATOR names."""
    program = os.environ.get("WEFT_EMULATOR") or root / "build/release/emulator/system/weft-system-riscv64"
    return Emulator("weft", program)


def peer(root):
    program = cache_of(root) / "peer/bin/qemu-system-riscv64"
    if not program.is_file():
        raise Failure(f"no {program}; run scripts/fetch-peer first")
    return Emulator("peer", program)


def seconds_until(command, mark, timeout):
    """Starts a program and returns the seconds until `mark` (bytes) is in its output.

    The program has to end by itself, with exit code 0, within the same timeout. It gets no input.
    """
    start = time.monotonic()
    seen = b""
    found = None
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        while True:
            left = start + timeout - time.monotonic()
            if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
                raise Failure(failed(command, f"still running after {timeout} s", seen))
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                break
            seen += data
            # The mark may be split over two reads.
            if found is None and mark in seen[-len(data) - len(mark):]:
                found = time.monotonic() - start
        try:
            code = process.wait(max(1.0, start + timeout - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise Failure(failed(command, f"still running after {timeout} s", seen)) from error
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    if code != 0:
        raise Failure(failed(command, f"ended with {code}", seen))
    if found is None:
        raise Failure(failed(command, f"never printed '{mark.decode()}'", seen))
    return found


def failed(command, reason, seen):
    last = "\n".join(seen.decode(errors="replace").splitlines()[-15:])
    return f"{' '.join(command)}\n{last}\nbench: the emulator {reason}"
