"""Bar charts as SVG, readable on light and on dark pages. Standard library only."""

import math
from xml.sax.saxutils import escape

# Colours of Okabe and Ito: told apart by colour-blind readers, and on white as on black.
COLOURS = {"weft": "#0072b2", "peer": "#e69f00"}

STYLE = """
  text { font: 12px sans-serif; fill: #1f2328; }
  .title { font-weight: bold; font-size: 14px; }
  .small { font-size: 11px; fill: #59636e; }
  .number { text-anchor: end; }
  .tick { text-anchor: middle; font-size: 11px; fill: #59636e; }
  line { stroke: #59636e; stroke-opacity: 0.35; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .small, .tick { fill: #9198a1; }
    line { stroke: #9198a1; }
  }
"""

WIDTH = 760
LEFT = 150  # the bars begin here; labels stand before
RIGHT = 60  # the numbers behind the longest bar
TOP = 58
BAR = 9
GAP = 7


def ticks(largest):
    """1, 2, 5, 10, ... up to the first that is not below `largest`."""
    values = [1]
    while values[-1] < largest:
        values.append(values[-1] * (2.5 if str(values[-1])[0] == "2" else 2))
        values[-1] = int(values[-1])
    return values


def bars(title, remark, series, rows):
    """A chart with one group of horizontal bars a row, on a logarithmic axis that begins at 1.

    `series`: names of COLOURS. `rows`: (label, [a value for each of the series, or None]). What is below 1 has a bar of
    no length and its number.
    """
    marks = ticks(max((value for _, values in rows for value in values if value is not None), default=1))
    span = WIDTH - LEFT - RIGHT

    def place(value):
        return LEFT + span * math.log(max(value, 1)) / math.log(max(marks[-1], 2))

    group = BAR * len(series) + GAP
    bottom = TOP + group * len(rows)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 28}" role="img">',
           f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>",
           f'<text class="title" x="8" y="18">{escape(title)}</text>',
           f'<text class="small" x="8" y="36">{escape(remark)}</text>']
    legend = WIDTH - 8
    for name in reversed(series):
        legend -= 7 * len(name) + 24
        out.append(f'<rect x="{legend}" y="42" width="10" height="10" fill="{COLOURS[name]}"/>'
                   f'<text x="{legend + 14}" y="51">{escape(name)}</text>')
    for mark in marks:
        x = place(mark)
        out.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}"/>'
                   f'<text class="tick" x="{x:.1f}" y="{bottom + 16}">{mark}</text>')
    for index, (label, values) in enumerate(rows):
        y = TOP + GAP / 2 + index * group
        middle = y + BAR * len(series) / 2 + 4
        out.append(f'<text class="number" x="{LEFT - 8}" y="{middle:.1f}">{escape(label)}</text>')
        for name, value in zip(series, values):
            if value is not None:
                end = place(value)
                out.append(f'<rect x="{LEFT}" y="{y:.1f}" width="{end - LEFT:.1f}" height="{BAR - 1}" '
                           f'fill="{COLOURS[name]}"/>')
                out.append(f'<text class="small" x="{end + 4:.1f}" y="{y + BAR - 0.5:.1f}">{number(value)}</text>')
            y += BAR
    return "\n".join([*out, "</svg>"]) + "\n"


def number(value):
    """Three digits at most."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def system(document):
    """The chart of a result of `bench system`: its first number of vCPUs. None if the host or both guests lack."""
    first = document["results"][0]
    series = [name for name in COLOURS if any(f"{name}_over_native" in row for row in first["programs"])]
    if not series:
        return None
    rows = [(row["program"].replace("_", " "), [row.get(f"{name}_over_native") for name in series])
            for row in first["programs"]]
    vcpus = first["vcpus"]
    host = document["host"]
    return bars(f"Time in the guest over time on the host, {vcpus} vCPU{'s' if vcpus > 1 else ''} (less is better)",
                f"scripts/bench system, medians of {document['rounds']} rounds; {host['cpu']}", series, rows)
