"""Host instructions executed for each instruction of the guest, in user mode, by weft and by the peer.

Three counts, each of a process from outside of it:

- The guest's instructions: the peer logs each entry into a translation, with one instruction in each (-one-insn-per-tb).
  They are the same for both emulators.
- The host's: callgrind counts what each emulator executes, apart for the code that it generated.
- A run of FEW repeats and one of MANY are subtracted: starting, translating and ending are in both. In the first repeats of
  FEW everything has become hot.
"""

import os
import pathlib
import subprocess

from . import Failure, callgrind, emulators, programs, report, results, system

NAME = "inflation"
HELP = "host instructions for each guest instruction, weft and peer, in user mode"
SAMPLED = False  # what is counted needs no rounds

FEW, MANY = 10, 60

# Sizes that make a repeat of 100,000 to 1,000,000 guest instructions. Without those of several threads or processes, where
# the host's scheduler decides who waits how long.
SIZES = {
    "recursion": 19, "sieve": 20_000, "sort": 6000, "hash": 1000, "sha256": 8, "crc": 40, "strings": 100,
    "interpreter": 200, "virtual": 2000, "nbody": 500, "mandelbrot": 24, "fft": 11, "matrix_int": 1, "matrix_double": 1,
    "chase": 20_000, "syscalls": 10_000, "pipe": 2000,
}
COUNTED = [program for program in programs.PROGRAMS if program.name in SIZES]


def add_options(parser):
    parser.add_argument("--only", type=system.names, metavar="NAME,...",
                        help="these programs: " + ", ".join(program.name for program in COUNTED))
    parser.add_argument("--without", type=system.names, default=[], metavar="MACHINE,...", help="leave out weft or peer")
    parser.add_argument("--weft-build", type=pathlib.Path, metavar="DIR", help="weft's build folder (build/release)")
    parser.add_argument("--weft-accel", default="tcg", metavar="OPTIONS", help="weft's -accel option (default tcg)")
    parser.add_argument("--timeout", type=float, default=600, help="seconds that one run may take (default 600)")


def guest_insns(peer, command):
    """How many instructions a process executes in the peer's."""
    reader, writer = os.pipe()
    # One line an entry, and a page's worth of lines at a time: the log does not fill a disk.
    options = ["-one-insn-per-tb", "-d", "exec,nochain", "-D", f"/dev/fd/{writer}"]
    process = subprocess.Popen([*peer.process(options), *command], pass_fds=[writer], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL)
    os.close(writer)
    try:
        with os.fdopen(reader, "rb") as log:
            count = entries(log)
    finally:
        process.kill()
        code = process.wait()
    if code != 0:
        raise Failure(f"{' '.join(command)}: the peer ended with {code} while it logged")
    return count


def entries(log):
    """The lines of the peer's log that say that a translation is entered."""
    return sum(line.startswith(b"Trace ") for line in log)


def per_guest(few, many, guest):
    """What the repeats between two Counts took for each of `guest` instructions; calls for each 1000."""
    more = many - few
    return {"generated": more.generated / guest, "all": (more.generated + more.elsewhere) / guest,
            "calls": 1000 * more.calls / guest}


def means(rows, machines):
    """Geometric means of each group that has programs, and of all."""
    found = []
    for group in [*programs.GROUPS, "all"]:
        members = [row for row in rows if group in ("all", row["group"])]
        if members:
            found.append({"group": group, "programs": len(members), **{
                machine: {key: results.geometric_mean([row[machine][key] for row in members])
                          for key in ("generated", "all")} for machine in machines}})
    return found


def run(arguments, root):
    chosen = programs.chosen(arguments.only, COUNTED)
    folder = programs.build(root, programs.folder(root)) / "riscv64"
    peer = emulators.peer_user(root)
    machines = {}
    if "weft" not in arguments.without:
        machines["weft"] = emulators.weft_user(root, arguments.weft_build, arguments.weft_accel)
    if "peer" not in arguments.without:
        machines["peer"] = peer
    rows = []
    for program in chosen:
        def process(repeats, program=program):
            return [str(folder / program.name), str(SIZES[program.name]), str(repeats)]

        one = guest_insns(peer, process(2)) - guest_insns(peer, process(1))
        row = {"program": program.name, "group": program.group, "guest_insns": one}
        reference = None
        for name, emulator in machines.items():
            counts = []
            for repeats in (FEW, MANY):
                count, lines = callgrind.run([*emulator.process([]), *process(repeats)], arguments.timeout)
                sample = results.checked(results.parse(lines, compare_clocks=False).get(program.name), reference)
                if isinstance(sample, results.Wrong):
                    raise Failure(f"{program.name}, {name}: {sample.why}")
                reference = sample
                counts.append(count)
            row[name] = per_guest(*counts, one * (MANY - FEW))
        print(f"{program.name}: {one} guest instructions a repeat", flush=True)
        rows.append(row)
    averages = means(rows, machines)
    show(rows, averages, machines)
    report.write_json(arguments.json, {
        "benchmark": NAME, "what": HELP, "host": report.host(), "valgrind": callgrind.version(),
        "accelerators": {"weft": arguments.weft_accel},
        "machines": {name: emulator.version for name, emulator in machines.items()}, "programs": rows, "means": averages})


def figure(value):
    """Two digits; what rounds to zero has no sign."""
    return f"{round(value, 2) + 0.0:.2f}"


def show(rows, averages, machines):
    titles = ["program", "guest insns"]
    for name in machines:
        titles += [f"{name} generated", f"{name} all", f"{name} calls/1000"]
    table = [[row["program"], row["guest_insns"],
              *(figure(row[name][key]) for name in machines for key in ("generated", "all", "calls"))] for row in rows]
    table += [[f"= {mean['group']} ({mean['programs']})", "",
               *(text for name in machines for text in (figure(mean[name]["generated"]), figure(mean[name]["all"]), ""))]
              for mean in averages]
    print()
    report.print_table(titles, table)
    print()
