"""What guests are made of: Debian's packages, unpacked in the cache."""

import pathlib
import shutil
import subprocess
import sys

from .console import Failure

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Folders in the cache's `guests`, and the packages in them: architecture, options of scripts/lib/debian.py, names.
SETS = {
    "firmware": ("riscv64", [], ["u-boot-qemu", "qemu-efi-riscv64", "grub-efi-riscv64-bin", "opensbi"]),
    # Programs for this machine, of the same release as grub's modules.
    "grub": ("amd64", ["--closure"], ["grub-common"]),
    # A system with systemd; stress-ng brings most of what they depend on.
    "debian": ("riscv64", ["--closure"], [
        "base-files", "base-passwd", "bash", "coreutils", "dash", "debianutils", "diffutils", "dpkg", "findutils", "grep", "gzip",
        "hostname", "init-system-helpers", "libc-bin", "login", "login.defs", "ncurses-base", "ncurses-bin", "passwd", "perl-base",
        "sed", "sysvinit-utils", "tar", "util-linux", "mount", "apt", "systemd", "systemd-sysv", "udev", "dbus", "kmod",
        "libpam-modules", "libpam-modules-bin", "libpam-runtime", "procps", "stress-ng"]),
    # The kernel's modules: the package of the kernel in CACHE/guest.
    "modules": ("riscv64", [], []),
    # As files, for apt in the guest.
    "hello": ("riscv64", ["--packed"], ["hello"]),
}
# Made by scripts/fetch-guest and scripts/make-initramfs.
KERNEL = ["Image", "vmlinuz", "fw_dynamic.bin", "initramfs.cpio.gz"]
TOOLS = {"mke2fs": "e2fsprogs", "sfdisk": "fdisk", "mformat": "mtools", "mcopy": "mtools", "qemu-img": "qemu-utils",
         "unshare": "util-linux"}


class Files:
    """Paths by the names that the table of guests uses. `guests` and `kernel` are folders: CACHE/guests and CACHE/guest."""

    def __init__(self, guests, kernel):
        self.guests = pathlib.Path(guests)
        self.kernel = pathlib.Path(kernel)
        self.image, self.vmlinuz, self.fw_dynamic, self.initrd = (self.kernel / name for name in KERNEL)
        firmware = self.guests / "firmware"
        self.opensbi = firmware / "usr/lib/riscv64-linux-gnu/opensbi/generic"
        self.uboot = firmware / "usr/lib/u-boot"
        self.efi = firmware / "usr/share/qemu-efi-riscv64"

    def release(self):
        """The kernel's."""
        return (self.kernel / "stamp").read_text().split()[1]

    def has(self, name):
        """Whether a set is there; of modules, those of this kernel."""
        made = self.guests / name
        return (made / ".packages").is_file() and \
            (name != "modules" or (made / "usr/lib/modules" / self.release()).is_dir())

    def missing(self, sets):
        """What is not there, as texts; scripts/guests fetches files, scripts/deps installs programs."""
        path = "/usr/sbin:/sbin:/usr/bin:/bin"
        kernel = [str(self.kernel / name) for name in KERNEL if not (self.kernel / name).is_file()]
        return kernel + [str(self.guests / name) for name in sets if not kernel and not self.has(name)] + \
            sorted({package for tool, package in TOOLS.items() if not shutil.which(tool, path=path)})

    def grub_mkimage(self, image, modules, early, prefix):
        """grub as an EFI program with these modules, which begins with the commands `early`."""
        host = self.guests / "grub"
        early_file = image.with_suffix(".early")
        early_file.write_text(early)
        # Started with the loader and libraries of its own release: the host's may be older.
        command = [host / "usr/lib64/ld-linux-x86-64.so.2", "--inhibit-cache", "--library-path",
                   host / "usr/lib/x86_64-linux-gnu", host / "usr/bin/grub-mkimage", "-d",
                   self.guests / "firmware/usr/lib/grub/riscv64-efi", "-O", "riscv64-efi", "-o", image, "-p", prefix,
                   "-c", early_file, *modules]
        result = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)
        if result.returncode != 0:
            raise Failure("grub-mkimage: " + result.stdout.strip())
        return image


def fetch(cache, sets, mirror, record):
    """Fills the cache with these sets where something is missing, or anew where the newest is to be recorded."""
    mirror_option = ["--mirror", mirror] if mirror else []
    subprocess.run([ROOT / "scripts/fetch-guest", *mirror_option], check=True, stdin=subprocess.DEVNULL)
    subprocess.run([ROOT / "scripts/make-initramfs"], check=True, stdin=subprocess.DEVNULL)
    files = Files(pathlib.Path(cache) / "guests", pathlib.Path(cache) / "guest")
    for name in sets:
        if files.has(name) and not record:
            continue
        arch, options, packages = SETS[name]
        command = [sys.executable, "-B", ROOT / "scripts/lib/debian.py", "--cache", cache, *mirror_option, "fetch",
                   "--suite", "trixie", "--arch", arch, "--set", "guests-" + name, *options,
                   *(["--record"] if record else []), "--into", files.guests / name,
                   *(packages or ["linux-image-" + files.release()])]
        versions = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
        (files.guests / name / ".packages").write_bytes(versions)
