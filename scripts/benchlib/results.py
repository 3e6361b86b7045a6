"""What benchmark programs print, and what follows from it. Knows neither emulators nor files.

A sample is what one run of a program gave: an Outcome, or a Wrong with the reason why there is none.
"""

import dataclasses
import math
import re

from . import measure

END = re.compile(r"BENCH end (?P<name>\w+) size=(?P<size>\d+) repeats=(?P<repeats>\d+) check=(?P<check>[0-9a-f]{16})"
                 r" seconds=(?P<seconds>\d+\.\d{9})")
BEGIN = re.compile(r"BENCH begin (?P<name>\w+)")
COMPLAINT = re.compile(r"BENCH (?:failed|wrong) (?P<name>\w+):? (?P<why>.+)")

# How far the program's own clock may be from the clock of who reads its output, before the clock counts as wrong:
# a share of the time, and seconds for the ways of a line through a busy host.
CLOCK_SHARE = 0.2
CLOCK_SECONDS = 0.5


@dataclasses.dataclass(frozen=True)
class Outcome:
    size: int
    check: str
    seconds: float  # per repeat


@dataclasses.dataclass(frozen=True)
class Wrong:
    why: str


def parse(lines, compare_clocks=True):
    """{program: sample} of lines with the times at which they were read, [(seconds, text)].

    A time that the outside clock contradicts is wrong: a guest's clock that goes slow would make it look fast. Where the
    times do not matter, the clocks need not be compared: on a host that is busy enough, lines come late.
    """
    samples = {}
    begun = {}
    for when, text in lines:
        if match := END.fullmatch(text):
            name, repeats, seconds = match["name"], int(match["repeats"]), float(match["seconds"])
            if name not in begun:
                samples[name] = Wrong("ended without having begun")
                continue
            outside = when - begun.pop(name)
            if compare_clocks and abs(outside - seconds) > CLOCK_SECONDS + CLOCK_SHARE * max(outside, seconds):
                samples[name] = Wrong(f"its clock says {seconds:.3f} s, the host's {outside:.3f} s")
            else:
                samples[name] = Outcome(int(match["size"]), match["check"], seconds / repeats)
        elif match := BEGIN.fullmatch(text):
            begun[match["name"]] = when
        elif match := COMPLAINT.fullmatch(text):
            if not isinstance(samples.get(match["name"]), Wrong):
                samples[match["name"]] = Wrong(match["why"])
            begun.pop(match["name"], None)
    for name in begun:
        samples[name] = Wrong("did not end")
    return samples


def checked(sample, reference):
    """The sample, or why it is wrong by what another run of the program gave."""
    if sample is None:
        return Wrong("never began")
    if isinstance(sample, Wrong) or not isinstance(reference, Outcome):
        return sample
    if sample.size != reference.size:
        return Wrong(f"size {sample.size} instead of {reference.size}")
    if sample.check != reference.check:
        return Wrong(f"computed {sample.check} instead of {reference.check}")
    return sample


class References:
    """What samples are compared with: the host's own if it takes part ("native"), else those of whoever came first."""

    def __init__(self):
        self._outcomes = {}

    def checked(self, machine, samples, names):
        """The samples {program: Outcome or Wrong} of one run, each of `names` compared with what is known of it by now."""
        for program, value in samples.items():
            if isinstance(value, Outcome) and (machine == "native" or program not in self._outcomes):
                self._outcomes[program] = value
        return {name: checked(samples.get(name), self._outcomes.get(name)) for name in names}


def summary(samples):
    """Of one program's samples on one machine: a summary of seconds, or the first reason why there is none."""
    for sample in samples:
        if not isinstance(sample, Outcome):
            return {"wrong": sample.why}
    return measure.summary([sample.seconds for sample in samples])


def quotient(over, under):
    """The quotient of two summaries' medians; None if one has none."""
    if "wrong" in over or "wrong" in under:
        return None
    return over["median"] / under["median"]


def geometric_mean(values):
    """Of what there is; None of nothing."""
    values = [value for value in values if value is not None]
    return math.exp(math.fsum(map(math.log, values)) / len(values)) if values else None


def row(name, group, by_machine):
    """One program's line of the table, from {machine: summary}; machines are native, weft, peer, any of which may lack."""
    line = {"program": name, "group": group, "unit": "s", **by_machine}
    for key, over, under in RATIOS:
        if over in by_machine and under in by_machine:
            line[key] = quotient(by_machine[over], by_machine[under])
    return line


# The last one is how many times as fast as the peer weft is.
RATIOS = [("weft_over_native", "weft", "native"), ("peer_over_native", "peer", "native"), ("times_as_fast", "peer", "weft")]


def means(rows, groups):
    """Geometric means of the ratios of each group, and of all programs (group "all").

    A program that lacks a ratio of those asked for (because it went wrong) is left out of all of them, so that the three
    means of a group are about the same programs.
    """
    keys = [key for key, _, _ in RATIOS if any(key in line for line in rows)]
    result = []
    for group in [*groups, "all"]:
        members = [line for line in rows if group in ("all", line["group"])
                   and all(line.get(key) is not None for key in keys)]
        if members and keys:
            result.append({"group": group, "programs": len(members),
                           **{key: geometric_mean([line[key] for line in members]) for key in keys}})
    return result


def wrongs(rows):
    """(program, machine, reason) of all that went wrong."""
    return [(line["program"], machine, line[machine]["wrong"]) for line in rows
            for machine in ("native", "weft", "peer") if "wrong" in line.get(machine, {})]
