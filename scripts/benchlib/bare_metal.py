"""Guest programs without an operating system: built from tests/bench, run on both emulators."""

import subprocess

from . import Failure, measure, report

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


def nanoseconds(lines, cases):
    """{case: nanoseconds a round} of what the guest printed: name, rounds, ticks of 100 ns."""
    values = {}
    for line in lines:
        words = line.split()
        if len(words) != 3 or words[0] not in cases:
            raise Failure(f"the guest printed '{line}'")
        values[words[0]] = int(words[2], 16) * 100 / int(words[1], 16)
    if set(values) != set(cases):
        raise Failure(f"the guest printed {len(values)} of {len(cases)} cases")
    return values


def report_cases(arguments, name, what, cases, programs, samples):
    """Prints and writes what was measured of `cases`, {case: what it is}: `samples` are Samples of weft and of the peer."""
    results = []
    for case in cases:
        weft, peer = (measure.summary([one.values[case] for one in samples[name,]]) for name in ("weft", "peer"))
        results.append({"case": case, "what": cases[case], "unit": "ns", "weft": weft, "peer": peer,
                        "ratio": measure.ratio(peer, weft)})
    report.print_table(["case", "weft ns", "peer ns", "times as fast"],
                       [[r["case"], r["weft"]["median"], r["peer"]["median"], r["ratio"]] for r in results])
    report.write_json(arguments.json, {
        "benchmark": name, "what": what, "rounds": arguments.rounds, "host": report.host(),
        "emulators": {key: emulator.version for key, emulator in programs.items()}, "results": results})


class Sample(float):
    """What one run measured: {name: number}; as a number, the sum, for the progress line."""

    def __new__(cls, values):
        sample = super().__new__(cls, sum(values.values()))
        sample.values = values
        return sample
