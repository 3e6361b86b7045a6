"""Benchmarks of weft against its peer.

cli.py        sub-commands, one module each
measure.py    interleaved rounds and medians: the only place where samples are taken
report.py     tables and JSON files
emulators.py  the programs that are measured, and the guest
programs.py   the benchmark programs of tests/bench, and building them
runners.py    running them on the host and in a guest
callgrind.py  counting the host instructions of a process
results.py    what they print, compared and summed up
chart.py      the chart
cpio.py       adding files to an initial RAM disk
"""


class Failure(Exception):
    """What keeps a benchmark from running; the text is for the user."""
