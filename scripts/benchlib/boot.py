"""Start of the emulator to the guest's first process."""

from . import emulators, measure, report

NAME = "boot"
HELP = "seconds from the start of the emulator to the guest's init, weft and peer"


def vcpu_list(text):
    return [int(word) for word in text.split(",")]


def add_options(parser):
    parser.add_argument("--vcpus", type=vcpu_list, default=[1, 2, 4], help="numbers of vCPUs (default 1,2,4)")
    parser.add_argument("--weft-accel", action="append", metavar="OPTIONS",
                        help="weft's -accel option (default tcg); several are measured beside each other")
    parser.add_argument("--timeout", type=float, default=600, help="seconds that one boot may take (default 600)")


def run(arguments, root):
    guest = emulators.guest(root)
    wefts = {accel: emulators.weft(root, accelerator=accel) for accel in arguments.weft_accel or ["tcg"]}
    programs = {**wefts, "peer": emulators.peer(root)}

    def sample(case):
        vcpus, name = case
        command = programs[name].command(guest, vcpus, "console=ttyS0 weft.init")
        return emulators.seconds_until(command, b"WEFT init", arguments.timeout)

    # Weft and peer of one number of vCPUs run next to each other.
    cases = [(vcpus, name) for vcpus in arguments.vcpus for name in programs]
    samples = measure.interleaved(cases, arguments.rounds, sample)

    results = []
    for vcpus in arguments.vcpus:
        peer = measure.summary(samples[vcpus, "peer"])
        for accel in wefts:
            weft = measure.summary(samples[vcpus, accel])
            results.append({"vcpus": vcpus, "accelerator": accel, "unit": "s", "weft": weft, "peer": peer,
                            "ratio": measure.ratio(peer, weft)})
    report.print_table(["vCPUs", "-accel", "weft s", "peer s", "times as fast"],
                       [[r["vcpus"], r["accelerator"], r["weft"]["median"], r["peer"]["median"], r["ratio"]]
                        for r in results])
    report.write_json(arguments.json, {
        "benchmark": NAME, "what": HELP, "rounds": arguments.rounds, "host": report.host(), "guest": guest.versions,
        "emulators": {emulator.name: emulator.version for emulator in programs.values()}, "results": results})
