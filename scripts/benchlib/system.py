"""The programs of tests/bench: on the host, and in guests of weft's and of the peer's."""

import pathlib
import sys

from . import comparison, emulators, programs, runners

NAME = "system"
HELP = "programs in a guest of weft's, in one of the peer's, and on the host"


def names(text):
    return [word for word in text.split(",") if word]


def vcpu_list(text):
    return [int(word) for word in text.split(",")]


def add_options(parser):
    parser.add_argument("--vcpus", type=vcpu_list, default=[1, 2], help="numbers of vCPUs (default 1,2)")
    parser.add_argument("--only", type=names, metavar="NAME,...",
                        help="these programs: " + ", ".join(program.name for program in programs.PROGRAMS))
    parser.add_argument("--without", type=names, default=[], metavar="MACHINE,...",
                        help="leave out native, weft or peer")
    parser.add_argument("--weft-build", type=pathlib.Path, metavar="DIR", help="weft's build folder (build/release)")
    parser.add_argument("--weft-accel", default="tcg", metavar="OPTIONS", help="weft's -accel option (default tcg)")
    parser.add_argument("--peer-accel", default="tcg", metavar="OPTIONS", help="the peer's (default tcg)")
    parser.add_argument("--timeout", type=float, default=900,
                        help="seconds that all programs may take together in one boot (default 900)")
    parser.add_argument("--svg", type=pathlib.Path, metavar="FILE",
                        help="where to write the chart (default build/bench/system.svg)")


def run(arguments, root):
    chosen = programs.chosen(arguments.only)
    folder = programs.build(root, programs.folder(root))
    guest = emulators.guest(root)
    machines = {}
    if "native" not in arguments.without:
        machines["native"] = runners.Native(folder, arguments.timeout)
    for name, emulator in (
            ("weft", lambda: emulators.weft(root, arguments.weft_build, arguments.weft_accel)),
            ("peer", lambda: emulators.peer(root, arguments.peer_accel))):
        if name not in arguments.without:
            machines[name] = runners.InGuest(root, guest, emulator(), folder, root / "build/bench/guest",
                                             arguments.timeout)
    return comparison.run(sys.modules[__name__], arguments, root, chosen, machines,
                          {"guest": guest.versions,
                           "accelerators": {"weft": arguments.weft_accel, "peer": arguments.peer_accel}})
