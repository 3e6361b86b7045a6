"""scripts/guests: the command line."""

import argparse
import os
import pathlib
import subprocess
import sys

from . import files as guest_files
from . import run, table
from .console import Failure, Stopped


def parse(arguments, root):
    parser = argparse.ArgumentParser(
        prog="guests", description="Firmware and distributions as guests, by the command lines of their documentation.")
    parser.add_argument("names", nargs="+", metavar="NAME", help="a guest; 'all'; 'list', which tells of them; 'fetch NAME...', which "
                                                                 "only fills the cache")
    parser.add_argument("--peer", action="store_true", help="also under QEMU (scripts/fetch-peer)")
    parser.add_argument("--build", type=pathlib.Path, default=root / "build/release",
                        help="weft's build folder (default build/release)")
    parser.add_argument("--limit", type=int, default=600, help="seconds that one run may take (default 600)")
    parser.add_argument("--logs", type=pathlib.Path, default=root / "build/guests",
                        help="where what guests print goes (default build/guests)")
    parser.add_argument("--mirror", default="", help="Debian mirror; default: the one in the machine's apt sources")
    parser.add_argument("--record", action="store_true", help="take the newest packages and record them")
    return parser.parse_args(arguments)


def chosen(names):
    if names == ["all"]:
        return table.GUESTS
    unknown = [name for name in names if name not in table.BY_NAME]
    if unknown:
        raise Failure("there is no guest '%s'; 'scripts/guests list' tells which there are" % unknown[0])
    return [table.BY_NAME[name] for name in names]


def programs(arguments, cache):
    weft = os.environ.get("WEFT_EMULATOR") or arguments.build / "emulator/system/weft-system-riscv64"
    found = {"weft": weft}
    if arguments.peer:
        found["QEMU"] = cache / "peer/bin/qemu-system-riscv64"
    for program in found.values():
        if not pathlib.Path(program).is_file():
            raise Failure("no %s; scripts/quickstart builds weft, scripts/fetch-peer fetches QEMU" % program)
    return found


def one(guest, name, program, files, arguments):
    """(what the table says, whether it is well)"""
    if name != "weft" and guest.without_peer:
        return "no: " + guest.without_peer, True
    try:
        return "%.1f" % run.run(guest, [program], files, arguments.limit,
                                arguments.logs / ("%s.%s.log" % (guest.name, name.lower()))), True
    except Stopped:
        raise
    except (Failure, OSError) as failure:
        return "failed: %s" % failure, False


def main(arguments=None):
    root = guest_files.ROOT
    arguments = parse(arguments, root)
    cache = pathlib.Path(os.environ.get("WEFT_CACHE") or root / "build/cache")
    if arguments.names == ["list"]:
        width = max(len(name) for name in table.BY_NAME)
        for guest in table.GUESTS:
            print(guest.name.ljust(width), guest.about)
        return 0
    run.stoppable()
    try:
        only_fetch = arguments.names[0] == "fetch"
        guests = chosen(arguments.names[only_fetch:] or ["all"])
        found = {} if only_fetch else programs(arguments, cache)
        sets = sorted({name for guest in guests for name in guest.needs})
        guest_files.fetch(cache, sets, arguments.mirror, arguments.record)
        if only_fetch:
            return 0
        files = guest_files.Files(cache / "guests", cache / "guest")
        if missing := files.missing(sets):
            raise Failure("missing: %s; scripts/deps installs Debian packages" % ", ".join(missing))
        well = True
        print("| Guest | What | " + " | ".join("%s, s" % name for name in found) + " |")
        print("|---|---|" + "---|" * len(found))
        for guest in guests:
            cells = []
            for name, program in found.items():
                cell, good = one(guest, name, program, files, arguments)
                well = well and good
                cells.append(cell)
            print("| %s | %s | %s |" % (guest.name, guest.about, " | ".join(cells)), flush=True)
        return 0 if well else 1
    except (Failure, subprocess.CalledProcessError, OSError) as failure:
        print("guests: %s" % failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
