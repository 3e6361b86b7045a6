"""A boot of Debian's kernel on weft, and what its guest prints: for boot_test.py and its like. WEFT_GUEST_DIR holds the guest."""

import hashlib
import pathlib
import re
import subprocess
import tempfile

SKIP = 77
SLOWNESS = 50
SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"


class Failure(Exception):
    pass


class Skipped(Exception):
    """Something is missing on this host."""


class Stopped(Failure):
    """meson's limit, the only one there is, so that its multiplier holds: SIGTERM first, and half a second for last words."""


def stop(number, frame):
    raise Stopped("stopped: meson's limit on time, or its user")


class Guest:
    def __init__(self, folder, slow_time):
        self.folder = pathlib.Path(folder)
        self.slow_time = slow_time
        self.image = self.folder / "Image"
        self.initramfs = self.folder / "initramfs.cpio.gz"
        self.firmware = self.folder / "fw_dynamic.bin"
        self.check_initramfs()
        stamp = (self.folder / "stamp").read_text()
        self.release = re.search(r"^release (\S+)$", stamp, re.M).group(1)
        expected = (self.folder / "expected").read_text().split("\n")
        self.expected = [line for line in expected if line]

    def check_initramfs(self):
        """An initramfs of other sources may not know what it is asked for, and then it waits at a shell."""
        files = [SCRIPTS / "make-initramfs", SCRIPTS / "guest/init", SCRIPTS / "guest/work", self.folder / "sums"]
        inputs = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
        recorded = self.folder / "initramfs.inputs"
        if not recorded.exists() or recorded.read_text().split() != [inputs, "-"]:
            raise Failure("%s is not made of these sources; scripts/make-initramfs makes it anew" % self.initramfs)


class Run:
    """One boot. `watch` is called with the running process now and then, for what only shows meanwhile."""

    def __init__(self, emulator, modules, guest, accel, smp, append, extra=(), watch=None, machine="virt"):
        command = [emulator, "-module-dir", modules, "-accel", accel, "-M", machine, "-smp", str(smp), "-m", "512M",
                   "-nographic", "-bios", guest.firmware, "-kernel", guest.image, "-initrd", guest.initramfs,
                   "-append", "console=ttyS0 " + append, *extra]
        with tempfile.TemporaryFile() as log, tempfile.TemporaryDirectory() as folder:
            if guest.slow_time and "backend=interp" in accel:
                tree = pathlib.Path(folder) / "tree"
                subprocess.run([guest.slow_time, str(smp), "512", str(SLOWNESS), tree], check=True)
                command[command.index("-append") + 1] += " cryptomgr.notests"
                command += ["-dtb", tree]
            self.text = " ".join(str(word) for word in command)
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
            try:
                while True:
                    try:
                        self.status = process.wait(timeout=0.5 if watch else None)
                        break
                    except subprocess.TimeoutExpired:
                        watch(process)
            except Stopped as stopped:
                self.status = str(stopped)
            finally:
                # If it was stopped, or a watch has seen enough.
                process.kill()
                process.wait()
            log.seek(0)
            self.lines = log.read().decode("utf-8", "replace").replace("\r", "").split("\n")

    def has(self, line):
        if line not in self.lines:
            raise Failure("the guest did not print %r" % line)

    def check(self, guest, smp, rounds=1):
        self.has("WEFT nproc=%d kernel=%s" % (smp, guest.release))
        for line in guest.expected:
            job, result = line.split()
            self.has("WEFT job=%s sum=%s" % (job, result))
        wrong = [line for line in self.lines if line.startswith("WEFT differs")]
        right = self.lines.count("WEFT work=ok")
        if wrong or right != rounds:
            raise Failure("%d of %d rounds were right; %s" % (right, rounds, wrong))

    def booted(self, times):
        """Firmware and kernel came up so often, by the first line of each."""
        for first in (r"OpenSBI v", r"(?:\[ *0\.0+\] )?Linux version "):
            found = sum(bool(re.match(first, line)) for line in self.lines)
            if found != times:
                raise Failure("%d lines that begin with %s instead of %d" % (found, first, times))

    def ended(self, status=0):
        if self.status != status:
            raise Failure("the emulator ended with %s instead of %s" % (self.status, status))


def mappings(process):
    try:
        text = pathlib.Path("/proc/%d/maps" % process.pid).read_text()
    except OSError:
        return []
    return [line.split()[1] for line in text.split("\n") if line]


class NeverBoth:
    """No mapping is ever both writable and executable (looked at while the guest runs)."""

    def __init__(self):
        self.looks = 0

    def __call__(self, process):
        rights = mappings(process)
        self.looks += bool(rights)
        if any("w" in right and "x" in right for right in rights):
            raise Failure("a mapping is writable and executable")


class VcpuThreads:
    """Which of the accelerator's threads used processor time."""

    def __init__(self):
        self.busy = set()

    def __call__(self, process):
        for task in pathlib.Path("/proc/%d/task" % process.pid).glob("*"):
            try:
                name = (task / "comm").read_text().strip()
                ticks = int((task / "stat").read_text().rsplit(")", 1)[1].split()[11])
            except OSError:
                continue
            if ticks > 0 and name.endswith("/TCG") and "CPU" in name:
                self.busy.add(name)
