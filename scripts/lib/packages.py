"""Which packages were fetched from the Debian archive: packages.list, beside this file.

One line for each package: SET PACKAGE VERSION SHA256, the hash being that of the .deb file. Lines of a set stand together;
`#` begins a comment. scripts/fetch-guest, fetch-peer and fetch-schemas take the recorded versions where the archive still has
them, and its newest where not, which they say; with --record they take the newest and write it down.
"""

import hashlib
import os
import pathlib
import re
import typing

RECORD = pathlib.Path(__file__).with_name("packages.list")
HEADER = "# set package version sha256; written by scripts/fetch-* --record, read by scripts/lib/packages.py\n"
SHOWN = 3  # packages named in the line about differences


class Failure(Exception):
    """Something outside of the scripts that keeps them from doing their work; the text is for the user."""


class Entry(typing.NamedTuple):
    version: str
    sha256: str


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parse(text, name):
    """{set: {package: Entry}} in the order of the lines; `name` is for messages."""
    record = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        if len(words) != 4 or not re.fullmatch("[0-9a-f]{64}", words[3]):
            raise Failure(f"{name}, line {number}: not SET PACKAGE VERSION SHA256")
        package_set = record.setdefault(words[0], {})
        if words[1] in package_set:
            raise Failure(f"{name}, line {number}: {words[1]} stands twice in {words[0]}")
        package_set[words[1]] = Entry(words[2], words[3])
    return record


def read(path):
    return parse(path.read_text(), path.name) if path.exists() else {}


def write(path, record):
    """Sets and packages in alphabetical order, so that a change shows as what it is. The file is complete at any time."""
    lines = [f"{set_name} {name} {entry.version} {entry.sha256}\n"
             for set_name, entries in sorted(record.items()) for name, entry in sorted(entries.items())]
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(HEADER + "".join(lines))
    os.replace(fresh, path)


def check_hashes(recorded, entries):
    """The archive never gives two files the same package and version."""
    for name, entry in entries.items():
        known = recorded.get(name)
        if known and known.version == entry.version and known.sha256 != entry.sha256:
            raise Failure(f"{name} {entry.version} has the SHA-256 {entry.sha256}, not the recorded {known.sha256}")


def difference(recorded, entries):
    """How `entries` differ from what is recorded, on one line; empty if they do not."""
    changes = []
    for name in sorted(set(recorded) | set(entries)):
        if name not in entries:
            changes.append(f"{name} {recorded[name].version} is gone")
        elif name not in recorded:
            changes.append(f"{name} {entries[name].version} is new")
        elif recorded[name].version != entries[name].version:
            changes.append(f"{name} {recorded[name].version} -> {entries[name].version}")
    more = len(changes) - SHOWN
    return ", ".join(changes[:SHOWN]) + (f" and {more} more" if more > 0 else "")
