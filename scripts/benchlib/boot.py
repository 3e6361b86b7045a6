"""Start of the emulator to the guest's first process."""

from . import emulators, measure, report

NAME = "boot"
HELP = "seconds from the start of the emulator to the guest's init, weft and peer"


def vcpu_list(text):
    return [int(word) for word in text.split(",")]


def add_options(parser):
    parser.add_argument("--vcpus", type=vcpu_list, default=[1, 2, 4], help="numbers of vCPUs (default 1,2,4)")
    parser.add_argument("--timeout", type=float, default=600, help="seconds that one boot may take (default 600)")


def run(arguments, root):
    guest = emulators.guest(root)
    programs = {emulator.name: emulator for emulator in (emulators.weft(root), emulators.peer(root))}

    def sample(case):
        vcpus, name = case
        command = programs[name].command(guest, vcpus, "console=ttyS0 weft.init")
        return emulators.seconds_until(command, b"WEFT init", arguments.timeout)

    # Weft and peer of one number of vCPUs run next to each other.
    cases = [(vcpus, name) for vcpus in arguments.vcpus for name in programs]
    samples = measure.interleaved(cases, arguments.rounds, sample)

    results = []
    for vcpus in arguments.vcpus:
        weft, peer = (measure.summary(samples[vcpus, name]) for name in ("weft", "peer"))
        results.append({"vcpus": vcpus, "unit": "s", "weft": weft, "peer": peer, "ratio": measure.ratio(peer, weft)})
    report.print_table(["vCPUs", "weft s", "peer s", "times as fast"],
                       [[r["vcpus"], r["weft"]["median"], r["peer"]["median"], r["ratio"]] for r in results])
    report.write_json(arguments.json, {
        "benchmark": NAME, "what": HELP, "rounds": arguments.rounds, "host": report.host(), "guest": guest.versions,
        "emulators": {name: emulator.version for name, emulator in programs.items()}, "results": results})
