#!/usr/bin/env python3
"""Compares the kernel interface that riscv64 programs are compiled for with the one that the host's kernel speaks.

  uapi_test.py RISCV64_GCC RISCV64_READELF HOST_GCC HOST_READELF

Both sides are compiled from the same linux/ headers, those of the cross compiler, so that no difference of versions is seen; only
asm/ is each one's own. Everything that differs must be in uapi_differences.py, and everything there must differ.
"""

import fnmatch
import pathlib
import subprocess
import sys
import tempfile

import uapi
import uapi_differences as declared


def include_folder(compiler):
    """The folder that holds linux/ and the one that holds asm/, for a compiler."""
    listing = subprocess.run([compiler, "-E", "-H", "-x", "c", "-", "-o", "/dev/null"], capture_output=True, text=True,
                             input="#include <linux/socket.h>\n#include <asm/unistd.h>\n", check=True).stderr
    found = {}
    for line in listing.splitlines():
        path = pathlib.Path(line.lstrip(". "))
        for name in ("linux/socket.h", "asm/unistd.h"):
            if path.as_posix().endswith("/" + name):
                found.setdefault(name, path.parent.parent)
    return found["linux/socket.h"], found["asm/unistd.h"]


def differences(guest, host):
    """Names of the guest's side that mean something else, or nothing, on the host's."""
    return {name: (value, host.get(name)) for name, value in guest.items() if host.get(name) != value}


def judge(what, found, rows, used):
    """Prints what no row of a table names; notes the rows that named something."""
    wrong = 0
    for name, (guest, host) in sorted(found.items()):
        fitting = [row for row, _ in rows if fnmatch.fnmatchcase(name, row)]
        used.update(fitting)
        if not fitting:
            print(f"{what} {name}: riscv64 has '{guest}', x86-64 has '{host}', and uapi_differences.py has no row for it")
            wrong += 1
    return wrong


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    guest_gcc, guest_readelf, host_gcc, host_readelf = sys.argv[1:]
    common, guest_asm = include_folder(guest_gcc)
    _, host_asm = include_folder(host_gcc)
    with tempfile.TemporaryDirectory() as work:
        sides = []
        for name, gcc, readelf, asm in (("guest", guest_gcc, guest_readelf, guest_asm), ("host", host_gcc, host_readelf, host_asm)):
            folder = pathlib.Path(work) / name
            sides.append(uapi.Interface(gcc, readelf, uapi.make_folders(folder, common, asm), folder))
        guest, host = sides
        names = guest.macros()
        guest_constants, host_constants = guest.read_constants(names), host.read_constants(host.macros())
        guest_layouts, host_layouts = guest.read_layouts(), host.read_layouts()

    # A parser that reads nothing finds no difference.
    for what, table, least in (("constants", guest_constants, 20000), ("layouts", guest_layouts, 15000),
                               ("constants of the host", host_constants, 20000), ("layouts of the host", host_layouts, 15000)):
        if len(table) < least:
            sys.exit(f"only {len(table)} {what} were read; {least} were expected")

    used = set()
    wrong = judge("constant", differences(guest_constants, host_constants), declared.CONSTANTS + declared.NEWER, used)
    wrong += judge("layout", differences(guest_layouts, host_layouts), declared.LAYOUTS + declared.NEWER, used)
    only = {name: (None, value) for name, value in host_constants.items() if name not in guest_constants
            and any(fnmatch.fnmatchcase(name, family) for family in declared.HOST_FAMILIES)}
    wrong += judge("constant", only, declared.HOST_ONLY + declared.NEWER, used)
    for row, _ in declared.CONSTANTS + declared.LAYOUTS + declared.HOST_ONLY:
        if row not in used:
            print(f"uapi_differences.py: nothing that differs is named {row}")
            wrong += 1
    print(f"{len(guest_constants)} constants and {len(guest_layouts)} layouts compared")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
