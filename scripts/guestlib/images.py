"""Disk images, made without rights on the host: file systems by mke2fs and mtools, partitions by sfdisk."""

import pathlib
import shutil
import subprocess

MIB = 1 << 20
# Partition types as sfdisk abbreviates them.
LINUX, ESP = "L", "U"


def run(*command, **options):
    """Runs a tool of the host's; what it prints is in the error where it fails."""
    path = "/usr/sbin:/sbin:/usr/bin:/bin"  # mke2fs and sfdisk are not in everybody's PATH
    result = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            stdin=None if "input" in options else subprocess.DEVNULL, text=True,
                            env={"PATH": path, "LC_ALL": "C", **options.pop("env", {})}, **options)
    if result.returncode != 0:
        raise OSError("%s ended with %d: %s" % (command[0], result.returncode, result.stdout.strip()))
    return result.stdout


def tree(folder, files):
    """Lays out `files` (path in the image: a file of the host, or text) below `folder`."""
    for name, content in files.items():
        file = pathlib.Path(folder) / name.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            file.write_text(content)
        else:
            shutil.copyfile(content, file)
    return folder


def ext4(image, folder, mib, label, within=()):
    """`within`: a command that mke2fs runs in."""
    run(*within, "mke2fs", "-q", "-t", "ext4", "-L", label, "-E", "root_owner=0:0", "-d", folder, image, "%dM" % mib)
    return image


def fat(image, folder, mib, label):
    with open(image, "wb") as file:
        file.truncate(mib * MIB)
    run("mformat", "-i", image, "-F", "-v", label, "::")
    run("mcopy", "-s", "-i", image, *sorted(pathlib.Path(folder).iterdir()), "::")
    return image


def gpt(image, partitions):
    """A GPT with these partitions, each (type, file with its contents); they begin at whole MiB."""
    begin, lines = 1, ["label: gpt"]
    for kind, content in partitions:
        mib = -(-pathlib.Path(content).stat().st_size // MIB)
        lines.append("start=%dMiB, size=%dMiB, type=%s" % (begin, mib, kind))
        begin += mib
    with open(image, "wb") as file:
        file.truncate((begin + 1) * MIB)
    run("sfdisk", "-q", image, input="\n".join(lines) + "\n")
    begin = 1
    with open(image, "r+b") as disk:
        for _, content in partitions:
            disk.seek(begin * MIB)
            with open(content, "rb") as file:
                shutil.copyfileobj(file, disk, MIB)
            begin += -(-pathlib.Path(content).stat().st_size // MIB)
    return image


def qcow2(image, raw):
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, image)
    return image
