"""Cases of boot_test.py about devices: what the guest does with disks, networks, folders and consoles is looked at from the host, and is as on
QEMU, where there is one."""

import hashlib
import http.server
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import urllib.request

from boot_run import Failure, Run, Skipped


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
