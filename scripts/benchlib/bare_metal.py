"""Guest programs without an operating system: built from tests/bench, run on both emulators."""

import subprocess

from . import Failure

COMPILER = "riscv64-linux-gnu-g++"
FLAGS = ["-std=c++20", "-O2", "-march=rv64imac_zicsr_zifencei", "-Wa,-march=rv64gc_svinval", "-mabi=lp64",
         "-mcmodel=medany", "-ffreestanding", "-fno-exceptions", "-fno-rtti", "-fno-asynchronous-unwind-tables",
         "-fno-pic", "-fno-stack-protector", "-mno-relax", "-Wall", "-Wextra", "-Werror", "-nostdlib", "-static",
         "-Wl,--build-id=none,--no-warn-rwx-segments"]


def build(root, name, *sources):
    """The ELF program build/bench/NAME.elf made of files of the repository and what all guest programs share."""
    folder = root / "build/bench"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / f"{name}.elf"
    guest = root / "tests/isa/guest"
    command = [COMPILER, *FLAGS, f"-I{root / 'tests/isa'}", f"-I{guest}",
               "-T", str(guest / "guest.ld"), *(str(root / source) for source in sources), str(guest / "runtime.cpp"),
               "-o", str(program)]
    try:
        output = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True)
    except OSError as error:
        raise Failure(f"{COMPILER} does not start: {error}; scripts/deps installs it") from error
    if output.returncode != 0:
        raise Failure(f"{' '.join(command)}\n{output.stdout}")
    return program


def run(emulator, program, vcpus, timeout):
    """The lines that the program prints on `emulator`, which has to end with exit code 0 within `timeout` seconds."""
    command = [str(emulator.program), *emulator.options, "-accel", emulator.accelerator, "-M", "virt", "-smp", str(vcpus), "-m", "128M",
               "-nographic", "-bios", "none", "-kernel", str(program)]
    try:
        output = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise Failure(f"{' '.join(command)}: still running after {timeout} s") from error
    lines = output.stdout.replace("\r", "").splitlines()
    if output.returncode != 0:
        last = "\n".join(lines[-15:])
        raise Failure(f"{' '.join(command)}\n{last}\nbench: {emulator.name} ended with {output.returncode}")
    return lines


class Sample(float):
    """What one run measured: {name: number}; as a number, the sum, for the progress line."""

    def __new__(cls, values):
        sample = super().__new__(cls, sum(values.values()))
        sample.values = values
        return sample
