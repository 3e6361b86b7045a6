#!/usr/bin/env python3
"""Boots Debian's kernel on weft and checks what the guest itself prints.

    boot_test.py EMULATOR MODULE_DIR CASE [SLOW_TIME]

SLOW_TIME, for sanitizers, is the program made of slow_time.cpp: guests in the interpreter then have SLOWNESS times as long
seconds, and their kernel leaves out the tests of its own cryptography.

WEFT_GUEST_DIR holds the guest (scripts/fetch-guest, scripts/make-initramfs); without it the test is skipped (exit
code 77). The cases are in CASES: options, the kernel's command line, and what has to be true afterwards. The results of
the guest's own programs are compared with the host's, not with an earlier run of weft.
"""

import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request

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


def plain(accel, smp, rounds=1):
    """More rounds than one are for what goes wrong once in a hundred process starts."""
    if rounds > 1 and os.environ.get("WEFT_TEST_FULL"):
        rounds *= 20

    def case(emulator, modules, guest):
        run = Run(emulator, modules, guest, accel, smp, "weft.check weft.rounds=%d" % rounds)
        yield run
        run.check(guest, smp, rounds)
        run.ended()

    return case


def aclint(emulator, modules, guest):
    """The firmware takes timer and interrupts of harts from the nodes that stand for the CLINT's."""
    run = Run(emulator, modules, guest, "tcg", 2, "weft.check", machine="virt,aclint=on")
    yield run
    run.check(guest, 2)
    run.ended()
    for device in ("Platform IPI Device", "Platform Timer Device"):
        found = [line for line in run.lines if line.startswith(device)]
        if len(found) != 1 or "aclint" not in found[0]:
            raise Failure("%s: %s" % (device, found))


def four_threads(emulator, modules, guest, threads_at_most=4):
    threads = VcpuThreads()
    run = Run(emulator, modules, guest, "tcg,thread=multi,max-threads=%d" % threads_at_most, 4, "weft.check", watch=threads)
    yield run
    run.check(guest, 4)
    run.ended()
    if threads.busy != {"CPU %d/TCG" % i for i in range(threads_at_most)}:
        raise Failure("these vCPU threads used processor time: %s" % sorted(threads.busy))


def shared_threads(emulator, modules, guest):
    return four_threads(emulator, modules, guest, 2)


def one_thread(emulator, modules, guest):
    threads = VcpuThreads()
    run = Run(emulator, modules, guest, "tcg,thread=single", 4, "weft.check", watch=threads)
    yield run
    run.check(guest, 4)
    run.ended()
    if len(threads.busy) != 1:
        raise Failure("these vCPU threads used processor time: %s" % sorted(threads.busy))


def split_wx(emulator, modules, guest):
    never = NeverBoth()
    run = Run(emulator, modules, guest, "tcg,split-wx=on", 4, "weft.check", watch=never)
    yield run
    run.check(guest, 4)
    run.ended()
    if never.looks == 0:
        raise Failure("the mappings were never looked at")


def interp(emulator, modules, guest):
    def never_executable(process):
        try:
            lines = pathlib.Path("/proc/%d/maps" % process.pid).read_text().split("\n")
        except OSError:
            return
        for line in lines:
            fields = line.split()
            if fields and "x" in fields[1] and (len(fields) < 6 or fields[5].startswith("/memfd")):
                raise Failure("memory of the interpreter's is executable: %s" % line)

    run = Run(emulator, modules, guest, "tcg,backend=interp", 1, "weft.init", watch=never_executable)
    yield run
    run.has("WEFT init")
    run.ended()


def interp_four_threads(emulator, modules, guest):
    threads = VcpuThreads()
    run = Run(emulator, modules, guest, "tcg,backend=interp,max-threads=4", 4, "weft.check", watch=threads)
    yield run
    run.check(guest, 4)
    run.ended()
    if len(threads.busy) != 4:
        raise Failure("these vCPU threads used processor time: %s" % sorted(threads.busy))


def small_cache(emulator, modules, guest, evict="region", counter="evictions"):
    with tempfile.TemporaryDirectory() as folder:
        stats = pathlib.Path(folder) / "stats"
        run = Run(emulator, modules, guest, "tcg,tb-size=4,evict=%s,stats=%s" % (evict, stats), 4,
                  "weft.check" if evict == "region" else "weft.init")
        yield run
        if evict == "region":
            run.check(guest, 4)
        else:
            run.has("WEFT init")
        run.ended()
        found = re.search(r'"%s": *(\d+)' % counter, stats.read_text())
        if not found or int(found.group(1)) < 1:
            raise Failure("there were no %s: %s" % (counter, stats.read_text()))


def small_cache_flush(emulator, modules, guest):
    yield from small_cache(emulator, modules, guest, "flush", "flushes")


def disk(emulator, modules, guest, device="virtio-blk-device", extra=()):
    with tempfile.TemporaryDirectory() as folder:
        image = pathlib.Path(folder) / "disk"
        content = bytes((i * 7 + (i >> 8)) & 0xFF for i in range(2 << 20))
        image.write_bytes(content)
        run = Run(emulator, modules, guest, "tcg", 1, "weft.disk",
                  (*extra, "-drive", "file=%s,format=raw,if=none,id=d0" % image, "-device", device + ",drive=d0"))
        yield run
        run.has("WEFT disk=%s" % hashlib.sha256(content[:1 << 20]).hexdigest())
        run.ended()
        if image.read_bytes() != content:
            raise Failure("the disk image changed")


def disk_pci(emulator, modules, guest):
    yield from disk(emulator, modules, guest, "virtio-blk-pci,addr=3")


def disk_pci_modern(emulator, modules, guest):
    """Without the legacy interface, in a slot with several functions, on another wire."""
    yield from disk(emulator, modules, guest, "virtio-blk-pci,disable-legacy=on,addr=6.1",
                    ("-device", "virtio-rng-pci,addr=6.0,multifunction=on"))


def rng(emulator, modules, guest):
    """What the guest reads from its device lies somewhere in the file behind it (its kernel takes bytes for itself as well)."""
    content = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(1 << 15))
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "bytes"
        source.write_bytes(content)
        run = Run(emulator, modules, guest, "tcg", 1, "weft.rng",
                  ("-object", "rng-random,filename=%s,id=r0" % source, "-device", "virtio-rng-device,rng=r0"))
        yield run
        run.ended()
    run.has("WEFT hwrng=virtio_rng.0")
    random = random_bytes(run)
    if len(random) != 64 or random not in content:
        raise Failure("the guest's random bytes are not those of the file: %s" % random.hex())


def rng_equal(emulator, modules, guest):
    """clock=insn: random bytes are the same in each run, without a file and with one."""
    seen = set()
    for extra in ((), ("-object", "rng-random,filename=/dev/urandom,id=r0")):
        run = Run(emulator, modules, guest, "tcg,thread=single,clock=insn", 1, "weft.rng",
                  (*extra, "-device", "virtio-rng-device" + (",rng=r0" if extra else "")))
        yield run
        run.ended()
        seen.add(random_bytes(run))
    if len(seen) != 1 or any(len(random) != 64 or len(set(random)) < 32 for random in seen):
        raise Failure("the random bytes of the runs: %s" % [random.hex() for random in seen])


class NetServer(http.server.ThreadingHTTPServer):
    """The host's side of weft.net, on a port of its loopback. Answers with sums, but for /file."""

    def __init__(self, content):
        super().__init__(("127.0.0.1", 0), NetRequest)
        self.content = content
        self.process = None
        self.seen = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __call__(self, process):
        self.process = process
        self.seen.set()

    def forwarded_port(self):
        """The emulator's own listening port, which the kernel picked: by its descriptors' inodes."""
        self.seen.wait()
        folder = pathlib.Path("/proc/%d" % self.process.pid)
        sockets = set()
        for fd in (folder / "fd").glob("*"):
            try:
                sockets.add(os.readlink(fd))
            except OSError:
                pass
        rows = [line.split() for line in (folder / "net/tcp").read_text().split("\n")[1:] if line]
        ports = [row[1].split(":") for row in rows if row[3] == "0A" and "socket:[%s]" % row[9] in sockets]
        if len(ports) != 1 or ports[0][0] != "0100007F":
            raise Failure("the emulator listens at %s" % ports)
        return int(ports[0][1], 16)


class NetRequest(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/file":
            self.answer(self.server.content)
        else:
            with urllib.request.urlopen("http://127.0.0.1:%d/file" % self.server.forwarded_port()) as reply:
                self.answer(hashlib.sha256(reply.read()).hexdigest().encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(hashlib.sha256(body).hexdigest().encode())


def net(smp, device="virtio-net-device"):
    """An address by DHCP; 8 MiB through the user network to the guest, back to the host, and out of a forwarded port."""

    def case(emulator, modules, guest):
        # Text: busybox's wget posts no file with zeros in it.
        content = b"".join(hashlib.sha256(b"%d" % i).hexdigest().encode() for i in range(1 << 17))
        server = NetServer(content)
        run = Run(emulator, modules, guest, "tcg", smp, "weft.net=%d" % server.server_address[1],
                  ("-netdev", "user,id=n0,hostfwd=tcp:127.0.0.1:0-:80", "-device", device + ",netdev=n0"), watch=server)
        yield run
        run.ended()
        run.has("WEFT mac=52:54:00:12:34:56 carrier=1")
        run.has("WEFT lease=10.0.2.15/255.255.255.0 router=10.0.2.2 dns=10.0.2.3")
        for what in ("fetched", "sent", "forwarded"):
            run.has("WEFT %s=%s" % (what, hashlib.sha256(content).hexdigest()))

    return case


# QEMU with the same guest and folder: what the guest's programs print, and what they leave, is compared with that.
def peer_lines(guest, append, extra):
    """What the guest prints on QEMU; None where there is none."""
    folder = os.environ.get("WEFT_PEER_DIR")
    if not folder:
        return None
    command = [pathlib.Path(folder) / "bin/qemu-system-riscv64", "-M", "virt", "-m", "512M", "-nographic", "-bios",
               guest.firmware, "-kernel", guest.image, "-initrd", guest.initramfs, "-append", "console=ttyS0 " + append, *extra]
    text = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True).stdout
    return text.decode("utf-8", "replace").replace("\r", "").split("\n")


def weft_lines(lines):
    return [line for line in lines if line.startswith("WEFT ")]


SHARE_SCRIPT = """mkdir $1/work
$1/share-check $1/work
sha256sum <$1/work/data >$1/sum
echo "WEFT kinds=$(ls -l $1/work | tail -n +2 | cut -c1-10 | sort | uniq -c | tr -s ' ' | tr '\\n' ,)"
mknod $1/work/pipe p || echo "WEFT mknod=failed"
mknod $1/work/device c 1 3 2>/dev/null
chown 5:6 $1/work/pipe
"""


def left_behind(work, guest_view):
    """What the guest's programs left there: names with kinds, permissions, sizes; owners by `guest_view`, a function."""
    found = {}
    for path in sorted(work.rglob("*")):
        facts = os.lstat(path)
        size = facts.st_size if path.is_file() or path.is_symlink() else None
        found[str(path.relative_to(work))] = (*guest_view(path, facts), size)
    return found


def host_view(path, facts):
    return facts.st_mode, facts.st_uid, facts.st_gid, facts.st_nlink


def mapped_view(path, facts):
    """The guest's, out of the attributes; the host's own mode beside it."""
    numbers = [os.getxattr(path, "user.virtfs." + name, follow_symlinks=False).hex() for name in ("mode", "uid", "gid")]
    return (*numbers, facts.st_mode, facts.st_nlink)


def share(model="none", device="virtio-9p-pci", options="msize=262144", accel="tcg"):
    """A guest runs a program out of a shared folder, in that folder; both are looked at from here, and the same is done on QEMU."""

    def prepare(folder):
        folder = pathlib.Path(folder)
        (folder / "run").write_text(SHARE_SCRIPT)
        shutil.copy(os.environ["WEFT_SHARE_CHECK"], folder / "share-check")
        if model.startswith("mapped"):
            # It keeps the host's permissions where no attributes are.
            (folder / "share-check").chmod(0o755)
        return ("-fsdev", "local,id=f0,path=%s,security_model=%s" % (folder, model),
                "-device", device + ",fsdev=f0,mount_tag=share")

    def look(folder):
        folder = pathlib.Path(folder)
        data = (folder / "work/data").read_bytes()
        if data != bytes((i * 31 + (i >> 8) * 7) & 0xFF for i in range(300000)):
            raise Failure("what the guest wrote is not in the file")
        if (folder / "sum").read_text().split()[0] != hashlib.sha256(data).hexdigest():
            raise Failure("what the guest read is not in the file")
        return left_behind(folder / "work", mapped_view if model.startswith("mapped") else host_view)

    def case(emulator, modules, guest):
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as peer_folder:
            try:
                os.setxattr(folder, "user.weft", b"")
                os.removexattr(folder, "user.weft")
            except OSError:
                raise Skipped("the temporary folder takes no extended attributes")
            run = Run(emulator, modules, guest, accel, 1, "weft.share=" + options, prepare(folder))
            yield run
            run.ended()
            for name in ("writes", "renames", "unlinked", "long-folder", "attributes", "locks", "mapping"):
                run.has("WEFT share %s=ok" % name)
            if any("failed" in line for line in weft_lines(run.lines)):
                raise Failure("the guest reports failures")
            found = look(folder)
            devices = 1 if model.startswith("mapped") or os.geteuid() == 0 else 0
            if len(found) != 1200 + 8 + devices:
                raise Failure("the guest left %d files" % len(found))
            lines = peer_lines(guest, "weft.share=" + options, prepare(peer_folder))
            if lines is None:
                return
            if weft_lines(lines) != weft_lines(run.lines):
                raise Failure("on QEMU the guest printed %s" % weft_lines(lines))
            expected = look(peer_folder)
            for name in expected.keys() | found.keys():
                if expected.get(name) != found.get(name):
                    raise Failure("%s: weft %s, QEMU %s" % (name, found.get(name), expected.get(name)))

    return case


class PortServer:
    """The other end of weft.port: what it hears there."""

    def __init__(self, path):
        self.heard = b""
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(1)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        connection = self.listener.accept()[0]
        connection.sendall(b"hello guest\n" + numbers(1, 60000)[:300000])
        while not self.heard.endswith(b"\n200000\n"):
            piece = connection.recv(65536)
            if not piece:
                return
            self.heard += piece
        connection.sendall(b"all of it\n")
        # Until the machine has gone.
        while connection.recv(65536):
            pass


def console_ports(emulator, modules, guest):
    """The kernel's console on a virtio console, and a port by its name; the same on QEMU."""

    def extra(folder):
        folder = pathlib.Path(folder)
        return PortServer(folder / "socket"), (
            "-device", "virtio-serial-pci", "-chardev", "file,id=c0,path=%s" % (folder / "console"),
            "-device", "virtconsole,chardev=c0", "-chardev", "socket,id=c1,path=%s" % (folder / "socket"),
            "-device", "virtserialport,chardev=c1,name=org.example.port")

    def console_lines(folder):
        text = (pathlib.Path(folder) / "console").read_bytes().decode().replace("\r", "").split("\n")
        return weft_lines(text)

    append = "console=hvc0 weft.port"
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as peer_folder:
        server, options = extra(folder)
        run = Run(emulator, modules, guest, "tcg", 2, append, options)
        yield run
        run.ended()
        lines = console_lines(folder)
        expected = ["WEFT console=ttyS0 hvc0", "WEFT port=org.example.port", "WEFT heard=hello guest",
                    "WEFT received=%s" % hashlib.sha256(numbers(1, 60000)[:300000]).hexdigest(), "WEFT heard=all of it"]
        if lines != expected:
            raise Failure("the guest printed %s on its console" % lines)
        if server.heard != numbers(1, 200000):
            raise Failure("of the guest's numbers %d bytes came" % len(server.heard))
        peer, options = extra(peer_folder)
        if peer_lines(guest, append, options) is None:
            return
        if console_lines(peer_folder) != lines or peer.heard != server.heard:
            raise Failure("on QEMU the guest printed %s" % console_lines(peer_folder))


def random_bytes(run):
    return bytes.fromhex("".join(line[12:] for line in run.lines if line.startswith("WEFT random=")))


def numbers(first, last):
    """What `seq FIRST LAST` prints."""
    return "".join("%d\n" % number for number in range(first, last + 1)).encode()


def put(disk, offset, data):
    disk[offset:offset + len(data)] = data


def raw_image(content, folder):
    image = pathlib.Path(folder) / "disk"
    image.write_bytes(content)
    return image


def qcow2_image(content, folder):
    """An image without data of its own, over a compressed one."""
    raw_image(content, folder)
    for command in ("convert -c -f raw -O qcow2 disk base", "create -q -f qcow2 -b base -F qcow2 image"):
        subprocess.run(["qemu-img"] + command.split(), cwd=folder, check=True)
    return pathlib.Path(folder) / "image"


def qcow2_bytes(image):
    checked = subprocess.run(["qemu-img", "check", "-f", "qcow2", image], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, check=False)
    if checked.returncode != 0:
        raise Failure("qemu-img check: %s" % checked.stdout.decode())
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, image.parent / "back"], check=True)
    return (image.parent / "back").read_bytes()


def write_disk(emulator, modules, guest, make=raw_image, bytes_of=pathlib.Path.read_bytes, drive="format=raw",
               device="virtio-blk-device"):
    """What write_disk of scripts/guest/init writes is on the disk afterwards, and nothing else has changed."""
    size = 4 << 20
    before = bytes((i * 7 + (i >> 8) * 3 + (i >> 16)) & 0xFF for i in range(size))
    expected = bytearray(before)
    direct = numbers(1000000, 1099999)
    put(expected, 16 * 4096, numbers(1, 100000))
    put(expected, 32 * 65536, direct[:12 * 65536])
    for i in range(16):
        put(expected, (6144 + i * 5 % 16 * 3) * 512, direct[i * 5 * 512:(i * 5 + 1) * 512])
    put(expected, 2500003, numbers(5000000, 5000999))
    put(expected, 523 * 8000, numbers(6000000, 6000999))
    put(expected, size - 512, direct[100 * 512:101 * 512])
    with tempfile.TemporaryDirectory() as folder:
        image = make(before, folder)
        run = Run(emulator, modules, guest, "tcg", 2, "weft.write",
                  ("-drive", "file=%s,%s,if=none,id=d0" % (image, drive), "-device", device + ",drive=d0"))
        yield run
        run.ended()
        got = bytes_of(image)
    if len(got) != size:
        raise Failure("the image has %d bytes instead of %d" % (len(got), size))
    wrong = [sector for sector in range(size // 512) if got[sector * 512:][:512] != expected[sector * 512:][:512]]
    if wrong:
        raise Failure("%d sectors of the image are wrong, the first is %d" % (len(wrong), wrong[0]))
    run.has("WEFT disk=%s" % hashlib.sha256(expected).hexdigest())
    # The disk says that it has a cache, so this kernel asked for flushes where it had to.
    run.has("WEFT cache=write back")
    failed = [line for line in run.lines if line.startswith("WEFT write=failed")]
    flushes = [int(line.split("=")[1]) for line in run.lines if line.startswith("WEFT flushes=")]
    if failed or len(flushes) != 1 or flushes[0] < 2:
        raise Failure("flushes that the guest has seen done: %s; %s" % (flushes, failed))


def write_disk_qcow2(emulator, modules, guest):
    yield from write_disk(emulator, modules, guest, qcow2_image, qcow2_bytes, "format=qcow2")


def write_disk_queues(emulator, modules, guest):
    """With a queue for each hart, which is what a disk on PCI has unless another number is given."""
    case = write_disk(emulator, modules, guest, drive="format=raw,discard=unmap", device="virtio-blk-pci")
    run = next(case)
    yield run
    yield from case
    run.has("WEFT queues=2")


def no_reboot(emulator, modules, guest):
    run = Run(emulator, modules, guest, "tcg", 1, "weft.reboot", ("-no-reboot",))
    yield run
    run.has("WEFT reboot")
    run.ended()
    run.booted(1)


def reboots(emulator, modules, guest):
    """Two resets, and three boots that each find on the disk what the one before wrote."""
    rest = bytes(range(256)) * 8
    with tempfile.TemporaryDirectory() as folder:
        image = pathlib.Path(folder) / "disk"
        image.write_bytes(b"0\n".ljust(512, b"\0") + rest)
        run = Run(emulator, modules, guest, "tcg", 2, "weft.reboots=2",
                  ("-drive", "file=%s,format=raw" % image))
        yield run
        run.ended()
        counts = [line for line in run.lines if line.startswith("WEFT ")]
        if counts != ["WEFT boot=1", "WEFT boot=2", "WEFT boot=3"]:
            raise Failure("the guest's boots were %s" % counts)
        run.booted(3)
        if image.read_bytes() != b"3\n".ljust(512, b"\0") + rest:
            raise Failure("the disk holds %r..." % image.read_bytes()[:16])


def counted(smp, *ways):
    """clock=insn: one boot for each of `ways`, which change nothing that the guest or its user can see."""

    def case(emulator, modules, guest):
        content = bytes((i * 7 + (i >> 8)) & 0xFF for i in range(2 << 20))
        first = None
        with tempfile.TemporaryDirectory() as folder:
            image = pathlib.Path(folder) / "disk"
            image.write_bytes(content)
            stats = pathlib.Path(folder) / "stats"
            for way in ways:
                run = Run(emulator, modules, guest, "tcg,thread=single,clock=insn,stats=%s%s" % (stats, way), smp,
                          "weft.check weft.disk",
                          ("-drive", "file=%s,format=raw,if=none,id=d0" % image, "-device", "virtio-blk-device,drive=d0"))
                yield run
                run.check(guest, smp)
                run.has("WEFT disk=%s" % hashlib.sha256(content[:1 << 20]).hexdigest())
                run.ended()
                report = json.loads(stats.read_text())
                if report["insns"] < 100_000_000:
                    raise Failure("only %d instructions" % report["insns"])
                result = {name: report[name] for name in ("insns", "time_ns", "state_hash")}
                result["output"] = run.lines
                if first is None:
                    first = result
                for name, value in first.items():
                    if result[name] != value:
                        raise Failure("%s differs from the first run's: %s, %s" % (name, result[name], value))

    return case


CASES = {
    "smp1": plain("tcg", 1),
    "smp4": four_threads,
    "aclint": aclint,
    "smp4-shared": shared_threads,
    "single": one_thread,
    "split-wx": split_wx,
    "no-split-wx": plain("tcg,split-wx=off", 2),
    "tb-size-4": small_cache,
    "tb-size-4-flush": small_cache_flush,
    "interp": interp,
    "interp-smp4": interp_four_threads,
    "disk": disk,
    "disk-pci": disk_pci,
    "disk-pci-modern": disk_pci_modern,
    "write-disk": write_disk,
    "write-disk-qcow2": write_disk_qcow2,
    "write-disk-queues": write_disk_queues,
    "rng": rng,
    "rng-equal": rng_equal,
    "net": net(1),
    "net-smp2": net(2),
    "net-pci": net(2, "virtio-net-pci"),
    "share": share(),
    "share-mmio": share(device="virtio-9p-device", options="msize=8192,cache=mmap"),
    "share-mapped": share(model="mapped-xattr"),
    "share-insn": share(accel="tcg,thread=single,clock=insn"),
    "console": console_ports,
    "reboot": reboots,
    "no-reboot": no_reboot,
    "soak": plain("tcg", 1, 5),
    "soak-evictions": plain("tcg,tb-size=4", 2, 3),
    "insn-smp1": counted(1, "", ""),
    "insn-smp2": counted(2, "", ",tb-size=4,disable=pin-registers"),
}


def main():
    emulator, modules, name = sys.argv[1:4]
    slow_time = sys.argv[4] if len(sys.argv) > 4 else None
    folder = os.environ.get("WEFT_GUEST_DIR")
    if not folder:
        print("skipped: WEFT_GUEST_DIR is not set (scripts/fetch-guest gets the guest)")
        return SKIP
    run = None
    signal.signal(signal.SIGTERM, stop)
    try:
        case = CASES[name](emulator, modules, Guest(folder, slow_time))
        run = next(case)
        for run in case:
            pass
    except Skipped as skipped:
        print("skipped: %s" % skipped)
        return SKIP
    except Failure as failure:
        if run is not None:
            print(run.text)
            print("\n".join(run.lines[-60:]))
            print("(the emulator ended with %s)" % run.status)
        print("boot_test: %s: %s" % (name, failure))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
