"""The guests, one row each: what it is, how it is made, its command line, what is typed and waited for.

A guest's `prepare(files, work)` makes its images in the folder `work`. `command(files, work)` is its command line, without the
program, as its documentation gives it (but for paths, and ports of the host). `boots` are runs of that command line one after the
other; in a run, the step `mark` is what its time is taken at. `finish(files, work)` looks at what they left.

Debian's kernel comes with the initramfs of scripts/make-initramfs: with `weft.check` on the kernel's command line it compares
what the guest computes with the host's results, says so, and powers off.
"""

import dataclasses
import shutil
import typing

from . import debian_image, images

WORKED = r"^WEFT work=ok$"
PANIC = r"Kernel panic|^WEFT differs"
CHECK = "console=ttyS0 weft.check"


@dataclasses.dataclass(frozen=True)
class Step:
    kind: str  # wait, mark, type, end
    value: object
    never: typing.Optional[str] = None


def wait(pattern, never=None):
    return Step("wait", pattern, never)


def mark(pattern, never=None):
    return Step("mark", pattern, never)


def types(text):
    return Step("type", text)


def end(status=0):
    """The emulator ends by itself, with this exit code."""
    return Step("end", status)


@dataclasses.dataclass(frozen=True)
class Guest:
    name: str
    about: str
    command: typing.Callable
    boots: list
    prepare: typing.Callable = lambda files, work: None
    finish: typing.Callable = lambda files, work: None
    without_peer: str = ""  # why QEMU 11 is not asked
    needs: tuple = ("firmware",)  # sets of packages: files.py


# ---- images ----


def extlinux(files):
    """What Debian's u-boot-menu would write, for the kernel and the initramfs beside it."""
    return {"vmlinuz": files.vmlinuz, "initrd.img": files.initrd,
            "extlinux/extlinux.conf": "default l0\ntimeout 1\n\nlabel l0\n\tlinux /vmlinuz\n\tinitrd /initrd.img\n"
                                      "\tappend root=LABEL=rootfs %s\n" % CHECK}


def ext4_qcow2(files, work):
    images.tree(work / "root", extlinux(files))
    root = images.ext4(work / "root.img", work / "root", 80, "rootfs")
    images.qcow2(work / "image.qcow2", images.gpt(work / "image.raw", [(images.LINUX, root)]))


def fat_raw(files, work):
    images.tree(work / "boot", extlinux(files))
    boot = images.fat(work / "boot.img", work / "boot", 80, "BOOT")
    images.gpt(work / "disk.img", [(images.ESP, boot)])


def efi(files, work):
    """The variables' flash memory, and an initial RAM disk of a size as Debian's have. Linux's EFI stub may put one of less than
    2 MiB where the kernel reserves the rest of its last large page, and then goes on without it, by the addresses' random offset."""
    shutil.copyfile(files.efi / "RISCV_VIRT_VARS.fd", work / "VARS.fd")
    with open(shutil.copyfile(files.initrd, work / "initrd.img"), "r+b") as file:
        file.truncate(4 * images.MIB)


GRUB_MODULES = ["normal", "linux", "part_gpt", "fat", "ext2", "search", "search_label", "echo", "test", "gzio"]


def grub_disk(files, work):
    efi(files, work)
    grub = files.grub_mkimage(work / "grub.efi", GRUB_MODULES,
                              "search --no-floppy --label rootfs --set root\nset prefix=($root)/boot/grub\n", "/boot/grub")
    images.tree(work / "esp", {"EFI/BOOT/BOOTRISCV64.EFI": grub})
    images.tree(work / "root", {
        "boot/vmlinuz": files.vmlinuz, "boot/initrd.img": work / "initrd.img",
        "boot/grub/grub.cfg": "set timeout=0\nmenuentry Debian {\n\tlinux /boot/vmlinuz %s\n\tinitrd /boot/initrd.img\n}\n"
                              % CHECK})
    images.gpt(work / "disk.img", [(images.ESP, images.fat(work / "esp.img", work / "esp", 40, "ESP")),
                                   (images.LINUX, images.ext4(work / "root.img", work / "root", 80, "rootfs"))])


def debian_disk(files, work):
    debian_image.root_image(files, work / "root.img")
    debian_image.initrd(files, work / "initrd.img")


# ---- command lines ----


def flash_drives(files, work):
    """As in Debian's README of qemu-efi-riscv64."""
    return ["-drive", "if=pflash,format=raw,unit=0,file=%s,readonly=on" % (files.efi / "RISCV_VIRT_CODE.fd"),
            "-drive", "if=pflash,format=raw,unit=1,file=%s" % (work / "VARS.fd")]


def flash_blockdevs(files, work):
    """As in EDK2's README of the RISC-V platform."""
    return ["-blockdev", "node-name=pflash0,driver=file,read-only=on,filename=%s" % (files.efi / "RISCV_VIRT_CODE.fd"),
            "-blockdev", "node-name=pflash1,driver=file,filename=%s" % (work / "VARS.fd")]


def efi_readme(machine, disk):
    """Debian's README of qemu-efi-riscv64, the command line for a serial console."""
    def command(files, work):
        return ["-M", machine, "-m", "4096", "-smp", "4", "-nographic", *flash_drives(files, work),
                *(word % {"disk": work / "disk.img"} for word in disk), "-device", "virtio-net-device,netdev=net0",
                "-device", "virtio-rng-pci", "-netdev", "user,id=net0"]
    return command


def dqib(firmware):
    def command(files, work):
        return ["-machine", "virt", "-cpu", "rv64", "-m", "1G", "-device", "virtio-blk-device,drive=hd",
                "-drive", "file=%s,if=none,id=hd" % (work / "image.qcow2"), "-device", "virtio-net-device,netdev=net",
                "-netdev", "user,id=net,hostfwd=tcp:127.0.0.1:0-:22", "-bios", files.opensbi / firmware,
                "-kernel", files.uboot / "qemu-riscv64_smode/uboot.elf", "-object", "rng-random,filename=/dev/urandom,id=rng",
                "-device", "virtio-rng-device,rng=rng", "-nographic", "-append", "root=LABEL=rootfs console=ttyS0"]
    return command


# ---- what is typed and waited for ----

PROMPT = r"^=> "
# The prompt, what is typed there, and what has to be printed.
UBOOT_START = [wait("Hit any key to stop autoboot"), types("\n"), mark(PROMPT)]
UBOOT_INFO = [types("version\n"), wait(r"^U-Boot 20\d\d\.\d\d.*\n"), wait(PROMPT),
              types("bdinfo\n"), wait(r"^-> start    = 0x0000000080000000$"), wait(r"^flashsize +=.*2000000$"), wait(PROMPT),
              types("pci enum; pci\n"), wait(r"^00\.00\.00 +0x1b36 +0x0008 +Bridge device"), wait(PROMPT)]
UBOOT_OFF = [types("poweroff\n"), end()]
LINUX_WORKS = [wait(r"Linux version", PANIC), mark(WORKED, PANIC), wait("reboot: Power down", PANIC), end()]
# Enter at the count-down boots at once.
EFI_START = [wait("Press ESCAPE within 5 seconds for boot options"), types("\r")]
SHELL = r"^Shell> "
EFI_SHELL = [*EFI_START, wait("any other key to continue"), types("\r"), mark(SHELL)]

ROOT = r"^READY# "
# Bounded by operations, so that each stressor does all that it verifies.
STRESS = ("stress-ng --verify --temp-path /tmp --cpu 1 --cpu-ops 100 --atomic 1 --atomic-ops 50 --mmap 1 --mmap-ops 2 "
          "--context 1 --context-ops 500 --signal 1 --signal-ops 5000 --vm 1 --vm-ops 500 --vm-bytes 32M")
LONG_STRESS = ("stress-ng --verify --temp-path /tmp --cpu 1 --atomic 1 --memcpy 1 --mmap 1 --context 1 --signal 1 --vm 1 "
               "--vm-bytes 64M --timeout 5m")
LOGIN = [mark("^guest login: ", PANIC + "|emergency mode"), types("root\n"), wait(r"^[^\n]*# "), types("PS1='READY# '\n"), wait(ROOT)]
STRESS_ENDS = [wait(r"failed: 0$", "unsuccessful"), wait("successful run completed"), wait(ROOT)]
DEBIAN_OFF = [types("poweroff\n"), wait("reboot: Power down", PANIC), end()]
DEBIAN = [*LOGIN,
          types("systemctl is-system-running --wait\n"), wait("^running$", "^degraded$"), wait(ROOT),
          types("apt-get -q update && apt-get -q -y install hello && hello\n"), wait("^Hello, world!$", "^E: "), wait(ROOT),
          types("dpkg -s hello\n"), wait("^Status: install ok installed$"), wait(ROOT),
          types(STRESS + "\n"), *STRESS_ENDS, *DEBIAN_OFF]


def debian(files, work):
    return ["-machine", "virt", "-smp", "4", "-m", "1G", "-nographic", "-kernel", files.image,
            "-initrd", work / "initrd.img", "-append", "root=LABEL=rootfs rw console=ttyS0",
            "-drive", "file=%s,format=raw,if=none,id=hd0" % (work / "root.img"),
            "-device", "virtio-blk-device,drive=hd0", "-device", "virtio-rng-device"]


GUESTS = [
    Guest("uboot-m", "U-Boot as -bios, in M mode: its commands, power-off",
          lambda files, work: ["-nographic", "-machine", "virt", "-bios", files.uboot / "qemu-riscv64/u-boot.bin"],
          [[*UBOOT_START, *UBOOT_INFO, *UBOOT_OFF]]),
    Guest("uboot", "U-Boot as -kernel behind OpenSBI, in S mode: its commands, reset, power-off",
          lambda files, work: ["-nographic", "-machine", "virt", "-kernel", files.uboot / "qemu-riscv64_smode/u-boot.bin",
                               "-drive", "file=%s,format=raw,if=none,id=hd" % (work / "disk.img"),
                               "-device", "virtio-blk-pci,drive=hd"],
          [[wait("OpenSBI v"), *UBOOT_START, *UBOOT_INFO,
            types("virtio scan; virtio info\n"), wait(r"^Device 0: .*VirtIO Block Device"), wait(PROMPT),
            types("reset\n"), wait("OpenSBI v"), wait("Hit any key to stop autoboot"), types("\n"), wait(PROMPT),
            *UBOOT_OFF]],
          prepare=fat_raw),
    Guest("uboot-no-reboot", "the same with -no-reboot: a reset ends it",
          lambda files, work: ["-nographic", "-machine", "virt", "-kernel", files.uboot / "qemu-riscv64_smode/u-boot.bin",
                               "-no-reboot"],
          [[*UBOOT_START, types("reset\n"), end()]]),
    Guest("uboot-fat", "U-Boot boots Debian's kernel by extlinux.conf on FAT, from virtio-blk-pci",
          lambda files, work: ["-nographic", "-machine", "virt", "-m", "1G", "-bios", files.opensbi / "fw_jump.bin",
                               "-kernel", files.uboot / "qemu-riscv64_smode/u-boot.bin",
                               "-drive", "file=%s,format=raw,if=none,id=hd" % (work / "disk.img"),
                               "-device", "virtio-blk-pci,drive=hd"],
          [LINUX_WORKS], prepare=fat_raw),
    Guest("dqib", "the command line of Debian's quick images: OpenSBI (ELF), U-Boot (ELF), qcow2, network, random numbers",
          dqib("fw_jump.elf"), [LINUX_WORKS], prepare=ext4_qcow2,
          without_peer="QEMU 11 takes Debian 13's fw_jump.elf for a raw file and hangs"),
    Guest("dqib-bin", "the same with OpenSBI as a raw file",
          dqib("fw_jump.bin"), [LINUX_WORKS], prepare=ext4_qcow2),
    Guest("edk2", "EDK2's shell, flash memories by -blockdev; a variable outlives a power-off",
          lambda files, work: ["-machine", "virt,pflash0=pflash0,pflash1=pflash1,acpi=off", "-m", "1G", "-smp", "2",
                               "-nographic", *flash_blockdevs(files, work)],
          [[*EFI_SHELL, types("ver\r"), wait(r"^UEFI v2\.\d+ "), wait(SHELL), types("set kept value-of-it\r"), wait(SHELL),
            types("reset -s\r"), end()],
           [*EFI_SHELL, types("set kept\r"), wait(r"kept = value-of-it"), wait(SHELL), types("reset -s\r"), end()]],
          prepare=efi),
    Guest("edk2-kernel", "EDK2 boots -kernel, -initrd and -append",
          lambda files, work: ["-machine", "virt,pflash0=pflash0,pflash1=pflash1,acpi=off", "-m", "1G", "-smp", "2",
                               "-nographic", *flash_blockdevs(files, work), "-device", "virtio-rng-pci",
                               "-kernel", files.image, "-initrd", work / "initrd.img", "-append", CHECK],
          [[*EFI_START, *LINUX_WORKS]], prepare=efi),
    Guest("edk2-grub", "EDK2, grub from a GPT disk (if=virtio), Debian's kernel: Debian's README of qemu-efi-riscv64",
          efi_readme("virt,acpi=off", ["-drive", "file=%(disk)s,format=raw,if=virtio"]),
          [[*EFI_START, *LINUX_WORKS]], prepare=grub_disk, needs=("firmware", "grub")),
    Guest("edk2-grub-mmio", "the same with virtio-blk-device",
          efi_readme("virt,acpi=off", ["-drive", "file=%(disk)s,format=raw,if=none,id=hd",
                                       "-device", "virtio-blk-device,drive=hd"]),
          [[*EFI_START, *LINUX_WORKS]], prepare=grub_disk, needs=("firmware", "grub")),
    Guest("edk2-grub-pci", "the same with virtio-blk-pci and without acpi=off",
          efi_readme("virt", ["-drive", "file=%(disk)s,format=raw,if=none,id=hd", "-device", "virtio-blk-pci,drive=hd"]),
          [[*EFI_START, *LINUX_WORKS]], prepare=grub_disk, needs=("firmware", "grub")),
    Guest("kunit", "the command line of Linux's kunit.py",
          lambda files, work: ["-nodefaults", "-m", "1024", "-kernel", files.image, "-initrd", files.initrd,
                               "-append", "mem=1G console=tty kunit_shutdown=halt console=ttyS0 kunit_shutdown=reboot weft.check",
                               "-no-reboot", "-nographic", "-accel", "kvm", "-accel", "hvf", "-accel", "tcg",
                               "-serial", "stdio", "-machine", "virt", "-cpu", "rv64",
                               "-bios", files.fw_dynamic],
          [LINUX_WORKS], needs=()),
    Guest("debian", "Debian trixie with systemd on 4 CPUs: login, apt, stress-ng --verify, a clean power-off",
          debian, [DEBIAN], prepare=debian_disk, finish=lambda files, work: debian_image.check(work / "root.img"),
          needs=("debian", "modules", "hello")),
    Guest("debian-stress", "the same with stress-ng --verify for five minutes",
          debian, [[*LOGIN, types(LONG_STRESS + "\n"), *STRESS_ENDS, *DEBIAN_OFF]], prepare=debian_disk,
          finish=lambda files, work: debian_image.check(work / "root.img"), needs=("debian", "modules", "hello")),
]
BY_NAME = {guest.name: guest for guest in GUESTS}
