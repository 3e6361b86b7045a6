"""Executables written field by field, each for the host (x86-64) and for the guest (riscv64)."""

import dataclasses
import struct

ET_EXEC, ET_DYN = 2, 3
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_PHDR, PT_GNU_STACK = 1, 2, 3, 6, 0x6474E551
PF_X, PF_W, PF_R = 1, 2, 4
MACHINES = {"host": 62, "guest": 243}
EXIT_CODE = 42
# exit_group(42)
CODE = {
    "host": bytes.fromhex("bf2a000000 b8e7000000 0f05"),
    "guest": struct.pack("<III", 0x02A00513, 0x05E00893, 0x00000073),
}
EHDR_SIZE, PHDR_SIZE = 64, 56
BASE = 0x400000  # of a fixed program


@dataclasses.dataclass
class Phdr:
    type: int = PT_LOAD
    flags: int = PF_R | PF_X
    offset: int = 0
    vaddr: int = BASE
    filesz: int = 0
    memsz: int = 0
    align: int = 0x1000

    def bytes(self):
        return struct.pack("<IIQQQQQQ", self.type, self.flags, self.offset, self.vaddr, self.vaddr, self.filesz, self.memsz,
                           self.align)


@dataclasses.dataclass
class Elf:
    """One program; `fields` of the ELF header are by name, `contents` by offset."""

    phdrs: list = dataclasses.field(default_factory=list)
    contents: dict = dataclasses.field(default_factory=dict)
    code_at: int = 0x200
    size: int = 0
    magic: bytes = b"\x7fELF"
    elf_class: int = 2
    data: int = 1
    type: int = ET_EXEC
    machine: dict = dataclasses.field(default_factory=lambda: dict(MACHINES))
    entry: int = BASE + 0x200
    phoff: int = EHDR_SIZE
    phentsize: int = PHDR_SIZE
    phnum: int = -1

    def bytes(self, who):
        header = self.magic + bytes([self.elf_class, self.data, 1]) + bytes(9) + struct.pack(
            "<HHIQQQIHHHHHH", self.type, self.machine[who], 1, self.entry, self.phoff, 0, 0, EHDR_SIZE, self.phentsize,
            len(self.phdrs) if self.phnum < 0 else self.phnum, 0, 0, 0)
        image = bytearray(header + b"".join(each.bytes() for each in self.phdrs))
        for offset, text in [(self.code_at, CODE[who]), *self.contents.items()]:
            image += bytes(max(0, offset + len(text) - len(image)))
            image[offset:offset + len(text)] = text
        return bytes(image) + bytes(max(0, self.size - len(image)))


def program(**changes):
    """Code, and a page of data with as much bss: runs, and ends with EXIT_CODE."""
    kind = changes.get("type", ET_EXEC)
    base = BASE if kind == ET_EXEC else 0
    elf = Elf(phdrs=[Phdr(vaddr=base, filesz=0x300, memsz=0x300),
                     Phdr(flags=PF_R | PF_W, offset=0x1000, vaddr=base + 0x2000, filesz=0x100, memsz=0x1800)],
              entry=base + 0x200, size=0x1100)
    return dataclasses.replace(elf, **changes)


def changed(number, **fields):
    """program() with other fields of one program header."""
    elf = program()
    elf.phdrs[number] = dataclasses.replace(elf.phdrs[number], **fields)
    return elf


def more(*phdrs, **changes):
    """program() with more program headers."""
    elf = program(**changes)
    elf.phdrs += phdrs
    return elf


def interpreted(path, **changes):
    """program() that names an interpreter."""
    text = path.encode() + b"\0"
    elf = program(**changes)
    elf.phdrs.append(Phdr(type=PT_INTERP, offset=0x280, vaddr=0x280, filesz=len(text), memsz=len(text)))
    elf.contents[0x280] = text
    return elf
