"""How samples are taken: every benchmark goes through here, so that all are measured alike."""

import statistics
import sys


def interleaved(cases, rounds, sample, warm_up=True, progress=sys.stderr, show="{:.3f}".format):
    """Calls sample(case) `rounds` times for each case and returns {case: [samples]}.

    A round takes each case once, so that what changes slowly on the host (clock, neighbours, caches) meets all cases
    alike; every other round runs backwards, so that no case always follows the same one. The warm-up round is not
    counted: it fills the host's page cache. `show` makes a text for the progress of a sample.
    """
    samples = {case: [] for case in cases}
    for index in range(-1 if warm_up else 0, rounds):
        order = list(cases) if index % 2 == 0 else list(reversed(cases))
        for case in order:
            value = sample(case)
            if index >= 0:
                samples[case].append(value)
            if progress:
                name = "warm-up" if index < 0 else f"round {index + 1}/{rounds}"
                print(f"bench: {name}: {' '.join(map(str, case))}: {show(value)}", file=progress, flush=True)
    return samples


def summary(samples):
    """Median and range of samples, for the JSON file."""
    return {"median": statistics.median(samples), "min": min(samples), "max": max(samples), "samples": samples}


def ratio(peer, weft):
    """How many times as fast as the peer weft is, of two summaries of durations."""
    return peer["median"] / weft["median"]
