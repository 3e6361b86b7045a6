"""Jobs that users have: a configure script, make with the compiler and two programs with a JIT in containers; and make in a guest. The same
versions of all programs for both architectures.

scripts/riscv-root --full, --native and --compiler fetch them. A container is a user namespace with a root of its own; it has a binfmt_misc
of its own as well (Linux 6.7), so that its kernel starts programs with the emulator that is measured and nothing on the host changes.
"""

import dataclasses
import pathlib
import subprocess
import time

from . import Failure, cpio, debian, emulators, measure, report, results

NAME = "jobs"
HELP = "a configure script, make and two JITs in containers, and make in a guest: weft, the peer, and the host"

# What autoconf's scripts do for one check, mostly: five programs and as many subshells; every fortieth one compiles.
CONFIGURE = r"""
cd /tmp
found=0
for i in $(seq 1 @CHECKS@); do
    var=$(echo "ac_cv_func-$i" | sed 'y%*+%pp%;s%[^_[:alnum:]]%_%g')
    name=$(expr "X$var" : 'Xac_cv_\(.*\)')
    cat >conftest.c <<END
/* $name */
char $name(void) { return $i % 100; }
END
    if grep -q "char $name" conftest.c; then found=$((found + 1)); fi
    if [ $((i % 40)) = 0 ]; then
        gcc -c -O1 -o conftest.o conftest.c && [ -s conftest.o ] && found=$((found + 1000))
    fi
    rm -f conftest.c conftest.o
done
echo $found
"""

MAKE = r"""
cd /tmp
cat >Makefile <<'END'
objects = $(patsubst %.c,%.o,$(wildcard *.c))
program: $(objects)
	gcc -o $@ $^
%.o: %.c
	gcc -O2 -Wall -c -o $@ $<
END
for i in 1 2 3 4 5 6 7 8; do
    for j in $(seq 1 @FUNCTIONS@); do
        echo "unsigned long f${i}_$j(unsigned long *p, unsigned long n) { unsigned long s = $j;
for (unsigned long i = 0; i < n; i++) { if (p[i] % $((j + 2))) s += p[i] * $((i + 3)); else s ^= p[i] >> $((j % 30 + 1)); } return s; }"
    done >part$i.c
done
{
    echo 'int printf(const char *, ...);'
    for i in 1 2 3 4 5 6 7 8; do echo "unsigned long f${i}_1(unsigned long *, unsigned long);"; done
    echo 'int main(void) { unsigned long a[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, s = 0;'
    for i in 1 2 3 4 5 6 7 8; do echo "s += f${i}_1(a, 9);"; done
    echo 'printf("%lu\n", s); return 0; }'
} >main.c
make -s -j2 && ./program
"""

# Programs that make code while they run.
LUAJIT = r"""
cat >/tmp/job.lua <<'END'
local function sieve(n)
  local a, c = {}, 0
  for i = 2, n do a[i] = true end
  for i = 2, n do if a[i] then c = c + 1; for j = i * i, n, i do a[j] = false end end end
  return c
end
local sum, words = 0, {}
for round = 1, 12 do sum = sum + sieve(200000) end
for i = 1, 300000 do local k = 'k' .. i * 7919 % 5003; words[k] = (words[k] or 0) + #k end
local count = 0
for _, n in pairs(words) do count = count + n end
print(sum, count)
END
luajit /tmp/job.lua
"""

NODE = r"""
cat >/tmp/job.js <<'END'
function sieve(n) {
  const a = new Uint8Array(n + 1).fill(1);
  let c = 0;
  for (let i = 2; i <= n; i++) if (a[i]) { c++; for (let j = i * i; j <= n; j += i) a[j] = 0; }
  return c;
}
let sum = 0, total = 0, list = null;
for (let round = 0; round < 12; round++) sum += sieve(200000);
const words = new Map();
for (let i = 0; i < 300000; i++) { const k = 'k' + i * 7919 % 5003; words.set(k, (words.get(k) || 0) + k.length); }
for (let i = 0; i < 500000; i++) list = {next: i % 1000 ? list : null, value: i % 7};
for (let at = list; at; at = at.next) total += at.value;
console.log(sum, words.size, total, JSON.stringify([...words]).length);
END
node /tmp/job.js
"""

# /tmp is the job's alone; what the root's folder has is only read.
CONTAINER = """
set -eu
if [ -n "$2" ]; then
    mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
    printf %s "$2" >/proc/sys/fs/binfmt_misc/register
fi
mount --rbind /dev "$1/dev"
mount -t proc proc "$1/proc"
mount -t tmpfs tmpfs "$1/tmp"
exec chroot "$1" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/tmp LC_ALL=C $4 /bin/bash -c "$3"
"""


# The first process of a guest whose memory holds the programs.
GUEST_INIT = """#!/busybox sh
/busybox mount -t proc proc /proc
/busybox mount -t devtmpfs devtmpfs /dev
/busybox mount -t tmpfs tmpfs /tmp
echo 1 >/proc/sys/kernel/printk
export PATH=/usr/bin:/bin HOME=/tmp LC_ALL=C
echo JOB begin
bash /job </dev/null && echo JOB end
/busybox stty sane # waits until the console has taken it
/busybox poweroff -f
"""
GUEST_MEMORY = "3G"
# What no compiler reads.
LEFT_OUT = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/lib/gcc/riscv64-linux-gnu/14/plugin")


@dataclasses.dataclass(frozen=True)
class Container:
    root: pathlib.Path
    interpreter: str = ""  # binfmt_misc's line; empty for the host's own programs
    variable: str = ""     # NAME=VALUE, for the interpreter

    def command(self, script):
        return ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child",
                "sh", "-c", CONTAINER, "container", str(self.root), self.interpreter, script, self.variable]

    def run(self, script, timeout):
        """What the script prints, and the seconds that it takes, all of its container's life."""
        start = time.monotonic()
        try:
            done = subprocess.run(self.command(script), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=timeout, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failure(str(error)) from error
        seconds = time.monotonic() - start
        if done.returncode != 0:
            raise Failure(f"ended with {done.returncode}: {done.stderr.strip()[-500:]}")
        return done.stdout, seconds


@dataclasses.dataclass(frozen=True)
class Machine:
    emulator: emulators.Emulator
    guest: emulators.Guest
    programs: bytes  # an initial RAM disk
    folder: pathlib.Path
    vcpus: int

    def run(self, script, timeout):
        """The same of a guest, from its first process on."""
        disk = self.folder / f"{self.emulator.name}.cpio"
        disk.write_bytes(cpio.append(self.programs, {"init": GUEST_INIT.encode(), "job": script.encode()}))
        command = self.emulator.command(self.guest, self.vcpus, "console=ttyS0 quiet", disk, GUEST_MEMORY)
        seen, begun, ended = "", None, None
        try:
            for when, data in emulators.output_of(command, timeout):
                seen += data.decode(errors="replace").replace("\r", "")
                begun = when if begun is None and "JOB begin\n" in seen else begun
                ended = when if ended is None and "JOB end\n" in seen else ended
        finally:
            disk.unlink()
        if ended is None:
            raise Failure(f"the guest did not end its job: {seen[-500:]}")
        return seen.split("JOB begin\n")[1].split("JOB end\n")[0], ended - begun


def add_options(parser):
    parser.add_argument("--only", action="append", metavar="JOB", choices=["configure", "make", "luajit", "node", "guest-make"],
                        help="measure this one; may be repeated")
    parser.add_argument("--checks", type=int, default=400, help="of the configure script, five programs each (default 400)")
    parser.add_argument("--functions", type=int, default=20, help="in each of the eight files that make compiles (default 20)")
    parser.add_argument("--guest-vcpus", type=int, default=2, metavar="N", help="of a guest (default 2)")
    parser.add_argument("--without", default="", metavar="MACHINES", help="leave out native, weft or peer, with commas")
    parser.add_argument("--weft-build", type=pathlib.Path, metavar="DIR", help="weft's build folder (build/release)")
    parser.add_argument("--weft-accel", action="append", metavar="OPTIONS",
                        help="weft's -accel option (default tcg); several are measured side by side")
    parser.add_argument("--timeout", type=float, default=600, help="seconds for a run (default 600)")


def interpreter_line(program):
    """Of binfmt_misc (Linux, Documentation/admin-guide/binfmt-misc.rst): ELF, 64 bits, little-endian, RISC-V, any executable.
    F: opened now, outside of the container; P: it is told argv[0]."""
    magic = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xf3\x00"
    mask = r"\xff\xff\xff\xff\xff\xff\xff\x00" + r"\x00" * 8 + r"\xfe\xff\xff\xff"
    return f":riscv64:M::{magic}:{mask}:{program}:FP"


def containers(arguments, root, left_out):
    """{name: Container} and the versions."""
    guests = debian.folder_of(root, "riscv-root-full", "--full")
    weft = emulators.weft_user(root, arguments.weft_build, name="weft-riscv64-static")
    peer = emulators.peer_user(root)
    made = {}
    if "native" not in left_out:
        made["native"] = Container(debian.folder_of(root, "native-root", "--native"))
    if "weft" not in left_out:
        for index, accelerator in enumerate(arguments.weft_accel or ["tcg"]):
            made[accelerator if index else "weft"] = Container(
                guests, interpreter_line(weft.program.resolve()), f"WEFT_ACCEL={accelerator}")
    if "peer" not in left_out:
        # Not by its script, which the container does not have. Vectors: see emulators.peer_user().
        program = emulators.cache_of(root).resolve() / "peer/usr/bin/qemu-riscv64"
        made["peer"] = Container(guests, interpreter_line(program), "QEMU_CPU=rv64,v=false")
    return made, {"weft": weft.version, "peer": peer.version}


def guests(arguments, root, left_out):
    """{name: Machine, or the Container of the host's own programs}."""
    folder = root / "build/bench/guest"
    folder.mkdir(parents=True, exist_ok=True)
    guest = emulators.guest(root)
    busybox = emulators.cache_of(root) / "guest/busybox"
    disk = cpio.append(cpio.tree(debian.folder_of(root, "riscv-compiler", "--compiler"), LEFT_OUT),
                       {"busybox": busybox.read_bytes()})
    made = {}
    if "native" not in left_out:
        made["native"] = Container(debian.folder_of(root, "native-root", "--native"))
    if "weft" not in left_out:
        for index, accelerator in enumerate(arguments.weft_accel or ["tcg"]):
            made[accelerator if index else "weft"] = Machine(emulators.weft(root, arguments.weft_build, accelerator), guest,
                                                             disk, folder, arguments.guest_vcpus)
    if "peer" not in left_out:
        made["peer"] = Machine(emulators.peer(root), guest, disk, folder, arguments.guest_vcpus)
    return made


def run(arguments, root):
    make = MAKE.replace("@FUNCTIONS@", str(arguments.functions))
    jobs = {"configure": CONFIGURE.replace("@CHECKS@", str(arguments.checks)), "make": make, "luajit": LUAJIT, "node": NODE,
            "guest-make": make}
    chosen = [name for name in jobs if not arguments.only or name in arguments.only]
    left_out = arguments.without.split(",")
    in_containers, versions = containers(arguments, root, left_out)
    machines = dict.fromkeys(jobs, in_containers)
    if "guest-make" in chosen:
        machines["guest-make"] = guests(arguments, root, left_out)
    printed = {}

    def sample(case):
        job, name = case
        try:
            output, seconds = machines[job][name].run(jobs[job], arguments.timeout)
        except Failure as failure:
            raise Failure(f"{name}: {job}: {failure}") from failure
        if printed.setdefault(job, output) != output:
            raise Failure(f"{name}: {job} printed something else: {output[:200]!r}")
        return seconds

    names = list(in_containers)
    samples = measure.interleaved([(job, name) for job in chosen for name in names], arguments.rounds, sample, progress=None)
    rows = [results.row(job, "jobs", {name: measure.summary(samples[job, name]) for name in names}) for job in chosen]
    report.print_table(["job", *(f"{name}, s" for name in names), "weft/native", "peer/native", "times as fast"],
                       [[row["program"], *(f"{row[name]['median']:.2f}" for name in names),
                         *(f"{row[key]:.2f}" if row.get(key) else "-" for key, _, _ in results.RATIOS)] for row in rows])
    report.write_json(arguments.json, {
        "benchmark": NAME, "what": HELP, "rounds": arguments.rounds, "checks": arguments.checks,
        "functions": arguments.functions, "guest_vcpus": arguments.guest_vcpus, "host": report.host(), "versions": versions, "programs": rows})
