"""Disks and networks: what a guest's program transfers a second, weft and peer.

The guest is Debian's kernel; tests/bench/io_main.cpp reads and writes the disk past the guest's page cache, or talks TCP to a server on
the host through -netdev user. Each sample is a boot that runs all cases of one set-up.
"""

import contextlib
import dataclasses
import os
import pathlib
import random
import subprocess
import time

from . import Failure, cpio, emulators, measure, programs, report

NAME = "io"
HELP = "disk and network throughput in a guest, weft and peer"

IMAGE_BYTES = 256 << 20
# Pattern, bytes of a request, requests in flight.
DISK_CASES = [(operation, pattern, size, depth) for operation in ("read", "write")
              for pattern, size in (("seq", 4096), ("random", 4096), ("seq", 1 << 20)) for depth in (1, 32)]
NET_CASES = ["send", "receive", "ask"]


@dataclasses.dataclass(frozen=True)
class Setup:
    """A device, and the image's format where it is a disk."""
    device: str
    format: str = ""

    def __str__(self):
        return f"{self.device} {self.format}".strip()


SETUPS = [Setup(f"virtio-blk-{bus}", form) for bus in ("device", "pci") for form in ("raw", "qcow2")] + \
    [Setup(f"virtio-net-{bus}") for bus in ("device", "pci")]


def add_options(parser):
    parser.add_argument("--vcpus", type=int, default=1, help="vCPUs of the guest (default 1)")
    parser.add_argument("--only", action="append", metavar="SETUP", help="set-ups whose name has this in it; may be repeated: " +
                        ", ".join(map(str, SETUPS)))
    parser.add_argument("--without", action="append", default=[], metavar="MACHINE", help="leave out weft or peer")
    parser.add_argument("--milliseconds", type=int, default=500, help="how long each case runs in the guest (default 500)")
    parser.add_argument("--folder", type=pathlib.Path, help="where images are made (default build/bench/io)")
    parser.add_argument("--weft-build", type=pathlib.Path, metavar="DIR", help="weft's build folder (build/release)")
    parser.add_argument("--weft-device", action="append", default=[], metavar="PROPERTIES",
                        help="added to weft's -device; several are measured beside each other")
    parser.add_argument("--timeout", type=float, default=600, help="seconds that one boot may take (default 600)")


def build(root, folder):
    """The program for the guest and for the host: {architecture: path}."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for arch, compiler in programs.COMPILERS.items():
        made[arch] = folder / f"io_main.{arch}"
        programs.run([*compiler, *programs.FLAGS, root / "tests/bench/io_main.cpp", "-o", made[arch]])
    return made


def image(folder, form):
    """An image whose bytes are all there, so that nothing is allocated while it is measured."""
    raw = folder / "disk.raw"
    if not raw.is_file() or raw.stat().st_size != IMAGE_BYTES:
        draw = random.Random(1)
        with open(raw, "wb") as output:
            for _ in range(IMAGE_BYTES >> 20):
                output.write(draw.randbytes(1 << 20))
    if form == "raw":
        return raw
    other = folder / f"disk.{form}"
    if not other.is_file():
        try:
            subprocess.run(["qemu-img", "convert", "-O", form, raw, other], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Failure(f"cannot make {other}: {error}") from error
    return other


@contextlib.contextmanager
def server(program, folder):
    """The host's side of TCP; gives its port."""
    path = folder / f"port.{os.getpid()}"
    process = subprocess.Popen([program, "serve", path], stdin=subprocess.PIPE)
    try:
        while not path.is_file():
            if process.poll() is not None:
                raise Failure(f"'{program} serve' ended with {process.returncode}")
            time.sleep(0.01)
        yield path.read_text().strip()
    finally:
        process.stdin.close()
        process.wait()
        path.unlink(missing_ok=True)


def case_name(case):
    return case if isinstance(case, str) else "-".join(map(str, case))


def parse(lines, cases):
    """{case: bytes, or questions, a second} of what the guest printed."""
    values = {}
    for line in lines:
        words = line.split()
        if words[:2] == ["BENCH", "io"] and len(words) == 6 and words[2] != "failed:":
            operations, moved, ns = map(int, words[3:])
            values[words[2]] = (operations if words[2] == "ask" else moved) / ns * 1e9
        elif words[:1] == ["BENCH"] and words[1:] != ["done"]:
            raise Failure(f"the guest printed '{line}'")
    missing = [case_name(case) for case in cases if not values.get(case_name(case))]
    if missing:
        raise Failure(f"the guest measured nothing of {', '.join(missing)}")
    return values


def speed(case, value):
    """A number for people: MiB a second, thousands of requests a second where they are small."""
    if case == "ask":
        return f"{value / 1e3:.1f} k/s"
    if not isinstance(case, str) and case[2] < 1 << 20:
        return f"{value / case[2] / 1e3:.1f} k/s"
    return f"{value / (1 << 20):.0f} MiB/s"


class Sample(dict):
    """What one boot measured; as a text, how many cases that were."""

    def __str__(self):
        return f"{len(self)} cases"


def run(arguments, root):
    setups = [setup for setup in SETUPS if not arguments.only or any(word in str(setup) for word in arguments.only)]
    if not setups:
        raise Failure("no set-up has that in its name")
    folder = (arguments.folder or root / "build/bench/io").resolve()
    built = build(root, folder)
    guest = emulators.guest(root)
    machines = {}
    for properties in arguments.weft_device or [""]:
        if "weft" not in arguments.without:
            machines[f"weft{',' * bool(properties)}{properties}"] = (emulators.weft(root, arguments.weft_build), properties)
    if "peer" not in arguments.without:
        machines["peer"] = (emulators.peer(root), "")
    init = (root / "scripts/guest/io-init").read_bytes()

    def disk_jobs():
        return DISK_CASES, [f"disk /dev/vda {operation} {pattern} {size} {depth} {arguments.milliseconds}"
                            for operation, pattern, size, depth in DISK_CASES]

    def boot(name, setup, cases, jobs, options):
        emulator, properties = machines[name]
        archive = folder / f"initramfs.{os.getpid()}"
        archive.write_bytes(cpio.append(guest.initramfs.read_bytes(), {
            "bench/init": init, "bench/io_main": built["riscv64"].read_bytes(), "bench/jobs": "".join(f"{job}\n" for job in jobs).encode()}))
        command = emulator.command(guest, arguments.vcpus, "console=ttyS0 quiet rdinit=/bench/init", archive)
        try:
            lines = [text for _, text in emulators.lines_of([*command, *options(f",{properties}" if properties else "")],
                                                            arguments.timeout)]
        finally:
            archive.unlink()
        try:
            return Sample(parse(lines, cases))
        except Failure as failure:
            raise Failure("\n".join([*lines[-15:], f"{name}, {setup}: {failure}"])) from failure

    def sample(case):
        name, setup = case
        if setup.format:
            path = image(folder, setup.format)
            return boot(name, setup, *disk_jobs(), lambda more: [
                "-drive", f"if=none,id=d,format={setup.format},file={path}", "-device", f"{setup.device},drive=d{more}"])
        with server(built["host"], folder) as port:
            jobs = [f"{mode} 10.0.2.2 {port} {arguments.milliseconds}" for mode in NET_CASES]
            return boot(name, setup, NET_CASES, jobs, lambda more: [
                "-netdev", "user,id=n", "-device", f"{setup.device},netdev=n{more}"])

    samples = measure.interleaved([(name, setup) for setup in setups for name in machines], arguments.rounds, sample,
                                  warm_up=arguments.rounds > 1, show=str)
    results, rows = [], []
    for setup in setups:
        for case in DISK_CASES if setup.format else NET_CASES:
            key = case_name(case)
            summaries = {name: measure.summary([one[key] for one in samples[name, setup]]) for name in machines}
            result = {"setup": str(setup), "case": key, "unit": "1/s" if key == "ask" else "B/s", "machines": summaries}
            row = [str(setup), key, *(speed(case, summaries[name]["median"]) for name in machines)]
            if "peer" in summaries:
                for name in machines:
                    if name != "peer":
                        ratio = summaries[name]["median"] / summaries["peer"]["median"]
                        result.setdefault("times_as_fast", {})[name] = ratio
                        row.append(f"{ratio:.2f}")
            results.append(result)
            rows.append(row)
    ratios = [name for name in machines if name != "peer"] if "peer" in machines else []
    report.print_table(["set-up", "case", *machines, *("times as fast" for _ in ratios)], rows)
    report.write_json(arguments.json, {
        "benchmark": NAME, "what": HELP, "rounds": arguments.rounds, "vcpus": arguments.vcpus, "milliseconds": arguments.milliseconds,
        "host": report.host(), "guest": guest.versions,
        "emulators": {name: emulator.version for name, (emulator, _) in machines.items()}, "results": results})
