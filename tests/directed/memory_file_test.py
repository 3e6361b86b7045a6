"""RAM in files: what they hold, what is made, and what is refused, with weft and with QEMU.

  memory_file_test.py EMULATOR MODULES PROGRAM

PROGRAM is an ELF file that ends by itself with exit status 0. Without WEFT_PEER_DIR weft alone is run.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

MIB = 1 << 20
BASE = ["-M", "virt", "-bios", "none", "-display", "none", "-serial", "stdio"]


class Failure(Exception):
    pass


def expect(what, got, wanted):
    if got != wanted:
        raise Failure("%s: %r, not %r" % (what, got, wanted))


def text_of(program):
    """Bytes of its first segment, which lie at the start of RAM."""
    data = pathlib.Path(program).read_bytes()
    offset = int.from_bytes(data[32:40], "little")  # e_phoff; Elf64_Phdr: p_type, p_flags, p_offset, p_vaddr, p_paddr
    for i in range(int.from_bytes(data[56:58], "little")):
        entry = data[offset + 56 * i:offset + 56 * (i + 1)]
        if int.from_bytes(entry[0:4], "little") == 1 and int.from_bytes(entry[24:32], "little") == 0x80000000:
            start = int.from_bytes(entry[8:16], "little")
            return data[start:start + 64]
    raise Failure("%s does not begin at the start of RAM" % program)


class Emulator:
    def __init__(self, name, command, program):
        self.name, self.command, self.program = name, command, program

    def run(self, *options):
        """The exit status, and what was said."""
        result = subprocess.run([*self.command, *BASE, "-kernel", self.program, *options], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return result.returncode, result.stdout.decode(errors="replace")

    def good(self, what, *options):
        status, output = self.run(*options)
        if status != 0 or "PASS " not in output:
            raise Failure("%s, %s: exit status %d: %s" % (self.name, what, status, output))

    def bad(self, what, *options):
        status, output = self.run(*options)
        if status != 1 or "PASS " in output:
            raise Failure("%s, %s: exit status %d: %s" % (self.name, what, status, output))


def in_file(path, size, more=""):
    return ["-m", str(size // MIB), "-object", "memory-backend-file,id=m,size=%d,mem-path=%s%s" % (size, path, more),
            "-machine", "virt,memory-backend=m"]


def check(emulator, folder, program):
    text = text_of(program)
    size = 128 * MIB

    def bytes_at(path, offset, count):
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(count)

    # Made, shared: the guest's RAM is in it afterwards.
    made = folder / "made"
    emulator.good("a file that is made", *in_file(made, size, ",share=on"))
    expect("its size", made.stat().st_size, size)
    expect("its contents", bytes_at(made, 0, 64), text)
    # Used again, in an object that a node names, and at once.
    emulator.good("a file that is there", "-m", "128", "-object",
                  "memory-backend-file,id=m,size=128M,share=on,prealloc=on,mem-path=%s" % made, "-numa", "node,memdev=m")
    expect("its size", made.stat().st_size, size)
    # Larger than is needed: the rest stays.
    larger = folder / "larger"
    with open(larger, "wb") as file:
        file.truncate(size + 4 * MIB)
        file.seek(size)
        file.write(b"not the guest's")
    emulator.good("a larger file", *in_file(larger, size, ",share=on"))
    expect("what is behind", bytes_at(larger, size, 15), b"not the guest's")
    # An offset.
    emulator.good("an offset", *in_file(larger, size, ",share=on,offset=4M"))
    expect("what is there", bytes_at(larger, 4 * MIB, 64), text)
    # Not shared: nothing of the guest's is in it.
    private = folder / "private"
    emulator.good("a private file", *in_file(private, size))
    expect("its size", private.stat().st_size, size)
    expect("its contents", bytes_at(private, 0, 64), bytes(64))
    emulator.good("-mem-path", "-m", "128", "-mem-path", str(folder / "path"))
    expect("its size", (folder / "path").stat().st_size, size)
    expect("its contents", bytes_at(folder / "path", 0, 64), bytes(64))
    # A folder: nothing is left there.
    temporary = folder / "temporary"
    temporary.mkdir()
    emulator.good("a folder", *in_file(temporary, size, ",share=on"))
    expect("what is left", list(temporary.iterdir()), [])
    emulator.good("memory with a descriptor", "-m", "128", "-object", "memory-backend-memfd,id=m,size=128M,share=on", "-machine",
                  "virt,memory-backend=m")
    emulator.good("two nodes", "-m", "128", "-smp", "2", "-object", "memory-backend-ram,id=a,size=64M,prealloc=on", "-object",
                  "memory-backend-memfd,id=b,size=64M", "-numa", "node,memdev=a,cpus=0", "-numa", "node,memdev=b,cpus=1")

    # What is refused leaves the user's files as they are.
    small = folder / "small"
    small.write_bytes(b"0123456789")
    emulator.bad("a file that is too small", *in_file(small, size, ",share=on"))
    expect("its contents", small.read_bytes(), b"0123456789")
    emulator.bad("sizes that differ", "-m", "64", "-object", "memory-backend-file,id=m,size=128M,mem-path=%s" % (folder / "never"),
                 "-machine", "virt,memory-backend=m")
    emulator.bad("a folder that is not there", *in_file(folder / "no/such", size))
    emulator.bad("no such object", "-machine", "virt,memory-backend=x")
    expect("files that are not made", [(folder / name).exists() for name in ("no",)], [False])
    for path in (made, larger, private, folder / "path"):
        path.unlink()


def nodes(emulator, folder, first, second):
    """Nodes of the tree: addresses and sizes of memory, and the numbers that memory and CPUs have. (QEMU 11 crashes where CPU 0 is not in
    node 0.)"""
    dtc = shutil.which(os.environ.get("WEFT_DTC", "dtc"))
    tree = folder / "tree"
    tree.unlink(missing_ok=True)
    status, output = emulator.run(
        "-m", "96", "-smp", "4", "-object", "memory-backend-ram,id=a,size=64M", "-object", "memory-backend-ram,id=b,size=32M", "-numa",
        "node,nodeid=0,memdev=a" + first, "-numa", "node,nodeid=1,memdev=b" + second, "-machine", "dumpdtb=%s" % tree)
    if not tree.exists():
        raise Failure("%s: exit status %d: %s" % (emulator.name, status, output))
    source = subprocess.run([dtc, "-I", "dtb", "-O", "dts", str(tree)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            check=True).stdout.decode()
    found = {}
    for name, body in re.findall(r"((?:memory|cpu)@[0-9a-f]+) \{\n(.*?)\n\t*\}", source, re.DOTALL):
        found[name] = sorted(re.findall(r"(numa-node-id = .*?;|reg = .*?;)", body.split(" {")[0]))
    return found


def main():
    emulator, modules, program = sys.argv[1:]
    emulators = [Emulator("weft", [emulator, "-module-dir", modules], program)]
    if os.environ.get("WEFT_PEER_DIR"):
        emulators.append(Emulator("QEMU", [os.path.join(os.environ["WEFT_PEER_DIR"], "bin/qemu-system-riscv64")], program))
    trees = []
    for one in emulators:
        with tempfile.TemporaryDirectory() as name:
            check(one, pathlib.Path(name), program)
            trees.append(nodes(one, pathlib.Path(name), ",cpus=0-2", ",cpus=3"))
            trees.append(nodes(one, pathlib.Path(name), "", ""))
    expect("nodes", sorted(trees[0]), ["cpu@0", "cpu@1", "cpu@2", "cpu@3", "memory@80000000", "memory@84000000"])
    expect("the tree", trees[2:], trees[:2] if len(emulators) > 1 else [])


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(str(failure))
