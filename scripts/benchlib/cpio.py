"""The kernel's format for an initial RAM disk (cpio, "newc"): as much as adding files to one takes.

The kernel unpacks archives that follow each other, packed or not, one over the other.
"""

import stat


def padding(length):
    return b"\0" * (-length % 4)


def entry(name, mode, content, inode):
    """One file: a header of 13 numbers of eight hexadecimal digits, the name, the content."""
    path = name.encode() + b"\0"
    fields = [inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0]
    header = b"070701" + b"".join(b"%08x" % field for field in fields) + path
    return header + padding(len(header)) + content + padding(len(content))


def archive(files):
    """{path: content} of files that may be executed; their folders come with them. The same input gives the same bytes."""
    folders = sorted({"/".join(parts[:end]) for parts in (path.split("/") for path in files)
                      for end in range(1, len(parts))})
    entries = [(name, stat.S_IFDIR | 0o755, b"") for name in folders]
    entries += [(name, stat.S_IFREG | 0o755, files[name]) for name in sorted(files)]
    data = b"".join(entry(*item, inode) for inode, item in enumerate(entries, 1))
    return data + entry("TRAILER!!!", 0, b"", 0)


def tree(folder, without=()):
    """Entries of all files below a folder (a path) but those below the names in `without`; append() what else there is."""
    entries = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if any(name == left_out or name.startswith(left_out + "/") for left_out in without):
            continue
        if path.is_symlink():
            entries.append((name, stat.S_IFLNK | 0o777, str(path.readlink()).encode()))
        elif path.is_dir():
            entries.append((name, stat.S_IFDIR | 0o755, b""))
        elif path.is_file():
            entries.append((name, stat.S_IFREG | (0o755 if path.stat().st_mode & 0o111 else 0o644), path.read_bytes()))
    return b"".join(entry(*item, inode) for inode, item in enumerate(entries, 1)) + entry("TRAILER!!!", 0, b"", 0)


def append(base, files):
    """An initial RAM disk (its bytes) with more files."""
    return base + padding(len(base)) + archive(files)
