"""Benchmarks of weft against its peer.

cli.py        sub-commands, one module each
measure.py    interleaved rounds and medians: the only place where samples are taken
report.py     tables and JSON files
emulators.py  the programs that are measured, and the guest
"""


class Failure(Exception):
    """What keeps a benchmark from running; the text is for the user."""
