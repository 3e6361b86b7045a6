#!/usr/bin/env python3
"""Checks the board's device tree with dt-validate, which must say nothing.

    schema_test.py WRITE_TREE RULES

RULES is one of
  core   the rules of Debian's package dt-schema for nodes of any hardware, and those in tests/hw/schemas
  linux  all bindings of the Linux kernel, which scripts/fetch-schemas fetches into WEFT_SCHEMA_DIR; skipped (exit code 77)
         where that is not set

Linux has no binding for the nodes in WITHOUT_BINDING and ACLINT_WITHOUT_BINDING; tests/hw/schemas has one for each.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

SKIP = 77
OWN_RULES = pathlib.Path(__file__).with_name("schemas")
# Harts and MiB: the smallest, memory and a RAM disk above 4 GiB, more harts than a hexadecimal digit counts.
TREES = ((1, 64), (2, 8192), (17, 1024), (2, 256, "aclint"))
WITHOUT_BINDING = {"/", "/soc/test@100000"}
ACLINT_WITHOUT_BINDING = {"/soc/mswi@2000000", "/soc/mtimer@200bff8", "/soc/sswi@2f00000"}

# Rules of dt-schema 2022.08, Debian 12's, that later versions do not have: Linux reads as many cells
# as there are.
OUTDATED = re.compile(r"\S+: chosen: linux,initrd-(?:start|end):0: \[\d+, \d+\] is too long")
UNMATCHED = re.compile(r"\S+: (/\S*): failed to match any schema with compatible: .*")

# Extensions of the architecture's specifications, told by QEMU as well, that the fetched kernel's binding does not list yet.
UNLISTED = {"zic64b", "ziccamoa", "zicclsm", "ziccrse", "zmmul", "za64rs", "zaamo", "zalrsc", "ssccptr", "sscounterenw",
            "ssstrict", "sstvala", "sstvecd", "ssu64xl", "svadu"}
UNKNOWN_NAME = re.compile(r"\S+: cpu@\S+ \(riscv\): riscv,isa-extensions:\d+: '(\w+)' is not one of .*")
# What follows from that, of the same node.
FOLLOWS = re.compile(r"\S+: cpu@\S+ \(riscv\): Unevaluated properties are not allowed "
                     r"\('riscv,isa', 'riscv,isa-base', 'riscv,isa-extensions' were unexpected\)")


def complaints(text):
    """What dt-validate printed: a list of complaints, each without the lines that only say where the rule stands."""
    return [line for line in text.splitlines() if line.strip() and not line.startswith("\t")]


def validate(program, arguments, tree):
    done = subprocess.run([program, *arguments, tree], text=True, stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode != 0:
        return [f"{program} ended with {done.returncode}: {done.stderr.strip()[-2000:]}"]
    return complaints(done.stdout + done.stderr)


def core(tree):
    program = os.environ.get("WEFT_DT_VALIDATE", "/usr/bin/dt-validate")
    return [line for line in validate(program, ["-s", OWN_RULES], tree) if not OUTDATED.fullmatch(line)]


def linux(tree):
    folder = pathlib.Path(os.environ["WEFT_SCHEMA_DIR"])
    wrong = []
    unmatched = set()
    names = set()
    for line in validate(folder / "bin/dt-validate", ["-m", "-s", folder / "linux.json"], tree):
        found = UNMATCHED.fullmatch(line)
        name = UNKNOWN_NAME.fullmatch(line)
        if found:
            unmatched.add(found.group(1))
        elif name:
            names.add(name.group(1))
        elif not FOLLOWS.fullmatch(line):
            wrong.append(line)
    expected = WITHOUT_BINDING | (ACLINT_WITHOUT_BINDING if "aclint" in tree.name else set())
    if unmatched != expected:
        wrong.append(f"no binding for {sorted(unmatched)}, expected of {sorted(expected)}")
    if names != UNLISTED:
        wrong.append(f"the binding lacks {sorted(names)}, expected {sorted(UNLISTED)}")
    # The newer program reads the other rules differently, too.
    return wrong + validate(folder / "bin/dt-validate", ["-s", OWN_RULES], tree)


def main():
    write_tree, rules = sys.argv[1:]
    if rules == "linux" and not os.environ.get("WEFT_SCHEMA_DIR"):
        print("skipped: WEFT_SCHEMA_DIR is not set (scripts/fetch-schemas gets the bindings)")
        return SKIP
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for harts, mib, *other in TREES:
            tree = pathlib.Path(folder) / f"{harts}-harts{''.join('-' + word for word in other)}.dtb"
            subprocess.run([write_tree, str(harts), str(mib), tree, *other], check=True)
            for line in {"core": core, "linux": linux}[rules](tree):
                print(line)
                failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
