"""The programs of tests/bench as processes: of weft's, of the peer's, and on the host."""

import sys

from . import comparison, emulators, programs, runners, system

NAME = "user"
HELP = "programs as processes of weft's, of the peer's, and on the host"


def add_options(parser):
    system.add_options(parser)
    parser.set_defaults(timeout=300)


def run(arguments, root):
    chosen = programs.chosen(arguments.only)
    folder = programs.build(root, programs.folder(root))
    machines = {}
    if "native" not in arguments.without:
        machines["native"] = runners.Native(folder, arguments.timeout)
    for name, emulator in (
            ("weft", lambda: emulators.weft_user(root, arguments.weft_build, arguments.weft_accel)),
            ("peer", lambda: emulators.peer_user(root))):
        if name not in arguments.without:
            machines[name] = runners.AsProcess(emulator(), folder, arguments.timeout)
    return comparison.run(sys.modules[__name__], arguments, root, chosen, machines,
                          {"accelerators": {"weft": arguments.weft_accel}})
