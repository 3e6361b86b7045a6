"""The programs in tests/bench: what they are, how much they do, and building them for the guest and for the host."""

import concurrent.futures
import dataclasses
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

from . import Failure

SOURCES = pathlib.PurePosixPath("tests/bench")
COLD_FUNCTIONS = 20000

# The same source and level for both. No contraction: a fused multiply-add rounds once, which the host's baseline cannot,
# and results have to be the same bits.
FLAGS = ["-std=c++20", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-static", "-s", "-pthread"]
# The generated source is straight-line code, which higher levels only take longer for.
GENERATED_FLAGS = ["-O1"]
COMPILERS = {"riscv64": ["riscv64-linux-gnu-g++", "-march=rv64gc"], "host": ["g++"]}

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
    Program("recursion", "integer", 28, 20, 20, 6),
    Program("sieve", "integer", 1_000_000, 20, 20, 1000),
    Program("sort", "integer", 100_000, 10, 10, 1000),
    Program("hash", "integer", 50_000, 10, 10, 1000),
    Program("sha256", "integer", 1024, 10, 20, 1),
    Program("crc", "integer", 1024, 40, 40, 1),
    Program("strings", "integer", 4096, 20, 100, 50),
    Program("interpreter", "integer", 20_000, 10, 20, 50),
    Program("virtual", "integer", 1000, 400, 800, 50),
    Program("nbody", "float", 50_000, 4, 20, 20),
    Program("mandelbrot", "float", 160, 4, 20, 8),
    Program("fft", "float", 14, 10, 50, 4),
    Program("matrix_int", "memory", 16, 10, 20, 1),
    Program("matrix_double", "memory", 16, 10, 20, 1),
    Program("chase", "memory", 131072, 4, 10, 100),
    Program("cold", "cold", COLD_FUNCTIONS, 1, 1, 500),
    Program("syscalls", "system", 100_000, 4, 10, 100),
    Program("pipe", "system", 10_000, 4, 10, 50),
    Program("spawn", "system", 50, 2, 10, 2),
    Program("threads_independent", "threads", 2000, 10, 20, 1),
    Program("threads_contended", "threads", 200, 10, 5, 1),
]


def chosen(names):
    """The programs of these names, in the table's order; all of them for None."""
    if names is None:
        return PROGRAMS
    unknown = set(names) - {program.name for program in PROGRAMS}
    if unknown:
        raise Failure(f"no program '{min(unknown)}'; there are {', '.join(program.name for program in PROGRAMS)}")
    return [program for program in PROGRAMS if program.name in names]


def job(program, repeats):
    """What a runner (scripts/guest/bench-init, native.py) takes: a program, its size and its repeats."""
    return program.name, program.size, repeats


def folder(root):
    """Where programs built for this checkout are: a folder for the guest (riscv64) and one for the host."""
    return root / "build/bench/programs"


def build(root, into, progress=sys.stderr):
    """Builds what is not built, or was built from other sources, by another compiler or other flags."""
    for compiler in COMPILERS.values():
        if shutil.which(compiler[0]) is None:
            raise Failure(f"'{compiler[0]}' is missing; run scripts/deps first")
    launcher = ["ccache"] if shutil.which("ccache") else []
    common = [root / SOURCES / name for name in ("bench.h", "main.cpp", "matrix.h", "cold.h")]
    generator = root / SOURCES / "make_cold.py"
    work = []
    for arch, compiler in COMPILERS.items():
        version = subprocess.run([compiler[0], "--version"], check=True, text=True, stdout=subprocess.PIPE).stdout
        # The one that takes longest first.
        for program in sorted(PROGRAMS, key=lambda program: program.name != "cold"):
            source = root / SOURCES / f"{program.name}.cpp"
            digest = hashlib.sha256(repr((version, compiler, FLAGS)).encode())
            for file in [source, *common]:
                digest.update(file.read_bytes())
            if program.name == "cold":
                digest.update(generator.read_bytes() + repr((GENERATED_FLAGS, COLD_FUNCTIONS)).encode())
            target = into / arch / program.name
            stamp = into / arch / f".{program.name}.inputs"
            if not (target.is_file() and stamp.is_file() and stamp.read_text() == digest.hexdigest()):
                work.append((launcher + compiler, root, source, target, stamp, digest.hexdigest()))
    if work:
        if progress:
            print(f"building {len(work)} benchmark programs", file=progress, flush=True)
        (into / "generated").mkdir(parents=True, exist_ok=True)
        generated = into / "generated/cold_functions.cpp"
        text = subprocess.run([sys.executable, "-B", generator, str(COLD_FUNCTIONS)], check=True,
                              text=True, stdout=subprocess.PIPE).stdout
        if not generated.is_file() or generated.read_text() != text:
            generated.write_text(text)
        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            for future in [pool.submit(build_one, generated, *item) for item in work]:
                future.result()
    return into


def build_one(generated, compiler, root, source, target, stamp, inputs):
    objects = target.parent / f".{target.name}.objects"
    shutil.rmtree(objects, ignore_errors=True)
    objects.mkdir(parents=True)
    stamp.unlink(missing_ok=True)
    try:
        made = []
        # One by one: ccache takes no command with several sources.
        for file in [source, root / SOURCES / "main.cpp"] + ([generated] if target.name == "cold" else []):
            made.append(objects / f"{file.stem}.o")
            flags = [*FLAGS, *(GENERATED_FLAGS if file == generated else [])]
            run([*compiler, *flags, "-I", root / SOURCES, "-c", file, "-o", made[-1]])
        run([*compiler, *FLAGS, *made, "-o", target])
    finally:
        shutil.rmtree(objects, ignore_errors=True)
    stamp.write_text(inputs)


def run(command):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)
    if result.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}\n{result.stdout}\nthe compiler ended with {result.returncode}")
