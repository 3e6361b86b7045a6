#!/usr/bin/env python3
"""Prepares a Debian kernel package for booting it directly.

  kernel.py image FILE OUT                  writes the RISC-V Image in FILE (an Image, or one packed with gzip) to OUT
  kernel.py modules TREE OUT NAME...        writes the modules NAME and what they depend on, unpacked, to the folder
                                            OUT, and the order to load them in to OUT/order
"""

import gzip
import lzma
import pathlib
import shutil
import struct
import sys


def image(source, target):
    data = source.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        data = gzip.decompress(data)
    # Documentation/arch/riscv/boot-image-header.rst: magic2 at 0x38. An Image with an EFI stub starts with "MZ" as
    # well, but so does an EFI zboot image, which has "zimg" at 4 and no magic2.
    if data[0x38:0x3C] != b"RSC\x05":
        raise SystemExit(f"kernel: {source} is no RISC-V Image (neither plain nor gzip)")
    target.write_bytes(data)
    text_offset, image_size, flags, version = struct.unpack_from("<QQQI", data, 8)
    print(f"Image text_offset={text_offset:#x} image_size={image_size:#x} flags={flags:#x} "
          f"version={version >> 16}.{version & 0xffff} file_size={len(data):#x} efi_stub={data[:2] == b'MZ'}")


def unpack_module(file):
    data = file.read_bytes()
    if file.suffix == ".xz":
        return lzma.decompress(data)
    if file.suffix == ".gz":
        return gzip.decompress(data)
    if file.suffix != ".ko":
        raise SystemExit(f"kernel: {file}: unknown compression of modules")
    return data


def depends_of(module, name):
    """The `depends=` string of the .modinfo section of an ELF64 little-endian module."""
    section_offset, = struct.unpack_from("<Q", module, 0x28)
    entry_size, count, names_index = struct.unpack_from("<HHH", module, 0x3A)

    def section(index):
        header = section_offset + index * entry_size
        name_offset, = struct.unpack_from("<I", module, header)
        offset, size = struct.unpack_from("<QQ", module, header + 0x18)
        return name_offset, module[offset:offset + size]

    names = section(names_index)[1]
    for index in range(count):
        name_offset, body = section(index)
        if names[name_offset:].startswith(b".modinfo\0"):
            for item in body.split(b"\0"):
                if item.startswith(b"depends="):
                    return [word for word in item[8:].decode().split(",") if word]
    raise SystemExit(f"kernel: module {name} does not say what it depends on")


def modules(tree, out, wanted):
    files = {}
    for file in tree.rglob("*.ko*"):
        files[file.name.split(".")[0].replace("-", "_")] = file
    built_in = {pathlib.PurePath(line).stem.replace("-", "_")
                for listing in tree.rglob("modules.builtin") for line in listing.read_text().split()}
    order = []

    def visit(name):
        name = name.replace("-", "_")
        if name in order or name in built_in:
            return
        if name not in files:
            raise SystemExit(f"kernel: the package has no module {name}")
        module = unpack_module(files[name])
        for needed in depends_of(module, name):
            visit(needed)
        (out / f"{name}.ko").write_bytes(module)
        order.append(name)

    if out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True)
    for name in wanted:
        visit(name)
    (out / "order").write_text("".join(f"{name}.ko\n" for name in order))
    print("modules", *order)


if __name__ == "__main__":
    command, source, target, *names = sys.argv[1:]
    if command == "image":
        image(pathlib.Path(source), pathlib.Path(target))
    elif command == "modules":
        modules(pathlib.Path(source), pathlib.Path(target), names)
    else:
        raise SystemExit(__doc__)
