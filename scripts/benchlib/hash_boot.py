"""Boot time over the initial size of the table of translations, as a plot."""

import pathlib

from . import emulators, measure, report

NAME = "hash-boot"
HELP = "seconds of weft's boot to the guest's init over the initial number of hash buckets, with a plot (SVG)"

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 30, 50


def numbers(text):
    return [int(word) for word in text.split(",")]


def add_options(parser):
    parser.add_argument("--bits", type=numbers, default=list(range(10, 21, 2)),
                        help="binary logarithms of the number of buckets (default 10,12,...,20)")
    parser.add_argument("--vcpus", type=int, default=1, help="number of vCPUs (default 1)")
    parser.add_argument("--timeout", type=float, default=600, help="seconds that one boot may take (default 600)")
    parser.add_argument("--svg", type=pathlib.Path, help="where to write the plot (default beside the JSON file)")


def plot(points):
    """An SVG picture of {bits: (smallest, median, largest)} in seconds; the axis begins at 0."""
    bits = sorted(points)
    top = 1.2 * max(point[2] for point in points.values())
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(at):
        return LEFT + wide * (at - bits[0] + 0.5) / (bits[-1] - bits[0] + 1)

    def y(seconds):
        return TOP + high * (1 - seconds / top)

    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
             'font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
             f'<text x="{WIDTH / 2}" y="18" text-anchor="middle">Boot to init, seconds: median and range</text>']
    for step in range(5):
        seconds = top * step / 4
        lines.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(seconds):.1f}" y2="{y(seconds):.1f}" stroke="#ccc"/>')
        lines.append(f'<text x="{LEFT - 6}" y="{y(seconds) + 4:.1f}" text-anchor="end">{seconds:.2f}</text>')
    for at in bits:
        low, median, high_end = points[at]
        lines.append(f'<line x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{y(low):.1f}" y2="{y(high_end):.1f}" stroke="#888"/>')
        lines.append(f'<circle cx="{x(at):.1f}" cy="{y(median):.1f}" r="4" fill="#036"/>')
        lines.append(f'<text x="{x(at):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">2^{at}</text>')
    path = " ".join(f"{x(at):.1f},{y(points[at][1]):.1f}" for at in bits)
    lines.append(f'<polyline points="{path}" fill="none" stroke="#036"/>')
    lines.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 10}" text-anchor="middle">initial number of hash buckets</text>')
    lines.append("</svg>")
    return "\n".join(lines) + "\n"


def run(arguments, root):
    guest = emulators.guest(root)
    programs = {bits: emulators.weft(root, accelerator=f"tcg,hash-buckets={1 << bits}") for bits in arguments.bits}

    def sample(case):
        command = programs[case[0]].command(guest, arguments.vcpus, "console=ttyS0 weft.init")
        return emulators.seconds_until(command, b"WEFT init", arguments.timeout)

    samples = measure.interleaved([(bits,) for bits in arguments.bits], arguments.rounds, sample)
    results = [{"bits": bits, "unit": "s", "weft": measure.summary(samples[bits,])} for bits in arguments.bits]
    report.print_table(["buckets", "weft s", "smallest", "largest"],
                       [[f"2^{r['bits']}", r["weft"]["median"], r["weft"]["min"], r["weft"]["max"]] for r in results])
    report.write_json(arguments.json, {"benchmark": NAME, "what": HELP, "rounds": arguments.rounds,
                                       "vcpus": arguments.vcpus, "host": report.host(), "guest": guest.versions,
                                       "emulators": {"weft": programs[arguments.bits[0]].version}, "results": results})
    picture = arguments.svg or arguments.json.with_suffix(".svg")
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_text(plot({r["bits"]: (r["weft"]["min"], r["weft"]["median"], r["weft"]["max"]) for r in results}))
    print(f"written to {picture}")
