"""The kernel's interface as two compilers see it: every constant, and every struct's layout, of all uapi headers.

All headers are compiled in one translation unit, without the C library (its headers define the same names over again);
what the kernel's headers want of it comes from stubs. Constants are compared as fully expanded text, layouts as the
debug information states them.
"""

import pathlib
import re
import subprocess

# Folders of kernel headers that are alike on all architectures, but for what they include from asm/.
FOLDERS = ("linux", "misc", "mtd", "rdma", "sound", "video")

# Not for direct inclusion, or only one of two alternatives.
SKIPPED = {
    "linux/byteorder/big_endian.h",
    "linux/patchkey.h",
    # Takes a constant of a netfilter header for a name of its own.
    "linux/netfilter_ipv4/ipt_ECN.h",
    # Wants the graphics headers, which are not the kernel package's everywhere.
    "linux/kfd_ioctl.h",
    # x86-64's: other calling conventions.
    "asm/unistd_32.h", "asm/unistd_x32.h", "asm/posix_types_32.h", "asm/posix_types_x32.h", "asm/sigcontext32.h",
}

# What the kernel's headers take from a C library.
STUBS = {
    "sys/types.h": """
        #pragma once
        #include <stddef.h>
        #include <stdint.h>
        #include <asm/posix_types.h>
        typedef unsigned char u_char;
        typedef unsigned short u_short;
        typedef unsigned long u_long;
        typedef unsigned long ino_t;
        typedef char* caddr_t;
        typedef __kernel_pid_t pid_t;
        typedef __kernel_old_time_t time_t;
    """,
    "sys/socket.h": """
        #pragma once
        #include <linux/socket.h>
        typedef __kernel_sa_family_t sa_family_t;
        struct sockaddr { sa_family_t sa_family; char sa_data[14]; };
        #define sockaddr_storage __kernel_sockaddr_storage
        #define MSG_FIN 0x200
    """,
    "limits.h": """
        #pragma once
        #define INT_MAX __INT_MAX__
        #define INT_MIN (-__INT_MAX__ - 1)
    """,
    "sys/time.h": "#include <linux/time.h>\n",
    "netinet/in.h": "#include <linux/in.h>\n",
    "netinet/if_ether.h": "#include <linux/if_ether.h>\n",
    "unistd.h": "#include <sys/types.h>\n",
}

COMPILERS_OWN = {"stdarg.h", "stddef.h", "stdint.h"}


class Interface:
    """One architecture's headers: `constants` {name: expanded text} and `layouts` {name: text}."""

    def __init__(self, compiler, readelf, headers, work):
        self.compiler = compiler
        self.readelf = readelf
        self.work = pathlib.Path(work)
        self.headers = headers
        self.flags = ["-x", "c", "-std=gnu11", "-ffreestanding", "-nostdinc", "-w", "-I", str(self.work / "headers"),
                      "-I", str(self.work / "stubs"), "-isystem", compiled(compiler, "-print-file-name=include").strip()]

    def source(self):
        return "".join(f"#include <{name}>\n" for name in ["sys/types.h", "sys/socket.h", *self.headers])

    def macros(self):
        """Names of all object-like macros that hold something, but for the compiler's own."""
        own = macro_names(compiled(self.compiler, *self.flags, "-E", "-dM", "-", stdin=""))
        return macro_names(compiled(self.compiler, *self.flags, "-E", "-dM", "-", stdin=self.source())) - own

    def read_constants(self, names):
        """The full expansion of each name that is a macro here."""
        here = self.macros() & names
        text = self.source() + "".join(f'\n"weft {name}" {name}' for name in sorted(here)) + '\n"weft end"\n'
        expanded = compiled(self.compiler, *self.flags, "-E", "-P", "-", stdin=text)
        expanded = expanded[expanded.index('"weft '):]
        found = {}
        for name, value in re.findall(r'"weft (\w+)"([^"]*(?:"(?!weft )[^"]*"[^"]*)*)', expanded):
            if name != "end":
                found[name] = " ".join(value.split())
        return found

    def read_layouts(self):
        object_file = self.work / "all.o"
        compiled(self.compiler, *self.flags, "-gdwarf-4", "-fno-eliminate-unused-debug-types", "-c", "-", "-o",
                 str(object_file), stdin=self.source())
        return layouts(compiled(self.readelf, "--wide", "--debug-dump=info", str(object_file)))


def compiled(*command, stdin=None):
    result = subprocess.run(command, input=stdin, capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(command)}:\n{result.stderr[:4000]}")
    return result.stdout


def macro_names(text):
    return set(re.findall(r"^#define (\w+) +\S", text, re.MULTILINE))


def make_folders(work, common, asm):
    """Puts together what is compiled: all folders of `common` (an include folder), but asm/ from `asm`. Returns the names."""
    headers = pathlib.Path(work) / "headers"
    headers.mkdir(parents=True)
    folders = {folder: pathlib.Path(common) / folder for folder in FOLDERS + ("asm-generic",)}
    folders["asm"] = pathlib.Path(asm) / "asm"
    for folder, place in folders.items():
        if place.is_dir():
            (headers / folder).symlink_to(place)
    for name, text in STUBS.items():
        file = pathlib.Path(work) / "stubs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    # Others of the C library's that a header wants are empty: their names are not what is compared.
    for file in (file for place in folders.values() for file in place.rglob("*.h")):
        for name in re.findall(r"^#\s*include\s*<([\w./-]+)>", file.read_text(errors="replace"), re.MULTILINE):
            stub = pathlib.Path(work) / "stubs" / name
            if name.split("/")[0] not in folders and name not in COMPILERS_OWN and not stub.exists():
                stub.parent.mkdir(parents=True, exist_ok=True)
                stub.touch()
    return sorted({f"{folder}/{file.relative_to(place).as_posix()}" for folder, place in folders.items()
                   if folder != "asm-generic" for file in place.rglob("*.h")} - SKIPPED)


# One entry of debug information: <depth><offset>: Abbrev Number: N (DW_TAG_x), then lines of attributes.
ENTRY = re.compile(r"^ <(\w+)><(\w+)>: Abbrev Number: \d+(?: \((\w+)\))?$")
ATTRIBUTE = re.compile(r"^ +<\w+> +(DW_AT_\w+) *: (.*)$")


def parse(dump):
    """All entries as {offset: (tag, attributes, [offsets of children])}, and the top ones' offsets."""
    entries, stack, top = {}, [], []
    for line in dump.splitlines():
        match = ENTRY.match(line)
        if match:
            depth, offset, tag = int(match[1], 16), int(match[2], 16), match[3]
            if tag is None:
                continue
            entries[offset] = (tag, {}, [])
            del stack[depth:]
            (entries[stack[-1]][2] if stack else top).append(offset)
            stack.append(offset)
            continue
        match = ATTRIBUTE.match(line)
        if match and stack:
            # Newer versions name the form first: "(data1) 8".
            entries[stack[-1]][1][match[1]] = re.sub(r"^\((?:data|ref|udata|sdata|strp|line_strp|string|implicit)\w*\) ", "", match[2].strip())
    return entries, top


def text_of(attribute):
    # "(indirect string, offset: 0x12): name", "(offset: 0x12): name" or "name"
    return re.sub(r"^\([^)]*offset: 0x\w+\): ", "", attribute)


def layouts(dump):
    """{"struct x": "size 8; 0: 4 a; 4: 4 b"}, likewise unions and enumerators, and anonymous structs by their typedef."""
    entries, top = parse(dump)

    def target(attributes):
        reference = attributes.get("DW_AT_type")
        return int(re.search(r"<(0x\w+)>", reference)[1], 16) if reference else None

    def number(attributes, name):
        return int(attributes.get(name, "0").split()[0], 0)

    def shape(offset):
        """A type as text: equal texts are equal layouts."""
        if offset is None:
            return "void"
        tag, attributes, children = entries[offset]
        if tag in ("DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type"):
            return shape(target(attributes))
        if tag in ("DW_TAG_pointer_type", "DW_TAG_subroutine_type"):
            return "pointer"
        if tag == "DW_TAG_base_type":
            # char is signed on one of them and not on the other, and nothing depends on it.
            signed = "signed" in attributes["DW_AT_encoding"] and "unsigned" not in attributes["DW_AT_encoding"]
            one = number(attributes, "DW_AT_byte_size")
            return f"{'s' if signed and one > 1 else 'u'}{one}"
        if tag == "DW_TAG_enumeration_type":
            return f"enum{number(attributes, 'DW_AT_byte_size')}"
        if tag == "DW_TAG_array_type":
            counts = ""
            for child in children:
                bound = entries[child][1].get("DW_AT_upper_bound", entries[child][1].get("DW_AT_count"))
                counts += f"[{int(bound.split()[0], 0) + 1}]" if bound else "[]"
            return shape(target(attributes)) + counts
        return fields(offset)

    def fields(offset):
        tag, attributes, children = entries[offset]
        parts = [f"size {number(attributes, 'DW_AT_byte_size')}"]
        for child in children:
            kind, own, _ = entries[child]
            if kind == "DW_TAG_member":
                where = own.get("DW_AT_data_member_location", own.get("DW_AT_data_bit_offset", "0"))
                bits = f" bits {own['DW_AT_bit_size']}@{own.get('DW_AT_bit_offset', own.get('DW_AT_data_bit_offset', '0'))}" \
                    if "DW_AT_bit_size" in own else ""
                parts.append(f"{int(where.split()[0], 0)}: {shape(target(own))}{bits} {text_of(own.get('DW_AT_name', ''))}".strip())
        return "{" + "; ".join(parts) + "}"

    found = {}
    for unit in top:
        for offset in entries[unit][2]:
            tag, attributes, children = entries[offset]
            name = text_of(attributes.get("DW_AT_name", ""))
            if tag in ("DW_TAG_structure_type", "DW_TAG_union_type") and name and "DW_AT_declaration" not in attributes:
                found[("struct " if tag == "DW_TAG_structure_type" else "union ") + name] = fields(offset)
            elif tag == "DW_TAG_typedef":
                found["type " + name] = shape(target(attributes))
            elif tag == "DW_TAG_enumeration_type":
                for child in children:
                    own = entries[child][1]
                    found["enumerator " + text_of(own["DW_AT_name"])] = own["DW_AT_const_value"].split()[0]
    return found
