"""Debian's programs as processes of weft's, of the peer's, and on the host: the same versions, each a whole run.

scripts/riscv-root --full and --native fetch them. What a program prints has to be the same everywhere.
"""

import dataclasses
import hashlib
import pathlib
import platform
import random
import subprocess
import time

from . import Failure, emulators, measure, report, results

NAME = "debian"
HELP = "Debian's programs as processes of weft's, of the peer's, and on the host"

PYTHON = """
import json, re
words = {}
for i in range(60000):
    key = 'k%d' % (i * 7919 % 5003)
    words[key] = words.get(key, 0) + len(key)
text = json.dumps(words, sort_keys=True)
again = json.loads(text)
primes = [n for n in range(2, 6000) if all(n % d for d in range(2, int(n ** .5) + 1))]
print(len(text), sum(again.values()), len(re.findall(r'k1\\\\d+', text)), sum(primes))
"""
PERL = """
my (%seen, $sum);
for my $i (1 .. 150000) { my $k = "k" . ($i * 7919 % 5003); $seen{$k} += length $k; }
my $text = join ",", map { "$_=$seen{$_}" } sort keys %seen;
while ($text =~ /k1(\\d+)=(\\d+)/g) { $sum += $1 * $2; }
print length($text), " $sum\\n";
"""
LUA = """
local t, sum = {}, 0
for i = 1, 400000 do local k = i * 7919 % 5003; t[k] = (t[k] or 0) + i % 13 end
for k, v in pairs(t) do sum = sum + k * v end
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
local s = {}
for i = 1, 30000 do s[#s + 1] = string.format('%d:%x', i, i * 31) end
print(sum, fib(27), #table.concat(s, ','))
"""
SQL = """
create table t (id integer primary key, name text, value real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 40000)
  insert into t select i, 'name' || (i * 7919 % 5003), i * 0.5 from n;
create index by_name on t (name);
select count(*), count(distinct name), sum(value) from t where name like 'name1%';
select name, sum(value) s from t group by name order by s desc, name limit 3;
"""


@dataclasses.dataclass(frozen=True)
class Program:
    name: str
    path: str  # below the root; '@' stands for the architecture's name
    arguments: tuple
    input: str  # what is on its standard input: a key of inputs()


PROGRAMS = [
    Program("python3", "usr/bin/python3", ("-S", "-E", "-c", PYTHON), "nothing"),
    Program("perl", "usr/bin/perl", ("-e", PERL), "nothing"),
    Program("lua", "usr/bin/lua5.4", ("-e", LUA), "nothing"),
    Program("sqlite3", "usr/bin/sqlite3", ("-batch", "-init", "/dev/null", ":memory:", SQL), "nothing"),
    Program("xz", "usr/bin/xz", ("-6", "-T1", "-c"), "text"),
    Program("zstd", "usr/bin/zstd", ("-12", "-q", "-c", "--single-thread"), "text"),
    Program("openssl", "usr/bin/openssl", ("dgst", "-sha256"), "bytes"),
    Program("cc1", "usr/libexec/gcc/@/14/cc1", ("-quiet", "-O2", "-fpreprocessed", "-o", "/dev/null", "-"), "source"),
]


def inputs():
    draw = random.Random(1)
    words = ["".join(draw.choice("etaoinshrdlu") for _ in range(draw.randrange(2, 9))) for _ in range(3000)]
    text = " ".join(draw.choice(words) for _ in range(120_000)).encode()
    lines = []
    for index in range(150):
        lines.append(f"unsigned long f{index}(unsigned long *p, unsigned long n) {{ unsigned long s = {index};"
                     f" for (unsigned long i = 0; i < n; i++) {{ if (p[i] % {draw.randrange(2, 40)})"
                     f" s += p[i] * {draw.randrange(3, 99)}; else s ^= p[i] >> {draw.randrange(1, 30)}; }} return s; }}")
    return {"nothing": b"", "text": text, "bytes": draw.randbytes(24_000_000), "source": "\n".join(lines).encode()}


def add_options(parser):
    parser.add_argument("--only", action="append", metavar="PROGRAM", choices=[each.name for each in PROGRAMS],
                        help="measure this one; may be repeated")
    parser.add_argument("--weft-build", type=pathlib.Path, metavar="DIR", help="weft's build folder (build/release)")
    parser.add_argument("--weft-accel", default="tcg", metavar="OPTIONS", help="weft's -accel option (default tcg)")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for a run (default 120)")


def folder_of(root, name, option):
    folder = emulators.cache_of(root) / name
    if not (folder / ".packages").is_file():
        raise Failure(f"no {folder}; scripts/riscv-root {option} makes it")
    return folder


def native(root):
    """Runs a program of a folder by its own dynamic linker and libraries."""
    linkers = [path for path in (root / "usr/lib64").glob("ld-linux-*.so.*")] + \
        [path for path in (root / "usr/lib").glob("ld-linux-*.so.*")]
    if not linkers:
        raise Failure(f"no dynamic linker in {root}")
    triple = f"{platform.machine()}-linux-gnu"

    def command(program):
        path = root / program.path.replace("@", triple)
        return [linkers[0], "--library-path", root / "usr/lib" / triple, path, *program.arguments]
    return command


def emulated(emulator, root):
    def command(program):
        return [*emulator.process(["-L", str(root)]), root / program.path.replace("@", "riscv64-linux-gnu"),
                *program.arguments]
    return command


def run(arguments, root):
    chosen = [each for each in PROGRAMS if not arguments.only or each.name in arguments.only]
    guests = folder_of(root, "riscv-root-full", "--full")
    weft = emulators.weft_user(root, arguments.weft_build, arguments.weft_accel)
    peer = emulators.peer_user(root)
    machines = {"native": native(folder_of(root, "native-root", "--native")), "weft": emulated(weft, guests),
                "peer": emulated(peer, guests)}
    given = inputs()
    printed = {}

    def sample(case):
        program, machine = case
        command = [str(word) for word in machines[machine](program)]
        start = time.monotonic()
        try:
            done = subprocess.run(command, input=given[program.input], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  timeout=arguments.timeout, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failure(f"{machine}: {program.name}: {error}") from error
        seconds = time.monotonic() - start
        if done.returncode != 0:
            raise Failure(f"{machine}: {program.name} ended with {done.returncode}: "
                          f"{done.stderr.decode(errors='replace').strip()[-500:]}")
        digest = hashlib.sha256(done.stdout).hexdigest()
        if printed.setdefault(program.name, digest) != digest:
            raise Failure(f"{machine}: {program.name} printed something else: {done.stdout[:200]!r}")
        return seconds

    cases = [(program, machine) for program in chosen for machine in machines]
    samples = measure.interleaved(cases, arguments.rounds, sample, progress=None)
    rows = [results.row(program.name, "debian", {machine: measure.summary(samples[program, machine])
                                                 for machine in machines}) for program in chosen]
    means = results.means(rows, ())
    report.print_table(["program", *machines, "weft/native", "peer/native", "times as fast"],
                       [[row["program"], *(f"{row[name]['median'] * 1000:.1f}" for name in machines),
                         *(f"{row[key]:.2f}" for key, _, _ in results.RATIOS)] for row in rows] +
                       [["= all", *("" for _ in machines), *(f"{means[-1][key]:.2f}" for key, _, _ in results.RATIOS)]])
    report.write_json(arguments.json, {
        "benchmark": NAME, "what": HELP, "rounds": arguments.rounds, "host": report.host(),
        "versions": {"weft": weft.version, "peer": peer.version}, "programs": rows, "means": means})
