"""Runs benchmark programs: on the host, and in a guest that an emulator boots for them.

A runner takes jobs (programs.job) and a number of processors, and returns {program: sample} as results.parse() does, which
knows what `compare_clocks` means. A timeout is in seconds, or None.
"""

import os

from . import Failure, cpio, emulators, results


class Native:
    name = "native"
    version = "g++ -O2 without options for a processor"

    def __init__(self, folder, timeout, compare_clocks=True):
        self.folder = folder
        self.timeout = timeout
        self.compare_clocks = compare_clocks

    def run(self, jobs, processors):
        # As many processors as the guest has.
        allowed = sorted(os.sched_getaffinity(0))[:processors]
        samples = {}
        for name, size, repeats in jobs:
            command = [str(self.folder / "host" / name), str(size), str(repeats)]
            try:
                lines = list(emulators.lines_of(command, self.timeout,
                                                preexec_fn=lambda: os.sched_setaffinity(0, allowed)))
                samples.update(results.parse(lines, self.compare_clocks))
            except Failure as failure:
                samples[name] = results.Wrong(str(failure))
        return samples


class AsProcess:
    """Each job is a process of its own, under a user-mode emulator."""

    def __init__(self, emulator, folder, timeout, compare_clocks=True):
        self.name = emulator.name
        self.version = emulator.version
        self.emulator = emulator
        self.programs = folder / "riscv64"
        self.timeout = timeout
        self.compare_clocks = compare_clocks

    def run(self, jobs, processors):
        allowed = sorted(os.sched_getaffinity(0))[:processors]
        samples = {}
        for name, size, repeats in jobs:
            command = self.emulator.process([]) + [str(self.programs / name), str(size), str(repeats)]
            try:
                lines = list(emulators.lines_of(command, self.timeout,
                                                preexec_fn=lambda: os.sched_setaffinity(0, allowed)))
                samples.update(results.parse(lines, self.compare_clocks))
            except Failure as failure:
                samples[name] = results.Wrong(str(failure))
        return samples


class InGuest:
    """One boot runs all jobs."""

    def __init__(self, root, guest, emulator, folder, work, timeout, compare_clocks=True):
        self.name = emulator.name
        self.version = emulator.version
        self.guest = guest
        self.emulator = emulator
        self.work = work
        self.timeout = timeout
        self.compare_clocks = compare_clocks
        self.init = (root / "scripts/guest/bench-init").read_bytes()
        self.programs = folder / "riscv64"

    def run(self, jobs, processors):
        files = {"bench/init": self.init,
                 "bench/jobs": "".join(f"{name} {size} {repeats}\n" for name, size, repeats in jobs).encode()}
        files.update((f"bench/{name}", (self.programs / name).read_bytes()) for name, _, _ in jobs)
        self.work.mkdir(parents=True, exist_ok=True)
        image = self.work / f"{self.name}-{os.getpid()}.cpio"
        image.write_bytes(cpio.append(self.guest.initramfs.read_bytes(), files))
        lines = []
        why = "the guest did not get as far as that"
        try:
            command = self.emulator.command(self.guest, processors, "console=ttyS0 quiet rdinit=/bench/init", image)
            for line in emulators.lines_of(command, self.timeout):
                lines.append(line)
        except Failure as failure:
            # What ended before is still known; the rest is missing because of this.
            why = str(failure)
        finally:
            image.unlink()
        if not any(text == "BENCH done" for _, text in lines) and why.startswith("the guest"):
            why = "\n".join([*(text for _, text in lines[-15:]), why])
        samples = results.parse(lines, self.compare_clocks)
        missing = results.Wrong(why)
        return {name: samples.get(name, missing) for name, _, _ in jobs}
