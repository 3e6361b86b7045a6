"""The programs in tests/bench: what they are, how much they do, and building them for the guest and for the host."""

import concurrent.futures
import dataclasses
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from . import Failure

SOURCES = pathlib.PurePosixPath("tests/bench")
# Compiling takes milliseconds a function: this many are generated, and the object is linked in several copies, each with
# code of its own.
COLD_FUNCTIONS = 2000
COLD_COPIES = 10

# The same source and level for both. No contraction: a fused multiply-add rounds once, which the host's baseline cannot,
# and results have to be the same bits.
FLAGS = ["-std=c++20", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-static", "-s", "-pthread"]
COMPILERS = {"riscv64": ["riscv64-linux-gnu-g++", "-march=rv64gc"], "host": ["g++"]}
OBJCOPY = {"riscv64": "riscv64-linux-gnu-objcopy", "host": "objcopy"}

GROUPS = ["integer", "float", "memory", "cold", "system", "threads"]


@dataclasses.dataclass(frozen=True)
class Program:
    name: str
    group: str
    size: int  # what it counts is in the program's source; the same everywhere, because the checksum depends on it
    guest_repeats: int  # how often a guest does that work,
    native_repeats: int  # and how often the host: enough to be measured. Times are per repeat.
    smallest: int  # the size for testing that it works


PROGRAMS = [
    Program("recursion", "integer", 28, 60, 60, 6),
    Program("sieve", "integer", 1_000_000, 30, 30, 1000),
    Program("sort", "integer", 100_000, 30, 30, 1000),
    Program("hash", "integer", 50_000, 20, 20, 1000),
    Program("sha256", "integer", 1024, 30, 30, 1),
    Program("crc", "integer", 1024, 60, 60, 1),
    Program("strings", "integer", 4096, 40, 300, 50),
    Program("interpreter", "integer", 20_000, 6, 10, 50),
    Program("virtual", "integer", 1000, 1000, 1000, 50),
    Program("nbody", "float", 50_000, 12, 20, 20),
    Program("mandelbrot", "float", 160, 50, 50, 8),
    Program("fft", "float", 14, 250, 400, 4),
    Program("matrix_int", "memory", 64, 8, 3, 1),
    Program("matrix_double", "memory", 64, 8, 3, 1),
    Program("chase", "memory", 131_072, 4, 4, 100),
    Program("cold", "cold", COLD_FUNCTIONS * COLD_COPIES, 1, 1, 500),
    Program("syscalls", "system", 100_000, 4, 8, 100),
    Program("pipe", "system", 10_000, 4, 10, 50),
    Program("spawn", "system", 50, 1, 5, 2),
    Program("threads_independent", "threads", 2000, 15, 20, 1),
    Program("threads_contended", "threads", 200, 30, 30, 1),
    Program("threads_made", "threads", 200, 5, 10, 5),
]

# Of as many threads as the guest has processors, which meet in the kernel: for scripts/bench oversubscribed.
CROWDS = [
    Program("faults", "crowd", 4000, 1, 1, 4),
    Program("kernel_lock", "crowd", 1000, 1, 1, 1),
    Program("processes", "crowd", 200, 1, 1, 4),
]


def chosen(names, among=PROGRAMS):
    """The programs of these names, in the table's order; all of them for None."""
    if names is None:
        return among
    unknown = set(names) - {program.name for program in among}
    if unknown:
        raise Failure(f"no program '{min(unknown)}'; there are {', '.join(program.name for program in among)}")
    return [program for program in among if program.name in names]


def job(program, repeats):
    """What a runner (scripts/guest/bench-init, native.py) takes: a program, its size and its repeats."""
    return program.name, program.size, repeats


def folder(root):
    """Where programs built for this checkout are: a folder for the guest (riscv64) and one for the host."""
    return root / "build/bench/programs"


def build(root, into, progress=sys.stderr):
    """Builds what is not built, or was built from other sources, by another compiler or other flags."""
    for tool in [*(compiler[0] for compiler in COMPILERS.values()), *OBJCOPY.values()]:
        if shutil.which(tool) is None:
            raise Failure(f"'{tool}' is missing; run scripts/deps first")
    sources = root / SOURCES
    common = b"".join((sources / name).read_bytes() for name in ("bench.h", "main.cpp", "crowd.h", "matrix.h", "cold.h"))
    cold = (sources / "make_cold.py").read_bytes() + repr((COLD_FUNCTIONS, COLD_COPIES)).encode()
    work = []
    for arch, compiler in COMPILERS.items():
        version = subprocess.run([compiler[0], "--version"], check=True, text=True, stdout=subprocess.PIPE).stdout
        for program in [*PROGRAMS, *CROWDS]:
            digest = hashlib.sha256(repr((version, compiler, FLAGS)).encode() + common)
            digest.update((sources / f"{program.name}.cpp").read_bytes())
            if program.name == "cold":
                digest.update(cold)
            stamp = into / arch / f".{program.name}.inputs"
            if not ((into / arch / program.name).is_file() and stamp.is_file()
                    and stamp.read_text() == digest.hexdigest()):
                work.append((arch, program.name, stamp, digest.hexdigest()))
    if not work:
        return into
    if progress:
        print(f"building {len(work)} benchmark programs", file=progress, flush=True)
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".objects.", dir=into) as objects:
        builder = Builder(sources, into, pathlib.Path(objects))
        # The one that takes longest first.
        work.sort(key=lambda item: item[1] != "cold")
        for arch in sorted({arch for arch, *_ in work}):
            builder.compile(arch, sources / "main.cpp")
        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            for future in [pool.submit(builder.program, *item) for item in work]:
                future.result()
    return into


class Builder:
    """Builds single programs; objects go to a folder that is thrown away."""

    def __init__(self, sources, into, objects):
        self.sources = sources
        self.into = into
        self.objects = objects
        self.launcher = ["ccache"] if shutil.which("ccache") else []
        for arch in COMPILERS:
            (objects / arch).mkdir()
            (into / arch).mkdir(exist_ok=True)

    def compile(self, arch, source):
        made = self.objects / arch / f"{source.stem}.o"
        run([*self.launcher, *COMPILERS[arch], *FLAGS, "-I", self.sources, "-c", source, "-o", made])
        return made

    def cold_functions(self, arch):
        source = self.objects / arch / "cold_functions.cpp"
        with open(source, "w", encoding="utf-8") as output:
            subprocess.run([sys.executable, "-B", self.sources / "make_cold.py", str(COLD_FUNCTIONS)], check=True,
                           stdout=output)
        made = self.compile(arch, source)
        for copy in range(COLD_COPIES):
            target = made.with_name(f"cold_functions_{copy}.o")
            run([OBJCOPY[arch], "--redefine-sym", f"bench_cold=bench_cold_{copy}", made, target])
            yield target

    def program(self, arch, name, stamp, inputs):
        stamp.unlink(missing_ok=True)
        objects = [self.compile(arch, self.sources / f"{name}.cpp"), self.objects / arch / "main.o"]
        if name == "cold":
            objects += self.cold_functions(arch)
        run([*COMPILERS[arch], *FLAGS, *objects, "-o", self.into / arch / name])
        stamp.write_text(inputs)


def run(command):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)
    if result.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}\n{result.stdout}\nthe compiler ended with {result.returncode}")
