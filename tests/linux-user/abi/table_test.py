#!/usr/bin/env python3
"""The table of system calls against both architectures' headers and against docs/user-abi.md.

  table_test.py TABLE_DUMP RISCV64_GCC HOST_GCC DOC [--write]

--write puts the table of calls by policy into DOC instead of comparing it.
"""

import pathlib
import re
import subprocess
import sys

# Calls of the generic table that are in the headers of Linux 6.1 or older.
LAST_OF_6_1 = 450
LEGACY_OF_X86_64 = 57
# riscv64's own; the headers call the first of them nothing (4) but a comment.
BEGIN, END = "<!-- calls: begin -->", "<!-- calls: end -->"


def numbers(compiler):
    """{name: number} of a compiler's <asm/unistd.h>."""
    macros = subprocess.run([compiler, "-E", "-dM", "-"], input="#include <asm/unistd.h>\n", capture_output=True, text=True,
                            check=True).stdout
    names = sorted(set(re.findall(r"^#define __NR_(\w+) ", macros, re.MULTILINE)) - {"arch_specific_syscall", "syscalls"})
    text = "#include <asm/unistd.h>\n" + "".join(f'"{name}" __NR_{name}\n' for name in names)
    expanded = subprocess.run([compiler, "-E", "-P", "-"], input=text, capture_output=True, text=True, check=True).stdout
    return {name: eval(value, {"__builtins__": {}}) for name, value in re.findall(r'"(\w+)" ([\d()+ ]+)', expanded)}


def by_policy(rows):
    lines = [BEGIN, ""]
    for policy, title in (("own", "Implemented by weft"), ("pass", "Passed to the host")):
        names = sorted(name for _, _, name, kind, _, _ in rows if kind == policy)
        lines += [f"{title} ({len(names)}): " + ", ".join(names) + ".", ""]
    refused = [(name, reason) for _, _, name, kind, _, reason in rows if kind == "enosys"]
    lines += [f"Not offered, ENOSYS ({len(refused)}):", "", "| call | why |", "|---|---|"]
    lines += [f"| {name} | {reason} |" for name, reason in sorted(refused)]
    return "\n".join(lines + ["", END])


def main():
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__)
    dump, guest_gcc, host_gcc, doc = sys.argv[1:5]
    table = subprocess.run([dump], capture_output=True, text=True, check=True).stdout
    rows = [(int(number), int(host), name, policy, int(count), reason)
            for number, host, name, policy, count, reason in (line.split("\t") for line in table.splitlines())]
    guest, host = numbers(guest_gcc), numbers(host_gcc)
    ours = {name: number for number, _, name, _, _, _ in rows}
    wrong = []

    for name, number in guest.items():
        if ours.get(name) != number:
            wrong.append(f"{name}: the headers have {number}, the table has {ours.get(name)}")
    for name, number in ours.items():
        # 258 is in headers after 6.1; the others of today are all there.
        if name not in guest and number <= max(guest.values()) and name != "riscv_hwprobe":
            wrong.append(f"{name}: the table has {number}, and the headers have no such call")
    if len(guest) < 290 or LAST_OF_6_1 not in guest.values():
        wrong.append(f"only {len(guest)} calls were read from the headers")

    reached = set()
    for number, host_number, name, policy, _, reason in rows:
        if host_number >= 0 and host_number <= max(host.values()) and host.get(name) != host_number:
            wrong.append(f"{name}: goes to the host's {host_number}, and the host's headers have {host.get(name)}")
        if (policy == "enosys") != bool(reason):
            wrong.append(f"{name}: {policy} with the reason '{reason}'")
        reached.add(host_number)
    legacy = sorted(name for name, number in host.items() if number <= LAST_OF_6_1 and number not in reached)
    if len(legacy) != LEGACY_OF_X86_64:
        wrong.append(f"{len(legacy)} calls of the host cannot be reached: {', '.join(legacy)}")
    for name in ("open", "fork", "vfork", "arch_prctl", "modify_ldt", "iopl", "renameat", "select", "poll"):
        if name not in legacy:
            wrong.append(f"{name} of the host can be reached")

    path = pathlib.Path(doc)
    text = path.read_text()
    start, end = text.index(BEGIN), text.index(END) + len(END)
    if sys.argv[5:] == ["--write"]:
        path.write_text(text[:start] + by_policy(rows) + text[end:])
    elif text[start:end] != by_policy(rows):
        wrong.append(f"{path.name}: the table of calls is not that of table.h; write it anew with --write")
    for line in wrong:
        print(line)
    print(f"{len(rows)} calls, {len(guest)} of them in the headers")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
