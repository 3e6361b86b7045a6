#!/usr/bin/env python3
"""Makes system calls with chosen arguments on the host and in user mode, and compares what came of each.

  differential_test.py WEFT SANDBOX HOST_PROGRAM GUEST_PROGRAM TABLE MEANT [-u] [-p N/PARTS] [-n REGEX] [-r COUNT] [-c TABLE_DUMP]
                       [-w OPTION]...

WEFT is weft-riscv64, or another emulator of user mode. TABLE is calls.txt, MEANT meant.txt: differences that are meant. -u: as nobody.
-p: which part of the calls, otherwise one that WEFT_TEST_SEED chooses, with WEFT_TEST_FULL=1 a larger one. -n: those whose names begin so.
-r: so many sequences of calls instead, of WEFT_TEST_SEED's, with WEFT_TEST_FULL=1 ten times as many.
-w: an option of WEFT's. -c: that TABLE has each call that weft offers.

On the host the calls are made twice, by processes with other numbers: what is not alike then (times, numbers) is not compared. Where
the guest's differ, these calls alone are made again, with more time before one counts as one that waits: a busy host makes no difference.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

FULL = os.environ.get("WEFT_TEST_FULL") == "1"
SEED = int(os.environ.get("WEFT_TEST_SEED", "1"))
# An ordinary run: some seconds.
PARTS = 6 if FULL else 60
SKIPPED = 77
# Milliseconds after which a call waits.
PATIENCE = (500, 3000, 10000)
# Offered, and in no row of the table.
LEFT_OUT = {
    "sync": "writes out all of the host's disks, however long that takes; it has no arguments",
    "ptrace": "a tracer would see weft's registers: it is refused",
    "rt_sigreturn": "takes registers from the stack: tests/linux-user/abi/frame_test.cpp",
    "riscv_hwprobe": "of riscv64 alone",
    "riscv_flush_icache": "of riscv64 alone",
    "pkey_alloc": "the host may have keys, riscv64 has none",
}
# So many processes come before the second run's.
BURNED = "37"


class Failure(Exception):
    pass


def parse_line(line):
    """The name, and the words that are compared: {what: value}."""
    name, _, text = line.partition(": ")
    words = text.split()
    parsed = {"result": ""}
    if words and "=" not in words[0]:
        parsed["result"] = words.pop(0)
    for word in words:
        what, _, value = word.partition("=")
        parsed[what] = value
    return name, parsed


def parse_output(output):
    return dict(parse_line(line) for line in output.splitlines() if ": " in line)


def different(first, second):
    return {what for what in first.keys() | second.keys() if first.get(what) != second.get(what)}


def compare(host, again, guest):
    """{name: words that differ} of three results: the guest's are to be the host's where the host's are alike."""
    found = {}
    for name, words in host.items():
        other = again.get(name, {})
        if name not in guest:
            found[name] = {"result"}
            continue
        unlike = different(words, other)
        # A call that fares otherwise leaves other memory.
        if "result" not in unlike and (rest := different(words, guest[name]) - unlike):
            found[name] = rest
        elif "result" in unlike and ("blocks" in (guest[name]["result"], words["result"], other.get("result")) or
                                     fails(words) != fails(guest[name])):
            found[name] = {"result"}
    return found


def fails(words):
    return words["result"].startswith("E")


class Meant:
    """Differences with a reason. A line: NAME WORD REASON, the first two of them regular expressions. "-B NAME": with a guest base."""

    def __init__(self, path, weft_options):
        self.prefix = "-B " if "-B" in weft_options else ""
        self.rows = []
        for line in pathlib.Path(path).read_text().splitlines():
            if line and not line.startswith("#"):
                name, word, reason = re.split(r"\t+", line)
                self.rows.append((re.compile(name), re.compile(word), reason))
        self.used = set()

    def without(self, found):
        """What is left of the differences."""
        left = {}
        for name, words in found.items():
            rest = set(words)
            for i, (of_name, of_word, _) in enumerate(self.rows):
                if (of_name.fullmatch(name) or of_name.fullmatch(self.prefix + name)) and any(of_word.fullmatch(word) for word in rest):
                    self.used.add(i)
                    rest = {word for word in rest if not of_word.fullmatch(word)}
            if rest:
                left[name] = rest
        return left

    def needless(self):
        return [f"{name.pattern} {word.pattern}" for i, (name, word, _) in enumerate(self.rows) if i not in self.used]


class Comparison:
    def __init__(self, paths, weft_options, options, folder):
        self.weft_options = weft_options
        self.weft, self.sandbox, self.host, self.guest, self.table = paths
        self.options = options
        self.folder = pathlib.Path(folder)
        self.told = []  # which calls sequences are of

    def command(self, number, before, program, options):
        box = self.folder / f"box{number}"
        box.mkdir(exist_ok=True)
        return [self.sandbox, str(box), *before, program, *options, self.table]

    def run(self, options, milliseconds):
        options = [*self.options, *options, "-t", str(milliseconds)]
        commands = [self.command(0, [], self.host, options), self.command(1, [], self.host, ["-b", BURNED, *options]),
                    self.command(2, [self.weft, *self.weft_options], self.guest, options)]
        running = [subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for command in commands]
        outputs = []
        for command, process in zip(commands, running):
            # What the guest's deaths make weft say goes nowhere: there are some among the calls.
            output, errors = process.communicate()
            if process.returncode == SKIPPED:
                print(errors.decode(errors="backslashreplace"))
                sys.exit(SKIPPED)
            if process.returncode != 0:
                raise Failure(f"{' '.join(command)}: status {process.returncode}\n{errors.decode(errors='backslashreplace')[-2000:]}")
            outputs.append(parse_output(output.decode(errors="backslashreplace")))
            self.told = errors.decode(errors="backslashreplace").splitlines()
        return outputs

    def again(self, names, milliseconds):
        path = self.folder / "names"
        path.write_text("".join(name + "\n" for name in names))
        return self.run(["-o", str(path)], milliseconds)


def missing_calls(dump, table):
    """What is offered and in no row of the table, without a reason; or has a reason without need."""
    rows = [line.split("\t") for line in subprocess.run([os.path.abspath(dump)], capture_output=True, text=True, check=True).stdout.splitlines()]
    offered = {row[2] for row in rows if row[3] != "enosys"}
    made = {re.match("[a-z_0-9]*", call).group() for line in pathlib.Path(table).read_text().splitlines()
            if not line.startswith("#") for call in line.split(" ; ")}
    return sorted((offered - made) ^ set(LEFT_OUT))


def parse_arguments():
    parser = argparse.ArgumentParser()
    for name in ("weft", "sandbox", "host", "guest", "table", "meant"):
        parser.add_argument(name)
    parser.add_argument("-u", dest="nobody", action="store_true")
    parser.add_argument("-p", dest="part")
    parser.add_argument("-n", dest="names")
    parser.add_argument("-c", dest="dump")
    parser.add_argument("-w", dest="weft_options", action="append", default=[])
    parser.add_argument("-r", dest="sequences", type=int)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    part = arguments.part or ("0/1" if arguments.names else f"{SEED % PARTS}/{PARTS}")
    paths = [os.path.abspath(path) for path in (arguments.weft, arguments.sandbox, arguments.host, arguments.guest, arguments.table)]
    meant = Meant(arguments.meant, arguments.weft_options)
    missing = missing_calls(arguments.dump, arguments.table) if arguments.dump else []
    for name in missing:
        print(f"{name} has neither a row nor a reason, or both")
    with tempfile.TemporaryDirectory() as folder:
        options = ["-u"] if arguments.nobody else []
        if arguments.sequences:
            options += ["-r", f"{SEED}/{arguments.sequences * (10 if FULL else 1)}"]
        comparison = Comparison(paths, arguments.weft_options, options, folder)
        chosen = ["-s", part]
        if arguments.names:
            chosen += ["-m", arguments.names]
        host, again, guest = comparison.run(chosen, PATIENCE[0])
        count = len(host)
        left = meant.without(compare(host, again, guest))
        for milliseconds in PATIENCE[1:]:
            if not left:
                break
            host, again, guest = comparison.again(left, milliseconds)
            left = meant.without(compare(host, again, guest))
    print(f"{count} calls, part {part} (WEFT_TEST_SEED={SEED})")
    for name, words in sorted(left.items()):
        for line in comparison.told:
            if line.startswith(name + ": "):
                print(line)
        shown = ", ".join(f"{word}: {host[name].get(word)} on the host, {guest.get(name, {}).get(word)} in user mode" for word in sorted(words)[:4])
        print(f"{name}: {shown}")
    # Other kernels may need others: it is said, and no failure.
    if part == "0/1" and not arguments.names:
        for row in meant.needless():
            print(f"the row for {row} was not needed")
    return 1 if left or missing or count == 0 else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        print(failure)
        sys.exit(1)
