"""Runs the guest that drives a virtio disk as teaching kernels do, by xv6's command line.

  disk_test.py EMULATOR MODULES LAYOUT PROGRAM [IMAGE QEMU_IMG]

LAYOUT is legacy, QEMU's default, or modern. MODULES may be empty: then EMULATOR takes no such option. IMAGE is raw (the default), or how a
qcow2 image over a compressed one is attached: drive, probed, blockdev, nodes or snapshot.
"""

import pathlib
import subprocess
import sys
import tempfile

SECTOR = 512

# -drive or -blockdev, which names the disk x0; %s is the image.
WAYS = {
    "raw": ["-drive", "file=%s,if=none,format=raw,id=x0"],
    "drive": ["-drive", "file=%s,if=none,format=qcow2,id=x0"],
    "probed": ["-drive", "file=%s,if=none,id=x0"],
    "blockdev": ["-blockdev", "driver=qcow2,node-name=x0,file.driver=file,file.filename=%s"],
    "nodes": ["-blockdev", "driver=file,node-name=f0,filename=%s", "-blockdev", "driver=qcow2,node-name=x0,file=f0"],
    "snapshot": ["-snapshot", "-drive", "file=%s,if=none,id=x0"],
}


def make_image(folder, way, content, qemu_img):
    raw = folder / "fs.img"
    raw.write_bytes(content)
    if way == "raw":
        return raw
    for arguments in (["convert", "-c", "-f", "raw", "-O", "qcow2", "fs.img", "base.qcow2"],
                      ["create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "fs.qcow2"]):
        subprocess.run([qemu_img] + arguments, cwd=folder, check=True)
    return folder / "fs.qcow2"


def disk_of(image, way, qemu_img):
    """The disk's bytes; nothing if the image is not sound."""
    if way == "raw":
        return image.read_bytes()
    if subprocess.run([qemu_img, "check", "-q", "-f", "qcow2", image], check=False).returncode != 0:
        return b""
    back = image.parent / "back.img"
    subprocess.run([qemu_img, "convert", "-f", "qcow2", "-O", "raw", image, back], check=True)
    return back.read_bytes()


def main():
    emulator, modules, layout, program = sys.argv[1:5]
    way, qemu_img = sys.argv[5:7] or ("raw", None)
    content = bytes((i % SECTOR + i // SECTOR) % 256 for i in range(64 * SECTOR))
    with tempfile.TemporaryDirectory() as folder:
        image = make_image(pathlib.Path(folder), way, content, qemu_img)
        command = [emulator] + (["-module-dir", modules] if modules else [])
        command += ["-machine", "virt", "-bios", "none", "-kernel", program, "-m", "128M", "-smp", "3", "-nographic"]
        command += ["-global", "virtio-mmio.force-legacy=false"] if layout == "modern" else []
        command += ["-device", "virtio-blk-device,drive=x0,bus=virtio-mmio-bus.0"]
        command += [word.replace("%s", str(image)) for word in WAYS[way]]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                check=False)
        output = result.stdout.decode(errors="replace")
        expected = bytearray(content)
        if way != "snapshot":
            expected[5 * SECTOR:6 * SECTOR] = bytes(reversed(content[3 * SECTOR:4 * SECTOR]))
        passed = (result.returncode == 0 and "PASS " in output and "layout " + layout in output
                  and disk_of(image, way, qemu_img) == expected)
    if not passed:
        print(output)
        print("exit status", result.returncode)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
