"""Runs the guest that drives a virtio disk as teaching kernels do, by xv6's command line.

  disk_test.py EMULATOR MODULES LAYOUT PROGRAM

LAYOUT is legacy, QEMU's default, or modern. MODULES may be empty: then EMULATOR takes no such option.
"""

import pathlib
import subprocess
import sys
import tempfile

SECTOR = 512


def main():
    emulator, modules, layout, program = sys.argv[1:]
    image = bytes((i % SECTOR + i // SECTOR) % 256 for i in range(64 * SECTOR))
    with tempfile.TemporaryDirectory() as folder:
        disk = pathlib.Path(folder) / "fs.img"
        disk.write_bytes(image)
        command = [emulator] + (["-module-dir", modules] if modules else [])
        command += ["-machine", "virt", "-bios", "none", "-kernel", program, "-m", "128M", "-smp", "3", "-nographic"]
        command += ["-global", "virtio-mmio.force-legacy=false"] if layout == "modern" else []
        command += ["-device", "virtio-blk-device,drive=x0,bus=virtio-mmio-bus.0",
                    "-drive", "file=%s,if=none,format=raw,id=x0" % disk]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                check=False)
        output = result.stdout.decode(errors="replace")
        expected = bytearray(image)
        expected[5 * SECTOR:6 * SECTOR] = bytes(reversed(image[3 * SECTOR:4 * SECTOR]))
        passed = (result.returncode == 0 and "PASS " in output and "layout " + layout in output
                  and disk.read_bytes() == expected)
    if not passed:
        print(output)
        print("exit status", result.returncode)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
